"""Tables of the room: shelves as they stood, dispatches, offers with their fixed terms, and where each offer stands."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlmodel import Field, SQLModel

from xinyidai.demands.rules import RepaymentKind
from xinyidai.foundation.canonical import Json
from xinyidai.foundation.database import one_of, type_of_fen, type_of_json, type_of_moment
from xinyidai.foundation.ids import new_id
from xinyidai.matching.rules.states import (
    DeclineReason,
    DispatchEnd,
    DispatchPath,
    DispatchState,
    OfferEnd,
    OfferState,
)


class Shelf(SQLModel, table=True):
    """The open products as one matching met them, by the digest of their terms: what a replay reads them from."""

    __tablename__ = "shelf"
    __table_args__ = ({"schema": "matching"},)

    digest: bytes = Field(primary_key=True, sa_type=LargeBinary)
    products: list[Json] = Field(sa_type=type_of_json)
    recorded_at: datetime = Field(sa_type=type_of_moment)


class Matching(SQLModel, table=True):
    """Which recorded decision a matching of a demand came to. Append-only; the newest is the one in force."""

    __tablename__ = "matching"
    __table_args__ = (Index("ix_matching_demand_id_decision_id", "demand_id", "decision_id"), {"schema": "matching"})

    decision_id: UUID = Field(primary_key=True)
    demand_id: UUID
    firm_id: UUID
    matched_at: datetime = Field(sa_type=type_of_moment)


class Dispatch(SQLModel, table=True):
    """One demand before one lender, under which consent, and the digest of why the lender's filter let it through.

    `due_on` is the last day of the clock that runs: for an indication, and once the lender is chosen for its offer.
    """

    __tablename__ = "dispatch"
    __table_args__ = (
        one_of("path", DispatchPath),
        one_of("state", DispatchState),
        CheckConstraint("octet_length(eligibility_digest) = 32", name="eligibility_digest_whole"),
        one_of("end_code", DispatchEnd),
        CheckConstraint("(path = 'manual') = (assigned_by IS NOT NULL)", name="manual_has_somebody"),
        CheckConstraint("(chosen_at IS NULL) = (authority_id IS NULL)", name="chosen_is_authorised"),
        CheckConstraint(
            "state NOT IN ('chosen', 'offered') OR authority_id IS NOT NULL", name="binding_under_authority"
        ),
        UniqueConstraint("demand_id", "lender_id"),
        Index("ix_dispatch_lender_id_id", "lender_id", "id"),
        Index("ix_dispatch_firm_id", "firm_id"),
        Index("ix_dispatch_waiting", "due_on", postgresql_where=text("state IN ('sent', 'in_review', 'chosen')")),
        Index("ix_dispatch_indicated", "id", postgresql_where=text("state = 'indicated'")),
        Index("uq_dispatch_authority_id", "authority_id", unique=True),
        {"schema": "matching"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    demand_id: UUID
    firm_id: UUID
    lender_id: UUID
    product_id: UUID
    decision_id: UUID
    consent_id: UUID
    eligibility_digest: bytes = Field(sa_type=LargeBinary)
    path: str
    assigned_by: UUID | None = None
    state: str = DispatchState.QUEUED
    sent_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    due_on: date
    is_due_provisional: bool
    taken_up_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    offered_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    refused_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    decline_code: str | None = None
    ended_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    replaced_by: UUID | None = None
    lot: str | None = None
    indicated_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    chosen_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    chosen_by: UUID | None = None
    authority_id: UUID | None = None
    choice_digest: bytes | None = Field(default=None, sa_type=LargeBinary)
    end_code: str | None = None


class Indication(SQLModel, table=True):
    """The range that a lender named from platform data, once for a dispatch. Append-only, and binds nobody."""

    __tablename__ = "indication"
    __table_args__ = (
        CheckConstraint("1 <= min_amount_fen AND min_amount_fen <= max_amount_fen", name="amount_range"),
        CheckConstraint("max_amount_fen <= 1000000000000000", name="amount_bounded"),
        CheckConstraint("0 <= min_rate_bp AND min_rate_bp <= max_rate_bp AND max_rate_bp <= 3600", name="rate_range"),
        CheckConstraint(
            "1 <= min_term_months AND min_term_months <= max_term_months AND max_term_months <= 120", name="term_range"
        ),
        CheckConstraint("cardinality(repayment_kinds) >= 1", name="some_repayment_kind"),
        CheckConstraint("made_at < valid_until", name="ends_later"),
        UniqueConstraint("dispatch_id"),
        Index("ix_indication_demand_id", "demand_id"),
        {"schema": "matching"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    dispatch_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("matching.dispatch.id"), nullable=False))
    demand_id: UUID
    firm_id: UUID
    lender_id: UUID
    product_id: UUID
    min_amount_fen: int = Field(sa_type=type_of_fen)
    max_amount_fen: int = Field(sa_type=type_of_fen)
    min_rate_bp: int
    max_rate_bp: int
    min_term_months: int
    max_term_months: int
    repayment_kinds: list[str] = Field(sa_type=ARRAY(Text))
    valid_until: datetime = Field(sa_type=type_of_moment)
    made_by: UUID
    made_at: datetime = Field(sa_type=type_of_moment)


class RestrictedReason(SQLModel, table=True):
    """A reason that the firm may not be told; the dispatch itself says only that the lender cannot proceed."""

    __tablename__ = "restricted_reason"
    __table_args__ = (one_of("reason", DeclineReason), {"schema": "matching"})

    dispatch_id: UUID = Field(primary_key=True, foreign_key="matching.dispatch.id")
    lender_id: UUID
    reason: str
    said_by: UUID
    said_at: datetime = Field(sa_type=type_of_moment)


class Offer(SQLModel, table=True):
    """What a lender offers. Append-only: neither its terms nor its distance from the indication ever change."""

    __tablename__ = "offer"
    __table_args__ = (
        one_of("repayment_kind", RepaymentKind),
        CheckConstraint("amount_fen BETWEEN 1 AND 1000000000000000", name="amount_bounded"),
        CheckConstraint("term_months BETWEEN 1 AND 120", name="term_bounded"),
        CheckConstraint("rate_bp BETWEEN 0 AND 3600", name="rate_bounded"),
        Index("ix_offer_demand_id", "demand_id"),
        {"schema": "matching"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    dispatch_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("matching.dispatch.id"), nullable=False))
    demand_id: UUID
    firm_id: UUID
    lender_id: UUID
    product_id: UUID
    amount_fen: int = Field(sa_type=type_of_fen)
    rate_bp: int
    term_months: int
    repayment_kind: str
    total_interest_fen: int = Field(sa_type=type_of_fen)
    requires_cover: bool
    valid_until: datetime = Field(sa_type=type_of_moment)
    made_by: UUID
    made_at: datetime = Field(sa_type=type_of_moment)
    amount_below_fen: int | None = Field(default=None, sa_type=type_of_fen)
    amount_below_ppm: int | None = None
    rate_above_bp: int | None = None
    is_inside: bool | None = None


class OfferStanding(SQLModel, table=True):
    """Where an offer stands. At most one of a demand is ever accepted."""

    __tablename__ = "offer_standing"
    __table_args__ = (
        one_of("state", OfferState),
        one_of("end_code", OfferEnd),
        CheckConstraint("approved_by <> made_by", name="two_people"),
        CheckConstraint(
            "state NOT IN ('issued', 'accepted', 'disbursed') OR approved_at IS NOT NULL", name="issued_was_approved"
        ),
        CheckConstraint(
            "state NOT IN ('accepted', 'disbursed') OR (accepted_at IS NOT NULL AND disburse_by IS NOT NULL)",
            name="accepted_is_dated",
        ),
        Index(
            "uq_offer_standing_taken",
            "demand_id",
            unique=True,
            postgresql_where=text("state IN ('accepted', 'disbursed')"),
        ),
        Index(
            "uq_offer_standing_live",
            "demand_id",
            "lender_id",
            unique=True,
            postgresql_where=text("state IN ('proposed', 'issued')"),
        ),
        Index("ix_offer_standing_disburse_by", "disburse_by", postgresql_where=text("state = 'accepted'")),
        Index(
            "ix_offer_standing_valid_until",
            "valid_until",
            postgresql_where=text("state IN ('proposed', 'issued')"),
        ),
        {"schema": "matching"},
    )

    offer_id: UUID = Field(primary_key=True, foreign_key="matching.offer.id")
    demand_id: UUID
    firm_id: UUID
    lender_id: UUID
    made_by: UUID
    valid_until: datetime = Field(sa_type=type_of_moment)
    state: str = OfferState.PROPOSED
    approved_by: UUID | None = None
    approved_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    accepted_by: UUID | None = None
    accepted_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    disburse_by: date | None = None
    reservation_id: UUID | None = None
    ended_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    end_code: str | None = None


class MatchingLimits(SQLModel, table=True):
    """The limits and clocks of matching, by the day from which they hold."""

    __tablename__ = "limits"
    __table_args__ = ({"schema": "matching"},)

    effective_from: date = Field(primary_key=True)
    lenders_at_once: int
    lenders_in_all: int
    answer_working_days: int
    acceptance_days: int
    offer_days: int
    history_days: int
    history_answers: int
    lenders_chosen: int
    indication_days: int
    binding_working_days: int
    authority_days: int
    reason: str
