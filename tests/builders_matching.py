"""Builders of matching: lenders with a product, firms that let them look, demands on their way to an accepted offer.

A binding offer stands on an indication and the firm's choice: `a_choice` goes there from a dispatch, `an_offer` beyond.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import NamedTuple
from uuid import UUID

from builders_agreements import a_line
from builders_databases import Database
from builders_demands import a_consent_to, a_demand, a_firm_viewer
from builders_parties import Desk, a_firm, a_lender
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.consents.rules import Purpose
from xinyidai.consents.texts import text_on
from xinyidai.demands.queries import DemandView
from xinyidai.demands.rules import RepaymentKind
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import in_transaction
from xinyidai.matching import queries, service
from xinyidai.matching.queries import DispatchView, IndicationView, OfferView
from xinyidai.matching.rules.offers import Indicated
from xinyidai.matching.rules.states import DispatchState
from xinyidai.matching.service import AcceptedView, ChoiceView
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


class Asked(NamedTuple):
    """A bank that a firm's demand lies before, and an open session in platform scope."""

    session: AsyncSession
    bank: Bank
    firm: Viewer
    dispatch: DispatchView


async def a_bank_that_is_asked(database: Database, *, now: datetime) -> tuple[Bank, Viewer, DispatchView]:
    """Furnish a database with a bank, and a firm whose demand was dispatched to it."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        bank = await a_bank(session, now=now)
        return bank, *await a_dispatch(session, bank, now=now)


def a_range(*, days: int = 14, now: datetime, **changed: object) -> Indicated:
    """Return a range that `a_bank` may indicate for `a_demand`, with some of it changed."""
    usual = Indicated(
        min_amount_fen=40_000_000,
        max_amount_fen=50_000_000,
        min_rate_bp=350,
        max_rate_bp=420,
        min_term_months=6,
        max_term_months=12,
        repayment_kinds=(RepaymentKind.EQUAL_INSTALMENTS, RepaymentKind.INTEREST_FIRST),
        valid_until=now + timedelta(days=days),
    )
    return replace(usual, **changed)  # type: ignore[arg-type]


def authority_text(now: datetime) -> bytes:
    """Return the digest of the text that a firm is shown before it authorises a credit query."""
    return text_on(business_date(now)).digest(Purpose.CREDIT_QUERY)


async def an_indication(
    session: AsyncSession, bank: Bank, dispatch: DispatchView, *, terms: Indicated | None = None, now: datetime
) -> IndicationView:
    """Return what the bank indicated on a dispatch."""
    return await service.indicate(session, bank.desk.maker, dispatch.id, terms=terms or a_range(now=now), now=now)


async def a_choice(
    session: AsyncSession,
    firm: Viewer,
    bank: Bank,
    dispatch: DispatchView,
    *,
    terms: Indicated | None = None,
    now: datetime,
) -> ChoiceView:
    """Return the firm's choice of a bank that indicates a moment before."""
    indicated = await an_indication(session, bank, dispatch, terms=terms, now=now)
    (chosen,) = await service.choose_lenders(
        session, firm, dispatch.demand_id, indication_ids=[indicated.id], text_digest=authority_text(now), now=now
    )
    return chosen


def the_owner(dispatch: DispatchView) -> Viewer:
    """Return an owner of the firm whose demand was dispatched."""
    return a_firm_viewer(dispatch.firm_id)


async def choose_unless_chosen(
    session: AsyncSession, bank: Bank, dispatch: DispatchView, *, terms: Indicated | None = None, now: datetime
) -> None:
    """Let the bank indicate and the firm choose it, where that did not happen before."""
    seen = await queries.dispatch(session, bank.desk.maker, dispatch.id)
    if seen.state in (DispatchState.SENT, DispatchState.IN_REVIEW):
        await a_choice(session, the_owner(dispatch), bank, dispatch, terms=terms, now=now)


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
    """Return a binding offer of a bank that the firm chose, which happens here unless it did before."""
    terms = a_range(
        min_amount_fen=1_000_000,
        max_amount_fen=amount_fen,
        min_rate_bp=300,
        max_rate_bp=rate_bp,
        max_term_months=36,
        now=now,
    )
    await choose_unless_chosen(session, bank, dispatch, terms=terms, now=now)
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
