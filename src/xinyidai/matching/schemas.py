"""Matching on the wire."""

from dataclasses import asdict
from datetime import date, datetime
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue
from pydantic.config import JsonDict

from xinyidai.demands.rules import MAX_TERM_MONTHS, RepaymentKind
from xinyidai.foundation.money import MAX_FEN
from xinyidai.foundation.paging import Page
from xinyidai.foundation.wire import WholeNumber
from xinyidai.matching.queries import DispatchView, IndicationView, OfferView
from xinyidai.matching.rules.offers import MAX_CHOSEN, Indicated
from xinyidai.matching.rules.states import DeclineReason, DispatchEnd, DispatchPath, DispatchState, OfferEnd, OfferState
from xinyidai.matching.service import AcceptedView, ChoiceView
from xinyidai.matching.service.showing import MatchShown

_ID = "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11"
_SENT: JsonDict = {
    "demand_id": "01976f2c-1111-7c55-9a53-0c7d0a5f2b11",
    "firm_id": "01976f2c-2222-7c55-9a53-0c7d0a5f2b11",
    "lender_id": "01976f2c-3333-7c55-9a53-0c7d0a5f2b11",
    "product_id": "01976f2c-4444-7c55-9a53-0c7d0a5f2b11",
}
_DISPATCH: JsonDict = {
    "id": _ID,
    **_SENT,
    "path": "match",
    "state": "sent",
    "sent_at": "2025-06-16T04:00:00Z",
    "due_on": "2025-06-30",
    "is_due_provisional": False,
    "decline_reason": None,
    "replaced_by": None,
    "indicated_at": None,
    "chosen_at": None,
    "authority_id": None,
    "end_code": None,
}
_RANGE: JsonDict = {
    "min_amount_fen": 40_000_000,
    "max_amount_fen": 50_000_000,
    "min_rate_bp": 380,
    "max_rate_bp": 450,
    "min_term_months": 6,
    "max_term_months": 12,
    "repayment_kinds": ["equal_instalments"],
    "valid_until": "2025-06-30T04:00:00Z",
}
_INDICATION: JsonDict = {
    "id": "01976f2c-8888-7c55-9a53-0c7d0a5f2b11",
    "dispatch_id": _ID,
    **{key: value for key, value in _SENT.items() if key != "firm_id"},
    **_RANGE,
    "made_at": "2025-06-16T04:00:00Z",
    "state": "indicated",
    "authority_id": None,
}
_CHOICE: JsonDict = {
    "demand_id": "01976f2c-1111-7c55-9a53-0c7d0a5f2b11",
    "dispatch_id": _ID,
    "indication_id": "01976f2c-8888-7c55-9a53-0c7d0a5f2b11",
    "lender_id": "01976f2c-3333-7c55-9a53-0c7d0a5f2b11",
    "chosen_at": "2025-06-18T04:00:00Z",
    "due_on": "2025-07-02",
    "authority_id": "01976f2c-9999-7c55-9a53-0c7d0a5f2b11",
    "authority_expires_at": "2025-09-16T04:00:00Z",
}
_DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
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
    **_SENT,
    **_TERMS,
    "total_interest_fen": 1_089_942,
    "requires_cover": True,
    "made_at": "2025-06-16T04:00:00Z",
    "state": "issued",
    "end_code": None,
    "accepted_at": None,
    "disburse_by": None,
    "amount_below_fen": 0,
    "amount_below_ppm": 0,
    "rate_above_bp": 0,
    "is_inside": True,
}
_DRIFT = ("amount_below_fen", "amount_below_ppm", "rate_above_bp", "is_inside")
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


