"""Loans on the wire."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt
from pydantic.config import JsonDict

from xinyidai.demands.rules import RepaymentKind
from xinyidai.foundation.paging import Page
from xinyidai.loans.queries import CreditLineView, InstalmentView, LoanView
from xinyidai.loans.rules.life import (
    CreditLineState,
    FirstLoan,
    FirstLoanDefinition,
    LoanState,
    PaymentKind,
    RiskClass,
)
from xinyidai.loans.rules.repayment import Dues
from xinyidai.loans.service import Repaid
from xinyidai.loans.service.repaying import MAX_REPAYMENT_FEN

_ID = "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11"
_TERMS: JsonDict = {"rate_bp": 400, "term_months": 12, "repayment_kind": "equal_instalments"}
_LOAN: JsonDict = {
    "id": _ID,
    "offer_id": "01976f2c-1111-7c55-9a53-0c7d0a5f2b11",
    "firm_id": "01976f2c-2222-7c55-9a53-0c7d0a5f2b11",
    "lender_id": "01976f2c-3333-7c55-9a53-0c7d0a5f2b11",
    "principal_fen": 50_000_000,
    **_TERMS,
    "disbursed_on": "2025-06-16",
    "matures_on": "2026-06-16",
    "is_first_loan": True,
    "state": "performing",
    "outstanding_fen": 45_924_169,
    "days_past_due": 0,
    "risk_class": "pass",
    "counted_on": "2025-07-16",
    "closed_on": None,
}
_INSTALMENT: JsonDict = {
    "number": 1,
    "due_on": "2025-07-16",
    "principal_fen": 4_090_831,
    "interest_fen": 166_667,
    "principal_paid_fen": 4_090_831,
    "interest_paid_fen": 166_667,
    "interest_waived_fen": 0,
}
_DUES: JsonDict = {"due_fen": 0, "regular_fen": 4_257_498, "payoff_fen": 45_924_169}
_DISBURSE: JsonDict = {
    "offer_id": "01976f2c-1111-7c55-9a53-0c7d0a5f2b11",
    "disbursed_on": "2025-06-16",
    "payment_kind": "entrusted",
    "payment_reference": "SZ-2025-0001",
    "first_loan": {"is_first": True, "definition": "no_record_in_registry"},
}
_REPAY: JsonDict = {"amount_fen": 4_257_498, "paid_on": "2025-07-16", "reference": "HK-2025-0716-01"}


class FirstLoanIn(BaseModel):
    """What the lender attests from the central bank's register."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _DISBURSE["first_loan"]})

    is_first: StrictBool
    definition: FirstLoanDefinition

    def attested(self) -> FirstLoan:
        """Return the attestation as a value."""
        return FirstLoan(self.is_first, self.definition)


class DisburseIn(BaseModel):
    """A disbursement that the lender reports: the accepted offer, in full, once."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _DISBURSE})

    offer_id: UUID
    disbursed_on: date
    payment_kind: PaymentKind = Field(default=PaymentKind.SELF, description="Entrusted (受托支付) or self (自主支付)")
    payment_reference: str | None = Field(default=None, min_length=1, max_length=100)
    first_loan: FirstLoanIn | None = None


class RepayIn(BaseModel):
    """A repayment that the lender reports; its reference names it once for the loan."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _REPAY})

    amount_fen: StrictInt = Field(ge=1, le=MAX_REPAYMENT_FEN)
    paid_on: date
    reference: str | None = Field(default=None, min_length=1, max_length=100)


class LoanOut(BaseModel):
    """A loan as it stands."""

    model_config = ConfigDict(json_schema_extra={"example": _LOAN})

    id: UUID
    offer_id: UUID
    firm_id: UUID
    lender_id: UUID
    principal_fen: int
    rate_bp: int
    term_months: int
    repayment_kind: RepaymentKind
    disbursed_on: date
    matures_on: date
    is_first_loan: bool | None
    state: LoanState
    outstanding_fen: int
    days_past_due: int
    risk_class: RiskClass
    counted_on: date
    closed_on: date | None

    @classmethod
    def of(cls, view: LoanView) -> "LoanOut":
        """Build from a loan."""
        return cls(
            id=view.id,
            offer_id=view.offer_id,
            firm_id=view.firm_id,
            lender_id=view.lender_id,
            principal_fen=view.principal_fen,
            rate_bp=view.rate_bp,
            term_months=view.term_months,
            repayment_kind=view.repayment_kind,
            disbursed_on=view.disbursed_on,
            matures_on=view.matures_on,
            is_first_loan=view.is_first_loan,
            state=view.state,
            outstanding_fen=view.outstanding_fen,
            days_past_due=view.days_past_due,
            risk_class=view.risk_class,
            counted_on=view.counted_on,
            closed_on=view.closed_on,
        )


