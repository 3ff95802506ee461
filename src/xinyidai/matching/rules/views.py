"""Dispatches, indications and offers as values: what the rooms above and the doors are shown."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from xinyidai.demands.rules import RepaymentKind
from xinyidai.matching.rules.drift import Drift
from xinyidai.matching.rules.offers import Indicated
from xinyidai.matching.rules.states import DeclineReason, DispatchEnd, DispatchPath, DispatchState, OfferEnd, OfferState


@dataclass(frozen=True)
class DispatchView:
    """One demand before one lender."""

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


@dataclass(frozen=True)
class IndicationView:
    """The range that a lender named, and where its dispatch stands now."""

    id: UUID
    dispatch_id: UUID
    demand_id: UUID
    firm_id: UUID
    lender_id: UUID
    product_id: UUID
    terms: Indicated
    made_at: datetime
    state: DispatchState
    authority_id: UUID | None


@dataclass(frozen=True)
class OfferView:
    """An offer and where it stands; `drift` is None for an offer from before there were indications."""

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
    made_by: UUID
    made_at: datetime
    state: OfferState
    end_code: OfferEnd | None
    approved_by: UUID | None
    accepted_at: datetime | None
    disburse_by: date | None
    reservation_id: UUID | None
    drift: Drift | None


@dataclass(frozen=True)
class AcceptedOffer:
    """What the loan is made from."""

    offer_id: UUID
    demand_id: UUID
    firm_id: UUID
    lender_id: UUID
    product_id: UUID
    amount_fen: int
    rate_bp: int
    term_months: int
    repayment_kind: RepaymentKind
    accepted_at: datetime
    disburse_by: date
    reservation_id: UUID | None
