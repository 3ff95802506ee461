"""Claims, payments and recoveries on a real ledger."""

import asyncio
from datetime import datetime, timedelta

import pytest
from builders_agreements import Line, a_line
from builders_claims import LONG_AFTER, a_paid_claim, an_approved_claim, an_overdue_loan
from builders_loans import Lent, a_loan
from builders_parties import a_fund, a_lender
from conftest import Database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Role, SamePersonTwice, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.agreements import queries as agreements
from xinyidai.agreements import service as agreement_service
from xinyidai.agreements.rules import LineState, NoAgreement, ReservationState, RiskParts
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import Sessions, in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound, Refusal
from xinyidai.foundation.outbox import drain
from xinyidai.ledger import queries as ledger
from xinyidai.loans import queries as loans
from xinyidai.loans import service as loan_service
from xinyidai.loans.rules.life import LoanState, LoanTakesNoPayment
from xinyidai.parties import queries as party_queries
from xinyidai.parties import service as parties
from xinyidai.risk_sharing import queries, service, tasks
from xinyidai.risk_sharing.rules import (
    ClaimAlreadyFiled,
    ClaimState,
    ClaimStepRefused,
    ClaimTooEarly,
    CostsAboveReceipts,
    DenialCode,
    LoanNotCovered,
    NothingToPay,
    RecoveryReferenceReused,
)

CONSUMERS = (tasks.make_cover, tasks.end_cover)
"""Registered by their import: the tests that drain the outbox need them."""


async def balance(session: AsyncSession, code: str) -> int:
    account = await ledger.account_by_code(session, code)
    return account.balance_fen if account else 0


async def test_a_claim_before_its_time_is_refused_and_one_on_the_day_is_taken(
    session: AsyncSession, noon: datetime
) -> None:
    line = await a_line(session, claim_after_days=60, now=noon)
    lent = await a_loan(session, line, now=noon)
    officer = line.lender.maker

    with pytest.raises(ClaimTooEarly) as refused:
        await service.file_claim(session, officer, lent.id, now=noon + timedelta(days=30 + 59))
    claim = await service.file_claim(session, officer, lent.id, now=noon + timedelta(days=30 + 60))

    assert refused.value.facts == {"days_past_due": 59, "claim_after_days": 60}
    assert (claim.state, claim.days_past_due, claim.claimed_fen) == (ClaimState.LODGED, 60, 12_000_000)


async def test_filing_moves_what_is_reserved_to_claimed(session: AsyncSession, noon: datetime) -> None:
    lent = await an_overdue_loan(session, now=noon)

    await service.file_claim(session, lent.line.lender.maker, lent.id, now=noon + LONG_AFTER)

    code = f"exposure:agreement:{lent.line.id}"
    assert await balance(session, f"{code}:reserved:fund") == 0
    assert await balance(session, f"{code}:claimed:fund") == 3_600_000
    assert await balance(session, f"{code}:claimed:guarantor") == 6_000_000
    with pytest.raises(ClaimAlreadyFiled):
        await service.file_claim(session, lent.line.lender.maker, lent.id, now=noon + LONG_AFTER)


async def test_another_lenders_loan_is_not_found(session: AsyncSession, noon: datetime) -> None:
    lent = await an_overdue_loan(session, now=noon)
    other = await a_lender(session, now=noon)

    with pytest.raises(NotFound):
        await service.file_claim(session, other.maker, lent.id, now=noon + LONG_AFTER)
    with pytest.raises(NotAllowed):
        await service.file_claim(session, lent.line.fund.maker, lent.id, now=noon + LONG_AFTER)


async def test_a_loan_without_cover_has_no_claim(session: AsyncSession, noon: datetime) -> None:
    lent = await a_loan(session, is_covered=False, now=noon)

    with pytest.raises(LoanNotCovered):
        await service.file_claim(session, lent.line.lender.maker, lent.id, now=noon + LONG_AFTER)


