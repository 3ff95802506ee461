"""The ledger's verbs: post, reverse, open and close accounts, close a month.

Who may move which money is for the room that asks; the ledger sees to it that the books stay right. A refusal comes out
of the database and leaves the transaction fit only for rolling back: a caller that wants to go on after one wraps the
call in ``session.begin_nested()``.
"""

import json
from datetime import date, datetime
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Role, Viewer, requires_kind, requires_role, requires_two_people
from xinyidai.foundation.clock import add_months, business_date
from xinyidai.foundation.database import driver
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.money import MAX_FEN
from xinyidai.ledger.rules import (
    MAX_ID,
    TENANT,
    AccountClosed,
    AccountCodeTaken,
    AccountNotEmpty,
    AccountUnknown,
    AccountWanted,
    AlreadyReversed,
    AmountOutOfRange,
    Book,
    CeilingReached,
    FloorReached,
    JournalUnknown,
    KeyReusedForAnotherJournal,
    LedgerBusy,
    PeriodClosed,
    PeriodNotOver,
    Posted,
    Posting,
    PostingRefused,
    ReversalIsFinal,
    UnbalancedJournal,
    check_account,
    check_heading,
    check_posting,
)

REVERSAL_KIND = "reversal"

Sent = str | int | UUID | date | datetime | list[int] | list[str] | list[int | None] | list[UUID | None] | None

_POST = "SELECT journal_id, is_replayed FROM ledger.post($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
_OPEN_ACCOUNTS = (
    "SELECT ledger.open_account($1, wanted.book, wanted.code, wanted.owner_id, wanted.floor_fen, wanted.ceiling_fen)"
    " FROM unnest($2::text[], $3::text[], $4::uuid[], $5::bigint[], $6::bigint[]) WITH ORDINALITY"
    "  AS wanted (book, code, owner_id, floor_fen, ceiling_fen, number) ORDER BY wanted.number"
)
_CLOSE_ACCOUNT = "SELECT ledger.close_account($1, $2)"
_CLOSE_PERIOD = "SELECT ledger.close_period($1, $2, $3, $4, $5)"


async def post(session: AsyncSession, posting: Posting, *, now: datetime) -> Posted:
    """Post a journal once per key, in one round trip; accounts are locked in id order until the transaction ends.

    Raises
    ------
    UnbalancedJournal, PostingRefused, AmountOutOfRange, AccountUnknown, AccountClosed, PeriodClosed
        The posting is wrong.
    FloorReached, CeilingReached
        An account's limit; under concurrency exactly as many journals pass as fit.
    KeyReusedForAnotherJournal
        The key names a journal with other content.
    LedgerBusy
        An account stayed locked beyond the lock time-out.
    """
    check_posting(posting)
    legs = sorted(posting.legs, key=lambda leg: leg.account_id)
    (row,) = await _call(
        session,
        _POST,
        TENANT,
        posting.key,
        posting.kind,
        posting.effective_on,
        now,
        posting.maker_id,
        posting.checker_id,
        json.dumps(dict(posting.subject)),
        [leg.account_id for leg in legs],
        [leg.amount_fen for leg in legs],
        None,
    )
    return Posted(row["journal_id"], row["is_replayed"])


async def reverse(
    session: AsyncSession,
    journal_id: int,
    *,
    key: str,
    effective_on: date,
    maker_id: UUID,
    checker_id: UUID,
    now: datetime,
) -> Posted:
    """Post the mirror of a journal, which stands; limits and open periods hold for it as for any other.

    Raises
    ------
    JournalUnknown, AlreadyReversed, ReversalIsFinal
        Nothing there, reversed under another key, or itself a reversal; besides what `post` raises.
    """
    check_heading(key, effective_on, maker_id, checker_id)
    if not 0 < journal_id <= MAX_ID:
        raise JournalUnknown
    mirrored = (None, None, None)  # the subject, the accounts and the amounts are those of the journal
    (row,) = await _call(
        session, _POST, TENANT, key, REVERSAL_KIND, effective_on, now, maker_id, checker_id, *mirrored, journal_id
    )
    return Posted(row["journal_id"], row["is_replayed"])


