"""Facts of the invoice indicators: what they are worth, and what they may never depend on."""

import numpy as np
import pandas as pd
import pytest
from builders_examples import on_examples
from hypothesis import given
from hypothesis import strategies as st

from ml.datasets.crowds import CROWD_AS_OF, Crowd
from ml.features.arrays import row_sums
from ml.features.invoices import INDICATORS, InvoiceFrameInvalid, invoice_indicators

AS_OF = pd.Timestamp("2024-03-31", tz="Asia/Shanghai")
HUGE = 2**62


def invoices_of(rows: list[tuple[str, str, str, str, int, bool]]) -> pd.DataFrame:
    frame = pd.DataFrame(
        rows, columns=["enterprise_id", "issued_at", "direction", "counterparty_id", "net_fen", "is_void"]
    )
    frame["issued_at"] = (
        pd.to_datetime(frame["issued_at"], format="ISO8601").dt.tz_localize("Asia/Shanghai").dt.tz_convert("UTC")
    )
    frame["net_fen"] = frame["net_fen"].astype("int64")
    frame["is_void"] = frame["is_void"].astype(bool)
    for column in ("enterprise_id", "direction", "counterparty_id"):
        frame[column] = frame[column].astype("str")
    return frame.assign(tax_fen=frame["net_fen"] // 10, gross_fen=frame["net_fen"] + frame["net_fen"] // 10)


def same_bits(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    values, others = one.to_numpy(), other.to_numpy()
    equal = (values.view(np.int64) == others.view(np.int64)) | (np.isnan(values) & np.isnan(others))
    return one.index.equals(other.index) and one.columns.equals(other.columns) and bool(equal.all())


row_of_an_invoice = st.tuples(
    st.sampled_from(["甲", "乙", "丙"]),
    st.dates(pd.Timestamp("2020-06-01").date(), pd.Timestamp("2024-03-30").date()).map(str),
    st.sampled_from(["in", "out"]),
    st.sampled_from(["P1", "P2", "P3", "P4"]),
    st.one_of(st.integers(-(10**9), 10**9), st.integers(-HUGE, HUGE)),
    st.booleans(),
)
some_rows = st.lists(row_of_an_invoice, min_size=1, max_size=40)


def test_there_are_at_least_24_indicators_with_different_codes_and_names():
    codes = {indicator.code for indicator in INDICATORS}
    names = {indicator.name_zh for indicator in INDICATORS} | {indicator.name_en for indicator in INDICATORS}

    assert len(codes) == len(INDICATORS) >= 24
    assert len(names) == 2 * len(INDICATORS)


@pytest.mark.parametrize("indicator", INDICATORS, ids=lambda indicator: indicator.code)
def test_advice_is_given_for_what_a_firm_can_change_and_for_nothing_else(indicator):
    advised = bool(indicator.advice_zh), bool(indicator.advice_en)

    assert advised == (indicator.is_mutable, indicator.is_mutable)
    assert not (indicator.is_mutable and indicator.direction_of_risk == "none")


def test_columns_are_the_catalogue_in_its_order(features):
    codes = [indicator.code for indicator in INDICATORS]

    assert list(features.columns) == codes
    assert features.dtypes.eq(np.float64).all()


def test_a_firm_alone_equals_itself_in_the_crowd_bit_by_bit(crowd: Crowd, features):
    parts = [
        invoice_indicators(rows, as_of=CROWD_AS_OF)
        for _, rows in crowd.invoices.groupby("enterprise_id", observed=True)
    ]

    assert same_bits(pd.concat(parts), features)


@on_examples(150)
@given(rows=some_rows)
def test_any_firm_alone_equals_itself_in_any_crowd(rows):
    frame = invoices_of(rows)

    crowd = invoice_indicators(frame, as_of=AS_OF)
    parts = [invoice_indicators(frame[frame["enterprise_id"] == firm], as_of=AS_OF) for firm in crowd.index]

    assert all(same_bits(part, crowd.loc[part.index]) for part in parts)


@on_examples(150)
@given(rows=some_rows, random=st.randoms(use_true_random=False))
def test_row_order_does_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))

    one = invoice_indicators(invoices_of(rows), as_of=AS_OF)
    other = invoice_indicators(invoices_of(shuffled), as_of=AS_OF)

    assert same_bits(one, other)


