"""The books under rivals: many sessions, each committing."""

import asyncio
import random
from datetime import date

import asyncpg
import pytest
from builders_ledger import (
    CHECKER,
    MAKER,
    NOON,
    TODAY,
    a_posting,
    a_viewer,
    an_account,
    balances,
    faults,
    post_committed,
    two_accounts,
)
from conftest import Database

from xinyidai.access.rules import OrganisationKind, Role
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.ledger import service
from xinyidai.ledger.rules import (
    AlreadyReversed,
    Book,
    CeilingReached,
    FloorReached,
    KeyReusedForAnotherJournal,
    LedgerBusy,
    PeriodClosed,
    Posted,
)

RIVALS = 16


async def test_of_many_payouts_exactly_as_many_pass_as_the_fund_holds(database: Database) -> None:
    fund, world = await two_accounts(database.worker, fund_fen=7 * 30 + 29)
    payouts = [a_posting(f"payout-{n}", (fund, -30), (world, 30)) for n in range(RIVALS)]

    answers = await asyncio.gather(
        *(post_committed(database.app, payout) for payout in payouts), return_exceptions=True
    )

    assert [type(answer) for answer in answers].count(Posted) == 7
    assert [type(answer) for answer in answers].count(FloorReached) == RIVALS - 7
    assert await balances(database.worker, [fund]) == [29]
    assert await faults(database.worker) == []


async def test_of_many_reservations_exactly_as_many_pass_as_the_cap_allows(database: Database) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=NOON)
        reserved = await an_account(session, "exposure:reserved", book=Book.EXPOSURE, ceiling_fen=100)
        granted = await an_account(session, "exposure:granted", book=Book.EXPOSURE)

    answers = await asyncio.gather(
        *(post_committed(database.app, a_posting(f"r-{n}", (reserved, 33), (granted, -33))) for n in range(RIVALS)),
        return_exceptions=True,
    )

    assert [type(answer) for answer in answers].count(Posted) == 3
    assert [type(answer) for answer in answers].count(CeilingReached) == RIVALS - 3


async def test_the_same_key_at_once_is_one_journal(database: Database) -> None:
    fund, world = await two_accounts(database.worker)
    posting = a_posting("k", (fund, 5), (world, -5))

    answers = await asyncio.gather(*(post_committed(database.app, posting) for _ in range(RIVALS)))

    assert len({answer.journal_id for answer in answers}) == 1
    assert [answer.is_replayed for answer in answers].count(False) == 1
    assert await balances(database.worker, [fund]) == [5]


async def test_one_key_for_two_journals_at_once_is_one_of_them(database: Database) -> None:
    fund, world = await two_accounts(database.worker)
    postings = [a_posting("k", (fund, amount), (world, -amount)) for amount in range(1, 9)]

    answers = await asyncio.gather(
        *(post_committed(database.app, posting) for posting in postings), return_exceptions=True
    )

    assert [type(answer) for answer in answers].count(Posted) == 1
    assert [type(answer) for answer in answers].count(KeyReusedForAnotherJournal) == 7
    assert await faults(database.worker) == []


async def test_rivals_in_opposite_orders_never_deadlock(database: Database) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=NOON)
        accounts = [await an_account(session, f"cash:{n}") for n in range(10)]
    dice = random.Random(20250616)  # noqa: S311 - a seed, so that a failure can be run again

    async def rival(number: int) -> None:
        for step in range(25):
            first, second, third = dice.sample(accounts, 3)
            await post_committed(database.app, a_posting(f"{number}/{step}", (first, 2), (second, -1), (third, -1)))

    await asyncio.gather(*(rival(number) for number in range(8)))

    assert sum(await balances(database.worker, accounts)) == 0
    assert await faults(database.worker) == []


async def test_account_that_stays_locked_is_a_refusal_that_changes_nothing(
    database: Database, admin: asyncpg.Connection
) -> None:
    fund, world = await two_accounts(database.worker, fund_fen=10)
    async with admin.transaction():
        await admin.execute("SELECT 1 FROM ledger.account WHERE id = $1 FOR UPDATE", fund)

        with pytest.raises(LedgerBusy):
            await post_committed(database.app, a_posting("k", (fund, -1), (world, 1)))

    posted = await post_committed(database.app, a_posting("k", (fund, -1), (world, 1)))
    assert not posted.is_replayed
    assert await balances(database.worker, [fund]) == [9]


async def test_journal_is_reversed_once_by_rivals_with_their_own_keys(database: Database) -> None:
    fund, world = await two_accounts(database.worker)
    posted = await post_committed(database.app, a_posting("k", (fund, 5), (world, -5)))

    async def undo(number: int) -> Posted:
        async with in_transaction(database.app) as session:
            return await service.reverse(
                session,
                posted.journal_id,
                key=f"undo-{number}",
                effective_on=TODAY,
                maker_id=MAKER,
                checker_id=CHECKER,
                now=NOON,
            )

    answers = await asyncio.gather(*(undo(number) for number in range(8)), return_exceptions=True)

    assert [type(answer) for answer in answers].count(Posted) == 1
    assert [type(answer) for answer in answers].count(AlreadyReversed) == 7
    assert await balances(database.worker, [fund, world]) == [0, 0]


async def test_closing_a_period_waits_for_the_journal_in_flight(database: Database) -> None:
    fund, world = await two_accounts(database.worker)
    maker = a_viewer(OrganisationKind.OPERATOR, "operator", person="one")
    checker = a_viewer(OrganisationKind.OPERATOR, "operator", Role.APPROVER, person="two")
    in_may = date(2025, 5, 31)

    async def close() -> None:
        async with in_transaction(database.worker) as session:
            await service.close_period(session, maker, checker, month=in_may, now=NOON)

    async with in_transaction(database.app) as session:
        await service.post(session, a_posting("in flight", (fund, 1), (world, -1), effective_on=in_may), now=NOON)
        closing = asyncio.create_task(close())
        await asyncio.sleep(0.2)
        was_waiting = not closing.done()
    await closing

    assert was_waiting
    with pytest.raises(PeriodClosed):
        await post_committed(database.app, a_posting("late", (fund, 1), (world, -1), effective_on=in_may))
    assert await balances(database.worker, [fund]) == [1]
