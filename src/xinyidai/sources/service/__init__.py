"""The verbs of the room: take a delivery in, seal facts, verify them."""

from xinyidai.sources.service.breaking import note_answer, note_failure
from xinyidai.sources.service.court_jobs import poll_courts, pulls_not_called_back
from xinyidai.sources.service.pull_steps import finish_pull, leave_part, note_page, refuse_part, store_part
from xinyidai.sources.service.pulling import (
    abandon_pulls,
    ask_pull,
    await_answer,
    claim_pull,
    deny_pull,
    keep_access,
    pulls_given_up,
    put_off,
)
from xinyidai.sources.service.receiving import SCOPE, receive_csv, receive_file, receive_rows
from xinyidai.sources.service.sealing import seal_facts, unsealed_deliveries, verify_facts

__all__ = [
    "SCOPE",
    "abandon_pulls",
    "ask_pull",
    "await_answer",
    "claim_pull",
    "deny_pull",
    "finish_pull",
    "keep_access",
    "leave_part",
    "note_answer",
    "note_failure",
    "note_page",
    "poll_courts",
    "pulls_given_up",
    "pulls_not_called_back",
    "put_off",
    "receive_csv",
    "receive_file",
    "receive_rows",
    "refuse_part",
    "seal_facts",
    "store_part",
    "unsealed_deliveries",
    "verify_facts",
]
