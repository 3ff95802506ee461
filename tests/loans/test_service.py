"""Disbursement, repayment and arrears on a real ledger."""

import asyncio
from datetime import date, datetime, timedelta

import pytest
from builders_agreements import a_line
from builders_loans import Accepted, Lent, a_loan, an_accepted_offer
from builders_parties import a_firm, a_lender
from conftest import Database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as, act_as_platform
from xinyidai.agreements import queries as agreements
from xinyidai.agreements.rules import ReservationState
from xinyidai.demands.rules import RepaymentKind
from xinyidai.foundation.clock import add_months, business_date, start_of_day
from xinyidai.foundation.database import Sessions, in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound, Refusal
from xinyidai.ledger import queries as ledger
from xinyidai.loans import queries, service
from xinyidai.loans.rules.life import (
    DisbursementDateRefused,
    FirstLoan,
    FirstLoanDefinition,
    LineLapsed,
    LoanState,
    LoanTakesNoPayment,
    OfferNotAccepted,
    PaymentKind,
    PaymentReferenceReused,
    RiskClass,
)
from xinyidai.loans.rules.repayment import Overpayment, PartialPrepaymentRefused, PaymentDateRefused
from xinyidai.matching import service as matching


def noon_of(day: date) -> datetime:
    return start_of_day(day) + timedelta(hours=12)


async def outstanding_in_the_books(session: AsyncSession, lent: Lent) -> int:
    account = await ledger.account_by_code(session, f"lending:lender:{lent.loan.lender_id}:principal_outstanding")
    assert account is not None
    return account.balance_fen


async def pay_on_time(session: AsyncSession, lent: Lent, count: int) -> LoanState:
    planned = await queries.instalments(session, lent.id)
    state = lent.loan.state
    for one in planned[:count]:
        repaid = await service.repay(
            session,
            lent.line.lender.maker,
            lent.id,
            amount_fen=one.principal_fen + one.interest_fen,
            paid_on=one.due_on,
            now=noon_of(one.due_on),
        )
        state = repaid.loan.state
    return state


async def test_a_disbursed_offer_is_a_loan_with_a_schedule_cover_and_a_journal(
    session: AsyncSession, noon: datetime
) -> None:
    lent = await a_loan(session, amount_fen=12_000_001, now=noon)

    planned = await queries.instalments(session, lent.id)
    assert lent.loan.reservation_id is not None
    held = await agreements.reservation(session, lent.loan.reservation_id)
    assert sum(one.principal_fen for one in planned) == 12_000_001
    assert (lent.loan.state, lent.loan.region_code, lent.loan.industry_code) == (
        LoanState.PERFORMING,
        "500103",
        "F52",
    )
    assert (held.state, held.loan_id) == (ReservationState.COVERED, lent.id)
    assert await outstanding_in_the_books(session, lent) == 12_000_001
    assert await ledger.imbalance_fen(session) == 0


async def test_what_the_lender_attests_is_kept_with_its_definition(session: AsyncSession, noon: datetime) -> None:
    accepted = await an_accepted_offer(session, now=noon)
    officer = accepted.line.lender.maker

    loan = await service.disburse(
        session,
        officer,
        accepted.offer_id,
        payment_kind=PaymentKind.ENTRUSTED,
        payment_reference="SZ-2025-0001",
        first_loan=FirstLoan(is_first=True, definition=FirstLoanDefinition.NO_RECORD_IN_REGISTRY),
        now=noon,
    )

    row = (
        await session.execute(
            text("SELECT payment_kind, first_loan_definition, first_loan_attested_by FROM loans.loan")
        )
    ).one()
    assert loan.is_first_loan is True
    assert tuple(row) == ("entrusted", "no_record_in_registry", officer.principal_id)


async def test_disbursing_again_answers_with_the_same_loan(session: AsyncSession, noon: datetime) -> None:
    accepted = await an_accepted_offer(session, now=noon)
    officer = accepted.line.lender.maker

    first = await service.disburse(session, officer, accepted.offer_id, now=noon)
    again = await service.disburse(session, officer, accepted.offer_id, now=noon)

    assert again == first
    assert (
        await session.execute(text("SELECT count(*) FROM ledger.journal WHERE kind = 'disbursement'"))
    ).scalar() == 1


