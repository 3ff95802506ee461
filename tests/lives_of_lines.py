"""A line lived through in random steps, for the life-cycle tests: the steps, and what must hold after each."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from builders_agreements import Line, a_line, some_cash
from builders_loans import a_loan
from builders_parties import a_firm
from conftest import Database
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.agreements import queries as agreements
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.money import Fen
from xinyidai.ledger import queries as ledger
from xinyidai.loans import queries as loans
from xinyidai.loans import service as loan_service
from xinyidai.risk_sharing import queries, service
from xinyidai.risk_sharing.rules import DenialCode

CAPACITY_FEN = 10_000_000
HELD = ("reserved", "claimed", "paid")

AMOUNTS = st.one_of(st.integers(1, 200), st.integers(200, 4_000_000))
WHICH = st.integers(0, 3)
STEPS = st.one_of(
    st.tuples(st.just("lend"), AMOUNTS, st.integers(1, 6)),
    st.tuples(st.just("wait"), st.integers(1, 80), st.just(0)),
    st.tuples(st.just("repay"), WHICH, st.integers(1, 1_000)),
    st.tuples(st.just("close"), WHICH, st.just(0)),
    st.tuples(st.just("file"), WHICH, st.just(0)),
    st.tuples(st.just("approve"), WHICH, st.integers(0, 1)),
    st.tuples(st.just("deny"), WHICH, st.integers(0, 1)),
    st.tuples(st.just("withdraw"), WHICH, st.just(0)),
    st.tuples(st.just("pay"), WHICH, st.just(0)),
    st.tuples(st.just("recover"), WHICH, st.integers(1, 1_300)),
    st.tuples(st.just("pay_in"), st.integers(1, 3_000_000), st.integers(0, 1)),
)
Step = tuple[str, int, int]


@dataclass
class Life:
    """One line, its firm, its loans and claims so far, and the time."""

    line: Line
    firm: Viewer
    now: datetime
    loan_ids: list[UUID] = field(default_factory=list)
    claim_ids: list[UUID] = field(default_factory=list)
    paid_in: dict[str, int] = field(default_factory=lambda: {"fund": 0, "guarantor": 0})
    refused: list[str] = field(default_factory=list)

    def scope(self) -> dict[str, object]:
        """Return what narrows a query to this line, its lender and the owners of its accounts."""
        desks = [desk for desk in (self.line.fund, self.line.lender, self.line.guarantor) if desk is not None]
        return {"line": self.line.id, "lender": self.line.lender.id, "owners": [desk.id for desk in desks]}

    def loan(self, which: int) -> UUID:
        """Return one of the loans, or an id of none."""
        return self.loan_ids[which % len(self.loan_ids)] if self.loan_ids else UUID(int=1)

    def claim(self, which: int) -> UUID:
        """Return one of the newest claims, or an id of none."""
        return self.claim_ids[-1 - which % len(self.claim_ids)] if self.claim_ids else UUID(int=1)


async def begin(database: Database, now: datetime) -> Life:
    """Open a line of its own for one life."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        line = await a_line(session, capacity_fen=CAPACITY_FEN, per_firm_cap_fen=10**12, claim_after_days=30, now=now)
        return Life(line, await a_firm(session, now=now), now)


async def take(database: Database, life: Life, step: Step) -> None:
    """Take a step in its own transaction; a refused one must leave everything as it was."""
    before = await snapshot(database, life)
    try:
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=life.now)
            await ACTS[step[0]](session, life, step[1], step[2])
    except Refusal as refusal:
        life.refused.append(refusal.code)
        assert await snapshot(database, life) == before


