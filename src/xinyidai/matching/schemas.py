"""Matching on the wire."""

from datetime import date, datetime
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue
from pydantic.config import JsonDict

from xinyidai.demands.rules import MAX_TERM_MONTHS, RepaymentKind
from xinyidai.foundation.money import MAX_FEN
from xinyidai.foundation.paging import Page
from xinyidai.foundation.wire import WholeNumber
from xinyidai.matching.queries import DispatchView, OfferView
from xinyidai.matching.rules.states import DeclineReason, DispatchPath, DispatchState, OfferEnd, OfferState
from xinyidai.matching.service import AcceptedView
from xinyidai.matching.service.showing import MatchShown

_ID = "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11"
_DISPATCH: JsonDict = {
    "id": _ID,
    "demand_id": "01976f2c-1111-7c55-9a53-0c7d0a5f2b11",
    "firm_id": "01976f2c-2222-7c55-9a53-0c7d0a5f2b11",
    "lender_id": "01976f2c-3333-7c55-9a53-0c7d0a5f2b11",
    "product_id": "01976f2c-4444-7c55-9a53-0c7d0a5f2b11",
    "path": "match",
    "state": "sent",
    "sent_at": "2025-06-16T04:00:00Z",
    "due_on": "2025-06-30",
    "is_due_provisional": False,
    "decline_reason": None,
    "replaced_by": None,
}
_TERMS: JsonDict = {
    "amount_fen": 50_000_000,
    "rate_bp": 400,
    "term_months": 12,
    "repayment_kind": "equal_instalments",
    "valid_until": "2025-07-06T04:00:00Z",
}
_OFFER: JsonDict = {
    "id": _ID,
    "dispatch_id": _ID,
    "demand_id": "01976f2c-1111-7c55-9a53-0c7d0a5f2b11",
    "firm_id": "01976f2c-2222-7c55-9a53-0c7d0a5f2b11",
    "lender_id": "01976f2c-3333-7c55-9a53-0c7d0a5f2b11",
    "product_id": "01976f2c-4444-7c55-9a53-0c7d0a5f2b11",
    **_TERMS,
    "total_interest_fen": 1_089_942,
    "requires_cover": True,
    "made_at": "2025-06-16T04:00:00Z",
    "state": "issued",
    "end_code": None,
    "accepted_at": None,
    "disburse_by": None,
}
_ACCEPTED: JsonDict = {
    "offer_id": _ID,
    "demand_id": "01976f2c-1111-7c55-9a53-0c7d0a5f2b11",
    "lender_id": "01976f2c-3333-7c55-9a53-0c7d0a5f2b11",
    "reservation_id": "01976f2c-5555-7c55-9a53-0c7d0a5f2b11",
    "accepted_at": "2025-06-16T04:00:00Z",
    "disburse_by": "2025-07-16",
}
_MATCH: JsonDict = {
    "decision_id": _ID,
    "matched_at": "2025-06-16T04:00:00Z",
    "ranked": [
        {
            "rank": 1,
            "product_id": "01976f2c-4444-7c55-9a53-0c7d0a5f2b11",
            "product_code": "KJD-01",
            "lender_id": "01976f2c-3333-7c55-9a53-0c7d0a5f2b11",
            "expected_cost_fen": 1_089_942,
            "answer_days": 5,
            "grant_share_ppm": None,
            "behind_by": None,
        }
    ],
    "refused": [
        {
            "product_id": "01976f2c-6666-7c55-9a53-0c7d0a5f2b11",
            "product_code": "XWD-02",
            "lender_id": "01976f2c-7777-7c55-9a53-0c7d0a5f2b11",
            "failed": ["term_outside_product"],
        }
    ],
    "reasons": [
        {
            "code": "term_outside_product",
            "zh": "融资期限 36 个月不在产品期限 1–24 个月之内",
            "en": "Term 36 months is outside 1–24 months",
            "product_code": "XWD-02",
        }
    ],
}


class AssignIn(BaseModel):
    """To which product's lender an operator sends the demand."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"product_id": "01976f2c-4444-7c55-9a53-0c7d0a5f2b11"}}
    )

    product_id: UUID = Field(description="The open product")


class DeclineIn(BaseModel):
    """Why the lender says no."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "capacity_debt"}})

    reason: DeclineReason = Field(description="One of the closed list (拒绝原因)")


