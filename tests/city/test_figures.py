"""The bureau's figures: what the catalogue asks for, consistent with each other, and the same in any order."""

import csv
from dataclasses import fields
from datetime import date, timedelta
from pathlib import Path
from statistics import mean, median

import numpy as np
import pytest

from city.world import filings, observing, strain
from city.world.calendar import first_day, month_of
from city.world.contributions import HousingFund, SocialInsurance, social_insurance
from city.world.filings import TaxArrears, TaxFiling, TaxGrade, tax_arrears, tax_filings, tax_grades
from city.world.invoices import invoice_rows
from city.world.meters import BURNS_GAS, Electricity, Gas, Water, electricity, gas
from city.world.observing import MANNERS, changed, shown, sighting
from city.world.paths import make_paths
from city.world.population import Firm, make_firms
from city.world.records import (
    Enforcement,
    HonourList,
    IntellectualProperty,
    Judgment,
    Penalty,
    Permit,
    RegistrationChange,
    enforcements,
    honour_lists,
    intellectual_property,
    judgments,
    name_on,
    penalties,
    permits,
    registration_changes,
)
from city.world.trade import ImportExport, Logistics, import_export

CATALOGUE = Path(__file__).resolve().parents[2] / "migrations" / "sql" / "catalogue" / "fields_v1.csv"
ROWS = {
    "tax_filing": TaxFiling,
    "tax_grade": TaxGrade,
    "tax_arrears": TaxArrears,
    "social_insurance": SocialInsurance,
    "housing_fund": HousingFund,
    "electricity": Electricity,
    "water": Water,
    "gas": Gas,
    "import_export": ImportExport,
    "logistics": Logistics,
    "judgment": Judgment,
    "enforcement": Enforcement,
    "penalty": Penalty,
    "permit": Permit,
    "registration_change": RegistrationChange,
    "intellectual_property": IntellectualProperty,
    "honour_list": HonourList,
}
RECORDS = (judgments, enforcements, penalties, permits, registration_changes, intellectual_property, honour_lists)
BEGINS, ENDS = month_of(date(2023, 7, 1)), month_of(date(2026, 6, 1))
LATER = date(2028, 1, 1)
FIRMS = make_firms(1, 600)
POOR = [firm for firm in FIRMS if firm.quality < -0.8]
SOUND = [firm for firm in FIRMS if firm.quality > 0.8 and not firm.is_hollow]


def window(rows: tuple[strain.Monthly, ...]) -> list[strain.Monthly]:
    return [row for row in rows if BEGINS <= row.month <= ENDS]


@pytest.mark.parametrize("item", sorted(ROWS))
def test_an_item_has_exactly_the_fields_of_the_catalogue(item: str) -> None:
    with CATALOGUE.open(encoding="utf-8", newline="") as file:
        wanted = [row["code"] for row in csv.DictReader(file) if row["item_code"] == item]

    assert [field.name for field in fields(ROWS[item])] == wanted


def figures_of(firms: list[Firm]) -> dict[str, object]:
    monthly = {
        f"{firm.credit_code} {item}": shown(1, firm, item, BEGINS, ENDS, date(2026, 3, 9))
        for firm in firms
        for item in MANNERS
    }
    records = {
        f"{firm.credit_code} {read.__name__}": list(read(1, firm, date(2026, 3, 9)))
        for firm in firms
        for read in (*RECORDS, tax_grades, tax_arrears)
    }
    return {**monthly, **records}


def test_figures_are_the_same_in_whatever_order_they_are_asked_for() -> None:
    firms = list(FIRMS[:25])
    first = figures_of(firms)

    for manner in MANNERS.values():
        manner.figures.cache_clear()  # type: ignore[attr-defined]
    observing._chances.cache_clear()
    strain.strain.cache_clear()
    again = figures_of(firms[::-1])

    assert again == first
    assert len(first) > 400


def test_declared_sales_lie_near_the_invoiced_ones() -> None:
    declared, invoiced = [], []
    for firm in SOUND[:40]:
        rows = [row for row in window(tax_filings(1, firm)) if isinstance(row, TaxFiling) and row.tax_kind == "vat"]
        declared.append(sum(row.declared_sales_fen for row in rows))
        sold = [row for row in invoice_rows(1, firm, rows[0].month, rows[-1].month) if row[1] == "out"]
        invoiced.append(sum(abs(int(row[4].replace(".", ""))) for row in sold))

    ratios = [one / other for one, other in zip(declared, invoiced, strict=True)]

    assert 0.98 < median(ratios) < 1.07
    assert all(0.9 < ratio < 1.15 for ratio in ratios)


