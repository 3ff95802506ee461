"""Pulls, senders and sources on the wire."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from xinyidai.foundation.paging import Page
from xinyidai.sources.rules.breakers import Breaker, BreakerState
from xinyidai.sources.rules.pull_parts import PartState, PartView, PullReason
from xinyidai.sources.rules.pulls import MAX_CODE, PullSource, PullState, PullView
from xinyidai.sources.rules.senders import PullCount, SenderView

_PART: JsonDict = {
    "item": "vat_invoice",
    "state": "got",
    "reason": None,
    "pages_done": 3,
    "pages": 3,
    "covers_from": "2023-06",
    "covers_to": "2025-05",
    "received": 1204,
    "loaded": 1204,
    "delivery_id": "01976f2c-4444-7c55-9a53-0c7d0a5f2b11",
    "expected_by": None,
    "ended_at": "2025-06-16T04:00:00Z",
}
_PULL: JsonDict = {
    "id": "01976f2c-4444-7c55-9a53-0c7d0a5f2b12",
    "source": "tax",
    "state": "ready",
    "reason": None,
    "asked_at": "2025-06-16T04:00:00Z",
    "months_from": "2023-06",
    "months_to": "2025-05",
    "pages_done": 3,
    "pages": 3,
    "covers_from": "2023-06",
    "covers_to": "2025-05",
    "attempts": 1,
    "retries_at": None,
    "received": 1204,
    "loaded": 1204,
    "delivery_id": "01976f2c-4444-7c55-9a53-0c7d0a5f2b11",
    "ended_at": "2025-06-16T04:00:00Z",
    "parts": [_PART],
}
_SENDER: JsonDict = {
    "sender_id": "01976f2c-4444-7c55-9a53-0c7d0a5f2b13",
    "deliveries": 12,
    "received": 24000,
    "loaded": 23950,
    "rejected_rows": 50,
    "rejected": {"duplicate_row": 50},
    "last_received_at": "2025-06-16T04:00:00Z",
    "usual_gap_days": 30,
    "is_behind": False,
}
_PULL_COUNT: JsonDict = {
    "source": "tax",
    "state": "failed",
    "reason": "silent",
    "count": 2,
    "newest_at": "2025-06-16T04:00:00Z",
}
_BREAKER: JsonDict = {
    "source": "utilities",
    "is_connected": True,
    "state": "open",
    "failures": 5,
    "rests_until": "2025-06-16T04:00:30Z",
    "last_success_at": "2025-06-16T03:00:00Z",
    "last_failure_at": "2025-06-16T04:00:00Z",
    "last_reason": "silent",
}


class PullIn(BaseModel):
    """The code that the tax bureau gave the firm when it said yes there."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"consent_code": "q3vXk0c1..."}})

    consent_code: str = Field(min_length=1, max_length=MAX_CODE, description="Good once and for some minutes")


