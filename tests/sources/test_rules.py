"""Checking rows by columns, beside the same rules said row by row."""

import math
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from builders_examples import on_examples
from builders_sources import Row, a_row
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.sources.rules import COLUMNS, Fault, Flag
from xinyidai.sources.rules.amounts import read_amounts
from xinyidai.sources.rules.checking import Facts, Judged, contents_of, faults_of_rows, judge, read_rows
from xinyidai.sources.rules.fields import read_days
from xinyidai.sources.rules.repeats import CONTENT, SeenNumbers, find_repeats, find_targets, frame_of, number_hashes

unhurried = on_examples(60)

TODAY = date(2025, 6, 16)
KNOWN, SILENT = UUID(int=1), UUID(int=2)
FIRMS = {"KNOWN": KNOWN, "SILENT": SILENT}
AMOUNTS = [
    "0",
    "100.00",
    "-3.5",
    "+7",
    "1.005",
    "0.10000",
    "10000000000000",
    "10000000000000.01",
    "-10000000000000.001",
    "99999999999999999999.999",
    "9223372036854775808",
    "NaN",
    "inf",
    "1e400",
    "1e5",
    "1,000.00",
    "12.",
    ".5",
    "１２",
    "0x10",
    " 4.20 ",
    "",
    None,
]


def batch_of(rows: list[Row]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in COLUMNS]))


def judged(rows: list[Row]) -> Judged:
    read = read_rows(batch_of(rows), np.arange(1, len(rows) + 1))
    return judge(read, firm_ids=FIRMS, consenting={KNOWN}, today=TODAY)


def faults_by_line(rows: list[Row]) -> dict[int, set[str]]:
    found = judged(rows)
    named = faults_of_rows(found.faults, len(found.bad))
    return {int(place): set(text.split(",")) for place, text in zip(found.bad, named, strict=True)}


def amount_faults(text: str) -> set[str]:
    """Judge one amount in plain words."""
    if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text):
        return {"bad_amount"}
    amount = Decimal(text)
    faults = {"amount_out_of_range"} if abs(amount) > Decimal(10) ** 13 else set()
    whole = (amount.copy_abs() * 100) % 1
    return faults | ({"more_than_two_decimals"} if whole else set())