def test_insured_are_most_of_the_staff_and_a_hollow_firm_insures_few() -> None:
    parts = {
        firm: mean(row.insured for row in social_insurance(1, firm)) / mean(make_paths(1, firm).staff)
        for firm in FIRMS
        if social_insurance(1, firm)
    }
    hollow = [part for firm, part in parts.items() if firm.is_hollow]

    assert all(0.3 < part <= 1.35 for firm, part in parts.items() if not firm.is_hollow)
    assert 0.7 < median(part for firm, part in parts.items() if firm.kind == "firm") < 1.0
    assert hollow
    assert max(hollow) < 0.3


def test_electricity_goes_with_sales_and_is_charged_by_the_kilowatt_hour() -> None:
    correlations = []
    for firm in FIRMS[:120]:
        rows = window(electricity(1, firm))
        sales = [make_paths(1, firm).sales_in(row.month) for row in rows]
        correlations.append(
            float(np.corrcoef(sales, [row.used_kwh for row in rows if isinstance(row, Electricity)])[0, 1])
        )

    assert median(correlations) > 0.7
    assert all(row.charged_fen == 72 * row.used_kwh for row in electricity(1, FIRMS[0]))


@pytest.mark.parametrize(
    ("item", "least", "most"),
    [("social_insurance", 0.06, 0.3), ("housing_fund", 0.08, 0.35), ("electricity", 0.03, 0.15), ("water", 0.04, 0.2)],
)
def test_the_poor_owe_oftener_than_the_sound(item: str, least: float, most: float) -> None:
    owing = [
        mean(row.owed_fen > 0 for firm in firms for row in window(MANNERS[item].figures(1, firm)))  # type: ignore[attr-defined]
        for firms in (POOR, SOUND)
    ]

    assert least < owing[0] < most
    assert owing[1] < 0.02


