"""Makers of ledger accounts, journals and viewers for tests."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, PrincipalKind, Role, Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import Sessions, in_transaction
from xinyidai.foundation.ids import derived_id
from xinyidai.ledger import queries, service
from xinyidai.ledger.rules import Book, Leg, Posted, Posting

NOON = datetime(2025, 6, 16, 4, 0, tzinfo=UTC)
TODAY = date(2025, 6, 16)
MAKER = derived_id("ledger tests", "maker")
CHECKER = derived_id("ledger tests", "checker")


def a_viewer(kind: OrganisationKind, name: str, *roles: Role, person: str = "one") -> Viewer:
    """Make a viewer without a party behind it: the ledger and the audit trail know only its ids."""
    return Viewer(
        principal_id=derived_id("ledger tests person", f"{name}/{person}"),
        principal_kind=PrincipalKind.USER,
        organisation_id=derived_id("ledger tests organisation", name),
        organisation_kind=kind,
        roles=frozenset(roles),
    )


async def an_account(
    session: AsyncSession,
    code: str,
    *,
    book: Book = Book.CASH,
    owner_id: UUID | None = None,
    floor_fen: int | None = None,
    ceiling_fen: int | None = None,
) -> int:
    """Open an account."""
    return await service.open_account(
        session, book=book, code=code, owner_id=owner_id, floor_fen=floor_fen, ceiling_fen=ceiling_fen
    )


async def two_accounts(sessions: Sessions, *, fund_fen: int = 0) -> tuple[int, int]:
    """Open a fund that cannot go below zero and the world outside; pay the fund in; commit."""
    async with in_transaction(sessions) as session:
        await act_as_platform(session, now=NOON)
        fund = await an_account(session, "cash:fund", floor_fen=0)
        world = await an_account(session, "cash:world")
    paid_in = a_posting("paid in", (fund, fund_fen), (world, -fund_fen), kind="paid_in")
    for posting in [paid_in] if fund_fen else []:
        await post_committed(sessions, posting)
    return fund, world


def a_posting(
    key: str,
    *legs: tuple[int, int],
    kind: str = "moved",
    effective_on: date = TODAY,
    maker_id: UUID = MAKER,
    checker_id: UUID | None = CHECKER,
    loan_id: str = "loan-1",
) -> Posting:
    """Make a posting from (account id, fen) pairs."""
    return Posting(
        key=key,
        kind=kind,
        legs=tuple(Leg(account_id, amount_fen) for account_id, amount_fen in legs),
        effective_on=effective_on,
        maker_id=maker_id,
        checker_id=checker_id,
        subject={"loan_id": loan_id},
    )


async def post_committed(sessions: Sessions, posting: Posting) -> Posted:
    """Post in a transaction of its own and commit."""
    async with in_transaction(sessions) as session:
        await act_as_platform(session, now=NOON)
        return await service.post(session, posting, now=NOON)


async def balances(sessions: Sessions, account_ids: Sequence[int]) -> list[int]:
    """Read committed balances."""
    async with in_transaction(sessions) as session:
        await act_as_platform(session, now=NOON)
        return [await queries.balance_fen(session, account_id) for account_id in account_ids]


async def faults(sessions: Sessions) -> list[str]:
    """Check the committed books; return rule and place of each fault."""
    async with in_transaction(sessions) as session:
        await act_as_platform(session, now=NOON)
        return [f"{fault.rule} {fault.ref}" for fault in await queries.check_books(session)]
