"""Reading the books. Row-level security holds: a viewer meets its own accounts and their entries, the platform all."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Viewer, requires_kind
from xinyidai.access.service import platform_scope
from xinyidai.foundation.paging import Page, after_id, limit_of, page_of
from xinyidai.ledger.rules import (
    FIRST_DAY,
    MAX_ID,
    TENANT,
    AccountRefused,
    AccountUnknown,
    AccountView,
    Book,
    BookFault,
    BookRule,
    BookTotal,
    EntryView,
    Turnover,
    is_code_prefix,
)

MAX_FAULTS = 1_000
SEES_ALL_BOOKS = (OrganisationKind.OPERATOR, OrganisationKind.REGULATOR)

Sent = Mapping[str, str | int | bool | UUID]

_ACCOUNT = (
    "SELECT id, book, code, owner_id, floor_fen, ceiling_fen, balance_fen, version, is_closed FROM ledger.account"
)


async def balance_fen(session: AsyncSession, account_id: int) -> int:
    """Return an account's balance; `AccountUnknown` when it is not there or not the viewer's to see."""
    return (await account(session, account_id)).balance_fen


async def account(session: AsyncSession, account_id: int) -> AccountView:
    """Return an account as it stands; `AccountUnknown` when it is not there or not the viewer's to see."""
    if not 0 < account_id <= MAX_ID:
        raise AccountUnknown
    found = await session.execute(text(f"{_ACCOUNT} WHERE id = :id"), {"id": account_id})
    row = found.one_or_none()
    if row is None:
        raise AccountUnknown
    return _account_view(row)


async def account_by_code(session: AsyncSession, code: str) -> AccountView | None:
    """Return the account of that code, or None."""
    found = await session.execute(
        text(f"{_ACCOUNT} WHERE tenant = :tenant AND code = :code"), {"tenant": TENANT, "code": code}
    )
    row = found.one_or_none()
    return _account_view(row) if row else None


async def accounts_by_code(session: AsyncSession, codes: Collection[str]) -> dict[str, AccountView]:
    """Return the accounts of these codes, by code; one that does not exist is left out."""
    found = await session.execute(
        text(f"{_ACCOUNT} WHERE tenant = :tenant AND code = ANY(:codes)"), {"tenant": TENANT, "codes": sorted(codes)}
    )
    return {row.code: _account_view(row) for row in found}


async def accounts(
    session: AsyncSession, viewer: Viewer, *, prefix: str = "", cursor: str | None = None, limit: int = 50
) -> Page[AccountView]:
    """Return a page of accounts whose code begins with `prefix`, in the order they were opened.

    The operator and the regulator see all; anyone else its own.
    """
    if not is_code_prefix(prefix):
        raise AccountRefused(why="prefix")
    statement = text(
        f"{_ACCOUNT} WHERE tenant = :tenant AND id > :after AND starts_with(code, :prefix)"
        " AND (:all OR owner_id = :owner) ORDER BY id LIMIT :limit"
    )
    size = limit_of(limit)
    sent: Sent = {
        "tenant": TENANT,
        "after": _number_of(cursor),
        "prefix": prefix,
        "all": viewer.is_one_of(*SEES_ALL_BOOKS),
        "owner": viewer.organisation_id,
        "limit": size + 1,
    }
    rows = await _as_far_as(session, viewer, statement, sent)
    return page_of([_account_view(row) for row in rows], limit=size, id_of=lambda view: UUID(int=view.id))


async def entries_of(
    session: AsyncSession, viewer: Viewer, account_id: int, *, cursor: str | None = None, limit: int = 50
) -> Page[EntryView]:
    """Return a page of an account's entries, oldest first; `AccountUnknown` for one that is not the viewer's."""
    if not 0 < account_id <= MAX_ID:
        raise AccountUnknown
    statement = text(
        "SELECT e.journal_id, e.leg, j.kind, j.effective_on, j.recorded_at, j.subject, j.reversal_of, e.amount_fen,"
        "  e.balance_after_fen, e.account_version"
        " FROM ledger.account a JOIN ledger.entry e ON e.account_id = a.id JOIN ledger.journal j ON j.id = e.journal_id"
        " WHERE a.id = :account_id AND e.account_version > :after AND (:all OR a.owner_id = :owner)"
        " ORDER BY e.account_version LIMIT :limit"
    )
    size = limit_of(limit)
    sees_all = viewer.is_one_of(*SEES_ALL_BOOKS)
    sent: Sent = {
        "account_id": account_id,
        "after": _number_of(cursor),
        "all": sees_all,
        "owner": viewer.organisation_id,
        "limit": size + 1,
    }
    known = text("SELECT 1 FROM ledger.account WHERE id = :account_id AND (:all OR owner_id = :owner)")
    if not await _as_far_as(session, viewer, known, sent):
        raise AccountUnknown
    rows = await _as_far_as(session, viewer, statement, sent)
    return page_of([_entry_view(row) for row in rows], limit=size, id_of=lambda view: UUID(int=view.account_version))


