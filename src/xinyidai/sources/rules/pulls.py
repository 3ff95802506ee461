"""A pull: the platform asks an outside system for a firm's facts, with the firm's consent there and here."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final, NewType
from uuid import UUID

from xinyidai.foundation.errors import Refusal

PullId = NewType("PullId", UUID)

MONTHS_BACK: Final = 24
MAX_ATTEMPTS: Final = 5
MAX_PAGES: Final = 200
LEASE: Final = timedelta(minutes=3)
"""How long a worker may be silent before another takes the pull over."""
GIVEN_UP_AFTER: Final = timedelta(hours=1)
"""Wall time after which a pull that nobody works on any more is over."""
LONGEST_WAIT: Final = timedelta(minutes=10)
"""The longest Retry-After that is waited for at once; a longer one is cut to it, and counted as an attempt."""
MAX_CODE: Final = 512


class PullSource(StrEnum):
    """Outside systems that can be asked."""

    TAX = "tax"


class PullState(StrEnum):
    """The life of a pull."""

    PENDING = "pending"
    RUNNING = "running"
    READY = "ready"
    DENIED = "denied"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


OPEN_STATES: Final = (PullState.PENDING, PullState.RUNNING)


class PullReason(StrEnum):
    """Why a pull ended without facts, or waits for another try."""

    CODE_REFUSED = "code_refused"
    ACCESS_REFUSED = "access_refused"
    CONSENT_TAKEN_BACK = "consent_taken_back"
    QUOTA = "quota"
    SILENT = "silent"
    FAULTY = "faulty"
    ABANDONED = "abandoned"


class PullUnderWay(Refusal):
    """The firm's facts are being fetched already."""

    code = "pull_under_way"
    title_zh = "正在获取该企业的数据，请等待完成"
    title_en = "The firm's data is being fetched already; wait for it to end"


class SourceNotConnected(Refusal):
    """No access to the outside system is set up."""

    code = "source_not_connected"
    status = 503
    title_zh = "平台尚未接入该数据源"
    title_en = "The platform is not connected to this source"


class PullStopped(Exception):
    """The pull is no longer this worker's, or may not go on; it was ended already."""


@dataclass(frozen=True)
class PullView:
    """A pull as its firm sees it; `pages` is None until the source said how many there are."""

    id: PullId
    firm_id: UUID
    source: PullSource
    state: PullState
    reason: PullReason | None
    asked_at: datetime
    months_from: date
    months_to: date
    pages_done: int
    pages: int | None
    covers_from: date | None
    covers_to: date | None
    attempts: int
    retries_at: datetime | None
    received: int | None
    loaded: int | None
    delivery_id: UUID | None
    ended_at: datetime | None


@dataclass(frozen=True)
class Claimed:
    """A pull that a worker took: what to ask, with which secret. Secrets never show in a repr."""

    id: PullId
    firm_id: UUID
    credit_code: str
    months_from: date
    months_to: date
    attempt: int
    consent_code: str | None
    token: str | None

    def __repr__(self) -> str:
        """Leave the secrets out."""
        return f"Claimed({self.id})"


def months_asked(today: date) -> tuple[date, date]:
    """Return the first days of the first and last month to ask for: the `MONTHS_BACK` months before this one."""
    index = today.year * 12 + today.month - 1
    first, last = index - MONTHS_BACK, index - 1
    return date(first // 12, first % 12 + 1, 1), date(last // 12, last % 12 + 1, 1)


def wait_before(attempt: int, asked: timedelta | None) -> timedelta:
    """Return how long to wait before the next attempt: what the source asked, or doubling from two seconds."""
    own = timedelta(seconds=2**attempt)
    return min(max(own, asked or own), LONGEST_WAIT)