async def test_only_the_lender_of_the_offer_disburses(session: AsyncSession, noon: datetime) -> None:
    accepted = await an_accepted_offer(session, now=noon)
    other = await a_lender(session, now=noon)

    with pytest.raises(NotFound):
        await service.disburse(session, other.maker, accepted.offer_id, now=noon)
    with pytest.raises(NotAllowed):
        await service.disburse(session, accepted.firm, accepted.offer_id, now=noon)


async def test_after_its_last_day_an_acceptance_cannot_be_drawn(session: AsyncSession, noon: datetime) -> None:
    accepted = await an_accepted_offer(session, now=noon)
    officer = accepted.line.lender.maker

    with pytest.raises(LineLapsed):
        await service.disburse(session, officer, accepted.offer_id, now=noon + timedelta(days=31))
    await service.open_line(session, accepted.offer_id)
    await matching.lapse_due(session, now=noon + timedelta(days=31))
    await service.lapse_line(session, accepted.offer_id)

    with pytest.raises(OfferNotAccepted):
        await service.disburse(session, officer, accepted.offer_id, now=noon + timedelta(days=31))
    lines = await queries.credit_lines(session, officer, cursor=None, limit=10)
    assert [line.state for line in lines.rows] == ["lapsed"]
    assert await agreements.available_fen(session, accepted.line.id) == 100_000_000


async def test_a_loan_is_not_dated_before_its_acceptance_or_in_the_future(
    session: AsyncSession, noon: datetime
) -> None:
    accepted = await an_accepted_offer(session, now=noon)
    today = business_date(noon)

    for day in (today - timedelta(days=1), today + timedelta(days=1)):
        with pytest.raises(DisbursementDateRefused):
            await service.disburse(session, accepted.line.lender.maker, accepted.offer_id, disbursed_on=day, now=noon)


@pytest.mark.parametrize("kind", list(RepaymentKind))
async def test_a_loan_repaid_on_time_closes_and_leaves_nothing_anywhere(
    session: AsyncSession, noon: datetime, kind: RepaymentKind
) -> None:
    lent = await a_loan(session, amount_fen=1_000_003, repayment_kind=kind, now=noon)

    state = await pay_on_time(session, lent, 12)

    assert state is LoanState.CLOSED
    assert lent.loan.reservation_id is not None
    assert (await agreements.reservation(session, lent.loan.reservation_id)).state is ReservationState.RELEASED
    assert await agreements.available_fen(session, lent.line.id) == 100_000_000
    assert await outstanding_in_the_books(session, lent) == 0
    assert await ledger.check_books(session) == []
    outcome = (await session.execute(text("SELECT firm_id, is_default FROM scoring.outcome"))).one()
    assert tuple(outcome) == (lent.firm.organisation_id, False)


async def test_repaying_gives_capacity_back_in_proportion(session: AsyncSession, noon: datetime) -> None:
    lent = await a_loan(session, amount_fen=12_000_001, now=noon)

    await pay_on_time(session, lent, 3)

    loan = await queries.loan(session, lent.id)
    assert loan.reservation_id is not None
    held = await agreements.reservation(session, loan.reservation_id)
    assert held.held.total_fen == loan.outstanding_fen
    assert abs(held.held.fund_fen * 10 - loan.outstanding_fen * 3) < 10


async def test_an_early_close_costs_the_days_only(session: AsyncSession, noon: datetime) -> None:
    lent = await a_loan(session, amount_fen=3_600_000, rate_bp=1_000, now=noon)
    later = noon + timedelta(days=10)
    dues = await queries.dues(session, lent.id, on=business_date(later))

    repaid = await service.repay(
        session,
        lent.line.lender.maker,
        lent.id,
        amount_fen=dues.payoff_fen,
        paid_on=business_date(later),
        now=later,
    )

    assert (repaid.principal_fen, repaid.interest_fen, repaid.loan.state) == (3_600_000, 10_000, LoanState.CLOSED)
    assert repaid.waived_interest_fen > 0