class LoanPageOut(BaseModel):
    """A page of loans and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"loans": [_LOAN], "next_cursor": None}})

    loans: list[LoanOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[LoanView]) -> "LoanPageOut":
        """Build from a page."""
        return cls(loans=[LoanOut.of(view) for view in page.rows], next_cursor=page.next_cursor)


class InstalmentOut(BaseModel):
    """One planned payment and what became of it."""

    model_config = ConfigDict(json_schema_extra={"example": _INSTALMENT})

    number: int
    due_on: date
    principal_fen: int
    interest_fen: int
    principal_paid_fen: int
    interest_paid_fen: int
    interest_waived_fen: int

    @classmethod
    def of(cls, view: InstalmentView) -> "InstalmentOut":
        """Build from an instalment."""
        return cls(
            number=view.number,
            due_on=view.due_on,
            principal_fen=view.principal_fen,
            interest_fen=view.interest_fen,
            principal_paid_fen=view.principal_paid_fen,
            interest_paid_fen=view.interest_paid_fen,
            interest_waived_fen=view.interest_waived_fen,
        )


class DuesOut(BaseModel):
    """What is due today, what may be paid without closing, and what closes the loan."""

    model_config = ConfigDict(json_schema_extra={"example": _DUES})

    due_fen: int
    regular_fen: int
    payoff_fen: int

    @classmethod
    def of(cls, dues: Dues) -> "DuesOut":
        """Build from dues."""
        return cls(due_fen=dues.due_fen, regular_fen=dues.regular_fen, payoff_fen=dues.payoff_fen)


class LoanDetailOut(BaseModel):
    """A loan with its schedule and what it asks today."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"loan": _LOAN, "instalments": [_INSTALMENT], "dues": _DUES}}
    )

    loan: LoanOut
    instalments: list[InstalmentOut]
    dues: DuesOut


class RepaidOut(BaseModel):
    """A repayment taken apart, and the loan after it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": _ID,
                **_REPAY,
                "principal_fen": 4_090_831,
                "interest_fen": 166_667,
                "waived_interest_fen": 0,
                "loan": _LOAN,
            }
        }
    )

    id: UUID
    reference: str
    amount_fen: int
    principal_fen: int
    interest_fen: int
    waived_interest_fen: int
    paid_on: date
    loan: LoanOut

    @classmethod
    def of(cls, repaid: Repaid) -> "RepaidOut":
        """Build from a repayment."""
        return cls(
            id=repaid.id,
            reference=repaid.reference,
            amount_fen=repaid.amount_fen,
            principal_fen=repaid.principal_fen,
            interest_fen=repaid.interest_fen,
            waived_interest_fen=repaid.waived_interest_fen,
            paid_on=repaid.paid_on,
            loan=LoanOut.of(repaid.loan),
        )


_LINE: JsonDict = {
    "id": _ID,
    "offer_id": "01976f2c-1111-7c55-9a53-0c7d0a5f2b11",
    "firm_id": "01976f2c-2222-7c55-9a53-0c7d0a5f2b11",
    "lender_id": "01976f2c-3333-7c55-9a53-0c7d0a5f2b11",
    "amount_fen": 50_000_000,
    **_TERMS,
    "granted_at": "2025-06-16T04:00:00Z",
    "draw_by": "2025-07-16",
    "state": "granted",
}


class CreditLineOut(BaseModel):
    """A credit line (授信)."""

    model_config = ConfigDict(json_schema_extra={"example": _LINE})

    id: UUID
    offer_id: UUID
    firm_id: UUID
    lender_id: UUID
    amount_fen: int
    rate_bp: int
    term_months: int
    repayment_kind: RepaymentKind
    granted_at: datetime
    draw_by: date
    state: CreditLineState

    @classmethod
    def of(cls, view: CreditLineView) -> "CreditLineOut":
        """Build from a credit line."""
        return cls(
            id=view.id,
            offer_id=view.offer_id,
            firm_id=view.firm_id,
            lender_id=view.lender_id,
            amount_fen=view.amount_fen,
            rate_bp=view.rate_bp,
            term_months=view.term_months,
            repayment_kind=view.repayment_kind,
            granted_at=view.granted_at,
            draw_by=view.draw_by,
            state=view.state,
        )


class CreditLinePageOut(BaseModel):
    """A page of credit lines and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"credit_lines": [_LINE], "next_cursor": None}})

    credit_lines: list[CreditLineOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[CreditLineView]) -> "CreditLinePageOut":
        """Build from a page."""
        return cls(credit_lines=[CreditLineOut.of(view) for view in page.rows], next_cursor=page.next_cursor)
