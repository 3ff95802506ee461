"""Reads of products: what is published is for everybody, a proposal for its lender alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import Viewer
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.paging import Page, after_id, limit_of, page_of
from xinyidai.products.models import Product, ProductLimits
from xinyidai.products.rules import ProductPolicy, ProductState, ProductTerms, clause_of


class Shown(StrEnum):
    """Which products a list shows: those open today, or all of the viewer's own in any state."""

    OPEN = "open"
    MINE = "mine"


@dataclass(frozen=True)
class ProductView(ProductTerms):
    """A version of a product: its terms and its life. It is open on days from `valid_from` to before `valid_to`."""

    id: UUID
    lender_id: UUID
    version: int
    state: ProductState
    valid_from: date
    valid_to: date | None
    proposed_by: UUID
    proposed_at: datetime
    published_by: UUID | None
    published_at: datetime | None
    closed_at: datetime | None

    def is_open(self, on: date) -> bool:
        """Say whether it is published and open on a day."""
        return self.published_at is not None and self.valid_from <= on and (self.valid_to is None or on < self.valid_to)


async def open_products(session: AsyncSession, on: date) -> list[ProductView]:
    """Return every product that is open on a day, by code, version, lender: the same order on every machine."""
    statement = (
        select(Product)
        .where(*_open_on(on))
        .order_by(col(Product.code), col(Product.version), col(Product.lender_id))
        .execution_options(populate_existing=True)
    )
    return [view_of(row) for row in (await session.execute(statement)).scalars()]


async def product(session: AsyncSession, product_id: UUID) -> ProductView:
    """Return one version of a product, also one that is no longer open.

    Raises
    ------
    NotFound
        There is none, or it is another lender's proposal.
    """
    row = await session.get(Product, product_id, populate_existing=True)
    if row is None:
        raise NotFound
    return view_of(row)


async def product_page(
    session: AsyncSession,
    viewer: Viewer,
    *,
    shown: Shown = Shown.OPEN,
    lender_id: UUID | None = None,
    on: date,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[ProductView]:
    """Return one page of the products open on a day, or of the viewer's own in any state, oldest first."""
    size = limit_of(limit)
    statement = select(Product).where(col(Product.id) > after_id(cursor)).order_by(col(Product.id)).limit(size + 1)
    if shown is Shown.OPEN:
        statement = statement.where(*_open_on(on))
    else:
        statement = statement.where(col(Product.lender_id) == viewer.organisation_id)
    if lender_id is not None:
        statement = statement.where(col(Product.lender_id) == lender_id)
    found = (await session.execute(statement)).scalars().all()
    return page_of([view_of(row) for row in found], limit=size, id_of=lambda view: view.id)


async def limits_on(session: AsyncSession, day: date) -> ProductPolicy:
    """Return the limits in force on a day."""
    statement = (
        select(ProductLimits)
        .where(col(ProductLimits.effective_from) <= day)
        .order_by(col(ProductLimits.effective_from).desc())
        .limit(1)
    )
    row = (await session.execute(statement)).scalars().one()
    return ProductPolicy(
        row.effective_from,
        row.max_amount_fen,
        row.max_term_months,
        row.max_rate_bp,
        row.max_answer_working_days,
        row.max_products,
    )


def view_of(row: Product) -> ProductView:
    """Return the value of a row."""
    return ProductView(
        code=row.code,
        name_zh=row.name_zh,
        name_en=row.name_en,
        min_amount_fen=row.min_amount_fen,
        max_amount_fen=row.max_amount_fen,
        min_term_months=row.min_term_months,
        max_term_months=row.max_term_months,
        min_rate_bp=row.min_rate_bp,
        max_rate_bp=row.max_rate_bp,
        repayment_kinds=tuple(row.repayment_kinds),
        applicant_kinds=tuple(row.applicant_kinds),
        region_codes=tuple(row.region_codes),
        industry_codes=tuple(row.industry_codes),
        requires_cover=row.requires_cover,
        answer_working_days=row.answer_working_days,
        clauses=tuple(clause_of(told) for told in row.clauses),
        id=row.id,
        lender_id=row.lender_id,
        version=row.version,
        state=ProductState(row.state),
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        published_by=row.published_by,
        published_at=row.published_at,
        closed_at=row.closed_at,
    )


def _open_on(day: date) -> Sequence[ColumnElement[bool]]:
    return (
        col(Product.published_at).is_not(None),
        col(Product.valid_from) <= day,
        or_(col(Product.valid_to).is_(None), col(Product.valid_to) > day),
    )
