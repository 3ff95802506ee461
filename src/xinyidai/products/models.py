"""Tables of the room: products by version, and the limits that policy sets to all of them."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from xinyidai.foundation.canonical import Json
from xinyidai.foundation.database import one_of, type_of_fen, type_of_json, type_of_moment
from xinyidai.foundation.ids import new_id
from xinyidai.products.rules import ProductState


class Product(SQLModel, table=True):
    """One version of a product. Only its state and the days it is open ever change."""

    __tablename__ = "product"
    __table_args__ = (
        one_of("state", ProductState),
        UniqueConstraint("lender_id", "code", "version"),
        CheckConstraint("1 <= min_amount_fen AND min_amount_fen <= max_amount_fen", name="amount_ordered"),
        CheckConstraint("1 <= min_term_months AND min_term_months <= max_term_months", name="term_ordered"),
        CheckConstraint("0 <= min_rate_bp AND min_rate_bp <= max_rate_bp", name="rate_ordered"),
        CheckConstraint("version >= 1", name="version_counted"),
        CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="days_ordered"),
        CheckConstraint("published_by IS NULL OR published_by <> proposed_by", name="two_people"),
        CheckConstraint("(published_by IS NULL) = (published_at IS NULL)", name="published_whole"),
        CheckConstraint("state <> 'published' OR published_at IS NOT NULL", name="published_dated"),
        CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="closed_dated"),
        {"schema": "products"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    lender_id: UUID
    code: str
    version: int
    state: str = ProductState.PROPOSED
    name_zh: str
    name_en: str
    min_amount_fen: int = Field(sa_type=type_of_fen)
    max_amount_fen: int = Field(sa_type=type_of_fen)
    min_term_months: int
    max_term_months: int
    min_rate_bp: int
    max_rate_bp: int
    repayment_kinds: list[str] = Field(sa_type=type_of_json)
    applicant_kinds: list[str] = Field(sa_type=type_of_json)
    region_codes: list[str] = Field(sa_type=type_of_json)
    industry_codes: list[str] = Field(sa_type=type_of_json)
    requires_cover: bool
    answer_working_days: int | None = None
    clauses: list[Json] = Field(sa_type=type_of_json)
    valid_from: date
    valid_to: date | None = None
    proposed_by: UUID
    proposed_at: datetime = Field(sa_type=type_of_moment)
    published_by: UUID | None = None
    published_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    closed_by: UUID | None = None
    closed_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class ProductLimits(SQLModel, table=True):
    """The limits on products, by the day from which they hold."""

    __tablename__ = "limits"
    __table_args__ = ({"schema": "products"},)

    effective_from: date = Field(primary_key=True)
    max_amount_fen: int = Field(sa_type=type_of_fen)
    max_term_months: int
    max_rate_bp: int
    max_answer_working_days: int
    max_products: int
    reason: str
