"""Everything at once on one line: no deadlock reaches a caller and the books hold."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

from builders_agreements import a_line, a_reservation
from builders_claims import LONG_AFTER, a_paid_claim, an_approved_claim, an_overdue_loan
from builders_loans import Lent, a_loan
from builders_parties import a_firm
from conftest import Database
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.agreements import queries as agreements
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import Sessions, in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.ledger import queries as ledger
from xinyidai.loans import service as loans
from xinyidai.risk_sharing import service

Act = Callable[[AsyncSession], Awaitable[object]]


async def answer_of(sessions: Sessions, viewer: Viewer, act: Act, now: datetime) -> str:
    try:
        async with in_transaction(sessions) as session:
            await act_as(session, viewer, now=now)
            await act(session)
        return "done"
    except Refusal as refusal:
        return refusal.code


def repaying(lent: Lent, amount_fen: int, now: datetime) -> tuple[Viewer, Act]:
    officer = lent.line.lender.maker

    async def act(session: AsyncSession) -> object:
        return await loans.repay(session, officer, lent.id, amount_fen=amount_fen, paid_on=business_date(now), now=now)

    return officer, act


def recovering(lent: Lent, claim_id: UUID, now: datetime) -> tuple[Viewer, Act]:
    officer = lent.line.lender.maker

    async def act(session: AsyncSession) -> object:
        return await service.record_recovery(session, officer, claim_id, received_fen=10_001, now=now)

    return officer, act


def paying(lent: Lent, claim_id: UUID, now: datetime) -> tuple[Viewer, Act]:
    payer = lent.line.fund.maker

    async def act(session: AsyncSession) -> object:
        return await service.pay_claim(session, payer, claim_id, now=now)

    return payer, act


def reserving(lent: Lent, firm: Viewer, now: datetime) -> tuple[Viewer, Act]:
    async def act(session: AsyncSession) -> object:
        return await a_reservation(session, lent.line, firm.organisation_id, now=now)  # type: ignore[arg-type]

    return firm, act


async def test_repaying_recovering_paying_and_reserving_at_once(database: Database, noon: datetime) -> None:
    later = noon + LONG_AFTER
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        line = await a_line(
            session, fund_cash_fen=50_000_000, guarantor_cash_fen=50_000_000, now=noon - timedelta(days=1)
        )
        paid = await an_overdue_loan(session, line, amount_fen=1_000_003, now=noon)
        claim = await a_paid_claim(session, paid, now=later)
        waiting = await an_overdue_loan(session, line, amount_fen=1_000_003, now=noon)
        approved = await an_approved_claim(session, waiting, now=later)
        healthy = [await a_loan(session, line, amount_fen=1_000_003, now=later) for _number in range(2)]
        firm = await a_firm(session, now=noon)
        before = await agreements.available_fen(session, line.id)

    acts = [
        *(repaying(lent, 40_000 + number, later) for number, lent in enumerate(healthy)),
        *(recovering(paid, claim.id, later) for _number in range(2)),
        paying(waiting, approved.id, later),
        *(reserving(healthy[0], firm, later) for _number in range(3)),
    ]
    answers = await asyncio.gather(*(answer_of(database.app, viewer, act, later) for viewer, act in acts))

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=later)
        after = await agreements.available_fen(session, line.id)
        faults = await ledger.check_books(session)
    assert answers == ["done"] * len(acts)
    assert faults == []
    assert after < before - 3 * 8_000_000 + 100_000