async def test_two_people_of_the_fund_review_and_neither_filed(session: AsyncSession, noon: datetime) -> None:
    lent = await an_overdue_loan(session, now=noon)
    later = noon + LONG_AFTER
    fund = lent.line.fund
    claim = await service.file_claim(session, lent.line.lender.maker, lent.id, now=later)
    double = await with_a_second_desk(session, lent.line.lender.maker, fund.id, now=later)

    with pytest.raises(SamePersonTwice):
        await service.approve_claim(session, double, claim.id, now=later)
    await service.approve_claim(session, fund.checker, claim.id, now=later)
    with pytest.raises(SamePersonTwice):
        await service.approve_claim(session, fund.checker, claim.id, now=later)
    with pytest.raises(NotAllowed):
        await service.approve_claim(session, fund.maker, claim.id, now=later)

    assert (await queries.claim(session, fund.maker, claim.id)).state is ClaimState.SECOND_REVIEW


async def with_a_second_desk(session: AsyncSession, viewer: Viewer, fund_id: object, *, now: datetime) -> Viewer:
    await parties.add_membership(session, viewer.principal_id, fund_id, [Role.APPROVER], now=now)  # type: ignore[arg-type]

    found = await party_queries.viewer_for(session, viewer.principal_id, fund_id)  # type: ignore[arg-type]
    assert found is not None
    return found


async def test_another_fund_finds_no_claim(session: AsyncSession, noon: datetime) -> None:
    lent = await an_overdue_loan(session, now=noon)
    claim = await service.file_claim(session, lent.line.lender.maker, lent.id, now=noon + LONG_AFTER)
    other = await a_fund(session, now=noon)

    with pytest.raises(NotFound):
        await service.approve_claim(session, other.maker, claim.id, now=noon + LONG_AFTER)
    with pytest.raises(NotFound):
        await queries.claim(session, other.maker, claim.id)


async def test_a_denied_claim_leaves_the_loan_covered_and_may_be_filed_again(
    session: AsyncSession, noon: datetime
) -> None:
    lent = await an_overdue_loan(session, now=noon)
    later = noon + LONG_AFTER
    claim = await service.file_claim(session, lent.line.lender.maker, lent.id, now=later)

    denied = await service.deny_claim(
        session, lent.line.fund.maker, claim.id, code=DenialCode.EVIDENCE_MISSING, now=later
    )

    assert (denied.state, denied.denial_code) == (ClaimState.DENIED, DenialCode.EVIDENCE_MISSING)
    assert await balance(session, f"exposure:agreement:{lent.line.id}:reserved:fund") == 3_600_000
    with pytest.raises(ClaimStepRefused):
        await service.approve_claim(session, lent.line.fund.checker, claim.id, now=later)
    again = await service.file_claim(session, lent.line.lender.maker, lent.id, now=later)
    assert again.state is ClaimState.LODGED


async def test_a_withdrawn_claim_leaves_the_loan_covered(session: AsyncSession, noon: datetime) -> None:
    lent = await an_overdue_loan(session, now=noon)
    claim = await an_approved_claim(session, lent, now=noon + LONG_AFTER)

    withdrawn = await service.withdraw_claim(session, lent.line.lender.maker, claim.id, now=noon + LONG_AFTER)

    assert withdrawn.state is ClaimState.LAPSED
    assert await balance(session, f"exposure:agreement:{lent.line.id}:reserved:guarantor") == 6_000_000


async def test_a_paid_claim_moves_money_exposure_and_the_claim_on_the_borrower_together(
    session: AsyncSession, noon: datetime
) -> None:
    lent = await an_overdue_loan(session, amount_fen=12_000_001, now=noon)

    claim = await a_paid_claim(session, lent, now=noon + LONG_AFTER)

    code = f"exposure:agreement:{lent.line.id}"
    lender = f"cash:lender:{lent.line.lender.id}:clearing"
    assert claim.borne == RiskParts(3_600_000, 6_000_001, 2_400_000)  # type: ignore[arg-type]
    assert await agreements.cash_fen(session, lent.line.fund.id) == 10_000_000 - 3_600_000
    assert await balance(session, lender) == 9_600_001
    assert await balance(session, f"{code}:claimed:fund") == 0
    assert await balance(session, f"{code}:paid:fund") == 3_600_000
    assert await balance(session, f"recoverable:loan:{lent.id}:guarantor") == 6_000_001
    assert (await loans.loan(session, lent.id)).state is LoanState.COMPENSATED
    journal = (
        await session.execute(text("SELECT maker_id, checker_id FROM ledger.journal WHERE kind = 'claim_paid'"))
    ).one()
    assert tuple(journal) == (lent.line.fund.maker.principal_id, lent.line.fund.checker.principal_id)
    assert await ledger.check_books(session) == []


