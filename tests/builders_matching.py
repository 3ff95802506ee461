"""Builders of matching: lenders with a product, firms that let them look, demands on their way to an accepted offer."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

from builders_agreements import a_line
from builders_demands import a_consent_to, a_demand
from builders_parties import Desk, a_firm, a_lender
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.demands.queries import DemandView
from xinyidai.demands.rules import RepaymentKind
from xinyidai.matching import service
from xinyidai.matching.queries import DispatchView, OfferView
from xinyidai.matching.service import AcceptedView
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.products import service as products
from xinyidai.products.rules import Clause, Operator

_numbers = count(1)


@dataclass(frozen=True)
class Bank:
    """A lender with two people and one open product."""

    desk: Desk
    product_id: UUID

    @property
    def id(self) -> UUID:
        """Return the lender."""
        return self.desk.id


async def a_bank(
    session: AsyncSession,
    *,
    min_rate_bp: int = 300,
    max_rate_bp: int = 600,
    min_amount_fen: int = 1_000_000,
    max_amount_fen: int = 500_000_000,
    requires_cover: bool = False,
    capacity_fen: int = 1_000_000_000,
    line_max_rate_bp: int = 1_500,
    min_age_months: int | None = None,
    answer_days: int | None = None,
    now: datetime,
) -> Bank:
    """Return a bank with a product; where the product asks for cover, with a line of so much capacity."""
    desk = await a_lender(session, now=now)
    if requires_cover:
        await a_line(
            session,
            lender=desk,
            capacity_fen=capacity_fen,
            per_firm_cap_fen=capacity_fen,
            max_rate_bp=line_max_rate_bp,
            now=now,
        )
    number = next(_numbers)
    young = Clause("age_months", Operator.GTE, min_age_months or 0, "too_young")
    product = await products.publish(
        session,
        desk.maker,
        desk.checker,
        code=f"P-{number:05d}",
        name_zh=f"测试贷{number}",
        name_en=f"Test loan {number}",
        min_amount_fen=min_amount_fen,
        max_amount_fen=max_amount_fen,
        min_term_months=1,
        max_term_months=36,
        min_rate_bp=min_rate_bp,
        max_rate_bp=max_rate_bp,
        requires_cover=requires_cover,
        answer_working_days=answer_days,
        eligibility=[] if min_age_months is None else [young],
        now=now,
    )
    return Bank(desk, product.id)


async def an_asking_firm(
    session: AsyncSession, *banks: Bank, amount_fen: int = 50_000_000, now: datetime
) -> tuple[Viewer, DemandView]:
    """Return a firm that lets these banks look, and its submitted demand."""
    firm = await a_firm(session, now=now)
    await a_consent_to(session, firm, PLATFORM_ID, *[bank.id for bank in banks], now=now)
    return firm, await a_demand(session, firm, amount_fen=amount_fen, now=now)


async def a_dispatch(
    session: AsyncSession, bank: Bank, *, amount_fen: int = 50_000_000, now: datetime
) -> tuple[Viewer, DispatchView]:
    """Return a firm and its demand as it lies before this bank."""
    firm, demand = await an_asking_firm(session, bank, amount_fen=amount_fen, now=now)
    matched = await service.match(session, demand.id, now=now)
    return firm, matched.dispatches[0]


async def an_offer(
    session: AsyncSession,
    bank: Bank,
    dispatch: DispatchView,
    *,
    amount_fen: int = 50_000_000,
    rate_bp: int = 400,
    term_months: int = 12,
    repayment_kind: RepaymentKind = RepaymentKind.EQUAL_INSTALMENTS,
    days: int = 20,
    now: datetime,
) -> OfferView:
    """Return an offer that two people of the bank made and approved."""
    made = await service.make_offer(
        session,
        bank.desk.maker,
        dispatch.id,
        amount_fen=amount_fen,
        rate_bp=rate_bp,
        term_months=term_months,
        repayment_kind=repayment_kind,
        valid_until=now + timedelta(days=days),
        now=now,
    )
    return await service.approve_offer(session, bank.desk.checker, made.id, now=now)


async def an_accepted_offer(
    session: AsyncSession,
    *,
    bank: Bank | None = None,
    amount_fen: int = 50_000_000,
    rate_bp: int = 400,
    term_months: int = 12,
    repayment_kind: RepaymentKind = RepaymentKind.EQUAL_INSTALMENTS,
    now: datetime,
) -> tuple[Viewer, Bank, AcceptedView]:
    """Return a firm, a bank (with a risk-sharing line unless one is given) and the offer that the firm accepted."""
    bank = bank or await a_bank(session, requires_cover=True, now=now)
    firm, dispatch = await a_dispatch(session, bank, amount_fen=amount_fen, now=now)
    offer = await an_offer(
        session,
        bank,
        dispatch,
        amount_fen=amount_fen,
        rate_bp=rate_bp,
        term_months=term_months,
        repayment_kind=repayment_kind,
        now=now,
    )
    return firm, bank, await service.accept(session, firm, offer.id, now=now)
