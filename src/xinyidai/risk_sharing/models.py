"""Tables of risk sharing: covers, claims, what each party paid, recoveries."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from xinyidai.agreements.rules import RiskParty
from xinyidai.foundation.database import one_of, type_of_fen, type_of_moment
from xinyidai.foundation.ids import new_id
from xinyidai.risk_sharing.rules import ClaimStage, ClaimState, CoverState, DenialCode


class Cover(SQLModel, table=True):
    """A disbursed loan under an agreement, with the shares its reservation froze."""

    __tablename__ = "cover"
    __table_args__ = (
        one_of("state", CoverState),
        UniqueConstraint("loan_id"),
        UniqueConstraint("reservation_id"),
        CheckConstraint("lender_ppm + fund_ppm + guarantor_ppm = 1000000", name="shares_whole"),
        Index("ix_cover_agreement_id", "agreement_id"),
        {"schema": "risk_sharing"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    loan_id: UUID
    reservation_id: UUID
    agreement_id: UUID
    scheme_version: int
    firm_id: UUID
    lender_id: UUID
    fund_id: UUID
    guarantor_id: UUID | None = None
    principal_fen: int = Field(sa_type=type_of_fen)
    lender_ppm: int
    fund_ppm: int
    guarantor_ppm: int
    state: str = CoverState.ACTIVE
    included_at: datetime = Field(sa_type=type_of_moment)
    ended_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class Claim(SQLModel, table=True):
    """A lender's claim on a covered loan, from filing to the last recovery."""

    __tablename__ = "claim"
    __table_args__ = (
        one_of("state", ClaimState),
        one_of("denial_code", DenialCode),
        Index(
            "uq_claim_loan_id_standing",
            "loan_id",
            unique=True,
            postgresql_where=text("state NOT IN ('denied', 'lapsed')"),
        ),
        Index("ix_claim_agreement_id", "agreement_id"),
        Index("ix_claim_fund_id_id", "fund_id", "id"),
        CheckConstraint(
            "first_reviewed_by <> filed_by AND second_reviewed_by <> filed_by"
            " AND second_reviewed_by <> first_reviewed_by",
            name="three_people",
        ),
        CheckConstraint("(state = 'denied') = (denial_code IS NOT NULL)", name="denied_with_code"),
        CheckConstraint(
            "state NOT IN ('approved', 'paid', 'recovering', 'settled')"
            " OR (first_reviewed_by IS NOT NULL AND second_reviewed_by IS NOT NULL)",
            name="approved_by_two",
        ),
        CheckConstraint(
            "loss_fen IS NULL OR (fund_paid_fen >= 0 AND guarantor_paid_fen >= 0 AND lender_borne_fen >= 0"
            " AND fund_paid_fen + guarantor_paid_fen + lender_borne_fen = loss_fen AND loss_fen <= claimed_fen)",
            name="loss_whole",
        ),
        CheckConstraint(
            "fund_returned_fen BETWEEN 0 AND fund_paid_fen AND guarantor_returned_fen BETWEEN 0 AND guarantor_paid_fen"
            " AND lender_returned_fen BETWEEN 0 AND lender_borne_fen",
            name="returned_within",
        ),
        {"schema": "risk_sharing"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    cover_id: UUID = Field(foreign_key="risk_sharing.cover.id")
    loan_id: UUID
    reservation_id: UUID
    agreement_id: UUID
    firm_id: UUID
    lender_id: UUID
    fund_id: UUID
    guarantor_id: UUID | None = None
    state: str = ClaimState.LODGED
    days_past_due: int
    claimed_fen: int = Field(sa_type=type_of_fen)
    filed_by: UUID
    filed_at: datetime = Field(sa_type=type_of_moment)
    first_reviewed_by: UUID | None = None
    first_reviewed_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    second_reviewed_by: UUID | None = None
    second_reviewed_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    denial_code: str | None = None
    denied_by: UUID | None = None
    closed_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    paid_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    loss_fen: int | None = Field(default=None, sa_type=type_of_fen)
    fund_paid_fen: int = Field(default=0, sa_type=type_of_fen)
    guarantor_paid_fen: int = Field(default=0, sa_type=type_of_fen)
    lender_borne_fen: int = Field(default=0, sa_type=type_of_fen)
    fund_returned_fen: int = Field(default=0, sa_type=type_of_fen)
    guarantor_returned_fen: int = Field(default=0, sa_type=type_of_fen)
    lender_returned_fen: int = Field(default=0, sa_type=type_of_fen)


class ClaimStep(SQLModel, table=True):
    """What one party paid for a claim at one stage. The key makes a second payment impossible to store. Append-only."""

    __tablename__ = "claim_step"
    __table_args__ = (
        one_of("party", RiskParty),
        one_of("stage", ClaimStage),
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        {"schema": "risk_sharing"},
    )

    claim_id: UUID = Field(primary_key=True, foreign_key="risk_sharing.claim.id")
    party: str = Field(primary_key=True)
    stage: str = Field(primary_key=True)
    amount_fen: int = Field(sa_type=type_of_fen)
    journal_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    recorded_at: datetime = Field(sa_type=type_of_moment)


class Recovery(SQLModel, table=True):
    """Money collected after a claim and where it went. The lender's reference is unique for the claim. Append-only."""

    __tablename__ = "recovery"
    __table_args__ = (
        UniqueConstraint("claim_id", "reference"),
        CheckConstraint(
            "received_fen > 0 AND costs_fen >= 0 AND fund_fen >= 0 AND guarantor_fen >= 0 AND lender_fen >= 0"
            " AND interest_fen >= 0"
            " AND received_fen = costs_fen + fund_fen + guarantor_fen + lender_fen + interest_fen",
            name="received_whole",
        ),
        {"schema": "risk_sharing"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    claim_id: UUID = Field(foreign_key="risk_sharing.claim.id")
    reference: str
    received_fen: int = Field(sa_type=type_of_fen)
    costs_fen: int = Field(sa_type=type_of_fen)
    fund_fen: int = Field(sa_type=type_of_fen)
    guarantor_fen: int = Field(sa_type=type_of_fen)
    lender_fen: int = Field(sa_type=type_of_fen)
    interest_fen: int = Field(sa_type=type_of_fen)
    received_on: date
    recorded_at: datetime = Field(sa_type=type_of_moment)
    recorded_by: UUID
