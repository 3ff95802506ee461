"""The verbs of the room: take a delivery in, seal facts, verify them."""

from xinyidai.sources.service.deriving import receive_statement
from xinyidai.sources.service.keys import approve_key, propose_key, retire_key
from xinyidai.sources.service.passing import Provider, pass_question
from xinyidai.sources.service.pulling import (
    abandon_pulls,
    ask_pull,
    claim_pull,
    deny_pull,
    keep_token,
    note_page,
    pulls_given_up,
    put_off,
    store_pull,
)
from xinyidai.sources.service.receiving import SCOPE, receive_csv, receive_file, receive_rows
from xinyidai.sources.service.sealing import seal_facts, unsealed_deliveries, verify_facts

__all__ = [
    "SCOPE",
    "Provider",
    "abandon_pulls",
    "approve_key",
    "ask_pull",
    "claim_pull",
    "deny_pull",
    "keep_token",
    "note_page",
    "pass_question",
    "propose_key",
    "pulls_given_up",
    "put_off",
    "receive_csv",
    "receive_file",
    "receive_rows",
    "receive_statement",
    "retire_key",
    "seal_facts",
    "store_pull",
    "unsealed_deliveries",
    "verify_facts",
]
