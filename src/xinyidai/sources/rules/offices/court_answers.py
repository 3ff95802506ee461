"""The courts' answers and their calls back. Pure.

A call back is signed in the manner of Standard Webhooks; what it says is not believed further than that an answer is
there, which is then fetched: one way in for an answer that was called back and for one that was asked for.
"""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from xinyidai.foundation.errors import Refusal
from xinyidai.sources.rules.offices import AnswerFault, AnswerRefused, is_without_decimals

NAME: Final = "courts"
MAX_ANSWER_BYTES: Final = 1 << 20
MAX_CALLBACK_BYTES: Final = 1 << 20
MOST_CASES: Final = 1_000
MOST_JOB_ID: Final = 64
MOST_SKEW: Final = timedelta(minutes=5)
MOST_BEHIND: Final = timedelta(days=7)
"""An answer as of an earlier day than so long before the question is an old one."""
_MAX_FIELD: Final = 400
_MAX_SIGNATURES: Final = 5
_ROLES: Final = {"原告": "plaintiff", "被告": "defendant", "第三人": "third_party"}
_FIELDS: Final = {
    "judgment": ("judgments", ("case_no", "role", "cause", "claimed_yuan", "decided_on")),
    "enforcement": ("enforcements", ("case_no", "owed_yuan", "filed_on", "is_dishonest", "ended_on")),
}
ITEMS: Final = tuple(_FIELDS)

Rows = list[dict[str, str | None]]


class CallbackSignatureWrong(Refusal):
    """A call back that the courts did not sign; it is not read."""

    code = "callback_signature_wrong"
    status = 401
    title_zh = "回调签名不符，内容未被读取"
    title_en = "The call back is not signed by its office; it was not read"


class CallbackTimeRefused(Refusal):
    """A call back whose time is too far off: an old one that somebody repeats, or a clock that is wrong."""

    code = "callback_time_refused"
    status = 401
    title_zh = "回调时间偏差过大，内容未被读取"
    title_en = "The time of the call back is too far off; it was not read"


class CallbackUnreadable(Refusal):
    """Signed by the courts, and yet it names no job."""

    code = "callback_unreadable"
    status = 422
    title_zh = "回调内容无法读取"
    title_en = "The call back cannot be read"


class CourtJobUnknown(Refusal):
    """Nobody asked for this."""

    code = "court_job_unknown"
    status = 404
    title_zh = "没有这一查询任务"
    title_en = "No such query was made"


@dataclass(frozen=True)
class CourtAnswer:
    """An answer that is there: as of which day, and its rows by item, with the columns of a delivery."""

    known_by: date
    rows: Mapping[str, Rows]


def check_callback(
    secret: str, *, message_id: str, timestamp: str, signature: str, body: bytes, wall_at: datetime
) -> None:
    """Refuse a call back that its office did not sign, or not lately. Nothing of the body is parsed.

    The signature is looked at first: what a stranger says of the time tells nothing.

    Raises
    ------
    CallbackSignatureWrong, CallbackTimeRefused
    """
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12 or len(message_id) > MOST_JOB_ID:
        raise CallbackSignatureWrong
    content = f"{message_id}.{timestamp}.".encode() + body
    wanted = b"v1," + b64encode(hmac.new(secret.encode(), content, hashlib.sha256).digest())
    presented = signature.encode().split(b" ", _MAX_SIGNATURES)[:_MAX_SIGNATURES]
    if not any(hmac.compare_digest(one, wanted) for one in presented):
        raise CallbackSignatureWrong
    if abs(int(timestamp) - wall_at.timestamp()) > MOST_SKEW.total_seconds():
        raise CallbackTimeRefused


def job_called_back(body: bytes, *, message_id: str) -> str:
    """Return which job a checked call back is about.

    Raises
    ------
    CallbackUnreadable
        It is no JSON, names no job, or another one than its signed header.
    """
    try:
        said = json.loads(body)
    except ValueError as error:
        raise CallbackUnreadable from error
    job_id = said.get("job_id") if isinstance(said, dict) else None
    if not isinstance(job_id, str) or job_id != message_id:
        raise CallbackUnreadable
    return job_id


def answer_in(
    content: bytes, *, job_id: str, credit_code: str, item_codes: tuple[str, ...], asked_on: date
) -> CourtAnswer | None:
    """Return a job's answer; None while there is none yet.

    Raises
    ------
    AnswerRefused
        The answer as a whole is not believed.
    """
    try:
        said = json.loads(content)
    except ValueError as error:
        raise AnswerRefused(NAME, AnswerFault.UNREADABLE) from error
    if not isinstance(said, dict) or said.get("job_id") != job_id or said.get("state") not in ("pending", "done"):
        raise AnswerRefused(NAME, AnswerFault.SCHEMA_CHANGED, "job_id or state")
    if said["state"] == "pending":
        return None
    if said.get("credit_code") != credit_code:
        raise AnswerRefused(NAME, AnswerFault.ANOTHER_FIRM)
    try:
        known_by = date.fromisoformat(str(said.get("known_by")))
    except ValueError as error:
        raise AnswerRefused(NAME, AnswerFault.SCHEMA_CHANGED, "known_by") from error
    if known_by < asked_on - MOST_BEHIND:
        raise AnswerRefused(NAME, AnswerFault.STALE, known_by.isoformat())
    return CourtAnswer(known_by, {code: _rows(said, code, credit_code) for code in item_codes})


def _rows(said: Mapping[str, object], item_code: str, credit_code: str) -> Rows:
    listed, fields = _FIELDS[item_code]
    cases = said.get(listed)
    if not isinstance(cases, list):
        raise AnswerRefused(NAME, AnswerFault.SCHEMA_CHANGED, listed)
    if len(cases) > MOST_CASES:
        raise AnswerRefused(NAME, AnswerFault.TOO_LARGE, f"more than {MOST_CASES} cases")
    return [_row(one, fields, credit_code) for one in cases]


def _row(case: object, fields: tuple[str, ...], credit_code: str) -> dict[str, str | None]:
    if not isinstance(case, dict):
        raise AnswerRefused(NAME, AnswerFault.SCHEMA_CHANGED, "case")
    absent = [name for name in fields if name not in case]
    if absent:
        raise AnswerRefused(NAME, AnswerFault.SCHEMA_CHANGED, ", ".join(absent))
    row = {name: None if case[name] is None else str(case[name])[:_MAX_FIELD] for name in fields}
    for name, value in row.items():
        if name.endswith("_yuan") and value is not None and is_without_decimals(value):
            raise AnswerRefused(NAME, AnswerFault.UNIT_DOUBTFUL, name)
    if "role" in row:
        row["role"] = _ROLES.get(row["role"] or "", row["role"])
    return {"credit_code": credit_code, **row}
