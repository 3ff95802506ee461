"""Tables of the room: demands, who may read them, known exposures, the limits in force."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from xinyidai.demands.rules import DemandState, LoanUse, RepaymentKind
from xinyidai.foundation.database import one_of, type_of_fen, type_of_moment
from xinyidai.foundation.ids import new_id


class Demand(SQLModel, table=True):
    """One request for finance."""

    __tablename__ = "demand"
    __table_args__ = (
        one_of("state", DemandState),
        one_of("use_code", LoanUse),
        one_of("repayment_kind", RepaymentKind),
        CheckConstraint("amount_fen BETWEEN 1 AND 1000000000000000", name="amount_bounded"),
        CheckConstraint("term_months BETWEEN 1 AND 120", name="term_bounded"),
        CheckConstraint("(state = 'draft') OR (submitted_at IS NOT NULL) OR (closed_at IS NOT NULL)", name="dated"),
        Index("ix_demand_firm_id_id", "firm_id", "id"),
        Index(
            "ix_demand_unfinished",
            "expires_on",
            postgresql_where=text("state IN ('draft', 'submitted', 'matching', 'offered')"),
        ),
        {"schema": "demands"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    firm_id: UUID
    amount_fen: int = Field(sa_type=type_of_fen)
    term_months: int
    use_code: str
    repayment_kind: str
    wanted_by: date
    state: str = DemandState.DRAFT
    created_by: UUID
    created_at: datetime = Field(sa_type=type_of_moment)
    submitted_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    changed_at: datetime = Field(sa_type=type_of_moment)
    closed_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    expires_on: date


class DemandReader(SQLModel, table=True):
    """An organisation to which a demand is open, until its consent ends or the door is closed."""

    __tablename__ = "demand_reader"
    __table_args__ = ({"schema": "demands"},)

    demand_id: UUID = Field(primary_key=True, foreign_key="demands.demand.id")
    organisation_id: UUID = Field(primary_key=True)
    firm_id: UUID
    opened_at: datetime = Field(sa_type=type_of_moment)
    open_until: datetime = Field(sa_type=type_of_moment)
    closed_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class KnownExposure(SQLModel, table=True):
    """What a firm owed on one loan, as the loans room knew it; the newest row of a loan counts."""

    __tablename__ = "known_exposure"
    __table_args__ = (
        CheckConstraint("outstanding_fen >= 0", name="outstanding_not_negative"),
        Index("ix_known_exposure_firm_id_loan_id", "firm_id", "loan_id", "recorded_at"),
        {"schema": "demands"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    firm_id: UUID
    lender_id: UUID
    loan_id: UUID
    outstanding_fen: int = Field(sa_type=type_of_fen)
    recorded_at: datetime = Field(sa_type=type_of_moment)


class DemandLimits(SQLModel, table=True):
    """The limits on demands, by the day from which they hold."""

    __tablename__ = "limits"
    __table_args__ = ({"schema": "demands"},)

    effective_from: date = Field(primary_key=True)
    max_amount_fen: int = Field(sa_type=type_of_fen)
    max_open_demands: int
    max_drafts: int
    lives_days: int
    reason: str
