"""Rules over records that hang together raise no alarms; over the same with mistakes they do."""

from datetime import date
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from benchmarks.clean_records import TODAY, clean_records, established, invoice_months
from benchmarks.mistakes import mistaken, wrong_alone
from benchmarks.rules_listed import listed_rules
from xinyidai.quality.rules import Scope
from xinyidai.quality.rules.items import INVOICE_MONTH
from xinyidai.quality.rules.judging import judge, read_rules
from xinyidai.quality.rules.language import read_condition
from xinyidai.quality.rules.weighing import (
    Figure,
    columns_of,
    joined_figures,
    newest_on,
    weigh,
    weigh_batch,
)

RULES = read_rules(listed_rules())
CLEAN = clean_records(40, seed=11)
FRAMES = CLEAN | {INVOICE_MONTH: invoice_months(CLEAN["vat_invoice"])}


def failed(code: str, frames: dict[str, pd.DataFrame]) -> np.ndarray:
    """Return the rows of an item at which some rule says no."""
    mine = [read for read in RULES if read.rule.item_code == code and read.scope is not Scope.BATCH]
    columns = dict(columns_of(code, frames[code], today=TODAY, established_on=established(frames)))
    for read in mine:
        columns |= weigh(read.condition.measures, code, frames)
    return np.logical_or.reduce([told.is_failed for told in judge(mine, columns).values()])


@pytest.mark.parametrize("code", sorted(CLEAN))
def test_clean_records_raise_next_to_no_alarm(code: str) -> None:
    assert failed(code, FRAMES).mean() <= 0.01


@pytest.mark.parametrize("code", ["electricity", "social_insurance", "vat_invoice"])
def test_most_rows_that_are_wrong_by_themselves_are_found(code: str) -> None:
    made, kind = mistaken(CLEAN[code], code, share=0.2, seed=3)
    wrong = (kind != "") & wrong_alone(code, CLEAN[code], made)

    assert wrong.sum() > 5
    assert failed(code, FRAMES | {code: made})[wrong].mean() >= 0.75


def a_year(*months: int, firm: int = 1, **columns: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        {"firm_id": UUID(int=firm), "month": [date(2024, month, 1) for month in months], "tax_kind": "vat", **columns}
    )


def weighed(source: str, code: str, frames: dict[str, pd.DataFrame]) -> list[float | None]:
    """Return what the one measure of a condition says beside each row, None where it is unknown."""
    (asked,) = read_condition(f"{source} > 0", code).measures
    values = weigh([asked], code, frames)[asked.text]
    gone = np.zeros(len(values), dtype=np.bool_) if values.missing is None else values.missing
    return [None if missing else float(one) for one, missing in zip(values.array, gone, strict=True)]


def test_the_month_before_is_that_of_the_same_firm_and_kind() -> None:
    filings = pd.concat([a_year(1, 2, 4, paid_fen=[10, 20, 40]), a_year(3, firm=2, paid_fen=[7])], ignore_index=True)

    assert weighed("previous(paid_fen)", "tax_filing", {"tax_filing": filings}) == [None, 10, None, None]


def test_a_years_sum_needs_all_twelve_months_and_the_kind_asked_for() -> None:
    whole, part = a_year(*range(1, 13), paid_fen=[1] * 12), a_year(1, 2, firm=2, paid_fen=[5, 5])
    other_kind = a_year(1, paid_fen=[100]).assign(tax_kind="stamp")
    reports = pd.DataFrame({"firm_id": [UUID(int=1), UUID(int=2)], "year": [2024, 2024]})
    frames = {"annual_report": reports, "tax_filing": pd.concat([whole, part, other_kind], ignore_index=True)}

    assert weighed("same_year(tax_filing.paid_fen, tax_kind='vat')", "annual_report", frames) == [12, None]
    assert weighed("last_in_year(tax_filing.paid_fen, tax_kind='vat')", "annual_report", frames) == [1, None]
    assert weighed("same_year(water.owed_fen)", "annual_report", frames) == [None, None]


def test_a_delivery_in_parts_has_the_figures_of_the_whole() -> None:
    parts = [{"paid_fen": Figure(2, 1, 0, 10)}, {"paid_fen": Figure(4, 0, 1, 30)}, {"paid_fen": Figure(1, 0, 1, None)}]

    assert joined_figures(parts) == {"paid_fen": Figure(7, 1, 2, 22)}


def test_what_is_usual_in_deliveries_needs_three_of_them() -> None:
    (asked,) = read_condition("usual_mean(paid_fen) > 1", "tax_filing").measures
    now, past = {"paid_fen": Figure(1, 0, 0, 5)}, [Figure(1, 0, 0, mean) for mean in (10, 20, 60)]

    known = weigh_batch([asked], now, {"paid_fen": past}, None)[asked.text]
    unknown = weigh_batch([asked], now, {"paid_fen": past[:2]}, None)[asked.text]
    assert known.array.tolist() == [20]
    assert unknown.missing is not None
    assert unknown.missing.tolist() == [True]


@pytest.mark.parametrize(
    ("code", "frame", "ends_on"),
    [
        ("tax_filing", a_year(1, 2), date(2024, 2, 29)),
        ("tax_grade", pd.DataFrame({"year": [2022, 2023]}), date(2023, 12, 31)),
        ("penalty", pd.DataFrame({"decided_on": [date(2024, 3, 5), date(2024, 1, 1)]}), date(2024, 3, 5)),
    ],
)
def test_the_newest_stretch_ends_with_its_month_year_or_day(code: str, frame: pd.DataFrame, ends_on: date) -> None:
    assert newest_on(code, frame) == ends_on