async def test_the_fund_pays_what_it_has_and_the_lender_carries_the_rest(session: AsyncSession, noon: datetime) -> None:
    lent = await an_overdue_loan(session, fund_cash_fen=1_000_000, guarantor_cash_fen=0, now=noon)

    claim = await a_paid_claim(session, lent, now=noon + LONG_AFTER)

    assert claim.borne == RiskParts(1_000_000, 0, 11_000_000)  # type: ignore[arg-type]
    assert await agreements.cash_fen(session, lent.line.fund.id) == 0
    assert await agreements.available_fen(session, lent.line.id) == 100_000_000 - 1_000_000


async def test_with_no_money_at_all_the_claim_stays_approved(session: AsyncSession, noon: datetime) -> None:
    lent = await an_overdue_loan(session, fund_cash_fen=0, guarantor_cash_fen=0, now=noon)
    claim = await an_approved_claim(session, lent, now=noon + LONG_AFTER)

    with pytest.raises(NothingToPay):
        await service.pay_claim(session, lent.line.fund.maker, claim.id, now=noon + LONG_AFTER)

    assert (await queries.claim(session, lent.line.fund.maker, claim.id)).state is ClaimState.APPROVED


async def test_a_claim_that_is_not_approved_is_not_paid_and_a_paid_one_not_twice(
    session: AsyncSession, noon: datetime
) -> None:
    lent = await an_overdue_loan(session, now=noon)
    later = noon + LONG_AFTER
    filed = await service.file_claim(session, lent.line.lender.maker, lent.id, now=later)
    with pytest.raises(ClaimStepRefused):
        await service.pay_claim(session, lent.line.fund.maker, filed.id, now=later)
    await service.approve_claim(session, lent.line.fund.maker, filed.id, now=later)
    await service.approve_claim(session, lent.line.fund.checker, filed.id, now=later)
    await service.pay_claim(session, lent.line.fund.maker, filed.id, now=later)

    with pytest.raises(ClaimStepRefused):
        await service.pay_claim(session, lent.line.fund.maker, filed.id, now=later)

    assert await agreements.cash_fen(session, lent.line.fund.id) == 10_000_000 - 3_600_000


async def test_what_the_borrower_pays_meanwhile_lowers_the_loss(session: AsyncSession, noon: datetime) -> None:
    lent = await an_overdue_loan(session, now=noon)
    later = noon + LONG_AFTER
    claim = await an_approved_claim(session, lent, now=later)
    repaid = await loan_service.repay(
        session, lent.line.lender.maker, lent.id, amount_fen=200_000, paid_on=business_date(later), now=later
    )

    paid = await service.pay_claim(session, lent.line.fund.maker, claim.id, now=later)

    assert repaid.principal_fen > 0
    assert paid.borne.total_fen == 12_000_000 - repaid.principal_fen
    assert await ledger.check_books(session) == []


async def test_a_borrower_who_pays_the_arrears_stops_the_payment(session: AsyncSession, noon: datetime) -> None:
    lent = await an_overdue_loan(session, now=noon)
    later = noon + LONG_AFTER
    claim = await an_approved_claim(session, lent, now=later)
    dues = await loans.dues(session, lent.id, on=business_date(later))
    await loan_service.repay(
        session, lent.line.lender.maker, lent.id, amount_fen=dues.due_fen, paid_on=business_date(later), now=later
    )

    with pytest.raises(ClaimTooEarly):
        await service.pay_claim(session, lent.line.fund.maker, claim.id, now=later)


