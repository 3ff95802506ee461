"""Tables of loans: class floors, credit lines, loans, instalments, repayments."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from xinyidai.demands.rules import RepaymentKind
from xinyidai.foundation.database import one_of, type_of_fen, type_of_moment
from xinyidai.foundation.ids import new_id
from xinyidai.loans.rules.life import CreditLineState, FirstLoanDefinition, LoanState, PaymentKind, RiskClass


class ClassFloorRow(SQLModel, table=True):
    """From how many days past due a loan is at least of a class, from a date on."""

    __tablename__ = "class_floor"
    __table_args__ = (one_of("risk_class", RiskClass), {"schema": "loans"})

    risk_class: str = Field(primary_key=True)
    effective_from: date = Field(primary_key=True)
    from_days: int
    source: str
    is_verified: bool


class CreditLine(SQLModel, table=True):
    """The credit that an accepted offer grants (授信): drawn once, in full, by its last day, or lapsed."""

    __tablename__ = "credit_line"
    __table_args__ = (
        one_of("state", CreditLineState),
        one_of("repayment_kind", RepaymentKind),
        UniqueConstraint("offer_id"),
        Index("ix_credit_line_lender_id_id", "lender_id", "id"),
        {"schema": "loans"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    offer_id: UUID
    demand_id: UUID
    firm_id: UUID
    lender_id: UUID
    reservation_id: UUID | None = None
    amount_fen: int = Field(sa_type=type_of_fen)
    rate_bp: int
    term_months: int
    repayment_kind: str
    granted_at: datetime = Field(sa_type=type_of_moment)
    draw_by: date
    state: str = CreditLineState.GRANTED


class Loan(SQLModel, table=True):
    """A drawn credit line (用信), with the firm's district and industry as they were on that day."""

    __tablename__ = "loan"
    __table_args__ = (
        one_of("state", LoanState),
        one_of("repayment_kind", RepaymentKind),
        one_of("risk_class", RiskClass),
        one_of("payment_kind", PaymentKind),
        one_of("first_loan_definition", FirstLoanDefinition),
        UniqueConstraint("offer_id"),
        UniqueConstraint("line_id"),
        CheckConstraint("principal_fen > 0", name="principal_positive"),
        CheckConstraint(
            "principal_repaid_fen >= 0 AND principal_recovered_fen >= 0"
            " AND principal_repaid_fen + principal_recovered_fen <= principal_fen",
            name="principal_within",
        ),
        CheckConstraint(
            "(is_first_loan IS NULL) = (first_loan_attested_by IS NULL)"
            " AND (is_first_loan IS NULL) = (first_loan_attested_at IS NULL)"
            " AND (is_first_loan IS NULL) = (first_loan_definition IS NULL)",
            name="first_loan_attested",
        ),
        Index("ix_loan_lender_id_id", "lender_id", "id"),
        Index("ix_loan_firm_id", "firm_id"),
        Index("ix_loan_disbursed_on", "disbursed_on"),
        {"schema": "loans"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    line_id: UUID = Field(foreign_key="loans.credit_line.id")
    offer_id: UUID
    firm_id: UUID
    lender_id: UUID
    reservation_id: UUID | None = None
    principal_fen: int = Field(sa_type=type_of_fen)
    rate_bp: int
    term_months: int
    repayment_kind: str
    disbursed_on: date
    matures_on: date
    recorded_at: datetime = Field(sa_type=type_of_moment)
    disbursed_by: UUID
    payment_kind: str
    payment_reference: str | None = None
    region_code: str | None = None
    industry_code: str | None = None
    is_first_loan: bool | None = None
    first_loan_definition: str | None = None
    first_loan_attested_by: UUID | None = None
    first_loan_attested_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    state: str = LoanState.PERFORMING
    principal_repaid_fen: int = Field(default=0, sa_type=type_of_fen)
    principal_recovered_fen: int = Field(default=0, sa_type=type_of_fen)
    days_past_due: int = 0
    risk_class: str = RiskClass.PASS
    counted_on: date
    defaulted_on: date | None = None
    closed_on: date | None = None


class Instalment(SQLModel, table=True):
    """One planned payment and what became of it."""

    __tablename__ = "instalment"
    __table_args__ = (
        CheckConstraint("principal_paid_fen BETWEEN 0 AND principal_fen", name="principal_within"),
        CheckConstraint(
            "interest_paid_fen >= 0 AND interest_waived_fen >= 0"
            " AND interest_paid_fen + interest_waived_fen <= interest_fen",
            name="interest_within",
        ),
        Index(
            "ix_instalment_unpaid",
            "due_on",
            postgresql_where=text(
                "principal_paid_fen < principal_fen OR interest_paid_fen + interest_waived_fen < interest_fen"
            ),
        ),
        {"schema": "loans"},
    )

    loan_id: UUID = Field(primary_key=True, foreign_key="loans.loan.id")
    number: int = Field(primary_key=True)
    due_on: date
    principal_fen: int = Field(sa_type=type_of_fen)
    interest_fen: int = Field(sa_type=type_of_fen)
    principal_paid_fen: int = Field(default=0, sa_type=type_of_fen)
    interest_paid_fen: int = Field(default=0, sa_type=type_of_fen)
    interest_waived_fen: int = Field(default=0, sa_type=type_of_fen)


class RepaymentRow(SQLModel, table=True):
    """A repayment as the lender reported it. Append-only; the lender's reference is unique for the loan."""

    __tablename__ = "repayment"
    __table_args__ = (
        UniqueConstraint("loan_id", "reference"),
        CheckConstraint("amount_fen > 0 AND amount_fen = principal_fen + interest_fen", name="amount_whole"),
        {"schema": "loans"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    loan_id: UUID = Field(foreign_key="loans.loan.id")
    reference: str
    amount_fen: int = Field(sa_type=type_of_fen)
    principal_fen: int = Field(sa_type=type_of_fen)
    interest_fen: int = Field(sa_type=type_of_fen)
    waived_interest_fen: int = Field(sa_type=type_of_fen)
    paid_on: date
    recorded_at: datetime = Field(sa_type=type_of_moment)
    recorded_by: UUID


class EndedConsent(SQLModel, table=True):
    """A post-loan consent, or one item of it, that the firm of a running loan took back: told to lender and fund."""

    __tablename__ = "ended_consent"
    __table_args__ = (Index("ix_ended_consent_fund_id_ended_at", "fund_id", "ended_at"), {"schema": "loans"})

    loan_id: UUID = Field(primary_key=True, foreign_key="loans.loan.id")
    consent_id: UUID = Field(primary_key=True)
    item_code: str = Field(primary_key=True)
    firm_id: UUID
    lender_id: UUID
    fund_id: UUID | None = None
    ended_at: datetime = Field(sa_type=type_of_moment)
