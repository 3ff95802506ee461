"""Indicators from records: each by hand once, and what must hold of all of them."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd
import pytest
from builders_examples import on_examples
from hypothesis import given
from hypothesis import strategies as st

from ml.features.record_rows import DATED_BY, MONTHLY, months_before
from ml.features.records import RECORD_INDICATORS, record_indicators, records_read

AS_OF = pd.Timestamp("2025-06-16", tz="Asia/Shanghai")
FIRM, OTHER = "a", "b"
Row = dict[str, object]
MONTHS = [date(2023 + month // 12, month % 12 + 1, 1) for month in range(2, 30)]
"""From March 2023 to June 2025, which is not over."""
FIELDS: dict[str, dict[str, st.SearchStrategy[object]]] = {
    "social_insurance": {"insured": st.integers(0, 50), "paid_fen": st.integers(0, 9), "owed_fen": st.integers(0, 1)},
    "housing_fund": {"depositors": st.integers(0, 50)},
    "water": {"used_m3": st.integers(0, 10**6)},
    "electricity": {
        "used_kwh": st.integers(0, 10**6),
        "owed_fen": st.integers(0, 1),
        "is_cut_off": st.booleans(),
    },
    "gas": {"used_m3": st.integers(0, 10**6)},
    "tax_filing": {
        "tax_kind": st.sampled_from(["vat", "income"]),
        "declared_sales_fen": st.integers(-(10**12), 10**15),
        "paid_fen": st.integers(0, 10**12),
    },
    "import_export": {"exported_fen": st.integers(0, 10**12), "imported_fen": st.integers(0, 10**12)},
    "logistics": {"shipments": st.integers(0, 10**4), "freight_fen": st.integers(0, 10**12)},
    "vat_invoice": {"net_fen": st.integers(-(10**12), 10**15)},
    "tax_arrears": {"tax_kind": st.sampled_from(["vat", "income"]), "owed_fen": st.integers(0, 10**15)},
    "judgment": {
        "role": st.sampled_from(["plaintiff", "defendant"]),
        "claimed_fen": st.one_of(st.none(), st.integers(0, 10**15)),
    },
    "enforcement": {
        "owed_fen": st.integers(0, 10**15),
        "ended_on": st.one_of(st.none(), st.dates(date(2024, 1, 1), date(2025, 12, 1))),
    },
    "penalty": {},
    "honour_list": {
        "is_negative": st.booleans(),
        "removed_on": st.one_of(st.none(), st.dates(date(2024, 1, 1), date(2025, 12, 1))),
    },
    "intellectual_property": {
        "kind": st.sampled_from(["invention", "trademark"]),
        "status": st.sampled_from(["valid", "expired", "pledged"]),
    },
    "tender": {"awarded_fen": st.integers(0, 10**15)},
}


@st.composite
def some_rows(draw: st.DrawFn, item: str) -> list[Row]:
    """Draw records of two firms; a month is named once, as the platform keeps it."""
    named = {item: st.sampled_from(MONTHS) for item in MONTHLY}.get(item, st.dates(date(2019, 1, 1), date(2025, 9, 1)))
    when = "month" if item in MONTHLY else DATED_BY[item]
    row = st.fixed_dictionaries({"firm_id": st.sampled_from([FIRM, OTHER]), when: named, **FIELDS[item]})
    return draw(st.lists(row, max_size=40, unique_by=lambda one: (one["firm_id"], one[when], one.get("tax_kind"))))


some_records = st.fixed_dictionaries({item: some_rows(item) for item in FIELDS})


def frames(rows: dict[str, list[Row]]) -> dict[str, pd.DataFrame]:
    """Return the rows as the platform reads them: an item without a record is left out."""
    return {item: pd.DataFrame(found) for item, found in rows.items() if found}


def kept(records: dict[str, pd.DataFrame], masks: dict[str, np.ndarray]) -> dict[str, pd.DataFrame]:
    """Return the records that masks name, and items without a mask as they are."""
    cut = {item: frame[masks[item]] if item in masks else frame for item, frame in records.items()}
    return {item: frame for item, frame in cut.items() if len(frame)}


def value(records: dict[str, pd.DataFrame], code: str, firm: str = FIRM) -> float:
    found = record_indicators(records, as_of=AS_OF)
    return float(found[code].get(firm, np.nan))


def is_same(one: float, other: float) -> bool:
    return one == other or bool(np.isnan(one) and np.isnan(other))


@on_examples(20)
@given(some_records)
def test_alone_equals_in_a_crowd_in_any_order_of_rows(rows: dict[str, list[Row]]) -> None:
    crowd = record_indicators(frames(rows), as_of=AS_OF)
    alone = record_indicators(
        frames({item: [row for row in reversed(found) if row["firm_id"] == FIRM] for item, found in rows.items()}),
        as_of=AS_OF,
    )

    assert [
        code for code in crowd.columns if not is_same(crowd[code].get(FIRM, np.nan), alone[code].get(FIRM, np.nan))
    ] == []


@on_examples(20)
@given(some_records)
def test_what_happens_later_changes_nothing(rows: dict[str, list[Row]]) -> None:
    def is_past(item: str, row: Row) -> bool:
        when = row["month"] if item in MONTHLY else row[DATED_BY[item]]
        return when < (date(2025, 6, 1) if item in MONTHLY else date(2025, 6, 16))

    past = {item: [row for row in found if is_past(item, row)] for item, found in rows.items()}

    now, then = record_indicators(frames(rows), as_of=AS_OF), record_indicators(frames(past), as_of=AS_OF)

    assert [
        (firm, code)
        for firm in (FIRM, OTHER)
        for code in now.columns
        if not is_same(now[code].get(firm, np.nan), then[code].get(firm, np.nan))
    ] == []


@on_examples(600)
@given(some_records, st.sampled_from([one.code for one in RECORD_INDICATORS]))
def test_without_the_records_it_lists_an_indicator_has_no_data_and_no_others_matter(
    rows: dict[str, list[Row]], code: str
) -> None:
    records = frames(rows)
    read = records_read(code, records, as_of=AS_OF)

    without = value(kept(records, {item: ~mask for item, mask in read.items()}), code)
    alone = value({item: kept(records, read)[item] for item in read if read[item].any()}, code)

    assert np.isnan(without)
    assert is_same(alone, value(records, code))


def monthly(item: str, column: str, values: Sequence[int | None], **fields: object) -> dict[str, pd.DataFrame]:
    """Return a year or so of months that end with May 2025; None is a month without a record."""
    last = date(2025, 5, 1)
    rows = [
        {
            "firm_id": FIRM,
            "month": (pd.Timestamp(last) - pd.DateOffset(months=len(values) - 1 - place)).date(),
            column: one,
            **fields,
        }
        for place, one in enumerate(values)
        if one is not None
    ]
    return {item: pd.DataFrame(rows)}


def test_the_headcount_is_that_of_the_newest_month_unless_it_is_too_old() -> None:
    assert (
        value(monthly("social_insurance", "insured", [9, 12, None], paid_fen=1, owed_fen=0), "insured_headcount") == 12
    )
    old = monthly("social_insurance", "insured", [12, None, None, None, None], paid_fen=1, owed_fen=0)
    assert np.isnan(value(old, "insured_headcount"))


def test_a_trend_is_the_slope_over_the_mean_and_needs_six_months() -> None:
    growing = monthly("logistics", "freight_fen", [100, 110, 120, 130, 140, 150], shipments=0)
    short = monthly("logistics", "freight_fen", [100, 110, 120, 130, 140], shipments=0)

    assert value(growing, "freight_trend") == pytest.approx(10 / 125)
    assert np.isnan(value(short, "freight_trend"))


def test_a_seasonal_business_that_used_as_much_a_year_ago_has_not_dropped() -> None:
    winter = [100, 100, 100, 10, 10, 10, 10, 10, 10, 10, 10, 10]
    same = monthly("electricity", "used_kwh", [*winter, 100, 100, 100], owed_fen=0, is_cut_off=False)
    half = monthly("electricity", "used_kwh", [*winter, 50, 50, 50], owed_fen=0, is_cut_off=False)
    hole = monthly("electricity", "used_kwh", [100, None, *winter[2:], 50, 50, 50], owed_fen=0, is_cut_off=False)

    found = [value(one, "electricity_seasonal_drop") for one in (same, half, hole)]

    assert found[:2] == [0.0, 0.5]
    assert np.isnan(found[2])


def test_contributions_without_a_gap_are_counted_back_to_the_first_month_unpaid_owed_or_unknown() -> None:
    unpaid = monthly("social_insurance", "paid_fen", [5, 0, 5, 5, 5], insured=1, owed_fen=0)
    unknown = monthly("social_insurance", "paid_fen", [5, None, 5, 5], insured=1, owed_fen=0)
    owing = monthly("social_insurance", "paid_fen", [5, 5], insured=1, owed_fen=1)

    found = [value(one, "insurance_months_unbroken") for one in (unpaid, unknown, owing)]

    assert found == [3.0, 2.0, 0.0]


def test_declared_sales_are_set_against_the_sales_invoiced_in_the_same_months() -> None:
    declared = monthly("tax_filing", "declared_sales_fen", [80] * 6, tax_kind="vat", paid_fen=3)
    invoiced = monthly("vat_invoice", "net_fen", [1000, *[100] * 6])

    assert value(declared | invoiced, "declared_to_invoiced") == pytest.approx(0.8)
    assert np.isnan(value(declared, "declared_to_invoiced"))
    assert value(declared, "tax_paid_fen") == 18.0


def test_exports_are_a_share_of_foreign_trade() -> None:
    traded = monthly("import_export", "exported_fen", [30, 30, 30], imported_fen=10)
    invoiced = monthly("vat_invoice", "net_fen", [100, 100, 100])

    assert value(traded, "export_share") == 0.75
    assert value(traded | invoiced, "trade_to_sales") == pytest.approx(0.4)


def test_court_records_count_by_role_and_nothing_known_is_not_zero() -> None:
    plaintiff = {"firm_id": FIRM, "role": "plaintiff", "claimed_fen": 5, "decided_on": date(2025, 1, 1)}
    defendant = {"firm_id": FIRM, "role": "defendant", "claimed_fen": 7, "decided_on": date(2025, 2, 1)}
    old = defendant | {"decided_on": date(2023, 1, 1)}

    only, both, past = ({"judgment": pd.DataFrame(rows)} for rows in ([plaintiff], [plaintiff, defendant, old], [old]))

    assert [value(one, "judgments_as_defendant") for one in (only, both)] == [0.0, 1.0]
    assert value(both, "claimed_against_fen") == 7.0
    assert np.isnan(value(past, "judgments_as_defendant"))
    assert np.isnan(value({}, "judgments_as_defendant"))


def test_enforcement_and_lists_count_while_they_last_and_arrears_from_their_first_notice() -> None:
    case = {"firm_id": FIRM, "owed_fen": 100, "filed_on": date(2025, 1, 1), "ended_on": None}
    ended = case | {"owed_fen": 50, "ended_on": date(2025, 6, 15)}
    listed = {"firm_id": FIRM, "is_negative": True, "listed_on": date(2024, 1, 1), "removed_on": None}
    notice = {"firm_id": FIRM, "tax_kind": "vat", "owed_fen": 10, "published_on": date(2025, 6, 6)}
    records = {
        "enforcement": pd.DataFrame([case, ended]),
        "honour_list": pd.DataFrame(
            [listed, listed | {"removed_on": date(2025, 1, 1)}, listed | {"is_negative": False}]
        ),
        "tax_arrears": pd.DataFrame([notice, notice | {"owed_fen": 30, "published_on": date(2025, 6, 10)}]),
    }

    assert value(records, "enforcement_open_fen") == 100.0
    assert value(records, "negative_lists") == 1.0
    assert value(records, "tax_arrears_days") == 10.0
    assert value(records, "tax_arrears_owed_fen") == 30.0


def test_every_indicator_says_what_it_is_in_both_languages_and_of_which_item() -> None:
    codes = [one.code for one in RECORD_INDICATORS]
    told = [(one.name_zh, one.name_en, one.definition_zh, one.definition_en) for one in RECORD_INDICATORS]

    assert len(set(codes)) == len(codes) >= 15
    assert [texts for texts in told if not all(texts)] == []
    assert {one.item for one in RECORD_INDICATORS} <= {*MONTHLY, *DATED_BY}


def test_a_window_begins_on_the_same_day_of_an_earlier_month_or_its_last() -> None:
    assert months_before(np.datetime64("2024-03-31"), 1) == np.datetime64("2024-02-29")
    assert months_before(np.datetime64("2025-06-16"), 24) == np.datetime64("2023-06-16")