async def snapshot(database: Database, life: Life) -> list[tuple[object, ...]]:
    """Return every balance and every state of the line and its parties."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=life.now)
        return [tuple(row) for row in await session.execute(text(_SNAPSHOT), life.scope())]


async def _lend(session: AsyncSession, life: Life, amount_fen: int, months: int) -> None:
    lent = await a_loan(session, life.line, firm=life.firm, amount_fen=amount_fen, term_months=months, now=life.now)
    life.loan_ids.append(lent.id)


async def _wait(session: AsyncSession, life: Life, days: int, _unused: int) -> None:
    life.now += timedelta(days=days)
    await loan_service.count_days_past_due(session, now=life.now)


async def _repay(session: AsyncSession, life: Life, which: int, per_mille: int) -> None:
    dues = await loans.dues(session, life.loan(which), on=business_date(life.now))
    await _pay(session, life, which, max(1, dues.regular_fen * per_mille // 1_000))


async def _close(session: AsyncSession, life: Life, which: int, _unused: int) -> None:
    dues = await loans.dues(session, life.loan(which), on=business_date(life.now))
    await _pay(session, life, which, dues.payoff_fen)
    await service.end_cover(session, life.loan(which), now=life.now)


async def _pay(session: AsyncSession, life: Life, which: int, amount_fen: int) -> None:
    await loan_service.repay(
        session,
        life.line.lender.maker,
        life.loan(which),
        amount_fen=amount_fen,
        paid_on=business_date(life.now),
        now=life.now,
    )


async def _file(session: AsyncSession, life: Life, which: int, _unused: int) -> None:
    claim = await service.file_claim(session, life.line.lender.maker, life.loan(which), now=life.now)
    life.claim_ids.append(claim.id)


async def _approve(session: AsyncSession, life: Life, which: int, by: int) -> None:
    reviewer = (life.line.fund.maker, life.line.fund.checker)[by]
    await service.approve_claim(session, reviewer, life.claim(which), now=life.now)


async def _deny(session: AsyncSession, life: Life, which: int, by: int) -> None:
    reviewer = (life.line.fund.maker, life.line.fund.checker)[by]
    await service.deny_claim(session, reviewer, life.claim(which), code=DenialCode.LATE_CLAIM, now=life.now)


async def _withdraw(session: AsyncSession, life: Life, which: int, _unused: int) -> None:
    await service.withdraw_claim(session, life.line.lender.maker, life.claim(which), now=life.now)


async def _pay_claim(session: AsyncSession, life: Life, which: int, _unused: int) -> None:
    await service.pay_claim(session, life.line.fund.maker, life.claim(which), now=life.now)


async def _recover(session: AsyncSession, life: Life, which: int, per_mille: int) -> None:
    officer = life.line.lender.maker
    claim = await queries.claim(session, officer, life.claim(which))
    received = max(1, claim.borne.total_fen * per_mille // 1_000)
    await service.record_recovery(
        session, officer, claim.id, received_fen=received, costs_fen=received // 7, now=life.now
    )


async def _pay_in(session: AsyncSession, life: Life, amount_fen: int, who: int) -> None:
    assert life.line.guarantor is not None
    payer = (life.line.fund, life.line.guarantor)[who]
    await some_cash(session, payer, amount_fen, now=life.now)
    life.paid_in[("fund", "guarantor")[who]] += amount_fen


ACTS: dict[str, Callable[[AsyncSession, Life, int, int], Awaitable[None]]] = {
    "lend": _lend,
    "wait": _wait,
    "repay": _repay,
    "close": _close,
    "file": _file,
    "approve": _approve,
    "deny": _deny,
    "withdraw": _withdraw,
    "pay": _pay_claim,
    "recover": _recover,
    "pay_in": _pay_in,
}


async def check(database: Database, life: Life) -> None:
    """Assert what must hold after every step; the numbers are those of the ledger's invariants."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=life.now)
        balances = {row.code: row.balance_fen for row in await session.execute(text(_BALANCES), life.scope())}
        reservations = (await session.execute(text(_RESERVATIONS), {"line": life.line.id})).all()
        claims = (await session.execute(text(_CLAIMS), {"line": life.line.id})).all()
        assert await ledger.imbalance_fen(session) == 0, "I2"
        for party in ("fund", "guarantor"):
            _check_cash(life, party, balances, claims)
            _check_exposure(life, party, balances, reservations, claims)
        _check_capacity(life, balances)
        _check_claims(claims)
        await _check_loans(session, life, balances, reservations)


def _check_cash(life: Life, party: str, balances: dict[str, int], claims: list) -> None:  # type: ignore[type-arg]
    payer = life.line.fund if party == "fund" else life.line.guarantor
    assert payer is not None
    cash = balances[f"cash:payer:{payer.id}"]
    paid = sum(getattr(claim, f"{party}_paid_fen") for claim in claims)
    returned = sum(getattr(claim, f"{party}_returned_fen") for claim in claims)
    assert cash == life.paid_in[party] - paid + returned, "I11"
    assert cash >= 0, "I11"