def day_faults(text: str) -> set[str]:
    """Judge one day in plain words."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return {"bad_date"}
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return {"bad_date"}
    if day < date(1994, 1, 1):
        return {"bad_date"}
    return {"invoice_in_future"} if day > TODAY else set()


def text_faults(text: str, most: int, too_long: str) -> set[str]:
    """Judge one text in plain words."""
    faults = {too_long} if len(text) > most else set()
    return faults | ({"bad_character"} if any(ord(letter) < 32 or ord(letter) == 127 for letter in text) else set())


def row_faults(row: Mapping[str, str | None]) -> set[str]:
    """Judge one row in plain words: the reference of the property below."""
    field = {name: (row[name] or "").strip() for name in COLUMNS}
    faults = {"missing_field"} if not all(field.values()) else set()
    present = {name: text for name, text in field.items() if text}
    judges = {
        "credit_code": lambda text: {"KNOWN": set(), "SILENT": {"no_consent"}}.get(text, {"unknown_firm"}),
        "direction": lambda text: set() if text in ("in", "out", "进项", "销项") else {"bad_direction"},
        "status": lambda text: set() if text in ("valid", "void", "有效发票", "作废发票") else {"bad_status"},
        "issued_on": day_faults,
        "invoice_no": lambda text: text_faults(text, 32, "number_too_long"),
        "counterparty": lambda text: text_faults(text, 200, "text_too_long"),
        **dict.fromkeys(("net_yuan", "tax_yuan", "gross_yuan"), amount_faults),
    }
    for name, text in present.items():
        faults |= judges[name](text)
    return faults


fields = {
    "credit_code": st.sampled_from(["KNOWN", "KNOWN", "SILENT", "STRANGER", "", None]),
    "invoice_no": st.sampled_from(["1", "00000001", "9" * 32, "9" * 33, "a\tb", " 7 ", "", None]),
    "direction": st.sampled_from(["in", "out", "进项", "销项", "IN", "sideways", "", None]),
    "issued_on": st.sampled_from(
        ["2025-06-16", "2025-06-17", "2024-02-29", "2025-02-29", "1993-12-31", "2025-6-1", "2025/06/01", "x", "", None]
    ),
    "counterparty": st.sampled_from(["买方", "C1", "x" * 200, "字" * 201, "a\x00b", " ", None]),
    "net_yuan": st.sampled_from(AMOUNTS),
    "tax_yuan": st.sampled_from(AMOUNTS),
    "gross_yuan": st.sampled_from(AMOUNTS),
    "status": st.sampled_from(["valid", "void", "有效发票", "作废发票", "ok", "", None]),
}
any_rows = st.lists(st.fixed_dictionaries(fields), min_size=1, max_size=12)
good_fields = {
    "credit_code": st.just("KNOWN"),
    "invoice_no": st.sampled_from(["1", "2"]),
    "direction": st.sampled_from(["in", "out"]),
    "issued_on": st.sampled_from(["2025-01-01", "2025-01-02"]),
    "counterparty": st.sampled_from(["A", "B"]),
    "net_yuan": st.sampled_from(["1.00", "1"]),
    "tax_yuan": st.just("0"),
    "gross_yuan": st.sampled_from(["1.00", "2"]),
    "status": st.sampled_from(["valid", "void"]),
}
good_rows = st.lists(st.fixed_dictionaries(good_fields), max_size=14)


@unhurried
@given(rows=any_rows)
def test_every_failing_rule_of_every_row_is_named(rows: list[Row]) -> None:
    expected = {place: faults for place, row in enumerate(rows) if (faults := row_faults(row))}

    assert faults_by_line(rows) == expected


@unhurried
@given(rows=any_rows)
def test_good_rows_are_exactly_those_without_a_fault_and_say_what_was_written(rows: list[Row]) -> None:
    facts = judged(rows).facts

    good = [(number, row) for number, row in enumerate(rows, 1) if not row_faults(row)]
    assert facts.line_no.tolist() == [number for number, _row in good]
    assert facts.net_fen.tolist() == [int(Decimal((row["net_yuan"] or "").strip()) * 100) for _number, row in good]
    assert facts.is_void.tolist() == [row["status"] in ("void", "作废发票") for _number, row in good]
    assert facts.issued_on.astype(str).tolist() == [row["issued_on"] for _number, row in good]


@unhurried
@given(yuan=st.floats(allow_nan=True, allow_infinity=True), fen=st.integers(-(10**15), 10**15))
def test_doubles_become_fen_exactly_or_not_at_all(yuan: float, fen: int) -> None:
    amounts = read_amounts(pa.array([yuan, fen / 100]))

    finite = Decimal(repr(yuan)) if math.isfinite(yuan) else Decimal(0)
    in_range = math.isfinite(yuan) and abs(finite) <= Decimal(10) ** 13
    assert amounts.is_bad[0] == (not math.isfinite(yuan))
    assert amounts.is_out_of_range[0] == (math.isfinite(yuan) and not in_range)
    assert amounts.has_more_decimals[0] == (in_range and (finite * 100) % 1 != 0)
    assert int(amounts.fen[1]) == fen


@pytest.mark.parametrize(
    ("column", "fen"),
    [
        (pa.array([1.5, -0.01, None]), [150, -1, 0]),
        (pa.array([15, 2**63 - 1, None], pa.int64()), [1500, 0, 0]),
        (pa.array([15, 2**63, None], pa.uint64()), [1500, 0, 0]),
        (pa.array(["1.50", "1" * 1_000_000, None]), [150, 0, 0]),
    ],
)
def test_amounts_of_any_type_are_read(column: pa.Array, fen: list[int]) -> None:
    assert read_amounts(column).fen.tolist() == fen


@pytest.mark.parametrize(
    ("column", "day", "is_bad"),
    [
        (pa.array([date(2024, 2, 29)]), "2024-02-29", False),
        (pa.array([pd.Timestamp("2024-02-29")]), "2024-02-29", False),
        (pa.array([pd.Timestamp("2024-02-29 09:00")]), "1970-01-01", True),
        (pa.array([pd.Timestamp("2024-02-28 16:00", tz="UTC")], pa.timestamp("us", "UTC")), "2024-02-29", False),
        (pa.array(["2024-02-30"]), "1970-01-01", True),
        (pa.array([date(1993, 12, 31)]), "1970-01-01", True),
    ],
)
def test_days_of_any_type_are_shanghais(column: pa.Array, day: str, is_bad: bool) -> None:
    days = read_days(column)

    assert (str(days.day[0]), bool(days.is_bad[0])) == (day, is_bad)


def test_a_total_that_does_not_add_up_is_flagged_and_kept() -> None:
    facts = judged([a_row("KNOWN"), a_row("KNOWN", gross_yuan="113.01")]).facts

    assert facts.flags.tolist() == [Flag.NONE, Flag.TOTAL_MISMATCH]


def test_void_and_red_letter_invoices_are_kept() -> None:
    rows = [
        a_row("KNOWN", status="作废发票"),
        a_row("KNOWN", net_yuan="-100", tax_yuan="-13", gross_yuan="-113", invoice_no="2"),
    ]

    facts = judged(rows).facts

    assert facts.is_void.tolist() == [True, False]
    assert facts.gross_fen.tolist() == [11300, -11300]


def test_numbers_that_came_as_doubles_because_of_a_gap_are_read_as_whole() -> None:
    rows = pa.RecordBatch.from_pandas(
        pd.DataFrame([a_row("KNOWN"), a_row("KNOWN")]).assign(invoice_no=[26117001.0, np.nan]), preserve_index=False
    )

    read = read_rows(rows, np.arange(1, 3))

    assert read.number.to_pylist() == ["26117001", None]


def test_the_content_of_a_rejected_row_is_kept_but_not_without_bound() -> None:
    batch = batch_of([a_row("KNOWN", counterparty="字" * 5_000)])

    contents = contents_of(batch, np.array([0]))

    assert len(contents[0]) == 2_000
    assert "credit_code" in contents[0]


def content_of(facts: Facts) -> list[tuple[object, ...]]:
    return [tuple(row) for row in frame_of(facts)[CONTENT].itertuples(index=False)]


@unhurried
@given(rows=good_rows, stored_rows=good_rows)
def test_duplicates_and_reused_numbers_are_found_as_by_hand(rows: list[Row], stored_rows: list[Row]) -> None:
    facts, stored = judged(rows).facts, judged(stored_rows).facts
    earlier = content_of(stored)
    duplicate, reused = [], []
    for row in content_of(facts):
        duplicate.append(row in earlier)
        reused.append(row not in earlier and row[:3] in [other[:3] for other in earlier])
        earlier.append(row)

    found = find_repeats(frame_of(facts), frame_of(stored))

    assert found.is_duplicate.tolist() == duplicate
    assert found.is_reused.tolist() == reused


@unhurried
@given(rows=good_rows, size=st.integers(1, 5))
def test_a_number_seen_before_is_looked_at_again_whatever_the_size_of_the_chunks(rows: list[Row], size: int) -> None:
    facts = judged(rows).facts
    seen, looked_at = SeenNumbers(), []
    for start in range(0, len(facts), size):
        chunk = facts.take(np.arange(start, min(start + size, len(facts))))
        hashes = number_hashes(chunk)
        looked_at += seen.candidates(hashes).tolist()
        seen.add(hashes)
    names = [row[:3] for row in content_of(facts)]

    must = [name in names[:place] for place, name in enumerate(names)]

    assert all(look for look, needed in zip(looked_at, must, strict=True) if needed)


def targets(rows: list[Row], stored: list[Row]) -> tuple[list[int], list[str]]:
    current = frame_of(judged(stored).facts)
    # Facts whose counterparty is "of another" were delivered by another organisation.
    found = find_targets(frame_of(judged(rows).facts), current.assign(is_own=current["counterparty"] != "of another"))
    faults = {
        Fault.DUPLICATE_ROW: found.is_duplicate,
        Fault.NOTHING_TO_CORRECT: found.has_no_target,
        Fault.DELIVERED_BY_ANOTHER: found.is_anothers,
        Fault.AMBIGUOUS_CORRECTION: found.is_ambiguous,
    }
    return found.target.tolist(), faults_of_rows(faults, len(rows))


def a_fact(**fields: str | None) -> Row:
    return a_row("KNOWN", **fields)


@pytest.mark.parametrize(
    ("rows", "stored", "target", "faults"),
    [
        ([a_fact(net_yuan="99")], [a_fact()], [0], [""]),
        ([a_fact(issued_on="2025-03-06")], [a_fact()], [0], [""]),
        ([a_fact()], [a_fact()], [-1], ["duplicate_row"]),
        ([a_fact()], [], [-1], ["nothing_to_correct"]),
        ([a_fact(direction="in")], [a_fact()], [-1], ["nothing_to_correct"]),
        ([a_fact(net_yuan="99")], [a_fact(), a_fact(issued_on="2025-03-06")], [0], [""]),
        ([a_fact(net_yuan="99")], [a_fact(net_yuan="1"), a_fact(net_yuan="2")], [-1], ["ambiguous_correction"]),
        (
            [a_fact(issued_on="2025-04-01")],
            [a_fact(), a_fact(issued_on="2025-03-06")],
            [-1],
            ["ambiguous_correction"],
        ),
        ([a_fact(net_yuan="99")], [a_fact(counterparty="of another")], [-1], ["delivered_by_another"]),
        ([a_fact(net_yuan="99")], [a_fact(counterparty="of another"), a_fact()], [1], [""]),
        ([a_fact(net_yuan="98"), a_fact(net_yuan="99")], [a_fact()], [-1, -1], ["ambiguous_correction"] * 2),
        ([a_fact(net_yuan="99"), a_fact(net_yuan="99")], [a_fact()], [0, -1], ["", "duplicate_row"]),
    ],
)
def test_a_correction_replaces_exactly_one_fact_or_says_why_not(
    rows: list[Row], stored: list[Row], target: list[int], faults: list[str]
) -> None:
    assert targets(rows, stored) == (target, faults)


@unhurried
@given(rows=good_rows, stored_rows=good_rows)
def test_no_fact_is_corrected_twice_and_every_row_has_a_target_or_a_reason(
    rows: list[Row], stored_rows: list[Row]
) -> None:
    target, faults = targets(rows, stored_rows)

    used = [place for place in target if place >= 0]
    assert len(used) == len(set(used))
    assert all((place >= 0) == (fault == "") for place, fault in zip(target, faults, strict=True))