@on_examples(100)
@given(rows=some_rows, later=some_rows, days=st.integers(0, 400))
def test_appending_the_future_changes_nothing(rows, later, days):
    past, future = invoices_of(rows), invoices_of(later)
    future["issued_at"] = AS_OF.tz_convert("UTC") + pd.Timedelta(days=days)
    future["enterprise_id"] = future["enterprise_id"].where(future["is_void"], "new")

    one = invoice_indicators(past, as_of=AS_OF)
    other = invoice_indicators(pd.concat([future, past], ignore_index=True), as_of=AS_OF)

    assert same_bits(one, other)


@given(st.lists(st.floats(-1e15, 1e15) | st.just(-0.0), min_size=1, max_size=36))
def test_a_row_has_the_same_sum_bit_by_bit_alone_and_among_many(values):
    alone = np.array([values])

    summed, among_many = row_sums(alone), row_sums(np.repeat(alone, 1_000, axis=0))

    assert set(among_many.view(np.int64)) == {summed.view(np.int64)[0]}


@on_examples(150)
@given(rows=some_rows)
def test_no_value_is_infinite_and_shares_stay_between_0_and_1(rows):
    shares = ["void_rate_sales", "customer_hhi", "customer_top_share", "supplier_repeat_share", "customer_new_share"]

    result = invoice_indicators(invoices_of(rows), as_of=AS_OF)

    assert not np.isinf(result.to_numpy()).any()
    assert (result[shares].fillna(0).to_numpy() >= 0).all()
    assert (result[shares].fillna(0).to_numpy() <= 1 + 1e-12).all()


@on_examples(50)
@given(rows=some_rows)
def test_categories_and_zones_and_resolutions_give_what_strings_give(rows):
    frame = invoices_of(rows)
    words = ["enterprise_id", "direction", "counterparty_id"]
    coded = frame.astype(dict.fromkeys(words, "category"))
    coded["issued_at"] = coded["issued_at"].dt.tz_localize(None).astype("datetime64[ns]")

    one, other = invoice_indicators(frame, as_of=AS_OF), invoice_indicators(coded, as_of=AS_OF.tz_convert("UTC"))

    assert same_bits(one, other)


def test_void_invoices_count_in_void_rates_alone():
    standing = [("甲", "2024-01-05", "out", "P1", 700, False), ("甲", "2024-02-05", "in", "P2", 300, False)]
    voided = [("甲", "2024-03-05", "out", "P9", 9_000, True), ("甲", "2024-03-06", "in", "P8", 9_000, True)]
    rates = ["void_rate_sales", "void_rate_purchases"]

    without = invoice_indicators(invoices_of(standing), as_of=AS_OF)
    having = invoice_indicators(invoices_of(standing + voided), as_of=AS_OF)

    assert same_bits(without.drop(columns=rates), having.drop(columns=rates))
    assert having.loc["甲", rates].tolist() == [0.5, 0.5]
    assert without.loc["甲", rates].tolist() == [0.0, 0.0]


def test_an_empty_frame_gives_an_empty_result_with_all_columns(crowd: Crowd):
    result = invoice_indicators(crowd.invoices.iloc[:0], as_of=CROWD_AS_OF)

    assert result.shape == (0, len(INDICATORS))
    assert result.index.name == "enterprise_id"


def test_a_firm_with_one_invoice_has_sales_and_no_guess_at_purchases():
    frame = invoices_of([("甲", "2024-03-20", "out", "P1", 500, False)])

    firm = invoice_indicators(frame, as_of=AS_OF).loc["甲"]

    assert firm[["sales_12m_fen", "customer_count", "customer_hhi", "days_since_last_sale"]].tolist() == [500, 1, 1, 11]
    assert firm[["history_months", "active_months", "sales_idle_months"]].tolist() == [1, 1, 11]
    assert firm[["purchases_12m_fen", "void_rate_purchases", "supplier_count", "gross_margin"]].isna().all()
    assert firm[["sales_growth_yoy", "longest_sales_gap_days", "sales_trend"]].isna().all()