def _check_exposure(  # type: ignore[no-untyped-def]
    life: Life, party: str, balances: dict[str, int], reservations, claims
) -> None:
    by_state = dict.fromkeys(HELD, 0)
    for row in reservations:
        held = (
            getattr(row, f"{party}_part_fen")
            - getattr(row, f"{party}_released_fen")
            - getattr(row, f"{party}_paid_fen")
        )
        assert held >= 0, "I15"
        by_state["claimed" if row.state == "claimed" else "reserved"] += held
        by_state["paid"] += getattr(row, f"{party}_paid_fen") - getattr(row, f"{party}_returned_fen")
        assert row.state not in ("released", "paid") or held == 0, "I15: nothing is held after the end"
    for kind, held in by_state.items():
        assert balances[f"exposure:agreement:{life.line.id}:{kind}:{party}"] == held, f"I15 {kind} {party}"
    for claim in claims:
        owed = getattr(claim, f"{party}_paid_fen") - getattr(claim, f"{party}_returned_fen")
        if claim.loss_fen is not None:
            assert balances.get(f"recoverable:loan:{claim.loan_id}:{party}", 0) == owed, "I18"


def _check_capacity(life: Life, balances: dict[str, int]) -> None:
    code = f"exposure:agreement:{life.line.id}"
    carried = sum(balances[f"{code}:{kind}:{party}"] for kind in HELD for party in ("fund", "guarantor"))
    assert balances[f"{code}:available"] >= 0, "I12"
    assert balances[f"{code}:available"] + carried == CAPACITY_FEN, "I12"


def _check_claims(claims: list) -> None:  # type: ignore[type-arg]
    for claim in claims:
        paid = claim.fund_paid_fen + claim.guarantor_paid_fen
        assert paid == claim.steps_fen, "I16"
        if claim.loss_fen is None:
            assert paid == 0, "I20"
            continue
        assert paid + claim.lender_borne_fen == claim.loss_fen <= claim.claimed_fen, "I17"
        returned = claim.fund_returned_fen + claim.guarantor_returned_fen + claim.lender_returned_fen
        assert returned == claim.recovered_fen, "I18"
        assert abs(claim.fund_returned_fen * claim.loss_fen - returned * claim.fund_paid_fen) < claim.loss_fen, "I9"
        assert (claim.state == "settled") == (returned == claim.loss_fen), "I19"


async def _check_loans(  # type: ignore[no-untyped-def]
    session: AsyncSession, life: Life, balances: dict[str, int], reservations
) -> None:
    outstanding = 0
    by_loan = {row.loan_id: row for row in reservations}
    for loan_id in life.loan_ids:
        loan = await loans.loan(session, loan_id)
        outstanding += loan.outstanding_fen
        held = await agreements.reservation(session, by_loan[loan_id].id)
        if loan.state in ("performing", "overdue"):
            assert held.held.total_fen == loan.outstanding_fen, "I33"
            drift = held.held.fund_fen * held.principal_fen - loan.outstanding_fen * held.parts.fund_fen
            assert abs(drift) < held.principal_fen, "I33"
            assert Fen(held.shares.fund_ppm + held.shares.guarantor_ppm + held.shares.lender_ppm) == 1_000_000, "I7"
    assert balances.get(f"lending:lender:{life.line.lender.id}:principal_outstanding", 0) == outstanding, "I33"


_BALANCES = "SELECT code, balance_fen FROM ledger.account WHERE owner_id = ANY (:owners)"
_SNAPSHOT = (
    "SELECT code, balance_fen, version FROM ledger.account WHERE owner_id = ANY (:owners)"
    " UNION ALL SELECT id::text || state, released_principal_fen, fund_paid_fen FROM agreements.reservation"
    "  WHERE agreement_id = :line"
    " UNION ALL SELECT id::text || state, principal_repaid_fen, principal_recovered_fen FROM loans.loan"
    "  WHERE lender_id = :lender"
    " UNION ALL SELECT id::text || state, fund_paid_fen, fund_returned_fen FROM risk_sharing.claim"
    "  WHERE agreement_id = :line ORDER BY 1"
)
_RESERVATIONS = "SELECT * FROM agreements.reservation WHERE agreement_id = :line"
_CLAIMS = (
    "SELECT c.*,"
    " (SELECT coalesce(sum(amount_fen), 0) FROM risk_sharing.claim_step s WHERE s.claim_id = c.id) AS steps_fen,"
    " (SELECT coalesce(sum(fund_fen + guarantor_fen + lender_fen), 0) FROM risk_sharing.recovery r"
    "   WHERE r.claim_id = c.id) AS recovered_fen"
    " FROM risk_sharing.claim c WHERE agreement_id = :line"
)
