"""Schedules, repayment and arrears: exact for every amount, term and rate."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.demands.rules import RepaymentKind
from xinyidai.foundation.money import Fen
from xinyidai.loans.rules.life import (
    ClassFloor,
    LoanState,
    LoanStepRefused,
    RiskClass,
    check_loan_step,
    risk_class_floor,
)
from xinyidai.loans.rules.repayment import (
    Allocation,
    Overpayment,
    Owed,
    PartialPrepaymentRefused,
    Repayment,
    allocate,
    days_past_due,
    dues_on,
)
from xinyidai.loans.rules.schedules import (
    LoanTermsRefused,
    equal_instalments,
    interest_first,
    month_interest,
    schedule,
)

principals = st.integers(1, 10**13)
rates = st.integers(0, 3_600)
months = st.integers(1, 120)
FLOORS = [
    ClassFloor(RiskClass.PASS, 0, date(2023, 7, 1), is_verified=False),
    ClassFloor(RiskClass.SPECIAL_MENTION, 1, date(2023, 7, 1), is_verified=False),
    ClassFloor(RiskClass.SUBSTANDARD, 91, date(2023, 7, 1), is_verified=False),
    ClassFloor(RiskClass.DOUBTFUL, 271, date(2023, 7, 1), is_verified=False),
    ClassFloor(RiskClass.LOSS, 361, date(2023, 7, 1), is_verified=False),
]


def owed_for(kind: RepaymentKind, principal: int, rate: int, term: int, disbursed_on: date) -> list[Owed]:
    planned = schedule(kind, Fen(principal), rate, term, disbursed_on=disbursed_on)
    return [Owed(one.number, one.due_on, one.principal_fen, one.interest_fen, Fen(0)) for one in planned]


def left_of(owed: list[Owed], repayment: Repayment) -> list[Owed]:
    taken = {part.number: part for part in repayment.allocations}
    nothing = Allocation(0, Fen(0), Fen(0))
    return [
        Owed(
            one.number,
            one.due_on,
            Fen(one.principal_fen - taken.get(one.number, nothing).principal_fen),
            Fen(0) if repayment.is_closing else Fen(one.interest_fen - taken.get(one.number, nothing).interest_fen),
            Fen(one.interest_paid_fen + taken.get(one.number, nothing).interest_fen),
        )
        for one in owed
    ]


@given(principal=principals, rate=rates, term=months)
def test_equal_instalments_sum_to_the_principal_and_no_part_is_negative(principal: int, rate: int, term: int) -> None:
    parts = equal_instalments(Fen(principal), rate, term)

    assert len(parts) == term
    assert sum(part.principal_fen for part in parts) == principal
    assert all(part.principal_fen >= 0 and part.interest_fen >= 0 for part in parts)


@given(principal=st.integers(10**6, 10**13), rate=rates, term=months)
def test_all_equal_instalments_but_the_last_are_equal_and_the_last_is_within_its_rounding(
    principal: int, rate: int, term: int
) -> None:
    parts = equal_instalments(Fen(principal), rate, term)

    payments = [part.principal_fen + part.interest_fen for part in parts]
    assert len(set(payments[:-1])) <= 1
    # Half a fen of rounding a month, compounded at 3 % a month over 120 months, stays below 700 fen.
    assert abs(payments[-1] - payments[0]) <= 700


@given(principal=principals, rate=rates, term=months)
def test_interest_first_pays_the_whole_principal_at_the_end(principal: int, rate: int, term: int) -> None:
    parts = interest_first(Fen(principal), rate, term)

    assert [part.principal_fen for part in parts] == [0] * (term - 1) + [principal]
    assert {part.interest_fen for part in parts} == {month_interest(Fen(principal), rate)}


def test_a_known_loan_has_the_known_payment() -> None:
    parts = equal_instalments(Fen(10_000_000), 400, 12)

    assert parts[0].principal_fen + parts[0].interest_fen == 851_499
    assert parts[0].interest_fen == 33_333


@pytest.mark.parametrize(
    ("principal", "rate", "term"), [(0, 400, 12), (2**63, 400, 12), (1, 3_601, 12), (1, 1, 121), (1, -1, 1), (1, 1, 0)]
)
def test_terms_out_of_range_are_refused(principal: int, rate: int, term: int) -> None:
    with pytest.raises(LoanTermsRefused):
        equal_instalments(Fen(principal), rate, term)


def test_due_dates_at_a_month_end_are_counted_from_the_first_day_and_do_not_wander() -> None:
    planned = schedule(RepaymentKind.EQUAL_INSTALMENTS, Fen(300), 0, 4, disbursed_on=date(2025, 1, 31))

    assert [one.due_on for one in planned] == [
        date(2025, 2, 28),
        date(2025, 3, 31),
        date(2025, 4, 30),
        date(2025, 5, 31),
    ]


@given(
    kind=st.sampled_from(RepaymentKind),
    principal=st.integers(100, 10**12),
    rate=rates,
    term=st.integers(1, 36),
    payments=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 1_000)), max_size=30),
)
def test_any_order_of_payments_pays_principal_once_and_interest_never_beyond_the_schedule(
    kind: RepaymentKind, principal: int, rate: int, term: int, payments: list[tuple[int, int]]
) -> None:
    disbursed_on = date(2025, 1, 31)
    owed = owed_for(kind, principal, rate, term, disbursed_on)
    scheduled = sum(one.interest_fen for one in owed)
    paid_principal = paid_interest = waived = 0
    on = disbursed_on

    for days, per_mille in payments:
        on += timedelta(days=days)
        began = max([disbursed_on, *(one.due_on for one in owed if one.due_on <= on)])
        dues = dues_on(owed, rate, period_began_on=began, on=on)
        amount = min(max(1, dues.regular_fen * per_mille // 1_000), dues.payoff_fen)
        repayment = allocate(owed, Fen(amount), dues, on=on)
        assert repayment.principal_fen + repayment.interest_fen == amount
        paid_principal += repayment.principal_fen
        paid_interest += repayment.interest_fen
        waived += repayment.waived_interest_fen
        owed = left_of(owed, repayment)

    assert paid_principal + sum(one.principal_fen for one in owed) == principal
    assert paid_interest + waived + sum(one.interest_fen for one in owed) == scheduled
    assert min([one.principal_fen for one in owed] + [one.interest_fen for one in owed]) >= 0


@pytest.mark.parametrize(
    ("amount", "parts"),
    [
        (15, [(1, 0, 10), (2, 0, 5)]),
        (77, [(1, 58, 10), (2, 0, 9)]),
        (219, [(1, 100, 10), (2, 100, 9)]),
        (224, [(1, 100, 10), (2, 100, 9), (3, 0, 5)]),
        (237, [(1, 100, 10), (2, 100, 9), (3, 10, 8)]),
    ],
)
def test_a_payment_goes_to_what_is_due_interest_first_then_to_the_next_instalment(
    amount: int, parts: list[tuple[int, int, int]]
) -> None:
    owed = [
        Owed(1, date(2025, 2, 1), Fen(100), Fen(10), Fen(0)),
        Owed(2, date(2025, 3, 1), Fen(100), Fen(9), Fen(0)),
        Owed(3, date(2025, 4, 1), Fen(100), Fen(8), Fen(0)),
        Owed(4, date(2025, 5, 1), Fen(100), Fen(7), Fen(0)),
    ]
    on = date(2025, 3, 2)
    dues = dues_on(owed, 1_200, period_began_on=date(2025, 3, 1), on=on)

    repayment = allocate(owed, Fen(amount), dues, on=on)

    assert [(part.number, part.principal_fen, part.interest_fen) for part in repayment.allocations] == parts


def test_more_than_closes_the_loan_is_an_overpayment() -> None:
    owed = owed_for(RepaymentKind.INTEREST_FIRST, 1_200_000, 400, 12, date(2025, 1, 1))
    dues = dues_on(owed, 400, period_began_on=date(2025, 1, 1), on=date(2025, 1, 10))

    with pytest.raises(Overpayment):
        allocate(owed, Fen(dues.payoff_fen + 1), dues, on=date(2025, 1, 10))
    with pytest.raises(PartialPrepaymentRefused):
        allocate(owed, Fen(dues.payoff_fen - 1), dues, on=date(2025, 1, 10))


def test_closing_early_costs_interest_for_the_days_only() -> None:
    owed = owed_for(RepaymentKind.INTEREST_FIRST, 3_600_000, 1_000, 12, date(2025, 1, 1))
    dues = dues_on(owed, 1_000, period_began_on=date(2025, 1, 1), on=date(2025, 1, 11))

    repayment = allocate(owed, dues.payoff_fen, dues, on=date(2025, 1, 11))

    assert (repayment.principal_fen, repayment.interest_fen, repayment.is_closing) == (3_600_000, 10_000, True)
    assert repayment.waived_interest_fen == 12 * 30_000 - 10_000


@given(principals, rates, st.integers(0, 30), st.data())
def test_interest_paid_ahead_is_not_asked_again_when_the_loan_is_closed(
    principal: int, rate: int, days: int, data: st.DataObject
) -> None:
    began, on = date(2025, 1, 1), date(2025, 1, 1) + timedelta(days=days)
    owed = owed_for(RepaymentKind.INTEREST_FIRST, principal, rate, 12, began)
    untouched = dues_on(owed, rate, period_began_on=began, on=on)
    ahead = Fen(data.draw(st.integers(0, owed[0].interest_fen)))

    poured = left_of(owed, allocate(owed, ahead, untouched, on=on)) if ahead else owed
    payoff_fen = dues_on(poured, rate, period_began_on=began, on=on).payoff_fen

    assert payoff_fen + ahead == max(untouched.payoff_fen, principal + ahead)


def test_a_loan_is_not_late_on_the_due_date_and_one_day_late_after_it() -> None:
    owed = [
        Owed(1, date(2025, 2, 28), Fen(100), Fen(1), Fen(0)),
        Owed(2, date(2025, 3, 31), Fen(100), Fen(1), Fen(0)),
    ]

    late = [days_past_due(owed, on=date(2025, 2, 27) + timedelta(days=days)) for days in range(4)]

    assert late == [0, 0, 1, 2]


@pytest.mark.parametrize(
    ("days", "risk_class"),
    [
        (0, "pass"),
        (1, "special_mention"),
        (90, "special_mention"),
        (91, "substandard"),
        (270, "substandard"),
        (271, "doubtful"),
        (360, "doubtful"),
        (361, "loss"),
    ],
)
def test_classes_follow_their_floors(days: int, risk_class: str) -> None:
    assert risk_class_floor(days, FLOORS, on=date(2025, 6, 1)) == risk_class


def test_a_floor_counts_from_its_day_on() -> None:
    stricter = ClassFloor(RiskClass.SUBSTANDARD, 61, date(2026, 1, 1), is_verified=False)

    before = risk_class_floor(70, [*FLOORS, stricter], on=date(2025, 12, 31))
    after = risk_class_floor(70, [*FLOORS, stricter], on=date(2026, 1, 1))

    assert (before, after) == (RiskClass.SPECIAL_MENTION, RiskClass.SUBSTANDARD)


def test_a_closed_loan_takes_no_further_step() -> None:
    with pytest.raises(LoanStepRefused):
        check_loan_step(LoanState.CLOSED, LoanState.OVERDUE)
