"""What an indicator says it rests on is what it rests on: nothing less, and nothing more than it says of each part."""

import numpy as np
import pandas as pd
from builders_examples import on_examples
from hypothesis import given
from hypothesis import strategies as st

from ml.features.invoice_rows import columns_of
from ml.features.invoices import INDICATORS, invoice_indicators
from ml.features.reads import Looked, Reads, looked_at

AS_OF = pd.Timestamp("2024-03-31", tz="Asia/Shanghai")
LARGEST = 10**15
FIRM = "甲"

an_invoice = st.tuples(
    st.dates(pd.Timestamp("2020-12-01").date(), pd.Timestamp("2024-06-30").date()),
    st.sampled_from(["in", "out"]),
    st.sampled_from(["P1", "P2", "P3"]),
    st.one_of(st.just(0), st.integers(-(10**9), 10**9), st.integers(-LARGEST, LARGEST)),
    st.booleans(),
)
some_invoices = st.lists(an_invoice, min_size=1, max_size=30)


def frame_of(rows: list[tuple[object, str, str, int, bool]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["day", "direction", "counterparty_id", "net_fen", "is_void"])
    days = pd.to_datetime(frame["day"]).dt.tz_localize("Asia/Shanghai")
    return frame.assign(
        enterprise_id=pd.Series([FIRM] * len(frame), dtype="str"),
        issued_at=days.dt.tz_convert("UTC"),
        net_fen=frame["net_fen"].astype("int64"),
        tax_fen=frame["net_fen"].astype("int64") // 10,
        is_void=frame["is_void"].astype(bool),
    )


def looked_by(reads: tuple[Reads, ...], frame: pd.DataFrame) -> Looked:
    return looked_at([reads], columns_of(frame), as_of=AS_OF)[0]


KINDS_OF_READS = sorted({one.reads for one in INDICATORS}, key=str)
"""Indicators that rest on the same invoices are tried together: each computation gives all values."""


def reading(reads: tuple[Reads, ...]) -> list[str]:
    return [one.code for one in INDICATORS if one.reads == reads]


def values_of(frame: pd.DataFrame) -> dict[str, float]:
    found = invoice_indicators(frame, as_of=AS_OF)
    return {one.code: float(found[one.code].get(FIRM, np.nan)) for one in INDICATORS}


def is_same(one: float, other: float) -> bool:
    return one == other or bool(np.isnan(one) and np.isnan(other))


@on_examples(100)
@given(rows=some_invoices)
def test_what_an_indicator_does_not_name_may_go_and_without_what_it_names_there_is_no_value(rows):
    frame = frame_of(rows)
    whole = values_of(frame)

    for reads in KINDS_OF_READS:
        read = looked_by(reads, frame).read
        alone, without = values_of(frame[read]), values_of(frame[~read])
        assert [code for code in reading(reads) if not is_same(alone[code], whole[code])] == []
        assert [code for code in reading(reads) if not np.isnan(without[code])] == []


@on_examples(100)
@given(rows=some_invoices, other=an_invoice, where=st.integers(0, 29))
def test_an_invoice_that_is_replaced_moves_only_what_it_or_its_successor_feeds(rows, other, where):
    place = where % len(rows)
    before, after = frame_of(rows), frame_of([*rows[:place], other, *rows[place + 1 :]])
    old, new = values_of(before), values_of(after)

    moved = {code for code in old if not is_same(old[code], new[code])}

    fed = {
        one.code
        for one in INDICATORS
        for frame in (before, after)
        if looked_by(one.reads, frame.iloc[[place]]).read.any()
    }
    assert moved <= fed


@on_examples(100)
@given(rows=some_invoices)
def test_of_what_is_not_counted_only_the_first_of_each_side_tells_anything(rows):
    frame = frame_of(rows)
    whole = values_of(frame)

    for reads in KINDS_OF_READS:
        looked = looked_by(reads, frame)
        first = frame[looked.read].groupby("direction")["issued_at"].transform("min")
        is_first = (frame["issued_at"] == first.reindex(frame.index)).to_numpy()
        kept = values_of(frame[looked.counted | (looked.read & is_first)])
        assert [code for code in reading(reads) if not is_same(kept[code], whole[code])] == []


def test_every_indicator_counts_something():
    assert [one.code for one in INDICATORS if not any(reads.is_counted for reads in one.reads)] == []


def test_an_invoice_outside_the_window_or_still_to_come_feeds_nothing():
    days = ["2021-03-30", "2024-03-31", "2024-04-01"]
    frame = frame_of([(day, "out", "P1", 100, False) for day in days])

    fed = [one.code for one in INDICATORS if looked_by(one.reads, frame).read.any()]

    assert fed == []


def test_a_void_invoice_feeds_the_void_rates_alone_and_a_red_one_no_average():
    void = frame_of([("2024-03-01", "out", "P1", 100, True)])
    red, blue = (frame_of([("2024-03-01", "out", "P1", net_fen, False)]) for net_fen in (-100, 100))

    by_void, by_red, by_blue = (
        {one.code for one in INDICATORS if looked_by(one.reads, frame).read.any()} for frame in (void, red, blue)
    )

    assert by_void == {"void_rate_sales"}
    assert by_blue - by_red == {"average_sale_fen", "largest_sale_share"}
    assert by_red <= by_blue
