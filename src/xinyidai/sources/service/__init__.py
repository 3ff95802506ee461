"""The verbs of the room: take a delivery in, seal facts, verify them."""

from xinyidai.sources.service.breaking import note_answer, note_busy, note_failure
from xinyidai.sources.service.court_jobs import poll_courts, pulls_not_called_back
from xinyidai.sources.service.deriving import receive_statement
from xinyidai.sources.service.keys import approve_key, propose_key, retire_key
from xinyidai.sources.service.passing import Provider, pass_question
from xinyidai.sources.service.pull_steps import PageRead, finish_pull, leave_part, note_page, refuse_part, store_part
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
    "PageRead",
    "Provider",
    "PurgeReport",
    "abandon_pulls",
    "approve_key",
    "ask_pull",
    "await_answer",
    "claim_pull",
    "deny_pull",
    "finish_pull",
    "judge",
    "keep_access",
    "leave_part",
    "look_ahead",
    "note_answer",
    "note_busy",
    "note_failure",
    "note_page",
    "pass_question",
    "past_keeping",
    "poll_courts",
    "propose_key",
    "pulls_given_up",
    "pulls_not_called_back",
    "purge",
    "purge_due",
    "put_off",
    "receive_csv",
    "receive_file",
    "receive_rows",
    "receive_statement",
    "refuse_part",
    "register_hold",
    "retire_key",
    "seal_facts",
    "store_part",
    "unsealed_deliveries",
    "verify_facts",
]