class PermissionIn(BaseModel):
    """The number or code that a source gave the firm when it said yes there."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"permission": "SDQ0659301967352650"}})

    permission: str = Field(min_length=1, max_length=MAX_CODE, description="As the office gave it")


class PartOut(BaseModel):
    """What became of one item of a pull: nothing there is an answer, and no zero.

    `received` and `loaded` are null unless rows came. By `expected_by` the next period should be there: a day that is
    past says that the source is behind. Months are written 2025-05.
    """

    model_config = ConfigDict(json_schema_extra={"example": _PART})

    item: str
    state: PartState
    reason: PullReason | None
    pages_done: int
    pages: int | None
    covers_from: str | None
    covers_to: str | None
    received: int | None
    loaded: int | None
    delivery_id: UUID | None
    expected_by: date | None
    ended_at: datetime | None

    @classmethod
    def of(cls, view: PartView) -> "PartOut":
        """Build from a part."""
        return cls(
            item=view.item_code,
            state=view.state,
            reason=view.reason,
            pages_done=view.pages_done,
            pages=view.pages,
            covers_from=view.covers_from and _month(view.covers_from),
            covers_to=view.covers_to and _month(view.covers_to),
            received=view.received,
            loaded=view.loaded,
            delivery_id=view.delivery_id,
            expected_by=view.expected_by,
            ended_at=view.ended_at,
        )


class PullOut(BaseModel):
    """How far a pull is: pages done of pages, which months the source has, why it waits or ended without data.

    Counts are sums over the parts, of which there is one for each item of the source. `retries_at` is wall time; the
    other moments are business time. Months are written 2025-05.
    """

    model_config = ConfigDict(json_schema_extra={"example": _PULL})

    id: UUID
    source: PullSource
    state: PullState
    reason: PullReason | None
    asked_at: datetime
    months_from: str
    months_to: str
    pages_done: int
    pages: int | None
    covers_from: str | None
    covers_to: str | None
    attempts: int
    retries_at: datetime | None
    received: int | None
    loaded: int | None
    delivery_id: UUID | None
    ended_at: datetime | None
    parts: list[PartOut]

    @classmethod
    def of(cls, view: PullView) -> "PullOut":
        """Build from a pull."""
        return cls(
            id=view.id,
            source=view.source,
            state=view.state,
            reason=view.reason,
            asked_at=view.asked_at,
            months_from=_month(view.months_from),
            months_to=_month(view.months_to),
            pages_done=view.pages_done,
            pages=view.pages,
            covers_from=view.covers_from and _month(view.covers_from),
            covers_to=view.covers_to and _month(view.covers_to),
            attempts=view.attempts,
            retries_at=view.retries_at,
            received=view.received,
            loaded=view.loaded,
            delivery_id=view.delivery_id,
            ended_at=view.ended_at,
            parts=[PartOut.of(one) for one in view.parts],
        )


class PullPageOut(BaseModel):
    """A page of pulls and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"pulls": [_PULL], "next_cursor": None}})

    pulls: list[PullOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[PullView]) -> "PullPageOut":
        """Build from a page."""
        return cls(pulls=[PullOut.of(view) for view in page.rows], next_cursor=page.next_cursor)


def _month(first_day: date) -> str:
    return f"{first_day:%Y-%m}"


class SenderOut(BaseModel):
    """What an organisation delivered, and whether it is silent for longer than twice its usual gap."""

    model_config = ConfigDict(json_schema_extra={"example": _SENDER})

    sender_id: UUID
    deliveries: int
    received: int
    loaded: int
    rejected_rows: int
    rejected: dict[str, int]
    last_received_at: datetime
    usual_gap_days: int | None
    is_behind: bool

    @classmethod
    def of(cls, view: SenderView) -> "SenderOut":
        """Build from a sender."""
        return cls(
            sender_id=view.sender_id,
            deliveries=view.deliveries,
            received=view.received,
            loaded=view.loaded,
            rejected_rows=view.rejected_rows,
            rejected=dict(view.rejected),
            last_received_at=view.last_received_at,
            usual_gap_days=None if view.usual_gap is None else view.usual_gap.days,
            is_behind=view.is_behind,
        )


class PullCountOut(BaseModel):
    """How many pulls of a source stand alike."""

    model_config = ConfigDict(json_schema_extra={"example": _PULL_COUNT})

    source: PullSource
    state: PullState
    reason: PullReason | None
    count: int
    newest_at: datetime

    @classmethod
    def of(cls, view: PullCount) -> "PullCountOut":
        """Build from a count."""
        return cls(source=view.source, state=view.state, reason=view.reason, count=view.count, newest_at=view.newest_at)


class BreakerOut(BaseModel):
    """A source's circuit breaker: whether calls go through, and what its last ones did; every moment is wall time."""

    model_config = ConfigDict(json_schema_extra={"example": _BREAKER})

    source: PullSource
    is_connected: bool
    state: BreakerState
    failures: int
    rests_until: datetime | None
    last_success_at: datetime | None
    last_failure_at: datetime | None
    last_reason: PullReason | None

    @classmethod
    def of(cls, view: Breaker, *, is_connected: bool) -> "BreakerOut":
        """Build from a breaker."""
        return cls(
            source=view.source,
            is_connected=is_connected,
            state=view.state,
            failures=view.failures,
            rests_until=view.rests_until,
            last_success_at=view.last_success_at,
            last_failure_at=view.last_failure_at,
            last_reason=view.last_reason,
        )


class StandingOut(BaseModel):
    """Who delivers, those behind first, how the pulls of the last 30 days stand, and whether each source is there."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"senders": [_SENDER], "pulls": [_PULL_COUNT], "sources": [_BREAKER]}}
    )

    senders: list[SenderOut]
    pulls: list[PullCountOut]
    sources: list[BreakerOut]