async def open_account(
    session: AsyncSession,
    *,
    book: Book,
    code: str,
    owner_id: UUID | None,
    floor_fen: int | None = None,
    ceiling_fen: int | None = None,
) -> int:
    """Open an account, or return the one of that code; as `open_accounts`, for one alone."""
    (account_id,) = await open_accounts(session, AccountWanted(book, code, owner_id, floor_fen, ceiling_fen))
    return account_id


async def open_accounts(session: AsyncSession, *wanted: AccountWanted) -> list[int]:
    """Open accounts, or take those of the codes, in the order given and in one round trip; return their ids.

    Raises
    ------
    AccountCodeTaken
        The code names an account of another book, owner or limits.
    AccountRefused, AmountOutOfRange
        The code or the limits are malformed.
    """
    for one in wanted:
        check_account(one.code, one.floor_fen, one.ceiling_fen)
    rows = await _call(
        session,
        _OPEN_ACCOUNTS,
        TENANT,
        [one.book.value for one in wanted],
        [one.code for one in wanted],
        [one.owner_id for one in wanted],
        [one.floor_fen for one in wanted],
        [one.ceiling_fen for one in wanted],
    )
    return [row["open_account"] for row in rows]


async def close_account(session: AsyncSession, account_id: int) -> None:
    """Close an empty account for ever; closing it again is harmless.

    Raises
    ------
    AccountUnknown, AccountNotEmpty
        No such account; its balance is not zero.
    """
    await _call(session, _CLOSE_ACCOUNT, TENANT, account_id)


async def close_period(session: AsyncSession, maker: Viewer, checker: Viewer, *, month: date, now: datetime) -> None:
    """Close a month and all before it: two of the operator's people, after the month's last Shanghai day.

    Waits for postings in flight and holds off new ones until the commit.

    Raises
    ------
    PeriodNotOver, PeriodClosed, LedgerBusy
        Too early; closed before; a posting in flight outlasted the lock time-out.
    """
    for viewer in (maker, checker):
        requires_kind(viewer, OrganisationKind.OPERATOR)
    requires_role(checker, Role.APPROVER, Role.OWNER)
    requires_two_people(maker.principal_id, checker.principal_id)
    first = month.replace(day=1)
    if business_date(now) < add_months(first, 1):
        raise PeriodNotOver
    await _call(session, _CLOSE_PERIOD, TENANT, first, maker.principal_id, checker.principal_id, now)


async def _call(session: AsyncSession, statement: str, *sent: Sent) -> list[asyncpg.Record]:
    connection = await driver(session)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(statement, *sent)
    except asyncpg.PostgresError as error:
        refusal = _refusal_of(error)
        if refusal is None:
            raise
        raise refusal from error
    return rows


_PLAIN: dict[str, type[Refusal]] = {
    "LG001": UnbalancedJournal,
    "LG004": AccountUnknown,
    "LG008": KeyReusedForAnotherJournal,
    "LG009": PeriodClosed,
    "LG010": JournalUnknown,
    "LG011": ReversalIsFinal,
    "LG012": AccountCodeTaken,
    "40001": LedgerBusy,  # serialization failure
    "40P01": LedgerBusy,  # deadlock
    "55P03": LedgerBusy,  # lock time-out
}
_OF_ACCOUNT: dict[str, type[Refusal]] = {
    "LG005": AccountClosed,
    "LG006": FloorReached,
    "LG007": CeilingReached,
    "LG013": AccountNotEmpty,
}
_OUT_OF_RANGE = {"LG003", "22003"}
_MALFORMED = {"LG002", "23502", "23503", "23514", "22P05"}


def _refusal_of(error: asyncpg.PostgresError) -> Refusal | None:
    """Return the refusal that an error of a ledger function means; None for what is no refusal but a fault."""
    sqlstate, detail, constraint = error.sqlstate, error.detail, error.constraint_name
    if sqlstate in _PLAIN:
        return _PLAIN[sqlstate]()
    if sqlstate in _OF_ACCOUNT:
        return _OF_ACCOUNT[sqlstate](account_id=int(str(detail)))
    if sqlstate in _OUT_OF_RANGE:
        return AmountOutOfRange(most_fen=MAX_FEN)
    if sqlstate in _MALFORMED:
        return PostingRefused(why=str(constraint or detail))
    if constraint == "uq_journal_reversal_of":
        return AlreadyReversed()
    return None
