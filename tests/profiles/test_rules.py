"""Fingerprints, lineage and exact vectors, as pure functions."""

import math
from collections.abc import Mapping
from datetime import date
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from builders_sources import as_invoices
from hypothesis import given
from hypothesis import strategies as st

from ml.datasets.crowds import CROWD_AS_OF, draw_crowd
from ml.features.invoices import INDICATORS, invoice_indicators
from xinyidai.foundation.ids import derived_id
from xinyidai.profiles import model
from xinyidai.profiles.rules.fingerprints import lineages
from xinyidai.profiles.rules.readings import Lineage, Measure
from xinyidai.sources.rules.invoices import Invoices

FIRMS = 5


def some_invoices() -> pd.DataFrame:
    invoices = draw_crowd(FIRMS, seed=2, mean_invoices=30).invoices
    names = [str(derived_id("firm", str(number))) for number in range(FIRMS)]
    invoices["enterprise_id"] = invoices["enterprise_id"].cat.rename_categories(names)
    return invoices.sort_values(["enterprise_id", "issued_at"]).reset_index(drop=True)


def lineages_of(frame: pd.DataFrame) -> Mapping[UUID, Lineage]:
    return lineages(as_invoices(frame))


def test_the_order_of_rows_and_the_numbers_of_partners_change_no_fingerprint() -> None:
    invoices = some_invoices()

    shuffled = as_invoices(invoices.sample(frac=1, random_state=1))

    assert shuffled.counterparties != as_invoices(invoices).counterparties
    assert lineages(shuffled) == lineages_of(invoices)


def test_a_fingerprint_is_the_one_that_kept_decisions_hold() -> None:
    invoices = Invoices(
        firms=[str(UUID(int=1)), str(UUID(int=2))],
        counts=np.array([2, 1]),
        issued_on=np.array(["2024-02-29", "2023-12-31", "1994-01-01"], dtype="datetime64[D]"),
        is_sale=np.array([True, False, True]),
        counterparty=np.array([1, 0, 1]),
        counterparties=["重庆买方有限公司", "P1"],
        net_fen=np.array([10_000, -500, 10**15]),
        tax_fen=np.array([1_300, -65, 0]),
        gross_fen=np.array([11_300, -565, 10**15]),
        is_void=np.array([False, True, False]),
    )

    found = lineages(invoices)

    assert found == {
        UUID(int=1): Lineage(2, date(2023, 12, 31), date(2024, 2, 29), "d760059cd4ee3246ba068d28d6d2c3d9"),
        UUID(int=2): Lineage(1, date(1994, 1, 1), date(1994, 1, 1), "297da51a015bada2aed8779d2866ac36"),
    }


def test_a_firm_alone_has_the_fingerprint_it_has_in_a_crowd() -> None:
    invoices = some_invoices()

    for firm_id, lineage in lineages_of(invoices).items():
        alone = invoices[invoices["enterprise_id"] == str(firm_id)]
        assert lineages_of(alone) == {firm_id: lineage}


@pytest.mark.parametrize(
    "column", ["net_fen", "tax_fen", "gross_fen", "is_void", "issued_at", "direction", "counterparty_id"]
)
@pytest.mark.parametrize("place", [0, 40, -1])
def test_any_edit_of_any_row_changes_that_firms_fingerprint_alone(column: str, place: int) -> None:
    invoices = some_invoices()
    changed = {
        "issued_at": lambda old: old - pd.Timedelta(days=1),
        "is_void": lambda old: not old,
        "direction": lambda old: "in" if old == "out" else "out",
        "counterparty_id": lambda old: old + "x",
    }.get(column, lambda old: old + 1)

    edited = invoices.assign(counterparty_id=invoices["counterparty_id"].astype(str))
    row = edited.index[place]
    edited.loc[row, column] = changed(edited.loc[row, column])
    before, after = lineages_of(invoices), lineages_of(edited)

    assert {firm for firm in before if before[firm].fingerprint != after[firm].fingerprint} == {
        UUID(invoices["enterprise_id"].astype(str).iloc[place])
    }


def test_two_swapped_amounts_and_a_doubled_row_are_noticed() -> None:
    invoices = some_invoices()
    first = invoices[invoices["enterprise_id"] == invoices["enterprise_id"].iloc[0]]
    swapped = first.copy()
    swapped.loc[first.index[:2], "net_fen"] = first["net_fen"].iloc[[1, 0]].to_numpy()

    prints = {
        next(iter(lineages_of(frame).values())).fingerprint
        for frame in (first, swapped, pd.concat([first, first.tail(1)]), first.iloc[1:])
    }

    assert len(prints) == 4


def test_lineage_counts_rows_and_names_the_first_and_last_shanghai_day() -> None:
    invoices = some_invoices()

    for firm_id, lineage in lineages_of(invoices).items():
        own = invoices[invoices["enterprise_id"] == str(firm_id)]
        days = own["issued_at"].dt.tz_convert("Asia/Shanghai").dt.date
        assert (lineage.rows, lineage.first_issued_on, lineage.last_issued_on) == (len(own), days.min(), days.max())
    assert lineages_of(invoices.iloc[:0]) == {}


def test_invoices_as_they_are_read_give_the_indicators_of_a_frame_bit_for_bit() -> None:
    crowd = draw_crowd(150, seed=4, mean_invoices=40).invoices

    read, framed = model.compute(as_invoices(crowd), as_of=CROWD_AS_OF), invoice_indicators(crowd, as_of=CROWD_AS_OF)

    pd.testing.assert_index_equal(read.index, framed.index)
    pd.testing.assert_index_equal(read.columns, framed.columns)
    assert read.to_numpy().tobytes() == framed.to_numpy().tobytes()


def test_vectors_give_back_every_indicator_bit_for_bit() -> None:
    frame = model.compute(as_invoices(some_invoices()), as_of=CROWD_AS_OF)

    again = model.frame_of([model.vector_of(frame, place) for place in range(len(frame))])

    assert list(again.columns) == list(frame.columns) == [one.code for one in INDICATORS]
    assert again.to_numpy().tobytes() == np.where(frame.isna(), math.nan, frame.to_numpy()).tobytes()


@given(st.floats(allow_nan=True, allow_infinity=False))
def test_no_data_is_kept_apart_from_every_number(value: float) -> None:
    code = INDICATORS[0].code
    frame = pd.DataFrame({one.code: [value] for one in INDICATORS})

    text = model.vector_of(frame, 0)[code]

    assert (text is None) == math.isnan(value)
    assert text is None or float.fromhex(text) == value


@pytest.mark.parametrize(
    ("measure", "value", "reading"),
    [(Measure.PPM, 0.0125, 12_500), (Measure.FEN, 123.0, 123), (Measure.COUNT, 0.0, 0), (Measure.DAYS, math.nan, None)],
)
def test_readings_are_integers_of_their_measure(measure: Measure, value: float, reading: int | None) -> None:
    assert model.reading_value(measure, value) == reading


def test_every_indicator_is_explained_and_advice_is_for_what_can_be_changed() -> None:
    texts = model.indicator_texts()

    assert len(texts) >= 20
    assert all(text.name_zh and text.name_en and text.description for text in texts)
    assert all(bool(text.advice_zh) == bool(text.advice_en) == text.is_mutable for text in texts)
    assert model.feature_version().startswith("invoices-")
