"""Figures, forms and charts of the pages: pure pieces."""

from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.access.rules import Role
from xinyidai.foundation.errors import ValueRefused
from xinyidai.foundation.pages import charts
from xinyidai.foundation.pages.assets import asset_url, missing_assets
from xinyidai.foundation.pages.figures import capital_amount, fen_of, in_yuan, masked_code, percent, wan, yuan
from xinyidai.foundation.pages.forms import Form, FormRefused, answering
from xinyidai.foundation.pages.rendering import own_path
from xinyidai.foundation.pages.words import Both, msg

MISSING = msg("请输入邮箱")


def read_capital(written: str) -> int:
    """Read an amount in capitals back into fen, by another way than it was written."""
    digits = {character: value for value, character in enumerate("零壹贰叁肆伍陆柒捌玖")}
    places = {"拾": 10, "佰": 100, "仟": 1000}
    groups = {"万": 10**4, "亿": 10**8, "兆": 10**12}
    total = group = digit = 0
    fen = 0
    for character in written.removesuffix("整"):
        if character in digits:
            digit = digits[character]
        elif character in places:
            group, digit = group + digit * places[character], 0
        elif character in groups:
            total, group, digit = total + (group + digit) * groups[character], 0, 0
        elif character == "元":
            fen, total, group, digit = (total + group + digit) * 100, 0, 0, 0
        else:
            fen, digit = fen + digit * {"角": 10, "分": 1}[character], 0
    return fen


@given(st.integers(min_value=0, max_value=10**18 - 1))
def test_an_amount_in_capitals_reads_back_as_itself(fen: int) -> None:
    written = capital_amount(fen)

    assert read_capital(written) == fen
    assert "零零" not in written
    assert "零元整" not in written or fen == 0
    assert written.endswith(("整", "分"))


@pytest.mark.parametrize(
    ("fen", "written"),
    [
        (0, "零元整"),
        (50_000_000, "伍拾万元整"),
        (140_950, "壹仟肆佰零玖元伍角整"),
        (600_714, "陆仟零柒元壹角肆分"),
        (1_640_902, "壹万陆仟肆佰零玖元零贰分"),
        (10_700_053, "壹拾万柒仟元零伍角叁分"),
        (1_000_000_100, "壹仟万零壹元整"),
        (10, "壹角整"),
        (5, "伍分"),
    ],
)
def test_known_amounts_in_capitals(fen: int, written: str) -> None:
    assert capital_amount(fen) == written


@pytest.mark.parametrize(
    ("typed", "unit", "fen"),
    [
        ("50", "wan", 50_000_000),
        ("１２．５", "wan", 12_500_000),
        ("¥1,234.56", "yuan", 123_456),
        ("0.000001", "wan", 1),
        ("0.0000001", "wan", None),
        ("1.234", "yuan", None),
        ("1e5", "yuan", None),
        ("", "yuan", None),
        ("五十万", "wan", None),
        ("1.2.3", "yuan", None),
    ],
)
def test_a_typed_amount_is_exact_or_none(typed: str, unit: str, fen: int | None) -> None:
    assert fen_of(typed, unit) == fen


@given(st.integers(min_value=0, max_value=10**15))
def test_yuan_read_back_are_the_same_fen(fen: int) -> None:
    assert fen_of(yuan(fen), "yuan") == fen


def test_figures_look_as_the_field_writes_them() -> None:
    assert in_yuan(123_456) == "1,234.56"
    assert (yuan(-5), wan(123_456_789), percent(365), masked_code("91350100M000100Y43")) == (
        "−¥0.05",
        "123.46",
        "3.65%",
        "913501********0Y43",
    )


def test_a_form_notes_every_fault_and_keeps_what_was_typed() -> None:
    form = Form({"amount": ["lots"], "when": ["2026-02-30"], "role": ["king"], "count": ["-1"]})

    form.fen("amount", missing=MISSING, least_fen=1)
    form.day("when", missing=MISSING, earliest_on=date(2026, 1, 1))
    form.choice("role", Role, missing=MISSING)
    form.whole("count", missing=MISSING, least=1, most=9)
    form.text("name", missing=MISSING)

    assert [fault.field for fault in form.faults] == ["amount", "when", "role", "count", "name"]
    assert form.first("amount") == "lots"


def test_a_refusal_becomes_the_forms_summary_at_its_field() -> None:
    form = Form({"name": ["x"]})

    with pytest.raises(FormRefused) as caught, answering(form, lambda _: None):  # type: ignore[arg-type, return-value]
        raise ValueRefused(field="name", why="too short")

    said = caught.value.form.faults[0].said
    assert caught.value.form.faults[0].field == "name"
    assert isinstance(said, Both)
    assert "too short" in said.en


def test_ticked_ids_are_held_to_what_was_offered() -> None:
    offered, foreign = uuid4(), uuid4()
    form = Form({"chosen": [str(offered), str(foreign), str(offered), "x"]})

    assert form.ids("chosen", missing=MISSING, among=[offered], most=3) == [offered]


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example", "firm", "/a\nb", ""])
def test_nobody_is_sent_to_another_site(path: str) -> None:
    assert own_path(path) == "/"


@given(st.lists(st.integers(min_value=-(10**14), max_value=10**14), max_size=40))
def test_a_chart_stays_inside_its_picture(values: list[int]) -> None:
    drawn = charts.picture([(str(place), value) for place, value in enumerate(values)])

    assert 2 <= len(drawn.ticks) <= 12
    for mark in drawn.marks:
        assert charts.LEFT <= mark.x <= charts.WIDTH
        assert charts.TOP - 1 <= mark.y <= mark.y + mark.height <= charts.HEIGHT - charts.BOTTOM + 1


def test_the_last_of_many_labels_is_not_cut_at_the_edge() -> None:
    many = charts.picture([(f"25-{place:02}", 1) for place in range(24)])
    few = charts.picture([("可用资金", 1), ("已预留", 1)])

    assert [mark.is_at_the_edge for mark in many.marks if mark.has_label][-2:] == [False, True]
    assert not any(mark.is_at_the_edge for mark in few.marks)


@given(st.lists(st.integers(min_value=-(10**9), max_value=10**9), min_size=1, max_size=12))
def test_a_waterfall_ends_at_its_sum(values: list[int]) -> None:
    drawn = charts.waterfall([("", value) for value in values])

    assert drawn.marks[-1].value == sum(values)
    assert all(charts.TOP - 1 <= mark.y <= charts.HEIGHT - charts.BOTTOM + 1 for mark in drawn.marks)


def test_every_allowed_file_is_installed_and_named_by_its_content() -> None:
    assert missing_assets() == []
    assert asset_url("htmx.js").startswith("/static/")
    assert asset_url("../package.json") == "/static/missing/../package.json"


def test_days_are_shanghais() -> None:
    from xinyidai.foundation.pages.figures import day_in_table, minute

    late = datetime(2025, 6, 16, 17, 0, tzinfo=UTC)

    assert (day_in_table(late), minute(late)) == ("2025-06-17", "2025-06-17 01:00")
