"""The verbs of the room: take a delivery in, seal facts, verify them."""

from xinyidai.sources.service.receiving import SCOPE, receive_csv, receive_file, receive_rows
from xinyidai.sources.service.sealing import seal_facts, verify_facts

__all__ = ["SCOPE", "receive_csv", "receive_file", "receive_rows", "seal_facts", "verify_facts"]
