"""The world is the same whatever is asked, and its figures look like those of small firms."""

import os
import subprocess
import sys
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from statistics import mean, median

import numpy as np
import pytest
from builders_examples import on_examples
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import uscc

from city.world.calendar import festival_share, is_working_day, month_of, place_of
from city.world.hazard import Terms, default_month, luck, monthly_hazard, payment_day, yearly_pd
from city.world.history import earlier_outcome, outcomes_known_by
from city.world.institutions import WAN_FEN, Bank, banks
from city.world.invoices import COLUMNS, invoice_rows
from city.world.lending import Applicant, judge
from city.world.paths import make_paths
from city.world.plans import asks_on, wish_on, yearly_sales_yuan
from city.world.population import Firm, make_firms
from city.world.weather import INDUSTRIES, downturn, shocks

SEEDS = (1, 2, 3)
BANKS: dict[str, Bank] = {bank.credit_code: bank for bank in banks()}
START = month_of(date(2025, 1, 1))
MONTHS = 18


def best_answer(seed: int, firm: Firm, day: date) -> tuple[Terms | None, bool]:
    """Return the terms of the cheapest bank that says yes, and whether any bank was there to be asked."""
    wish = wish_on(seed, firm, day)
    sales_fen = int(100 * yearly_sales_yuan(seed, firm, day))
    applicant = Applicant(firm, firm.credit_code, wish.amount_fen, wish.term_months, sales_fen)
    indicating = [code for code in wish.banks if judge(seed, BANKS[code], applicant, day, is_first_look=True).lends]
    judged = [judge(seed, BANKS[code], applicant, day, is_first_look=False) for code in indicating]
    lent = sorted((one.rate_bp, -one.amount_fen) for one in judged if one.lends)
    terms = Terms(-lent[0][1], lent[0][0], wish.term_months, day) if lent else None
    return terms, bool(judged)


def demands_of(seed: int, count: int) -> list[tuple[Firm, date]]:
    asked = [(firm, asks_on(seed, firm, START + on)) for firm in make_firms(seed, count) for on in range(MONTHS)]
    return [(firm, day) for firm, day in asked if day is not None and not firm.is_hollow]


@cache
def granted_of(seed: int, count: int) -> list[tuple[Firm, Terms]]:
    answers = [(firm, best_answer(seed, firm, day)[0]) for firm, day in demands_of(seed, count)]
    return [(firm, terms) for firm, terms in answers if terms is not None]


def test_codes_are_valid_names_say_that_they_are_simulated_and_a_bigger_city_holds_the_smaller() -> None:
    few, many = make_firms(3, 40), make_firms(3, 90)

    assert all(uscc.is_valid(firm.credit_code) for firm in many)
    assert all(firm.name.startswith("模拟") for firm in many)
    assert all(bank.name.startswith("模拟") and uscc.is_valid(bank.credit_code) for bank in banks())
    assert len({firm.credit_code for firm in many}) == 90
    assert set(few) <= set(many)


@pytest.mark.parametrize("seed", SEEDS)
def test_two_thirds_are_sole_traders_with_thin_data(seed: int) -> None:
    firms = make_firms(seed, 600)
    month = START - 12

    traders = [firm for firm in firms if firm.is_sole_trader]
    thin = mean(len(invoice_rows(seed, firm, month, month + 11)) for firm in traders[:40])
    others = [firm for firm in firms if not firm.is_sole_trader]
    thick = mean(len(invoice_rows(seed, firm, month, month + 11)) for firm in others[:40])

    assert 0.60 < len(traders) / len(firms) < 0.72
    assert thin < 0.7 * thick


@pytest.mark.parametrize("seed", SEEDS)
def test_declared_tax_and_electricity_go_together_within_a_firm(seed: int) -> None:
    window = slice(place_of(START) - 24, place_of(START) + 24)
    paths = [make_paths(seed, firm) for firm in make_firms(seed, 120)]
    correlations = [float(np.corrcoef(one.tax_yuan[window], one.electricity_kwh[window])[0, 1]) for one in paths]

    assert median(correlations) > 0.75
    assert mean(one > 0.6 for one in correlations) > 0.95


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("year", [2023, 2024, 2025, 2026, 2027])
def test_sales_dip_at_the_spring_festival(seed: int, year: int) -> None:
    january = month_of(date(year, 1, 1))
    closed = max(range(january, january + 3), key=festival_share)
    usual = [january + on for on in (3, 4, 5)]
    paths = [make_paths(seed, firm) for firm in make_firms(seed, 120)]

    ratios = [one.sales_in(closed) / max(1.0, mean(one.sales_in(month) for month in usual)) for one in paths]

    assert festival_share(closed) > 0.3
    assert median(ratios) < 0.85


