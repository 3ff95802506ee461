"""Rights on the wire."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from xinyidai.foundation.paging import Page
from xinyidai.rights.rules import Holding, RequestKind, RequestState, RequestView
from xinyidai.sources.rules.keeping import KeptFor

_HOLDING: JsonDict = {
    "item_code": "vat_invoice",
    "facts": 312,
    "reason": "consent",
    "until": "2025-12-16T04:00:00Z",
}
_REQUEST: JsonDict = {
    "id": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11",
    "kind": "export",
    "state": "done",
    "asked_at": "2025-06-16T04:00:00Z",
    "done_at": "2025-06-16T04:00:05Z",
    "expires_at": "2025-06-23T04:00:05Z",
    "byte_count": 48213,
    "facts_deleted": None,
    "stays": [],
}


class RightRequestIn(BaseModel):
    """What the firm asks for."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"kind": "export"}})

    kind: RequestKind


class HoldingOut(BaseModel):
    """Facts of an item, and why they stay; without a reason a deletion takes them. `until` null: to a loan's end."""

    model_config = ConfigDict(json_schema_extra={"example": _HOLDING})

    item_code: str
    facts: int
    reason: KeptFor | None
    until: datetime | None

    @classmethod
    def of(cls, holding: Holding) -> "HoldingOut":
        """Build from a holding."""
        return cls(item_code=holding.item_code, facts=holding.facts, reason=holding.reason, until=holding.until)


class HoldingsOut(BaseModel):
    """All that is held of the firm that asks, by item and reason."""

    model_config = ConfigDict(json_schema_extra={"example": {"holdings": [_HOLDING]}})

    holdings: list[HoldingOut]


class RightRequestOut(BaseModel):
    """A request; `stays` tells of a deletion that is done what was not deleted and why."""

    model_config = ConfigDict(json_schema_extra={"example": _REQUEST})

    id: UUID
    kind: RequestKind
    state: RequestState
    asked_at: datetime
    done_at: datetime | None
    expires_at: datetime | None
    byte_count: int | None
    facts_deleted: int | None
    stays: list[HoldingOut]

    @classmethod
    def of(cls, view: RequestView) -> "RightRequestOut":
        """Build from a request."""
        return cls(
            id=view.id,
            kind=view.kind,
            state=view.state,
            asked_at=view.asked_at,
            done_at=view.done_at,
            expires_at=view.expires_at,
            byte_count=view.byte_count,
            facts_deleted=view.facts_deleted,
            stays=[HoldingOut.of(one) for one in view.stays],
        )


class RightRequestPageOut(BaseModel):
    """A page of requests, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"requests": [_REQUEST], "next_cursor": None}})

    requests: list[RightRequestOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[RequestView]) -> "RightRequestPageOut":
        """Build from a page."""
        return cls(requests=[RightRequestOut.of(view) for view in page.rows], next_cursor=page.next_cursor)