async def trial_balance(session: AsyncSession, viewer: Viewer) -> tuple[BookTotal, ...]:
    """Return each book's totals (试算平衡表), for the operator and the regulator."""
    requires_kind(viewer, *SEES_ALL_BOOKS)
    statement = text(
        "SELECT book, count(*) AS accounts, coalesce(sum(balance_fen) FILTER (WHERE balance_fen > 0), 0) AS positive,"
        "  coalesce(sum(balance_fen) FILTER (WHERE balance_fen < 0), 0) AS negative"
        " FROM ledger.account WHERE tenant = :tenant GROUP BY book ORDER BY book"
    )
    rows = await _as_far_as(session, viewer, statement, {"tenant": TENANT})
    return tuple(BookTotal(Book(row.book), row.accounts, int(row.positive), int(row.negative)) for row in rows)


async def imbalance_fen(session: AsyncSession) -> int:
    """Return the sum over books of how far each is from zero: 0, or the books are wrong. Needs platform scope."""
    found = await session.execute(
        text(
            "SELECT coalesce(sum(abs(off)), 0) FROM"
            " (SELECT sum(balance_fen) AS off FROM ledger.account GROUP BY tenant, book) AS each"
        )
    )
    return int(found.scalar_one())


async def check_books(session: AsyncSession) -> list[BookFault]:
    """Return where the books break a rule, at most MAX_FAULTS, in order; an empty list is what should be.

    Reads every entry. Needs platform scope or the auditor's role: another viewer meets half-seen journals.
    """
    found = await session.execute(
        text("SELECT rule, ref, says FROM ledger.book_fault ORDER BY rule, ref, says LIMIT :limit"),
        {"limit": MAX_FAULTS},
    )
    return [BookFault(BookRule(row.rule), row.ref, row.says) for row in found]


async def turnover(
    session: AsyncSession,
    *,
    prefix: str | None = None,
    account_codes: Sequence[str] | None = None,
    kind: str | None = None,
    from_on: date | None = None,
    to_on: date | None = None,
) -> Turnover:
    """Return what came into a group of accounts and what left it.

    Parameters
    ----------
    prefix, account_codes : str, sequence of str
        The group: codes that begin with `prefix`, or these codes; both narrow it further, neither means all accounts.
    kind : str or None
        Only journals of this kind.
    from_on, to_on : date or None
        Days of effect, `to_on` excluded.
    """
    found = await session.execute(
        text(
            "SELECT coalesce(sum(e.amount_fen) FILTER (WHERE e.amount_fen > 0), 0) AS raised,"
            "  coalesce(-sum(e.amount_fen) FILTER (WHERE e.amount_fen < 0), 0) AS lowered"
            " FROM ledger.account a JOIN ledger.entry e ON e.account_id = a.id"
            " JOIN ledger.journal j ON j.id = e.journal_id"
            " WHERE a.tenant = :tenant AND starts_with(a.code, :prefix)"
            "  AND (CAST(:codes AS text[]) IS NULL OR a.code = ANY (CAST(:codes AS text[])))"
            "  AND (CAST(:kind AS text) IS NULL OR j.kind = CAST(:kind AS text))"
            "  AND j.effective_on >= :from_on AND j.effective_on < :to_on"
        ),
        {
            "tenant": TENANT,
            "prefix": prefix or "",
            "codes": None if account_codes is None else list(account_codes),
            "kind": kind,
            "from_on": from_on or FIRST_DAY,
            "to_on": to_on or date.max,
        },
    )
    row = found.one()
    return Turnover(int(row.raised), int(row.lowered))


async def _as_far_as(
    session: AsyncSession, viewer: Viewer, statement: TextClause, sent: Sent
) -> Sequence[Row[tuple[object, ...]]]:
    """Run a read in the viewer's scope, or in the platform's for those who see all books."""
    if viewer.is_one_of(*SEES_ALL_BOOKS):
        async with platform_scope(session):
            return (await session.execute(statement, sent)).all()
    return (await session.execute(statement, sent)).all()


def _number_of(cursor: str | None) -> int:
    """Return the number after which the page starts; one too large for the column starts after the last."""
    return min(after_id(cursor).int, MAX_ID)


def _account_view(row: Row[tuple[object, ...]]) -> AccountView:
    return AccountView(
        row.id,
        Book(row.book),
        row.code,
        row.owner_id,
        row.floor_fen,
        row.ceiling_fen,
        row.balance_fen,
        row.version,
        row.is_closed,
    )


def _entry_view(row: Row[tuple[object, ...]]) -> EntryView:
    return EntryView(
        row.journal_id,
        row.leg,
        row.kind,
        row.effective_on,
        row.recorded_at,
        row.subject,
        row.reversal_of,
        row.amount_fen,
        row.balance_after_fen,
        row.account_version,
    )
