"""Products on the wire."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr
from pydantic.config import JsonDict

from xinyidai.foundation.money import MAX_FEN
from xinyidai.foundation.paging import Page
from xinyidai.products.queries import ProductView
from xinyidai.products.rules import ApplicantKind, Clause, Operator, ProductState, ProductTerms, RepaymentKind

_MOST = 2**31 - 1
_LARGEST = 2**63 - 1

_CLAUSES: list[JsonDict] = [
    {"field": "age_months", "operator": "gte", "value": 24, "code": "too_young"},
    {"field": "sales_12m_fen", "operator": "gte", "value": 100_000_000, "code": "sales_too_low"},
    {"field": "use", "operator": "in", "value": ["raw_materials", "wages"], "code": "use_not_financed"},
]
_TERMS: JsonDict = {
    "code": "SD-01",
    "name_zh": "税票快贷",
    "name_en": "Invoice loan",
    "min_amount_fen": 10_000_000,
    "max_amount_fen": 300_000_000,
    "min_term_months": 3,
    "max_term_months": 12,
    "min_rate_bp": 385,
    "max_rate_bp": 600,
    "repayment_kinds": ["equal_instalments", "interest_first"],
    "applicant_kinds": ["firm", "sole_trader"],
    "region_codes": [],
    "industry_codes": ["C", "F52"],
    "requires_cover": True,
    "answer_working_days": 3,
    "clauses": [*_CLAUSES],
}
_PRODUCT: JsonDict = {
    "id": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11",
    "lender_id": "01976f2c-1111-7c55-9a53-0c7d0a5f2b11",
    "version": 1,
    "state": "published",
    **_TERMS,
    "valid_from": "2025-06-16",
    "valid_to": None,
    "proposed_at": "2025-06-16T04:00:00Z",
    "published_at": "2025-06-16T06:30:00Z",
    "closed_at": None,
}

Listed = list[StrictInt | StrictStr]


class ClauseIn(BaseModel):
    """One condition of eligibility."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _CLAUSES[0]})

    field: str = Field(max_length=80, description="A field of the applicant, or an indicator's code")
    operator: Operator = Field(description="How the fact is held against the value")
    value: StrictInt | StrictStr | Listed = Field(description="A whole number or a text; a list of them for in, not_in")
    code: str = Field(max_length=60, description="The condition's name in every answer, unique in the product")

    def clause(self) -> Clause:
        """Return the condition."""
        value = tuple(self.value) if isinstance(self.value, list) else self.value
        return Clause(self.field, self.operator, value, self.code)


