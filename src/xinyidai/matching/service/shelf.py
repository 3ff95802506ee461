"""The products of the products room, as matching looks at them."""

from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.matching.rules.eligibility import OnShelf
from xinyidai.matching.rules.offers import NotEligible
from xinyidai.matching.rules.records import by_code
from xinyidai.products import queries as products
from xinyidai.products.queries import ProductView
from xinyidai.products.rules import ProductState


async def open_shelf(session: AsyncSession, day: date) -> list[OnShelf]:
    """Return the terms of every product open on a day, in one order on every machine."""
    return sorted([on_shelf(view) for view in await products.open_products(session, day)], key=by_code)


async def requires_dispatched(session: AsyncSession, product_id: UUID) -> OnShelf:
    """Return the terms that a demand was dispatched under; a version that a newer one superseded still binds.

    Raises
    ------
    NotEligible
        The lender closed the product since.
    """
    view = await products.product(session, product_id)
    if view.state is ProductState.CLOSED:
        raise NotEligible(product=view.code, failed=["product_not_open"])
    return on_shelf(view)


def on_shelf(view: ProductView) -> OnShelf:
    """Return the terms that matching looks at."""
    return OnShelf(
        product_id=str(view.id),
        code=view.code,
        version=view.version,
        lender_id=str(view.lender_id),
        min_amount_fen=view.min_amount_fen,
        max_amount_fen=view.max_amount_fen,
        min_term_months=view.min_term_months,
        max_term_months=view.max_term_months,
        min_rate_bp=view.min_rate_bp,
        max_rate_bp=view.max_rate_bp,
        repayment_kinds=view.repayment_kinds,
        applicant_kinds=view.applicant_kinds,
        region_codes=view.region_codes,
        industry_codes=view.industry_codes,
        requires_cover=view.requires_cover,
        answer_days=view.answer_working_days,
        clauses=view.clauses,
    )
