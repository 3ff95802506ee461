"""Products for tests, made through the room's own verbs by two people of the lender."""

from collections.abc import Sequence
from datetime import date, datetime
from itertools import count

from builders_parties import Desk
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.products import service
from xinyidai.products.queries import ProductView
from xinyidai.products.rules import Clause, ProductTerms, RepaymentKind

_numbers = count(1)


def some_terms(
    *,
    code: str | None = None,
    amounts_fen: tuple[int, int] = (1_000_000, 500_000_000),
    terms_months: tuple[int, int] = (3, 36),
    rates_bp: tuple[int, int] = (350, 600),
    repayment_kinds: Sequence[str] = tuple(RepaymentKind),
    applicant_kinds: Sequence[str] = (),
    region_codes: Sequence[str] = (),
    industry_codes: Sequence[str] = (),
    requires_cover: bool = False,
    answer_working_days: int | None = 3,
    clauses: Sequence[Clause] = (),
) -> ProductTerms:
    """Return terms that everybody meets: 10,000 yuan to 5 million, 3 to 36 months, 3.5 to 6 % a year."""
    number = next(_numbers)
    return ProductTerms(
        code=code or f"P{number:06d}",
        name_zh=f"测试贷{number}",
        name_en=f"Test loan {number}",
        min_amount_fen=amounts_fen[0],
        max_amount_fen=amounts_fen[1],
        min_term_months=terms_months[0],
        max_term_months=terms_months[1],
        min_rate_bp=rates_bp[0],
        max_rate_bp=rates_bp[1],
        repayment_kinds=tuple(str(kind) for kind in repayment_kinds),
        applicant_kinds=tuple(str(kind) for kind in applicant_kinds),
        region_codes=tuple(region_codes),
        industry_codes=tuple(industry_codes),
        requires_cover=requires_cover,
        answer_working_days=answer_working_days,
        clauses=tuple(clauses),
    )


async def a_proposal(
    session: AsyncSession,
    maker: Viewer,
    terms: ProductTerms | None = None,
    *,
    valid_from: date | None = None,
    now: datetime,
) -> ProductView:
    """Return a product that one person of a lender has proposed."""
    return await service.propose(session, maker, terms or some_terms(), valid_from=valid_from, now=now)


async def a_product(
    session: AsyncSession,
    lender: Desk,
    terms: ProductTerms | None = None,
    *,
    valid_from: date | None = None,
    now: datetime,
) -> ProductView:
    """Return a product that the lender's two people have published."""
    proposed = await a_proposal(session, lender.maker, terms, valid_from=valid_from, now=now)
    return await service.publish_proposed(session, lender.checker, proposed.id, now=now)