class OfferIn(BaseModel):
    """What the lender offers."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _TERMS})

    amount_fen: WholeNumber = Field(ge=1, le=MAX_FEN, description="Amount in fen, at most what the firm asked")
    rate_bp: WholeNumber = Field(ge=0, le=3_600, description="Annual simple rate in basis points (年化单利)")
    term_months: WholeNumber = Field(ge=1, le=MAX_TERM_MONTHS, description="Term in months")
    repayment_kind: RepaymentKind = Field(description="How it is repaid (还款方式)")
    valid_until: AwareDatetime = Field(description="Until when the firm may accept")


class DispatchOut(BaseModel):
    """One demand before one lender."""

    model_config = ConfigDict(json_schema_extra={"example": _DISPATCH})

    id: UUID
    demand_id: UUID
    firm_id: UUID
    lender_id: UUID
    product_id: UUID
    path: DispatchPath
    state: DispatchState
    sent_at: datetime | None
    due_on: date
    is_due_provisional: bool
    decline_reason: DeclineReason | None
    replaced_by: UUID | None

    @classmethod
    def of(cls, view: DispatchView) -> "DispatchOut":
        """Build from a dispatch."""
        return cls(
            id=view.id,
            demand_id=view.demand_id,
            firm_id=view.firm_id,
            lender_id=view.lender_id,
            product_id=view.product_id,
            path=view.path,
            state=view.state,
            sent_at=view.sent_at,
            due_on=view.due_on,
            is_due_provisional=view.is_due_provisional,
            decline_reason=view.decline_reason,
            replaced_by=view.replaced_by,
        )


class DispatchPageOut(BaseModel):
    """A page of dispatches and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"dispatches": [_DISPATCH], "next_cursor": None}})

    dispatches: list[DispatchOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[DispatchView]) -> "DispatchPageOut":
        """Build from a page."""
        return cls(dispatches=[DispatchOut.of(view) for view in page.rows], next_cursor=page.next_cursor)


class OfferOut(BaseModel):
    """An offer: its terms, what it costs over the whole term, and where it stands."""

    model_config = ConfigDict(json_schema_extra={"example": _OFFER})

    id: UUID
    dispatch_id: UUID
    demand_id: UUID
    firm_id: UUID
    lender_id: UUID
    product_id: UUID
    amount_fen: int
    rate_bp: int
    term_months: int
    repayment_kind: RepaymentKind
    total_interest_fen: int
    requires_cover: bool
    valid_until: datetime
    made_at: datetime
    state: OfferState
    end_code: OfferEnd | None
    accepted_at: datetime | None
    disburse_by: date | None

    @classmethod
    def of(cls, view: OfferView) -> "OfferOut":
        """Build from an offer."""
        return cls(
            id=view.id,
            dispatch_id=view.dispatch_id,
            demand_id=view.demand_id,
            firm_id=view.firm_id,
            lender_id=view.lender_id,
            product_id=view.product_id,
            amount_fen=view.amount_fen,
            rate_bp=view.rate_bp,
            term_months=view.term_months,
            repayment_kind=view.repayment_kind,
            total_interest_fen=view.total_interest_fen,
            requires_cover=view.requires_cover,
            valid_until=view.valid_until,
            made_at=view.made_at,
            state=view.state,
            end_code=view.end_code,
            accepted_at=view.accepted_at,
            disburse_by=view.disburse_by,
        )


class OffersOut(BaseModel):
    """The offers for one demand, the lowest rate first."""

    model_config = ConfigDict(json_schema_extra={"example": {"offers": [_OFFER]}})

    offers: list[OfferOut]

    @classmethod
    def of(cls, views: list[OfferView]) -> "OffersOut":
        """Build from offers."""
        return cls(offers=[OfferOut.of(view) for view in views])


class AcceptedOut(BaseModel):
    """An acceptance: by when it must be paid out, and what it holds of the lender's line."""

    model_config = ConfigDict(json_schema_extra={"example": _ACCEPTED})

    offer_id: UUID
    demand_id: UUID
    lender_id: UUID
    reservation_id: UUID | None
    accepted_at: datetime
    disburse_by: date

    @classmethod
    def of(cls, view: AcceptedView) -> "AcceptedOut":
        """Build from an acceptance."""
        return cls(
            offer_id=view.offer_id,
            demand_id=view.demand_id,
            lender_id=view.lender_id,
            reservation_id=view.reservation_id,
            accepted_at=view.accepted_at,
            disburse_by=view.disburse_by,
        )


class MatchOut(BaseModel):
    """What the newest matching came to; `reasons` is null once its inputs were destroyed at the end of retention."""

    model_config = ConfigDict(json_schema_extra={"example": _MATCH})

    decision_id: UUID
    matched_at: datetime
    ranked: list[JsonValue]
    refused: list[JsonValue]
    reasons: list[dict[str, JsonValue]] | None

    @classmethod
    def of(cls, shown: MatchShown) -> "MatchOut":
        """Build from a matching."""
        return cls(
            decision_id=shown.decision_id,
            matched_at=shown.matched_at,
            ranked=list(shown.ranked),
            refused=list(shown.refused),
            reasons=None if shown.reasons is None else [dict(reason) for reason in shown.reasons],
        )
