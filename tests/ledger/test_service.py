"""Posting, reversing, opening and closing: one after the other."""

from datetime import date, timedelta

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
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Role, SamePersonTwice
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, Refusal
from xinyidai.ledger import queries, service
from xinyidai.ledger.rules import (
    AccountClosed,
    AccountCodeTaken,
    AccountNotEmpty,
    AccountUnknown,
    AlreadyReversed,
    AmountOutOfRange,
    Book,
    CeilingReached,
    FloorReached,
    JournalUnknown,
    KeyReusedForAnotherJournal,
    PeriodClosed,
    PeriodNotOver,
    Posting,
    ReversalIsFinal,
    UnbalancedJournal,
)

OPERATOR = a_viewer(OrganisationKind.OPERATOR, "operator", Role.OFFICER, person="one")
APPROVER = a_viewer(OrganisationKind.OPERATOR, "operator", Role.APPROVER, person="two")
JULY = NOON + timedelta(days=20)


async def counts(database: Database) -> tuple[int, int, int]:
    """Count journals, entries, and versions of accounts."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=NOON)
        connection = await session.connection()
        found = await connection.exec_driver_sql(
            "SELECT (SELECT count(*) FROM ledger.journal), (SELECT count(*) FROM ledger.entry),"
            " (SELECT coalesce(sum(version), 0)::bigint FROM ledger.account)"
        )
        journals, entries, versions = found.one()
        return journals, entries, versions


async def test_journal_moves_its_accounts_and_keeps_the_books_whole(session: AsyncSession) -> None:
    fund = await an_account(session, "cash:fund", floor_fen=0)
    world = await an_account(session, "cash:world")

    posted = await service.post(session, a_posting("k", (fund, 100), (world, -100)), now=NOON)

    assert not posted.is_replayed
    assert await queries.balance_fen(session, fund) == 100
    assert await queries.balance_fen(session, world) == -100
    assert await queries.imbalance_fen(session) == 0
    assert await queries.check_books(session) == []


async def test_one_journal_may_span_books_that_each_balance(session: AsyncSession) -> None:
    cash = [await an_account(session, f"cash:{n}") for n in range(2)]
    exposure = [await an_account(session, f"exposure:{n}", book=Book.EXPOSURE) for n in range(2)]
    posting = a_posting("k", (cash[0], 7), (cash[1], -7), (exposure[0], -9), (exposure[1], 9))

    await service.post(session, posting, now=NOON)

    assert await queries.check_books(session) == []


async def test_books_may_not_balance_each_other(database: Database) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=NOON)
        cash = await an_account(session, "cash:a")
        memo = await an_account(session, "memo:a", book=Book.MEMO)
    before = await counts(database)

    with pytest.raises(UnbalancedJournal):
        await post_committed(database.worker, a_posting("k", (cash, 5), (memo, -5)))

    assert await counts(database) == before


async def test_repeated_key_is_answered_with_the_same_journal(database: Database) -> None:
    fund, world = await two_accounts(database.worker)
    first = await post_committed(database.app, a_posting("k", (fund, 100), (world, -100)))

    again = await post_committed(database.app, a_posting("k", (world, -100), (fund, 100)))

    assert (again.journal_id, again.is_replayed) == (first.journal_id, True)
    assert await balances(database.worker, [fund, world]) == [100, -100]


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"effective_on": TODAY - timedelta(days=1)},
        {"maker_id": CHECKER, "checker_id": MAKER},
        {"checker_id": None},
        {"loan_id": "loan-2"},
    ],
    ids=lambda change: ",".join(change),
)
async def test_altered_request_under_a_known_key_is_refused(database: Database, change: dict[str, object]) -> None:
    fund, world = await two_accounts(database.worker)
    await post_committed(database.app, a_posting("k", (fund, 100), (world, -100)))
    before = await counts(database)

    with pytest.raises(KeyReusedForAnotherJournal):
        await post_committed(database.app, a_posting("k", (fund, 100), (world, -100), **change))  # type: ignore[arg-type]

    assert await counts(database) == before


async def test_altered_amount_under_a_known_key_is_refused(database: Database) -> None:
    fund, world = await two_accounts(database.worker)
    await post_committed(database.app, a_posting("k", (fund, 100), (world, -100)))

    with pytest.raises(KeyReusedForAnotherJournal):
        await post_committed(database.app, a_posting("k", (fund, 101), (world, -101)))

    assert await balances(database.worker, [fund, world]) == [100, -100]


async def test_moment_of_recording_is_no_part_of_the_request(session: AsyncSession) -> None:
    fund = await an_account(session, "cash:fund")
    world = await an_account(session, "cash:world")
    await service.post(session, a_posting("k", (fund, 1), (world, -1)), now=NOON)

    again = await service.post(session, a_posting("k", (fund, 1), (world, -1)), now=NOON + timedelta(days=40))

    assert again.is_replayed


async def refused(database: Database, posting: Posting, refusal: type[Refusal]) -> None:
    """Assert that a posting is refused and changes nothing."""
    before = await counts(database)
    with pytest.raises(refusal):
        await post_committed(database.app, posting)
    assert await counts(database) == before


async def test_account_does_not_fall_below_its_floor(database: Database) -> None:
    fund, world = await two_accounts(database.worker, fund_fen=100)

    await refused(database, a_posting("k", (fund, -101), (world, 101)), FloorReached)
    await post_committed(database.app, a_posting("k", (fund, -100), (world, 100)))

    assert await balances(database.worker, [fund]) == [0]


async def test_account_does_not_rise_above_its_ceiling(database: Database) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=NOON)
        capped = await an_account(session, "exposure:cap", book=Book.EXPOSURE, ceiling_fen=10)
        other = await an_account(session, "exposure:other", book=Book.EXPOSURE)

    await refused(database, a_posting("k", (capped, 11), (other, -11)), CeilingReached)
    await post_committed(database.app, a_posting("k", (capped, 10), (other, -10)))

    assert await balances(database.worker, [capped]) == [10]


async def test_balance_stays_within_range(database: Database) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=NOON)
        rich, poor = [await an_account(session, f"cash:{n}") for n in range(2)]
    await post_committed(database.app, a_posting("k1", (rich, 10**15), (poor, -(10**15))))

    await refused(database, a_posting("k2", (rich, 1), (poor, -1)), AmountOutOfRange)


async def test_unknown_account_is_refused(database: Database) -> None:
    _fund, world = await two_accounts(database.worker)

    await refused(database, a_posting("k", (world, -1), (999_999, 1)), AccountUnknown)


async def test_refused_key_can_be_used_again(database: Database) -> None:
    fund, world = await two_accounts(database.worker, fund_fen=5)
    await refused(database, a_posting("k", (fund, -6), (world, 6)), FloorReached)

    posted = await post_committed(database.app, a_posting("k", (fund, -5), (world, 5)))

    assert not posted.is_replayed


async def test_caller_may_go_on_after_a_refusal_inside_a_savepoint(session: AsyncSession) -> None:
    fund = await an_account(session, "cash:fund", floor_fen=0)
    world = await an_account(session, "cash:world")
    with pytest.raises(FloorReached):
        async with session.begin_nested():
            await service.post(session, a_posting("k1", (fund, -1), (world, 1)), now=NOON)

    await service.post(session, a_posting("k2", (fund, 1), (world, -1)), now=NOON)

    assert await queries.check_books(session) == []


async def test_opening_an_account_twice_gives_the_same_one(session: AsyncSession) -> None:
    first = await an_account(session, "cash:fund", floor_fen=0)

    assert await an_account(session, "cash:fund", floor_fen=0) == first


async def test_code_of_another_account_is_refused(session: AsyncSession) -> None:
    await an_account(session, "cash:fund", floor_fen=0)

    for attempt in ({"floor_fen": None}, {"floor_fen": 0, "owner_id": MAKER}, {"floor_fen": 0, "book": Book.MEMO}):
        with pytest.raises(AccountCodeTaken):
            async with session.begin_nested():
                await an_account(session, "cash:fund", **attempt)  # type: ignore[arg-type]


async def test_closed_account_takes_no_more_legs(database: Database) -> None:
    fund, world = await two_accounts(database.worker, fund_fen=1)
    await post_committed(database.worker, a_posting("out", (fund, -1), (world, 1)))
    async with in_transaction(database.worker) as session:
        await service.close_account(session, fund)
        await service.close_account(session, fund)

    await refused(database, a_posting("k", (fund, 1), (world, -1)), AccountClosed)


async def test_account_with_money_in_it_is_not_closed(database: Database) -> None:
    fund, _world = await two_accounts(database.worker, fund_fen=1)

    with pytest.raises(AccountNotEmpty):
        async with in_transaction(database.worker) as session:
            await service.close_account(session, fund)


async def reverse(database: Database, journal_id: int, key: str = "undo", effective_on: date = TODAY) -> int:
    """Reverse a journal in a transaction of its own."""
    async with in_transaction(database.app) as session:
        posted = await service.reverse(
            session, journal_id, key=key, effective_on=effective_on, maker_id=MAKER, checker_id=CHECKER, now=NOON
        )
        return posted.journal_id


async def test_reversal_mirrors_its_journal(database: Database) -> None:
    fund, world = await two_accounts(database.worker)
    posted = await post_committed(database.app, a_posting("k", (fund, 70), (world, -70)))

    undone = await reverse(database, posted.journal_id)

    assert undone != posted.journal_id
    assert await balances(database.worker, [fund, world]) == [0, 0]
    assert await faults(database.worker) == []


async def test_journal_is_reversed_once(database: Database) -> None:
    fund, world = await two_accounts(database.worker)
    posted = await post_committed(database.app, a_posting("k", (fund, 70), (world, -70)))
    undone = await reverse(database, posted.journal_id)
    before = await counts(database)

    with pytest.raises(AlreadyReversed):
        await reverse(database, posted.journal_id, key="undo again")

    assert await reverse(database, posted.journal_id) == undone
    assert await counts(database) == before


async def test_reversal_is_not_reversed(database: Database) -> None:
    fund, world = await two_accounts(database.worker)
    posted = await post_committed(database.app, a_posting("k", (fund, 70), (world, -70)))
    undone = await reverse(database, posted.journal_id)

    with pytest.raises(ReversalIsFinal):
        await reverse(database, undone, key="undo the undoing")


async def test_reversal_respects_the_floor(database: Database) -> None:
    fund, world = await two_accounts(database.worker)
    posted = await post_committed(database.app, a_posting("k", (fund, 70), (world, -70)))
    await post_committed(database.app, a_posting("spent", (fund, -1), (world, 1)))

    with pytest.raises(FloorReached):
        await reverse(database, posted.journal_id)


@pytest.mark.parametrize("journal_id", [0, -1, 999_999, 2**63])
async def test_unknown_journal_is_not_reversed(database: Database, journal_id: int) -> None:
    with pytest.raises(JournalUnknown):
        await reverse(database, journal_id)


async def close_may(database: Database) -> None:
    """Close May 2025."""
    async with in_transaction(database.app) as session:
        await service.close_period(session, OPERATOR, APPROVER, month=date(2025, 5, 1), now=NOON)


async def test_closed_period_takes_no_journal_and_keeps_its_balance(database: Database) -> None:
    fund, world = await two_accounts(database.worker)
    last_of_may = a_posting("may", (fund, 10), (world, -10), effective_on=date(2025, 5, 31))
    await post_committed(database.app, last_of_may)
    await close_may(database)

    for day in (date(2025, 5, 31), date(2025, 5, 1), date(2024, 12, 31)):
        await refused(database, a_posting("late", (fund, 1), (world, -1), effective_on=day), PeriodClosed)
    await post_committed(database.app, a_posting("june", (fund, 1), (world, -1), effective_on=date(2025, 6, 1)))
    again = await post_committed(database.app, last_of_may)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=NOON)
        by_may, by_june = [
            await queries.turnover(session, account_codes=["cash:fund"], to_on=day)
            for day in (date(2025, 6, 1), date(2025, 7, 1))
        ]
    assert again.is_replayed
    assert (by_may.net_fen, by_june.net_fen) == (10, 11)


async def test_journal_of_a_closed_period_is_reversed_in_an_open_one(database: Database) -> None:
    fund, world = await two_accounts(database.worker)
    posted = await post_committed(
        database.app, a_posting("may", (fund, 10), (world, -10), effective_on=date(2025, 5, 31))
    )
    await close_may(database)

    with pytest.raises(PeriodClosed):
        await reverse(database, posted.journal_id, effective_on=date(2025, 5, 31))
    await reverse(database, posted.journal_id, effective_on=TODAY)

    assert await balances(database.worker, [fund, world]) == [0, 0]


async def test_period_is_closed_once_and_only_when_it_is_over(database: Database) -> None:
    await close_may(database)

    with pytest.raises(PeriodClosed):
        await close_may(database)
    with pytest.raises(PeriodNotOver):
        async with in_transaction(database.app) as session:
            await service.close_period(session, OPERATOR, APPROVER, month=date(2025, 6, 1), now=NOON)
    async with in_transaction(database.app) as session:
        await service.close_period(session, OPERATOR, APPROVER, month=date(2025, 6, 30), now=JULY)


async def test_period_is_closed_by_two_people_of_the_operator(session: AsyncSession) -> None:
    fund = a_viewer(OrganisationKind.FUND, "fund", Role.OWNER)

    with pytest.raises(SamePersonTwice):
        await service.close_period(session, APPROVER, APPROVER, month=date(2025, 5, 1), now=NOON)
    with pytest.raises(NotAllowed):
        await service.close_period(session, OPERATOR, fund, month=date(2025, 5, 1), now=NOON)
    with pytest.raises(NotAllowed):
        await service.close_period(session, APPROVER, OPERATOR, month=date(2025, 5, 1), now=NOON)