class ProductIn(BaseModel):
    """The terms of a product, or of the next version of one. Bounds outside the policy in force are refused by name."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {**_TERMS, "valid_from": "2025-07-01"}})

    code: str = Field(max_length=40, description="The lender's own code; the same code again makes the next version")
    name_zh: str = Field(max_length=120, description="Name in Chinese")
    name_en: str = Field(max_length=120, description="Name in English")
    min_amount_fen: StrictInt = Field(ge=-MAX_FEN, le=_LARGEST, description="Least amount in fen (分)")
    max_amount_fen: StrictInt = Field(ge=-MAX_FEN, le=_LARGEST, description="Largest amount in fen (分)")
    min_term_months: StrictInt = Field(ge=0, le=_MOST, description="Shortest term in months")
    max_term_months: StrictInt = Field(ge=0, le=_MOST, description="Longest term in months")
    min_rate_bp: StrictInt = Field(ge=0, le=_MOST, description="Lowest simple rate a year, in basis points")
    max_rate_bp: StrictInt = Field(ge=0, le=_MOST, description="Highest simple rate a year, in basis points")
    repayment_kinds: list[RepaymentKind] = Field(max_length=10, description="How it may be repaid (还款方式)")
    applicant_kinds: list[ApplicantKind] = Field(max_length=10, description="Whom it serves; empty: everyone")
    region_codes: list[str] = Field(max_length=200, description="Districts it serves; empty: everywhere")
    industry_codes: list[str] = Field(
        max_length=200, description="Industries it serves, by the beginning of the code (GB/T 4754); empty: all"
    )
    requires_cover: StrictBool = Field(description="Whether a loan needs a place on a risk-sharing line (风险分担)")
    answer_working_days: StrictInt | None = Field(
        default=None,
        ge=0,
        le=_MOST,
        description="Within how many working days the lender answers; null: as policy says",
    )
    clauses: list[ClauseIn] = Field(max_length=200, description="The conditions of eligibility; all must be met")
    valid_from: date | None = Field(
        default=None, description="First day it is open, in Shanghai; null: the day of publication"
    )

    def terms(self) -> ProductTerms:
        """Return the terms."""
        return ProductTerms(
            code=self.code,
            name_zh=self.name_zh,
            name_en=self.name_en,
            min_amount_fen=self.min_amount_fen,
            max_amount_fen=self.max_amount_fen,
            min_term_months=self.min_term_months,
            max_term_months=self.max_term_months,
            min_rate_bp=self.min_rate_bp,
            max_rate_bp=self.max_rate_bp,
            repayment_kinds=tuple(kind.value for kind in self.repayment_kinds),
            applicant_kinds=tuple(kind.value for kind in self.applicant_kinds),
            region_codes=tuple(self.region_codes),
            industry_codes=tuple(self.industry_codes),
            requires_cover=self.requires_cover,
            answer_working_days=self.answer_working_days,
            clauses=tuple(clause.clause() for clause in self.clauses),
        )


class ClauseOut(BaseModel):
    """One condition of eligibility."""

    model_config = ConfigDict(json_schema_extra={"example": _CLAUSES[0]})

    field: str
    operator: Operator
    value: int | str | list[int | str]
    code: str

    @classmethod
    def of(cls, clause: Clause) -> "ClauseOut":
        """Build from a condition."""
        value = list(clause.value) if isinstance(clause.value, tuple) else clause.value
        return cls(field=clause.field, operator=clause.operator, value=value, code=clause.code)


class ProductOut(BaseModel):
    """One version of a product; it is open from `valid_from` to before `valid_to`."""

    model_config = ConfigDict(json_schema_extra={"example": _PRODUCT})

    id: UUID
    lender_id: UUID
    version: int
    state: ProductState
    code: str
    name_zh: str
    name_en: str
    min_amount_fen: int
    max_amount_fen: int
    min_term_months: int
    max_term_months: int
    min_rate_bp: int
    max_rate_bp: int
    repayment_kinds: list[str]
    applicant_kinds: list[str]
    region_codes: list[str]
    industry_codes: list[str]
    requires_cover: bool
    answer_working_days: int | None
    clauses: list[ClauseOut]
    valid_from: date
    valid_to: date | None
    proposed_at: datetime
    published_at: datetime | None
    closed_at: datetime | None

    @classmethod
    def of(cls, view: ProductView) -> "ProductOut":
        """Build from a product; who proposed and published stays inside the lender."""
        return cls(
            id=view.id,
            lender_id=view.lender_id,
            version=view.version,
            state=view.state,
            code=view.code,
            name_zh=view.name_zh,
            name_en=view.name_en,
            min_amount_fen=view.min_amount_fen,
            max_amount_fen=view.max_amount_fen,
            min_term_months=view.min_term_months,
            max_term_months=view.max_term_months,
            min_rate_bp=view.min_rate_bp,
            max_rate_bp=view.max_rate_bp,
            repayment_kinds=list(view.repayment_kinds),
            applicant_kinds=list(view.applicant_kinds),
            region_codes=list(view.region_codes),
            industry_codes=list(view.industry_codes),
            requires_cover=view.requires_cover,
            answer_working_days=view.answer_working_days,
            clauses=[ClauseOut.of(clause) for clause in view.clauses],
            valid_from=view.valid_from,
            valid_to=view.valid_to,
            proposed_at=view.proposed_at,
            published_at=view.published_at,
            closed_at=view.closed_at,
        )


class ProductPageOut(BaseModel):
    """A page of products and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"products": [_PRODUCT], "next_cursor": None}})

    products: list[ProductOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[ProductView]) -> "ProductPageOut":
        """Build from a page."""
        return cls(products=[ProductOut.of(view) for view in page.rows], next_cursor=page.next_cursor)
