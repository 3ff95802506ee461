"""Demands on the wire."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from xinyidai.demands.queries import DemandView
from xinyidai.demands.rules import MAX_TERM_MONTHS, DemandState, LoanUse, RepaymentKind
from xinyidai.foundation.money import MAX_FEN
from xinyidai.foundation.paging import Page
from xinyidai.foundation.wire import TrueOrFalse, WholeNumber
from xinyidai.sources.rules.coverage import Coverage, WhyNot

_TERMS: JsonDict = {
    "amount_fen": 50_000_000,
    "term_months": 12,
    "use": "raw_materials",
    "repayment_kind": "equal_instalments",
    "wanted_by": "2025-07-10",
}
_DEMAND: JsonDict = {
    "id": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11",
    "firm_id": "01976f2c-1111-7c55-9a53-0c7d0a5f2b11",
    **_TERMS,
    "state": "submitted",
    "created_at": "2025-06-16T04:00:00Z",
    "submitted_at": "2025-06-16T04:00:00Z",
    "closed_at": None,
    "expires_on": "2025-09-14",
}


class DemandIn(BaseModel):
    """What a firm asks for. Amounts outside the policy in force are refused with the bounds."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {**_TERMS, "is_lawful_use_declared": True}})

    # 0 and less pass the schema on purpose: the refusal then names the bounds in force.
    amount_fen: WholeNumber = Field(ge=-MAX_FEN, le=2**63 - 1, description="Amount in fen (分)")
    term_months: WholeNumber = Field(ge=1, le=MAX_TERM_MONTHS, description="Term in months")
    use: LoanUse = Field(description="What the money is for (贷款用途)")
    repayment_kind: RepaymentKind = Field(description="How it is to be repaid (还款方式)")
    wanted_by: date = Field(description="By which day the money is needed, in Shanghai")
    is_lawful_use_declared: TrueOrFalse = Field(
        description="The firm declares that the use is lawful and no speculation in property or securities"
    )


class DemandOut(BaseModel):
    """A demand as it is now."""

    model_config = ConfigDict(json_schema_extra={"example": _DEMAND})

    id: UUID
    firm_id: UUID
    amount_fen: int
    term_months: int
    use: LoanUse
    repayment_kind: RepaymentKind
    wanted_by: date
    state: DemandState
    created_at: datetime
    submitted_at: datetime | None
    closed_at: datetime | None
    expires_on: date

    @classmethod
    def of(cls, view: DemandView) -> "DemandOut":
        """Build from a demand."""
        return cls(
            id=view.id,
            firm_id=view.firm_id,
            amount_fen=view.amount_fen,
            term_months=view.term_months,
            use=view.use,
            repayment_kind=view.repayment_kind,
            wanted_by=view.wanted_by,
            state=view.state,
            created_at=view.created_at,
            submitted_at=view.submitted_at,
            closed_at=view.closed_at,
            expires_on=view.expires_on,
        )


class DemandPageOut(BaseModel):
    """A page of demands and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"demands": [_DEMAND], "next_cursor": None}})

    demands: list[DemandOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[DemandView]) -> "DemandPageOut":
        """Build from a page."""
        return cls(demands=[DemandOut.of(view) for view in page.rows], next_cursor=page.next_cursor)


_COVERAGE: JsonDict = {
    "item_code": "vat_invoice",
    "is_asked": True,
    "is_granted": True,
    "facts": 312,
    "covers_from": "2023-06-01",
    "covers_to": "2025-05-30",
    "why_not": None,
    "is_stale": False,
}


class CoverageOut(BaseModel):
    """What there is of one item; `facts` and the period are null wherever nothing may be read, and then says why.

    `is_stale` is true where newer facts were asked for and their source has not answered since.
    """

    model_config = ConfigDict(json_schema_extra={"example": _COVERAGE})

    item_code: str
    is_asked: bool
    is_granted: bool
    facts: int | None
    covers_from: str | None
    covers_to: str | None
    why_not: WhyNot | None
    is_stale: bool

    @classmethod
    def of(cls, found: Coverage) -> "CoverageOut":
        """Build from a coverage."""
        there = found.delivered
        return cls(
            item_code=found.item_code,
            is_asked=found.is_asked,
            is_granted=found.is_granted,
            facts=None if there is None else there.facts,
            covers_from=None if there is None else there.covers_from,
            covers_to=None if there is None else there.covers_to,
            why_not=found.why_not,
            is_stale=found.is_stale,
        )


class CoveragePageOut(BaseModel):
    """Every item that may be held, those asked for first."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [_COVERAGE]}})

    items: list[CoverageOut]

    @classmethod
    def of(cls, found: list[Coverage]) -> "CoveragePageOut":
        """Build from coverages."""
        return cls(items=[CoverageOut.of(one) for one in found])
