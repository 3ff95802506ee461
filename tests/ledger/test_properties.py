"""Random sequences of steps against a ledger of dictionaries: same answers, same balances, no fault, no half effect."""

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field
from datetime import date
from itertools import count

import pytest
from builders_ledger import CHECKER, MAKER, NOON, TODAY, a_posting, an_account, faults
from conftest import Database
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.ledger import queries, service
from xinyidai.ledger.rules import (
    AccountClosed,
    AccountNotEmpty,
    AccountUnknown,
    AlreadyReversed,
    Book,
    CeilingReached,
    FloorReached,
    JournalUnknown,
    KeyReusedForAnotherJournal,
    PeriodClosed,
    Posted,
    PostingRefused,
    ReversalIsFinal,
    UnbalancedJournal,
)

SHAPES: list[tuple[Book, int | None, int | None]] = [
    (Book.CASH, 0, None),
    (Book.CASH, None, None),
    (Book.CASH, -5, 5),
    (Book.EXPOSURE, 0, 40),
    (Book.EXPOSURE, None, None),
]
UNKNOWN = len(SHAPES)
OPEN_DAY, CLOSED_DAY = TODAY, date(2025, 3, 31)
_run = count()

Legs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Post:
    """Post legs of (account number, fen) under one of a few keys, so that keys repeat."""

    key: int
    legs: Legs
    day: date


@dataclass(frozen=True)
class Undo:
    """Reverse the n-th journal."""

    key: int
    journal: int


@dataclass(frozen=True)
class Close:
    """Close an account."""

    account: int


Step = Post | Undo | Close


@dataclass
class Books:
    """The model: what a ledger is, in dictionaries."""

    balances: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(len(SHAPES)), 0))
    closed: set[int] = field(default_factory=set)
    journals: list[tuple[Legs, int | None]] = field(default_factory=list)
    by_key: dict[int, tuple[Step | tuple[frozenset[tuple[int, int]], date], int]] = field(default_factory=dict)

    def expect(self, step: Step) -> int | set[type[Refusal]] | None:
        """Take a step; return the journal's number, every refusal it deserves, or None for an account closed."""
        match step:
            case Close(account):
                return self._close(account)
            case Post(key, legs, day):
                malformed = self._malformed(legs)
                return malformed or self._once(key, (frozenset(legs), day), legs, day, None)
            case Undo(key, journal):
                return self._undo(step, key, journal)

    def _close(self, account: int) -> set[type[Refusal]] | None:
        if self.balances[account]:
            return {AccountNotEmpty}
        self.closed.add(account)
        return None

    def _undo(self, step: Undo, key: int, journal: int) -> int | set[type[Refusal]]:
        if journal >= len(self.journals):
            return {JournalUnknown}
        legs, reversal_of = self.journals[journal]
        if reversal_of is not None:
            return {ReversalIsFinal}
        if key not in self.by_key and any(of == journal for _legs, of in self.journals):
            return {AlreadyReversed}
        mirrored = tuple((account, -amount) for account, amount in legs)
        return self._once(key, step, mirrored, OPEN_DAY, journal)

    def _once(
        self,
        key: int,
        content: Step | tuple[frozenset[tuple[int, int]], date],
        legs: Legs,
        day: date,
        reversal_of: int | None,
    ) -> int | set[type[Refusal]]:
        if key in self.by_key:
            known, number = self.by_key[key]
            return number if known == content else {KeyReusedForAnotherJournal}
        if reasons := self._reasons(legs, day):
            return reasons
        for account, amount in legs:
            self.balances[account] += amount
        self.journals.append((legs, reversal_of))
        self.by_key[key] = (content, len(self.journals) - 1)
        return len(self.journals) - 1

    def _malformed(self, legs: Legs) -> set[type[Refusal]]:
        refusals: set[type[Refusal]] = set()
        if any(amount == 0 for _account, amount in legs) or len({account for account, _ in legs}) < len(legs):
            refusals.add(PostingRefused)
        if len(legs) < 2 or sum(amount for _account, amount in legs):
            refusals.add(UnbalancedJournal)
        return refusals

    def _reasons(self, legs: Legs, day: date) -> set[type[Refusal]]:
        if day == CLOSED_DAY:
            return {PeriodClosed}
        known = tuple(leg for leg in legs if leg[0] != UNKNOWN)
        if known != legs:
            # Accounts are looked at one after the other: what is wrong with a known one may be met first.
            return {AccountUnknown, *self._limits(known)}
        return {*self._imbalances(legs), *self._limits(legs)}

    def _imbalances(self, legs: Legs) -> Iterable[type[Refusal]]:
        for book in Book:
            if sum(amount for account, amount in legs if SHAPES[account][0] is book):
                yield UnbalancedJournal

    def _limits(self, legs: Legs) -> Iterable[type[Refusal]]:
        for account, amount in legs:
            _book, floor, ceiling = SHAPES[account]
            after = self.balances[account] + amount
            if account in self.closed:
                yield AccountClosed
            if floor is not None and after < floor:
                yield FloorReached
            if ceiling is not None and after > ceiling:
                yield CeilingReached