class IndicationIn(BaseModel):
    """The range that the lender indicates, both ends included (意向报价). It binds nobody."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _RANGE})

    min_amount_fen: WholeNumber = Field(ge=1, le=MAX_FEN, description="Least amount in fen")
    max_amount_fen: WholeNumber = Field(ge=1, le=MAX_FEN, description="Most in fen, at most what the firm asked")
    min_rate_bp: WholeNumber = Field(ge=0, le=3_600, description="Lowest annual simple rate in basis points")
    max_rate_bp: WholeNumber = Field(ge=0, le=3_600, description="Highest annual simple rate in basis points")
    min_term_months: WholeNumber = Field(ge=1, le=MAX_TERM_MONTHS, description="Shortest term in months")
    max_term_months: WholeNumber = Field(ge=1, le=MAX_TERM_MONTHS, description="Longest term in months")
    repayment_kinds: list[RepaymentKind] = Field(
        min_length=1, max_length=len(RepaymentKind), description="How it may be repaid (还款方式)"
    )
    valid_until: AwareDatetime = Field(description="Until when the firm may choose the lender")

    def terms(self) -> Indicated:
        """Return the ranges as a value."""
        kinds = tuple(dict.fromkeys(self.repayment_kinds))
        return Indicated(**(self.model_dump() | {"repayment_kinds": kinds}))


class ChoicesIn(BaseModel):
    """Which lenders the firm chooses, by their indications; each gets a written authority for its own credit query."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"indication_ids": [_INDICATION["id"]], "text_digest": _DIGEST}},
    )

    indication_ids: list[UUID] = Field(min_length=1, max_length=MAX_CHOSEN, description="The indications chosen")
    text_digest: str = Field(
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 of the authority's text that was shown: ShowConsentText with purpose credit_query",
    )


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
    indicated_at: datetime | None
    chosen_at: datetime | None
    authority_id: UUID | None
    end_code: DispatchEnd | None

    @classmethod
    def of(cls, view: DispatchView) -> "DispatchOut":
        """Build from a dispatch."""
        return cls(**asdict(view))


class DispatchPageOut(BaseModel):
    """A page of dispatches and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"dispatches": [_DISPATCH], "next_cursor": None}})

    dispatches: list[DispatchOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[DispatchView]) -> "DispatchPageOut":
        """Build from a page."""
        return cls(dispatches=[DispatchOut.of(view) for view in page.rows], next_cursor=page.next_cursor)


class IndicationOut(BaseModel):
    """A range that a lender indicated, and where its dispatch stands; `authority_id` once the firm chose it."""

    model_config = ConfigDict(json_schema_extra={"example": _INDICATION})

    id: UUID
    dispatch_id: UUID
    demand_id: UUID
    lender_id: UUID
    product_id: UUID
    min_amount_fen: int
    max_amount_fen: int
    min_rate_bp: int
    max_rate_bp: int
    min_term_months: int
    max_term_months: int
    repayment_kinds: list[RepaymentKind]
    valid_until: datetime
    made_at: datetime
    state: DispatchState
    authority_id: UUID | None

    @classmethod
    def of(cls, view: IndicationView) -> "IndicationOut":
        """Build from an indication."""
        return cls(**asdict(view), **asdict(view.terms))


class IndicationsOut(BaseModel):
    """The indications for one demand, the lowest rate first."""

    model_config = ConfigDict(json_schema_extra={"example": {"indications": [_INDICATION]}})

    indications: list[IndicationOut]


class ChoiceOut(BaseModel):
    """A lender that was chosen, the authority that it holds, and the last day of its clock."""

    model_config = ConfigDict(json_schema_extra={"example": _CHOICE})

    demand_id: UUID
    dispatch_id: UUID
    indication_id: UUID
    lender_id: UUID
    chosen_at: datetime
    due_on: date
    authority_id: UUID
    authority_expires_at: datetime

    @classmethod
    def of(cls, view: ChoiceView) -> "ChoiceOut":
        """Build from a choice."""
        return cls(**asdict(view), authority_id=view.authority.id, authority_expires_at=view.authority.expires_at)


class ChoicesOut(BaseModel):
    """The lenders that were chosen in one call."""

    model_config = ConfigDict(json_schema_extra={"example": {"choices": [_CHOICE]}})

    choices: list[ChoiceOut]


class OfferOut(BaseModel):
    """An offer: its terms, its cost over the whole term, where it stands, how far it lies from the indication.

    The last four are null for an offer from before there were indications.
    """

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
    amount_below_fen: int | None
    amount_below_ppm: int | None
    rate_above_bp: int | None
    is_inside: bool | None

    @classmethod
    def of(cls, view: OfferView) -> "OfferOut":
        """Build from an offer."""
        return cls(**asdict(view), **(dict.fromkeys(_DRIFT) if view.drift is None else asdict(view.drift)))


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
        return cls(**asdict(view))


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