@pytest.mark.parametrize("seed", SEEDS)
def test_an_industry_has_its_downturn_and_its_firms_feel_it(seed: int) -> None:
    hit, begins = downturn(seed)
    place = place_of(begins)
    others = [industry for industry in INDUSTRIES if industry != hit]

    depth = shocks(seed, hit)[place : place + 6].mean() - shocks(seed, hit)[place - 6 : place].mean()
    elsewhere = mean(shocks(seed, one)[place : place + 6].mean() for one in others)

    assert depth < -0.1
    assert elsewhere > shocks(seed, hit)[place : place + 6].mean()


@pytest.mark.parametrize("seed", SEEDS)
def test_banks_say_yes_to_between_forty_and_seventy_in_a_hundred(seed: int) -> None:
    answers = [best_answer(seed, firm, day)[0] is not None for firm, day in demands_of(seed, 400)]

    assert len(answers) > 200
    assert 0.40 <= mean(answers) <= 0.70


@pytest.mark.parametrize("seed", SEEDS)
def test_between_one_and_four_in_a_hundred_granted_loans_default_in_a_year(seed: int) -> None:
    hollow = [firm for firm in make_firms(seed, 400) if firm.is_hollow]
    granted = granted_of(seed, 400)
    expected = sum(yearly_pd(seed, firm, terms) for firm, terms in granted) + len(hollow)

    assert len(granted) > 120
    assert 0.01 <= expected / (len(granted) + len(hollow)) <= 0.04


def test_the_draws_hit_the_hazard_that_they_are_drawn_against() -> None:
    granted = [(seed, firm, terms) for seed in SEEDS for firm, terms in granted_of(seed, 400)]
    within_year = [Terms(t.principal_fen, t.rate_bp, min(12, t.term_months), t.disbursed_on) for _, _, t in granted]

    seen = sum(
        default_month(seed, firm, terms) is not None
        for (seed, firm, _), terms in zip(granted, within_year, strict=True)
    )
    expected = sum(yearly_pd(seed, firm, terms) for seed, firm, terms in granted)

    assert abs(seen - expected) < 4 * expected**0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_risk_rises_with_the_rate_that_banks_ask(seed: int) -> None:
    granted = sorted(granted_of(seed, 400), key=lambda one: (one[1].rate_bp, one[0].credit_code))
    third = len(granted) // 3

    cheap = mean(yearly_pd(seed, firm, terms) for firm, terms in granted[:third])
    dear = mean(yearly_pd(seed, firm, terms) for firm, terms in granted[-third:])

    assert dear > 1.3 * cheap


@pytest.mark.parametrize("seed", SEEDS)
def test_every_city_has_hollow_firms_that_banks_lend_to_and_that_stop_paying(seed: int) -> None:
    hollow = [firm for firm in make_firms(seed, 300) if firm.is_hollow]
    days = [(firm, asks_on(seed, firm, START + on)) for firm in hollow for on in range(3)]
    lent = [(firm, best_answer(seed, firm, day)[0]) for firm, day in days if day is not None]

    stopped = {firm for firm, terms in lent if terms is not None and default_month(seed, firm, terms) is not None}

    assert len(hollow) == 2
    assert stopped == set(hollow)


@given(st.integers(0, 299), st.integers(1, 40), st.integers(0, 1_500), st.integers(1, 24))
@on_examples(60)
def test_dearer_terms_never_put_a_default_off(number: int, month: int, dearer_bp: int, term: int) -> None:
    firm = make_firms(1, 300)[number]
    day = date(2025, 1, 6) + timedelta(days=30 * (month % 12))
    cheap, dear = (Terms(10 * WAN_FEN, rate_bp, term, day) for rate_bp in (400, 400 + dearer_bp))

    early, late = default_month(1, firm, dear), default_month(1, firm, cheap)

    assert late is None or (early is not None and early <= late)
    assert 0 < luck(1, firm.credit_code, month_of(day)) < 1
    assert 0 <= monthly_hazard(1, firm, dear, month_of(day)) <= 1