async def test_after_compensation_money_comes_in_as_a_recovery(session: AsyncSession, noon: datetime) -> None:
    lent = await an_overdue_loan(session, now=noon)
    later = noon + LONG_AFTER
    await a_paid_claim(session, lent, now=later)

    with pytest.raises(LoanTakesNoPayment):
        await loan_service.repay(
            session, lent.line.lender.maker, lent.id, amount_fen=1, paid_on=business_date(later), now=later
        )


async def test_recoveries_return_money_and_capacity_and_end_in_a_settled_claim(
    session: AsyncSession, noon: datetime
) -> None:
    lent = await an_overdue_loan(session, amount_fen=12_000_001, now=noon)
    later = noon + LONG_AFTER
    claim = await a_paid_claim(session, lent, now=later)
    officer = lent.line.lender.maker

    first = await service.record_recovery(
        session, officer, claim.id, received_fen=1_000_050, costs_fen=50, reference="H1", now=later
    )
    half = await queries.claim(session, officer, claim.id)
    second = await service.record_recovery(session, officer, claim.id, received_fen=12_000_000, now=later)
    settled = await queries.claim(session, officer, claim.id)

    assert first.principal.total_fen == 1_000_000
    assert half.state is ClaimState.RECOVERING
    assert second.interest_fen == 12_000_000 - 11_000_001
    assert (settled.state, settled.returned) == (ClaimState.SETTLED, settled.borne)
    assert await agreements.cash_fen(session, lent.line.fund.id) == 10_000_000
    assert await agreements.available_fen(session, lent.line.id) == 100_000_000
    assert await balance(session, f"recoverable:loan:{lent.id}:fund") == 0
    assert (await loans.loan(session, lent.id)).state is LoanState.CLOSED
    assert await ledger.check_books(session) == []


async def test_a_recovery_counts_once_and_costs_stay_below_it(session: AsyncSession, noon: datetime) -> None:
    lent = await an_overdue_loan(session, now=noon)
    later = noon + LONG_AFTER
    claim = await a_paid_claim(session, lent, now=later)
    officer = lent.line.lender.maker

    first = await service.record_recovery(session, officer, claim.id, received_fen=100, reference="H1", now=later)
    again = await service.record_recovery(session, officer, claim.id, received_fen=100, reference="H1", now=later)

    assert again == first
    with pytest.raises(RecoveryReferenceReused):
        await service.record_recovery(session, officer, claim.id, received_fen=101, reference="H1", now=later)
    with pytest.raises(CostsAboveReceipts):
        await service.record_recovery(session, officer, claim.id, received_fen=1, costs_fen=2, now=later)


async def test_before_it_is_paid_a_claim_has_no_recovery(session: AsyncSession, noon: datetime) -> None:
    lent = await an_overdue_loan(session, now=noon)
    claim = await an_approved_claim(session, lent, now=noon + LONG_AFTER)

    with pytest.raises(ClaimStepRefused):
        await service.record_recovery(session, lent.line.lender.maker, claim.id, received_fen=1, now=noon + LONG_AFTER)


async def test_a_line_is_paused_when_claims_pass_its_stop_loss(session: AsyncSession, noon: datetime) -> None:
    line = await a_line(
        session, stop_loss_ppm=50_000, fund_cash_fen=10_000_000, guarantor_cash_fen=10_000_000, now=noon
    )
    lent = await an_overdue_loan(session, line, now=noon)

    await a_paid_claim(session, lent, now=noon + LONG_AFTER)

    assert (await agreements.agreement(session, line.id)).state is LineState.PAUSED
    with pytest.raises(NoAgreement):
        await agreement_service.reserve(
            session,
            lender_id=line.lender.id,
            firm_id=lent.firm.organisation_id,
            offer_id=lent.id,
            principal_fen=1,
            rate_bp=1,
            now=noon,
        )