async def test_too_much_is_refused_and_changes_nothing(session: AsyncSession, noon: datetime) -> None:
    lent = await a_loan(session, now=noon)
    today = business_date(noon)
    officer = lent.line.lender.maker

    with pytest.raises(Overpayment):
        await service.repay(session, officer, lent.id, amount_fen=13_000_000, paid_on=today, now=noon)
    with pytest.raises(PartialPrepaymentRefused):
        await service.repay(session, officer, lent.id, amount_fen=11_999_999, paid_on=today, now=noon)
    with pytest.raises(PaymentDateRefused):
        await service.repay(session, officer, lent.id, amount_fen=1, paid_on=today + timedelta(days=1), now=noon)

    assert (await queries.loan(session, lent.id)).principal_repaid_fen == 0


async def test_a_reference_is_one_payment(session: AsyncSession, noon: datetime) -> None:
    lent = await a_loan(session, now=noon)
    today = business_date(noon)
    officer = lent.line.lender.maker

    first = await service.repay(session, officer, lent.id, amount_fen=5, paid_on=today, reference="R1", now=noon)
    again = await service.repay(session, officer, lent.id, amount_fen=5, paid_on=today, reference="R1", now=noon)

    assert again.id == first.id
    with pytest.raises(PaymentReferenceReused):
        await service.repay(session, officer, lent.id, amount_fen=6, paid_on=today, reference="R1", now=noon)


async def test_another_lenders_loan_is_not_found(session: AsyncSession, noon: datetime) -> None:
    lent = await a_loan(session, now=noon)
    other = await a_lender(session, now=noon)

    with pytest.raises(NotFound):
        await service.repay(session, other.maker, lent.id, amount_fen=1, paid_on=business_date(noon), now=noon)
    with pytest.raises(NotFound):
        await service.read(session, other.maker, lent.id, now=noon)


async def test_a_closed_loan_takes_no_payment(session: AsyncSession, noon: datetime) -> None:
    lent = await a_loan(session, amount_fen=1_200, term_months=1, now=noon)
    await pay_on_time(session, lent, 1)
    later = noon_of(add_months(business_date(noon), 2))

    with pytest.raises(LoanTakesNoPayment):
        await service.repay(
            session, lent.line.lender.maker, lent.id, amount_fen=1, paid_on=business_date(later), now=later
        )


@pytest.mark.parametrize(
    ("days", "state", "risk_class"),
    [
        (0, LoanState.PERFORMING, RiskClass.PASS),
        (1, LoanState.OVERDUE, RiskClass.SPECIAL_MENTION),
        (91, LoanState.OVERDUE, RiskClass.SUBSTANDARD),
        (361, LoanState.OVERDUE, RiskClass.LOSS),
    ],
)
async def test_days_past_due_are_counted_from_the_oldest_unpaid_instalment(
    session: AsyncSession, noon: datetime, days: int, state: LoanState, risk_class: RiskClass
) -> None:
    lent = await a_loan(session, now=noon)
    due_on = add_months(business_date(noon), 1)

    await service.count_days_past_due(session, now=noon_of(due_on + timedelta(days=days)))

    loan = await queries.loan(session, lent.id)
    assert (loan.days_past_due, loan.state, loan.risk_class) == (days, state, risk_class)


async def test_a_default_is_told_to_the_score_once(session: AsyncSession, noon: datetime) -> None:
    lent = await a_loan(session, now=noon)
    due_on = add_months(business_date(noon), 1)

    for days in (90, 91, 92):
        await service.count_days_past_due(session, now=noon_of(due_on + timedelta(days=days)))

    outcomes = (await session.execute(text("SELECT is_default, observed_on FROM scoring.outcome"))).all()
    events = (
        await session.execute(text("SELECT name FROM foundation.outbox_event WHERE name ~ 'Loan(Over|Default)'"))
    ).scalars()
    assert [tuple(row) for row in outcomes] == [(True, due_on + timedelta(days=91))]
    assert sorted(events) == ["LoanDefaulted", "LoanOverdue"]
    assert (await queries.loan(session, lent.id)).defaulted_on == due_on + timedelta(days=91)


