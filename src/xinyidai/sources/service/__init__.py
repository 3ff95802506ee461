"""The verbs of the room: take a delivery in, seal facts, verify them."""

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
from xinyidai.sources.service.purging import (
    Judged,
    PurgeReport,
    judge,
    look_ahead,
    past_keeping,
    purge,
    purge_due,
    register_hold,
)
from xinyidai.sources.service.receiving import SCOPE, receive_csv, receive_file, receive_rows
from xinyidai.sources.service.sealing import seal_facts, unsealed_deliveries, verify_facts

__all__ = [
    "SCOPE",
    "Judged",
    "PurgeReport",
    "abandon_pulls",
    "ask_pull",
    "claim_pull",
    "deny_pull",
    "judge",
    "keep_token",
    "look_ahead",
    "note_page",
    "past_keeping",
    "pulls_given_up",
    "purge",
    "purge_due",
    "put_off",
    "receive_csv",
    "receive_file",
    "receive_rows",
    "register_hold",
    "seal_facts",
    "store_pull",
    "unsealed_deliveries",
    "verify_facts",
]
