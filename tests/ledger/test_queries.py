"""Reading the books: pages, turnover, and who sees what."""

from datetime import date

import pytest
from builders_ledger import NOON, a_posting, a_viewer, an_account, post_committed
from conftest import Database
from sqlalchemy import text

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed
from xinyidai.foundation.paging import CursorRefused
from xinyidai.ledger import queries
from xinyidai.ledger.rules import AccountRefused, AccountUnknown, Book, Turnover

FUND = a_viewer(OrganisationKind.FUND, "fund")
LENDER = a_viewer(OrganisationKind.LENDER, "lender")
STRANGER = a_viewer(OrganisationKind.LENDER, "stranger")
REGULATOR = a_viewer(OrganisationKind.REGULATOR, "regulator")


@pytest.fixture
async def books(database: Database) -> dict[str, int]:
    """Open accounts of a fund, a lender and nobody; post between them in May and June."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=NOON)
        ids = {
            "fund": await an_account(session, "cash:fund", owner_id=FUND.organisation_id, floor_fen=0),
            "lender": await an_account(session, "cash:lender", owner_id=LENDER.organisation_id),
            "world": await an_account(session, "cash:world"),
            "fund_memo": await an_account(session, "memo:fund", book=Book.MEMO, owner_id=FUND.organisation_id),
            "memo": await an_account(session, "memo:world", book=Book.MEMO),
        }
    may, june = date(2025, 5, 31), date(2025, 6, 1)
    for posting in (
        a_posting("1", (ids["fund"], 100), (ids["world"], -100), kind="paid_in", effective_on=may),
        a_posting("2", (ids["fund"], -30), (ids["lender"], 30), kind="claim_paid", effective_on=may),
        a_posting("3", (ids["fund"], -20), (ids["lender"], 20), kind="claim_paid", effective_on=june),
        a_posting("4", (ids["fund_memo"], 5), (ids["memo"], -5), kind="noted", effective_on=june),
    ):
        await post_committed(database.app, posting)
    return ids


async def rows_seen(database: Database, viewer: Viewer) -> tuple[int, int, int]:
    """Count accounts, journals and entries as the web process with a viewer's scope, in bare SQL."""
    async with in_transaction(database.app) as session:
        await act_as(session, viewer, now=NOON)
        found = await session.execute(
            text(
                "SELECT (SELECT count(*) FROM ledger.account), (SELECT count(*) FROM ledger.journal),"
                " (SELECT count(*) FROM ledger.entry)"
            )
        )
        accounts, journals, entries = found.one()
        return accounts, journals, entries


async def test_viewer_meets_its_own_accounts_and_what_moved_them(database: Database, books: dict[str, int]) -> None:
    assert await rows_seen(database, FUND) == (2, 4, 4)
    assert await rows_seen(database, LENDER) == (1, 2, 2)
    assert await rows_seen(database, STRANGER) == (0, 0, 0)


async def test_without_a_scope_nothing_is_seen(database: Database, books: dict[str, int]) -> None:
    async with in_transaction(database.app) as session:
        found = await session.execute(text("SELECT count(*) FROM ledger.journal"))

        assert found.scalar_one() == 0
        assert await queries.imbalance_fen(session) == 0


async def test_accounts_page_holds_the_viewers_own(database: Database, books: dict[str, int]) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, FUND, now=NOON)
        own = await queries.accounts(session, FUND)
        cash = await queries.accounts(session, FUND, prefix="cash:")

    assert [account.code for account in own.rows] == ["cash:fund", "memo:fund"]
    assert [(account.code, account.balance_fen, account.version) for account in cash.rows] == [("cash:fund", 50, 3)]


async def test_regulator_pages_through_all_accounts(database: Database, books: dict[str, int]) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, REGULATOR, now=NOON)
        first = await queries.accounts(session, REGULATOR, limit=3)
        second = await queries.accounts(session, REGULATOR, limit=3, cursor=first.next_cursor)

    assert [account.id for account in (*first.rows, *second.rows)] == sorted(books.values())
    assert second.next_cursor is None


async def test_entries_are_paged_in_the_order_of_the_account(database: Database, books: dict[str, int]) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, FUND, now=NOON)
        first = await queries.entries_of(session, FUND, books["fund"], limit=2)
        second = await queries.entries_of(session, FUND, books["fund"], limit=2, cursor=first.next_cursor)

    entries = [*first.rows, *second.rows]
    assert [(entry.amount_fen, entry.balance_after_fen) for entry in entries] == [(100, 100), (-30, 70), (-20, 50)]
    assert [entry.kind for entry in entries] == ["paid_in", "claim_paid", "claim_paid"]
    assert entries[0].subject == {"loan_id": "loan-1"}
    assert second.next_cursor is None


async def test_entries_of_anothers_account_are_unknown(database: Database, books: dict[str, int]) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, LENDER, now=NOON)

        for account_id in (books["fund"], books["world"], 999_999, 0, 2**63):
            with pytest.raises(AccountUnknown):
                await queries.entries_of(session, LENDER, account_id)
        with pytest.raises(AccountUnknown):
            await queries.balance_fen(session, books["fund"])
        assert await queries.account_by_code(session, "cash:fund") is None


async def test_trial_balance_is_for_those_who_see_all_books(database: Database, books: dict[str, int]) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, REGULATOR, now=NOON)
        totals = await queries.trial_balance(session, REGULATOR)

        with pytest.raises(NotAllowed):
            await queries.trial_balance(session, FUND)

    assert [(total.book, total.accounts, total.positive_fen, total.imbalance_fen) for total in totals] == [
        (Book.CASH, 3, 100, 0),
        (Book.MEMO, 2, 5, 0),
    ]


async def test_turnover_is_by_prefix_kind_and_day_of_effect(database: Database, books: dict[str, int]) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=NOON)
        june = {"from_on": date(2025, 6, 1), "to_on": date(2025, 7, 1)}

        assert await queries.turnover(session, prefix="cash:fund") == Turnover(100, 50)
        assert await queries.turnover(session, prefix="cash:") == Turnover(150, 150)
        assert await queries.turnover(session, prefix="cash:lender", kind="claim_paid") == Turnover(50, 0)
        assert await queries.turnover(session, prefix="cash:lender", kind="claim_paid", **june) == Turnover(20, 0)
        assert (await queries.turnover(session, account_codes=["cash:fund", "memo:fund"])).net_fen == 55
        assert await queries.turnover(session, account_codes=[]) == Turnover(0, 0)


async def test_bad_cursor_and_prefix_are_refused(database: Database, books: dict[str, int]) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, FUND, now=NOON)

        with pytest.raises(CursorRefused):
            await queries.accounts(session, FUND, cursor="nonsense")
        for prefix in ("\x00", "cash:%", "现金", "c" * 300):
            with pytest.raises(AccountRefused):
                await queries.accounts(session, FUND, prefix=prefix)
        after_the_last = await queries.accounts(session, FUND, cursor="_" * 21 + "w==")
    assert after_the_last.rows == ()