async def test_a_compensated_loan_goes_on_being_counted(session: AsyncSession, noon: datetime) -> None:
    lent = await a_loan(session, now=noon)
    due_on = add_months(business_date(noon), 1)
    await service.mark_compensated(session, lent.id, now=noon_of(due_on + timedelta(days=91)))

    await service.count_days_past_due(session, now=noon_of(due_on + timedelta(days=280)))

    loan = await queries.loan(session, lent.id)
    assert (loan.state, loan.days_past_due, loan.risk_class) == (LoanState.COMPENSATED, 280, RiskClass.DOUBTFUL)


async def test_a_claim_is_paid_though_last_nights_count_is_missing(session: AsyncSession, noon: datetime) -> None:
    lent = await a_loan(session, now=noon)
    due_on = add_months(business_date(noon), 1)

    loan = await service.mark_compensated(session, lent.id, now=noon_of(due_on + timedelta(days=91)))

    assert (loan.state, loan.days_past_due, loan.defaulted_on) == (
        LoanState.COMPENSATED,
        91,
        due_on + timedelta(days=91),
    )


async def test_interest_paid_ahead_lowers_what_closes_the_loan(session: AsyncSession, noon: datetime) -> None:
    lent = await a_loan(session, amount_fen=12_000_000, rate_bp=1_200, now=noon)
    maker, later = lent.line.lender.maker, noon + timedelta(days=15)
    before = await queries.dues(session, lent.id, on=business_date(later))

    await service.repay(session, maker, lent.id, amount_fen=60_000, paid_on=business_date(later), now=later)

    after = await queries.dues(session, lent.id, on=business_date(later))
    assert (before.payoff_fen, after.payoff_fen) == (12_060_000, 12_000_000)


async def test_paying_the_arrears_makes_a_loan_performing_again(session: AsyncSession, noon: datetime) -> None:
    lent = await a_loan(session, now=noon)
    late = noon_of(add_months(business_date(noon), 1) + timedelta(days=5))
    await service.count_days_past_due(session, now=late)
    dues = await queries.dues(session, lent.id, on=business_date(late))

    repaid = await service.repay(
        session, lent.line.lender.maker, lent.id, amount_fen=dues.due_fen, paid_on=business_date(late), now=late
    )

    assert (repaid.loan.state, repaid.loan.days_past_due, repaid.loan.risk_class) == (
        LoanState.PERFORMING,
        0,
        RiskClass.PASS,
    )


async def test_a_loan_without_cover_needs_no_line(session: AsyncSession, noon: datetime) -> None:
    lent = await a_loan(session, is_covered=False, now=noon)

    assert lent.loan.reservation_id is None
    assert await pay_on_time(session, lent, 12) is LoanState.CLOSED


async def disburse_in_its_own_transaction(sessions: Sessions, accepted: Accepted, now: datetime) -> str:
    try:
        async with in_transaction(sessions) as session:
            await act_as(session, accepted.line.lender.maker, now=now)
            loan = await service.disburse(session, accepted.line.lender.maker, accepted.offer_id, now=now)
        return str(loan.id)
    except Refusal as refusal:
        return refusal.code


async def test_two_disbursements_at_once_are_one_loan(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        accepted = await an_accepted_offer(session, now=noon)

    answers = await asyncio.gather(
        *(disburse_in_its_own_transaction(database.app, accepted, noon) for _number in range(4))
    )

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lent = await ledger.turnover(session, prefix="lending:", kind="disbursement")
    assert len(set(answers)) == 1
    assert lent.raised_fen == 12_000_000


async def test_row_level_security_shows_a_loan_to_its_lender_and_firm_only(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        line = await a_line(session, now=noon)
        lent = await a_loan(session, line, now=noon)
        stranger = await a_firm(session, now=noon)
        await service.repay(session, line.lender.maker, lent.id, amount_fen=1, paid_on=business_date(noon), now=noon)

    seen = {}
    for name, viewer in (("lender", line.lender.maker), ("firm", lent.firm), ("stranger", stranger)):
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            seen[name] = [
                (await session.execute(text(f"SELECT count(*) FROM loans.{table}"))).scalar_one()
                for table in ("credit_line", "loan", "instalment", "repayment")
            ]
    assert seen == {"lender": [1, 1, 12, 1], "firm": [1, 1, 12, 1], "stranger": [0, 0, 0, 0]}