async def test_the_cover_follows_the_loan_through_the_outbox(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lent = await a_loan(session, term_months=1, now=noon)
    await drain(database.worker, now=noon)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        made = await queries.cover_of_loan(session, lent.id)
        dues = await loans.dues(session, lent.id, on=business_date(noon))
        await loan_service.repay(
            session,
            lent.line.lender.maker,
            lent.id,
            amount_fen=dues.payoff_fen,
            paid_on=business_date(noon),
            now=noon,
        )
    await drain(database.worker, now=noon)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        ended = await queries.cover_of_loan(session, lent.id)
    assert made is not None
    assert ended is not None
    assert (made.state, made.principal_fen, ended.state) == ("active", 12_000_000, "ended")


async def test_a_claim_on_a_loan_that_the_borrower_repays_lapses(database: Database, noon: datetime) -> None:
    later = noon + LONG_AFTER
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lent = await an_overdue_loan(session, now=noon)
        claim = await an_approved_claim(session, lent, now=later)
        dues = await loans.dues(session, lent.id, on=business_date(later))
        await loan_service.repay(
            session,
            lent.line.lender.maker,
            lent.id,
            amount_fen=dues.payoff_fen,
            paid_on=business_date(later),
            now=later,
        )
    await drain(database.worker, now=noon)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        held = await agreements.reservation(session, lent.loan.reservation_id)  # type: ignore[arg-type]
        assert (await queries.claim(session, lent.line.lender.maker, claim.id)).state is ClaimState.LAPSED
        assert held.state is ReservationState.RELEASED
        assert await agreements.available_fen(session, lent.line.id) == 100_000_000


async def pay_in_its_own_transaction(sessions: Sessions, line: Line, claim_id: object, now: datetime) -> str:
    try:
        async with in_transaction(sessions) as session:
            await act_as(session, line.fund.maker, now=now)
            paid = await service.pay_claim(session, line.fund.maker, claim_id, now=now)  # type: ignore[arg-type]
        return str(paid.paid_fen)
    except Refusal as refusal:
        return refusal.code


async def test_a_claim_paid_by_two_people_at_once_is_paid_once(database: Database, noon: datetime) -> None:
    later = noon + LONG_AFTER
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lent = await an_overdue_loan(session, now=noon)
        claim = await an_approved_claim(session, lent, now=later)

    answers = await asyncio.gather(
        *(pay_in_its_own_transaction(database.app, lent.line, claim.id, later) for _number in range(4))
    )

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        assert await agreements.cash_fen(session, lent.line.fund.id) == 10_000_000 - 3_600_000
    assert sorted(answers) == ["9600000", *["claim_step_refused"] * 3]


async def test_two_claims_on_one_poor_fund_at_once_share_what_it_has(database: Database, noon: datetime) -> None:
    later = noon + LONG_AFTER
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        line = await a_line(session, with_guarantor=False, fund_cash_fen=10_000_000, now=noon)
        lents: list[Lent] = [await an_overdue_loan(session, line, now=noon) for _number in range(2)]
        claims = [await an_approved_claim(session, lent, now=later) for lent in lents]

    answers = await asyncio.gather(
        *(pay_in_its_own_transaction(database.app, line, claim.id, later) for claim in claims)
    )

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        assert await agreements.cash_fen(session, line.fund.id) == 0
        assert await ledger.check_books(session) == []
    assert sorted(int(answer) for answer in answers) == [400_000, 9_600_000]


async def test_row_level_security_shows_a_claim_to_its_parties_only(database: Database, noon: datetime) -> None:
    later = noon + LONG_AFTER
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lent = await an_overdue_loan(session, now=noon)
        claim = await a_paid_claim(session, lent, now=later)
        await service.record_recovery(session, lent.line.lender.maker, claim.id, received_fen=100, now=later)
        stranger = await a_fund(session, now=noon)

    seen = {}
    for name, viewer in (("fund", lent.line.fund.maker), ("stranger", stranger.maker)):
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=later)
            seen[name] = [
                (await session.execute(text(f"SELECT count(*) FROM risk_sharing.{table}"))).scalar_one()
                for table in ("cover", "claim", "claim_step", "recovery")
            ]
    assert seen == {"fund": [1, 1, 2, 1], "stranger": [0, 0, 0, 0]}