amounts = st.integers(-30, 30)
pairs = st.tuples(st.sampled_from([(0, 1), (1, 0), (1, 2), (2, 1), (3, 4), (4, 3)]), st.integers(1, 30)).map(
    lambda drawn: ((drawn[0][0], drawn[1]), (drawn[0][1], -drawn[1]))
)
doubles = st.tuples(st.permutations([(0, 1), (1, -1), (3, 1), (4, -1)]), st.integers(1, 20), st.integers(1, 20)).map(
    lambda drawn: tuple((account, sign * drawn[1 if account < 3 else 2]) for account, sign in drawn[0])
)
wild = st.lists(st.tuples(st.integers(0, UNKNOWN), amounts), max_size=5).map(tuple)
posts = st.builds(
    Post,
    key=st.integers(0, 40),
    legs=st.sampled_from([pairs, pairs, pairs, doubles, doubles, wild]).flatmap(lambda legs: legs),
    day=st.sampled_from([OPEN_DAY] * 9 + [CLOSED_DAY]),
)
undoings = st.builds(Undo, key=st.integers(30, 60), journal=st.integers(0, 8))
closings = st.builds(Close, account=st.integers(0, len(SHAPES) - 1))
# Closing an account ends its story, so it is drawn seldom; st.one_of would draw each kind as often as the next.
weighted: list[st.SearchStrategy[Step]] = [*[posts] * 25, *[undoings] * 4, closings]
steps_of_all_kinds = st.sampled_from(weighted).flatmap(lambda steps: steps)
sequences = st.lists(steps_of_all_kinds, min_size=30, max_size=60)


@dataclass
class Real:
    """The ledger under test, for one sequence: its own accounts and keys in the shared database."""

    database: Database
    prefix: str
    accounts: list[int]
    journal_ids: list[int] = field(default_factory=list)

    async def apply(self, step: Step) -> Posted | Refusal | None:
        """Take a step in a transaction of its own; return the answer or the refusal."""
        try:
            async with in_transaction(self.database.app) as session:
                return await self._act(session, step)
        except Refusal as refusal:
            return refusal

    async def _act(self, session, step):  # type: ignore[no-untyped-def]
        match step:
            case Close(account):
                return await service.close_account(session, self.accounts[account])
            case Post(key, legs, day):
                moved = [(self.accounts[account], amount) for account, amount in legs]
                return await service.post(
                    session, a_posting(f"{self.prefix}/{key}", *moved, effective_on=day), now=NOON
                )
            case Undo(key, journal):
                return await service.reverse(
                    session,
                    (self.journal_ids[journal : journal + 1] or [2**62])[0],
                    key=f"{self.prefix}/{key}",
                    effective_on=OPEN_DAY,
                    maker_id=MAKER,
                    checker_id=CHECKER,
                    now=NOON,
                )

    async def state(self) -> tuple[list[int], int]:
        """Read the balances and count the journals."""
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=NOON)
            found = [await queries.balance_fen(session, account) for account in self.accounts[:UNKNOWN]]
            journals = await session.execute(
                text("SELECT count(*) FROM ledger.journal WHERE starts_with(idem_key, :prefix)"),
                {"prefix": f"{self.prefix}/"},
            )
            return found, journals.scalar_one()


async def open_real(database: Database) -> Real:
    """Open a fresh set of accounts."""
    prefix = f"run{next(_run)}"
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=NOON)
        accounts = [
            await an_account(session, f"{prefix}:{n}", book=book, floor_fen=floor, ceiling_fen=ceiling)
            for n, (book, floor, ceiling) in enumerate(SHAPES)
        ]
    return Real(database, prefix, [*accounts, 2**62])


async def close_march(database: Database) -> None:
    """Close March 2025, once."""
    async with in_transaction(database.worker) as session:
        await session.execute(
            text("SELECT ledger.close_period('main', '2025-03-01', :maker, :checker, :now)"),
            {"maker": MAKER, "checker": CHECKER, "now": NOON},
        )


def agrees(expected: object, answered: Posted | Refusal | None, real: Real) -> bool:
    """Say whether the real answer is the one the model expects; remember a new journal's id."""
    match expected, answered:
        case set(), Refusal():
            return type(answered) in expected
        case int(), Posted():
            real.journal_ids.extend([answered.journal_id] if not answered.is_replayed else [])
            return real.journal_ids[expected] == answered.journal_id
        case None, None:
            return True
    return False


async def follow(database: Database, steps: list[Step]) -> None:
    """Take the steps in the model and in the ledger, and compare after each."""
    books, real = Books(), await open_real(database)
    for step in steps:
        expected = books.expect(step)
        answered = await real.apply(step)
        assert agrees(expected, answered, real), f"{step}: expected {expected}, got {answered!r}"
        assert await real.state() == (list(books.balances.values()), len(books.journals)), step


relaxed = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@given(steps=sequences)
@settings(max_examples=25, deadline=None, suppress_health_check=relaxed, database=None)
async def test_ledger_does_what_the_model_does(march_closed: Database, steps: list[Step]) -> None:
    await follow(march_closed, steps)


@pytest.mark.long
@given(steps=sequences)
@settings(max_examples=2_000, deadline=None, suppress_health_check=relaxed, database=None)
async def test_ledger_does_what_the_model_does_for_long(march_closed: Database, steps: list[Step]) -> None:
    await follow(march_closed, steps)


@pytest.fixture
async def march_closed(database: Database) -> AsyncGenerator[Database]:
    """Close March; when all sequences are done, check the books as a whole."""
    await close_march(database)
    yield database
    assert await faults(database.worker) == []


@pytest.mark.parametrize(
    "steps",
    [
        # One account would pass its ceiling and the other is unknown: either may be said, and nothing is posted.
        [Post(key=33, legs=((2, 14), (UNKNOWN, -14)), day=OPEN_DAY)],
        [Post(key=1, legs=((UNKNOWN, 14), (0, -14)), day=OPEN_DAY)],
    ],
    ids=["past a ceiling", "below a floor"],
)
async def test_ledger_does_what_the_model_does_where_it_once_differed(
    march_closed: Database, steps: list[Step]
) -> None:
    await follow(march_closed, steps)
