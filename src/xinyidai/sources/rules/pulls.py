"""A pull: the platform asks an outside system for a firm's facts, with the firm's consent there and here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final, NewType
from uuid import UUID

from xinyidai.foundation.errors import Refusal
from xinyidai.sources.rules.pull_parts import PartState, PartView, PullReason

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
ANSWERED_WITHIN: Final = timedelta(days=1)
"""By when the firm is told to expect what its source works on; it calls back in seconds or the clock asks hourly."""
MAX_CODE: Final = 512
KEPT_WAITING: Final = timedelta(days=30)
"""Business time for which a pull waits for a source that is away: as long as an access lasts that was given once."""
MAX_PUT_OFFS: Final = 9_000
"""How often a pull is put off because its source is away, which spends no attempt: twice what KEPT_WAITING takes."""
LONGEST_DOUBLING: Final = 16
"""After so many attempts the wait is at its longest in any case, and two to their power still is a time."""


class PullSource(StrEnum):
    """Outside systems that can be asked."""

    TAX = "tax"
    UTILITIES = "utilities"
    COURTS = "courts"
    CUSTOMS = "customs"


ITEMS_OF: Final[Mapping[PullSource, tuple[str, ...]]] = {
    PullSource.TAX: ("vat_invoice", "tax_filing", "tax_grade", "tax_arrears"),
    PullSource.UTILITIES: ("electricity", "water", "gas"),
    PullSource.COURTS: ("judgment", "enforcement"),
    PullSource.CUSTOMS: ("import_export", "logistics"),
}
"""The catalogue items that each source has, the one it is mostly asked for first."""
SCOPE_WORDS: Final[Mapping[str, str]] = {"vat_invoice": "vat_invoices"}
"""What an office calls an item on its consent page, where it is not the catalogue's word."""


class PullState(StrEnum):
    """The life of a pull."""

    PENDING = "pending"
    RUNNING = "running"
    READY = "ready"
    PARTLY = "partly"
    DENIED = "denied"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


OPEN_STATES: Final = (PullState.PENDING, PullState.RUNNING)


class Going(StrEnum):
    """What a worker may do after a step: go on, leave this item alone, or stop: the pull has ended."""

    ON = "on"
    ITEM_OVER = "item_over"
    PULL_OVER = "pull_over"


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


class AnswerStale(Exception):
    """The source shows less than it has shown before; nothing of it is kept."""


class PullStopped(Exception):
    """The pull is no longer this worker's, or may not go on; it was ended already."""


@dataclass(frozen=True)
class PullView:
    """A pull as its firm sees it; `pages` is None until the source said how many there are.

    Its counts are sums over its `parts`, which are in the order of the source's items; where only the pull is wanted
    they were not read, and there are none.
    """

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
    parts: tuple[PartView, ...] = ()


@dataclass(frozen=True)
class Claimed:
    """A pull that a worker took: which items are still to be asked, with which secret; it never shows in a repr."""

    id: PullId
    firm_id: UUID
    credit_code: str
    months_from: date
    months_to: date
    attempt: int
    consent_code: str | None
    token: str | None
    source: PullSource
    item_codes: tuple[str, ...]

    def __repr__(self) -> str:
        """Leave the secrets out."""
        return f"Claimed({self.id})"


def waits_too_long(*, asked_at: datetime, put_offs: int, now: datetime) -> bool:
    """Say whether a pull that waits for its source is given up."""
    return put_offs >= MAX_PUT_OFFS or now - asked_at >= KEPT_WAITING


def scope_of(source: PullSource) -> str:
    """Return what the firm is asked for on the office's consent page: everything that the source has."""
    return " ".join(SCOPE_WORDS.get(item, item) for item in ITEMS_OF[source])


def months_asked(today: date) -> tuple[date, date]:
    """Return the first days of the first and last month to ask for: the `MONTHS_BACK` months before this one."""
    index = today.year * 12 + today.month - 1
    first, last = index - MONTHS_BACK, index - 1
    return date(first // 12, first % 12 + 1, 1), date(last // 12, last % 12 + 1, 1)


def wait_before(attempt: int, asked: timedelta | None) -> timedelta:
    """Return how long to wait before the next attempt: what the source asked, or doubling from two seconds."""
    own = timedelta(seconds=2 ** min(attempt, LONGEST_DOUBLING))
    return min(max(own, asked or own), LONGEST_WAIT)


UNASKED: Final = frozenset({PullReason.NOT_CONSENTED, PullReason.NOT_GRANTED, PullReason.NOT_HELD_HERE})
"""Reasons for which an item was never to come: a pull without it is whole all the same."""
_OF_TIME: Final = frozenset({PullReason.QUOTA, PullReason.SILENT, PullReason.SOURCE_AWAY, PullReason.ABANDONED})


def concluded(parts: Sequence[PartView]) -> tuple[PullState, PullReason | None]:
    """Return how a pull ended whose parts have all ended, and why it did not end whole.

    One item that came makes it at least a part of a success; what the firm or the catalogue never allowed spoils none.
    """
    failed = [one for one in parts if one.state is PartState.FAILED]
    refused = [one for one in parts if one.state is PartState.REFUSED]
    spoilt = [*failed, *(one for one in refused if one.reason not in UNASKED)]
    if len(failed) + len(refused) < len(parts):
        return (PullState.PARTLY, spoilt[0].reason) if spoilt else (PullState.READY, None)
    if failed:
        reason = failed[0].reason
        return (PullState.TIMED_OUT if reason in _OF_TIME else PullState.FAILED), reason
    return PullState.DENIED, (spoilt or refused)[0].reason