@given(st.integers(0, 199), st.dates(date(2025, 1, 1), date(2026, 12, 1)))
@on_examples(60)
def test_firms_pay_on_working_days_and_never_after_they_failed(number: int, due_on: date) -> None:
    firm = make_firms(2, 200)[number]

    paid_on, after_failure = payment_day(2, firm, due_on, None), payment_day(2, firm, due_on, month_of(due_on))

    assert paid_on is not None
    assert is_working_day(paid_on)
    assert abs((paid_on - due_on).days) <= 26
    assert after_failure is None


@given(st.integers(0, 59), st.integers(-20, 10), st.integers(0, 12))
@on_examples(60)
def test_a_months_invoices_do_not_depend_on_what_else_is_asked(number: int, shift: int, span: int) -> None:
    firm = make_firms(4, 60)[number]
    first = START + shift

    together = invoice_rows(4, firm, first, first + span)
    apart = [row for month in range(first, first + span + 1) for row in invoice_rows(4, firm, month, month)]

    assert together == apart
    assert together == sorted(together, key=lambda row: row[COLUMNS.index("issued_on")])


def test_amounts_add_up_to_the_fen_and_numbers_are_unique() -> None:
    rows = invoice_rows(5, make_firms(5, 10)[0], START - 24, START)
    fen = [
        [round(100 * float(row[COLUMNS.index(name)])) for name in ("net_yuan", "tax_yuan", "gross_yuan")]
        for row in rows
    ]

    assert all(net + tax == gross for net, tax, gross in fen)
    assert len({row[0] for row in rows}) == len(rows)


def test_the_bureau_knows_later_what_it_knew_before_and_more() -> None:
    firms = make_firms(1, 200)
    early, late = (outcomes_known_by(1, firms, day) for day in (date(2024, 3, 1), date(2025, 1, 6)))

    assert 0 < len(early) < len(late)
    assert early == late[: len(early)]
    assert {one.credit_code for one in late} == {firm.credit_code for firm in firms if firm.has_earlier_loan}
    assert all(earlier_outcome(1, firm) is None for firm in firms if not firm.has_earlier_loan)


def test_earlier_defaults_come_from_poor_firms() -> None:
    firms = [firm for firm in make_firms(1, 600) if firm.has_earlier_loan]
    defaulted = {one.credit_code for one in outcomes_known_by(1, tuple(firms), date(2025, 1, 6)) if one.is_default}

    poor = mean(firm.quality for firm in firms if firm.credit_code in defaulted)
    sound = mean(firm.quality for firm in firms if firm.credit_code not in defaulted)

    assert 0.10 < len(defaulted) / len(firms) < 0.30
    assert poor < sound - 0.8


PRINT = """
from datetime import date
from city.world import invoices, plans, population, hazard, history, institutions, lending
firms = population.make_firms(9, 40)
print([repr(firm) for firm in firms])
print([invoices.invoice_rows(9, firm, 24300, 24305) for firm in firms[:5]])
print([plans.wish_on(9, firm, date(2025, 3, 3)) for firm in firms])
print([history.earlier_outcome(9, firm) for firm in firms])
terms = hazard.Terms(20_000_000, 500, 12, date(2025, 1, 6))
print([hazard.default_month(9, firm, terms) for firm in firms])
bank = institutions.banks()[4]
print([lending.judge(9, bank, lending.Applicant(firm, firm.credit_code, 10**7, 12, 10**8), date(2025, 3, 3),
    is_first_look=True) for firm in firms])
"""


def test_the_hash_seed_changes_nothing() -> None:
    source = str(Path(__file__).resolve().parents[2] / "src")
    printed = [
        subprocess.run(
            [sys.executable, "-c", PRINT],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": source},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert printed[0] == printed[1]
    assert len(printed[0]) > 10_000
