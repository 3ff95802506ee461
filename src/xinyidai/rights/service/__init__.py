"""Verbs of rights: ask, make an export, carry a deletion out, fetch, let archives end."""

from xinyidai.rights.service.asking import ask, fetch, list_requests, show_holdings
from xinyidai.rights.service.carrying_out import (
    archives_over,
    carry_out,
    carry_out_waiting,
    end_archives,
    waiting_requests,
)

__all__ = [
    "archives_over",
    "ask",
    "carry_out",
    "carry_out_waiting",
    "end_archives",
    "fetch",
    "list_requests",
    "show_holdings",
    "waiting_requests",
]