def test_what_is_owed_is_paid_when_the_strain_ends() -> None:
    for firm in POOR[:60]:
        rows = social_insurance(1, firm)
        dues = sum(row.base_fen * 369_000 // 1_000_000 for row in rows)

        assert sum(row.paid_fen for row in rows) + (rows[-1].owed_fen if rows else 0) == dues


def test_a_line_is_cut_only_for_who_owes_for_months() -> None:
    cut = [(firm, row) for firm in FIRMS for row in electricity(1, firm) if row.is_cut_off]
    owed = {(firm.credit_code, row.month): row.owed_fen for firm in FIRMS for row in electricity(1, firm)}

    assert 50 < len(cut) < 1_500
    assert all(owed[firm.credit_code, row.month - on] > 0 for firm, row in cut for on in (1, 2))


def test_gas_and_customs_are_of_some_firms_only() -> None:
    burning = {firm.industry_code for firm in FIRMS if gas(1, firm)}
    trading = [firm for firm in FIRMS if import_export(1, firm)]

    assert burning == set(BURNS_GAS)
    assert 10 < len(trading) < 120
    assert all(
        row.exported_fen <= 100 * make_paths(1, firm).sales_in(row.month) + 1
        for firm in trading
        for row in import_export(1, firm)
    )


def test_grades_are_published_in_april_of_the_next_year() -> None:
    firm = next(one for one in FIRMS if one.established_on < date(2020, 1, 1))

    march = [one.year for one in tax_grades(1, firm, date(2025, 3, 31))]
    may = [one.year for one in tax_grades(1, firm, date(2025, 5, 1))]
    everybody = [one.grade for one_firm in FIRMS for one in tax_grades(1, one_firm, date(2026, 5, 1))]

    assert (march, may) == ([2021, 2022, 2023], [2021, 2022, 2023, 2024])
    assert set(everybody) == {"A", "B", "M", "C", "D"}
    assert 0.5 < everybody.count("B") / len(everybody) < 0.75
    assert everybody.count("D") / len(everybody) < 0.02


def test_returns_are_due_by_the_fifteenth_and_a_notice_of_arrears_follows_the_quarter() -> None:
    late = [
        row.filed_on > first_day(row.month + 1) + timedelta(days=25) for firm in POOR for row in tax_filings(1, firm)
    ]
    notices = [one for firm in POOR for one in tax_arrears(1, firm, LATER)]

    assert 0 < mean(late) < 0.15
    assert all(one.owed_fen > 0 and one.published_on.month in (1, 4, 7, 10) for one in notices)
    assert len(notices) > 20
    assert filings.FILED_BY_DAY == 15


def test_judgments_are_rare_and_likelier_against_the_poor() -> None:
    against = [
        mean(sum(case.role == "defendant" for case in judgments(1, firm, LATER)) for firm in firms)
        for firms in (POOR, SOUND)
    ]

    assert against[0] > 3 * against[1]
    assert against[0] < 2.5


def test_an_enforcement_follows_a_lost_case_and_shows_its_end_only_when_it_came() -> None:
    rows = [(firm, case) for firm in FIRMS for case in enforcements(1, firm, LATER)]
    ended = [(firm, case) for firm, case in rows if case.ended_on is not None]
    firm, case = ended[0]
    assert case.ended_on is not None

    before = [one for one in enforcements(1, firm, case.ended_on - timedelta(days=1)) if one.case_no == case.case_no]

    assert before[0].ended_on is None
    assert {one.role for lost, _ in rows for one in judgments(1, lost, LATER)} >= {"defendant"}
    assert all(listed.is_negative for listed in honour_lists(1, firm, LATER) if listed.list == "失信被执行人名单")


def test_a_record_is_never_known_before_its_day() -> None:
    day = date(2024, 6, 1)
    known = [row for firm in FIRMS for read in RECORDS for row in read(1, firm, day)]
    on = ("decided_on", "filed_on", "changed_on", "granted_on", "listed_on", "ended_on", "removed_on")
    days = [getattr(row, name) for row in known for name in on if getattr(row, name, None) is not None]

    assert len(days) > 500
    assert max(days) <= day


def test_a_renamed_firm_is_called_by_its_new_name_from_the_day_on_and_by_the_old_one_before() -> None:
    renamed = [
        (firm, row)
        for firm in FIRMS
        for row in registration_changes(1, firm, LATER)
        if row.what == "name" and row.changed_on > date(2025, 2, 1)
    ]

    assert 3 < len(renamed) < 40
    for firm, row in renamed:
        assert row.before == firm.name == name_on(1, firm, row.changed_on - timedelta(days=1))
        assert row.after == name_on(1, firm, row.changed_on) != firm.name
        assert row.after.startswith("模拟")
    assert all(name_on(1, firm, date(2025, 1, 6)) == firm.name for firm in FIRMS)


@pytest.mark.parametrize(("item", "day"), [("electricity", 5), ("social_insurance", 22), ("water", 8)])
def test_a_month_is_readable_from_its_day_of_the_next_month(item: str, day: int) -> None:
    month = month_of(date(2025, 3, 1))
    firms = [firm for firm in FIRMS if MANNERS[item].figures(1, firm)]

    before = [shown(1, firm, item, month, month, date(2025, 4, day - 1)) for firm in firms]
    on = [shown(1, firm, item, month, month, date(2025, 4, day)) for firm in firms]
    much_later = [shown(1, firm, item, month, month, LATER) for firm in firms]

    assert not any(before)
    assert sum(map(bool, on)) < sum(map(bool, much_later)) <= len(firms)
    assert sum(map(bool, on)) > 0.85 * len(firms)


def test_a_figure_is_corrected_on_a_day_months_later_and_tells_of_itself_on_that_day() -> None:
    corrected = [
        (firm, month, seen.corrected_on)
        for firm in FIRMS[:200]
        for month in range(BEGINS, ENDS)
        for seen in [sighting(1, firm.credit_code, month, "water")]
        if seen.corrected_on is not None and not seen.is_gap
    ]
    firm, month, day = next(one for one in corrected if shown(1, one[0], "water", one[1], one[1], LATER))

    before = shown(1, firm, "water", month, month, day - timedelta(days=1))
    after = shown(1, firm, "water", month, month, day)

    assert before != after == shown(1, firm, "water", month, month, LATER)
    assert after[0] in changed(1, firm, "water", day)
    assert (day - first_day(month + 1)).days > 45
    assert 0.03 < len(corrected) / (200 * (ENDS - BEGINS)) < 0.1


def test_some_months_never_come_and_some_come_twice() -> None:
    seen = [sighting(1, firm.credit_code, month, "logistics") for firm in FIRMS for month in range(BEGINS, ENDS)]

    assert 0.02 < mean(one.is_gap for one in seen) < 0.04
    assert 0.02 < mean(one.is_doubled for one in seen) < 0.04


def test_the_days_changes_put_together_are_what_is_shown_in_the_end() -> None:
    firm = next(one for one in FIRMS if one.kind == "firm")
    days = [date(2024, 1, 1) + timedelta(days=on) for on in range(800)]
    month = month_of(date(2024, 6, 1))

    arrived = [
        row for day in days for row in changed(1, firm, "social_insurance", day) if month <= row.month < month + 12
    ]
    latest = {row.month: row for row in arrived}

    assert list(latest.values()) == list(dict.fromkeys(shown(1, firm, "social_insurance", month, month + 11, days[-1])))
    assert observing.MOST_MONTHS_BACK >= 7