def test_amounts_near_the_end_of_int64_do_not_overflow():
    frame = invoices_of([("甲", f"2024-02-{day:02d}", "out", "P1", HUGE, False) for day in range(1, 21)])

    firm = invoice_indicators(frame, as_of=AS_OF).loc["甲"]

    assert firm["sales_12m_fen"] == pytest.approx(20 * HUGE, rel=1e-15)
    assert firm["average_sale_fen"] == pytest.approx(HUGE, rel=1e-15)


def test_months_end_at_the_as_of_moment_and_fall_back_to_the_last_day_of_short_ones():
    frame = invoices_of(
        [
            ("甲", "2024-02-29", "out", "P1", 5, False),
            ("甲", "2024-02-28 23:59:59", "out", "P1", 3, False),
            ("甲", "2023-03-31", "out", "P1", 2, False),
            ("甲", "2023-03-30 23:59:59", "out", "P1", 1, False),
        ]
    )

    firm = invoice_indicators(frame, as_of=AS_OF).loc["甲"]

    assert firm["sales_12m_fen"] == 10
    assert firm["sales_total_fen"] == 11
    assert firm["sales_peak_share"] == 0.5
    assert firm["history_months"] == 13


def test_growth_concentration_and_loyalty_are_what_a_hand_reckons():
    before = [("甲", f"2022-{month:02d}-05", "out", "old", 100, False) for month in (4, 7, 10, 12)]
    kept = [("甲", "2023-06-05", "out", "old", 300, False), ("甲", "2023-09-05", "out", "old", 300, False)]
    new = [("甲", "2024-01-05", "out", "new", 200, False), ("甲", "2024-01-06", "out", "new", -50, False)]
    lost = [("甲", "2022-05-05", "out", "gone", 50, False)]

    firm = invoice_indicators(invoices_of(before + kept + new + lost), as_of=AS_OF).loc["甲"]

    assert firm["sales_growth_yoy"] == pytest.approx(750 / 450 - 1)
    assert firm["customer_top_share"] == pytest.approx(600 / 750)
    assert firm["customer_hhi"] == pytest.approx((600 / 750) ** 2 + (150 / 750) ** 2)
    assert firm["customer_new_share"] == pytest.approx(150 / 750)
    assert firm["customer_kept_share"] == 0.5
    assert firm["customer_repeat_share"] == 0.5
    assert firm["red_letter_rate_sales"] == pytest.approx(1 / 9)
    assert firm["longest_sales_gap_days"] == 182


def test_a_straight_climb_of_sales_has_its_slope_over_its_mean():
    rows = [("甲", f"2023-{month:02d}-15", "out", "P1", 100 * (month - 3), False) for month in range(4, 13)]
    rows += [("甲", f"2024-{month:02d}-15", "out", "P1", 100 * (month + 9), False) for month in range(1, 4)]

    firm = invoice_indicators(invoices_of(rows), as_of=AS_OF).loc["甲"]

    assert firm["sales_trend"] == pytest.approx(100 / 650)
    assert firm["sales_volatility"] == pytest.approx(np.std(np.arange(100, 1300, 100), ddof=1) / 650)


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("net_fen", [1.5], "net_fen must be int64"),
        ("is_void", [1], "is_void must be bool"),
        ("direction", ["sideways"], "direction"),
        ("issued_at", [pd.NaT], "issued_at"),
        ("issued_at", ["2024-01-01"], "issued_at"),
        ("enterprise_id", [None], "enterprise_id"),
    ],
)
def test_a_frame_of_another_kind_is_refused_by_name(column, values, words):
    frame = invoices_of([("甲", "2024-03-20", "out", "P1", 500, False)])
    frame[column] = values

    with pytest.raises(InvoiceFrameInvalid, match=words):
        invoice_indicators(frame, as_of=AS_OF)


def test_a_missing_column_and_a_short_window_are_refused(crowd: Crowd):
    with pytest.raises(InvoiceFrameInvalid, match="is_void"):
        invoice_indicators(crowd.invoices.drop(columns="is_void"), as_of=CROWD_AS_OF)
    with pytest.raises(InvoiceFrameInvalid, match="at least 12"):
        invoice_indicators(crowd.invoices, as_of=CROWD_AS_OF, history_months=11)
