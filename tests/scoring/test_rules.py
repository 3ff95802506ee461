"""The scale, the reasons and the outcomes, as pure functions."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.foundation.ids import derived_id
from xinyidai.profiles.rules.readings import IndicatorText, Measure, in_words_en, in_words_zh
from xinyidai.scoring.rules.outcomes import (
    MAX_FILE_ROWS,
    Fault,
    Observation,
    OutcomeFileRefused,
    labels,
    read_outcomes,
)
from xinyidai.scoring.rules.reasons import Share, Side, reason_of
from xinyidai.scoring.rules.scales import Scale

SCALE = Scale(
    version="points-1",
    valid_from=date(2010, 1, 1),
    base_points=600,
    base_odds=20,
    points_to_double=40,
    cut_points=(760, 720, 680, 640, 600, 560, 520, 480, 440),
)
FIRM, LOAN, BANK, OTHER_BANK = (derived_id(name) for name in ("firm", "loan", "bank", "other bank"))
TODAY = date(2025, 6, 16)
SOME_DAY = datetime(2025, 1, 2, tzinfo=UTC)

chances = st.integers(1, 999_999)


@given(chances, chances)
def test_a_likelier_default_never_scores_more_points_nor_a_better_band(one: int, other: int) -> None:
    lower, higher = sorted((one, other))

    points = SCALE.points(lower), SCALE.points(higher)
    bands = SCALE.band(points[0]), SCALE.band(points[1])

    assert points[0] >= points[1]
    assert bands[0] <= bands[1]


@given(chances)
def test_points_and_bands_stay_within_their_bounds(pd_ppm: int) -> None:
    points = SCALE.points(pd_ppm)

    assert 0 <= points <= 1_000
    assert 1 <= SCALE.band(points) <= 10


@pytest.mark.parametrize(
    ("pd_ppm", "points"),
    [(47_619, 600), (24_390, 640), (90_909, 560), (500_000, 427), (1, 1_000), (999_999, 0)],
)
def test_points_at_known_odds(pd_ppm: int, points: int) -> None:
    scored = SCALE.points(pd_ppm)

    assert scored == points


@given(st.integers(1_000, 900_000))
def test_twice_the_odds_of_paying_are_worth_forty_points(pd_ppm: int) -> None:
    halved = round(1_000_000 * pd_ppm / (2_000_000 - pd_ppm))

    gained = SCALE.points(halved) - SCALE.points(pd_ppm)

    assert gained in (39, 40, 41)


@pytest.mark.parametrize("pd_ppm", [0, 1_000_000, -1])
def test_certainty_has_no_points(pd_ppm: int) -> None:
    with pytest.raises(ValueError, match="999,999"):
        SCALE.points(pd_ppm)


@pytest.mark.parametrize("cuts", [(1, 2), (9, 8, 7, 6, 5, 4, 3, 2, 2), (1, 2, 3, 4, 5, 6, 7, 8, 9)])
def test_cut_points_that_would_mix_up_bands_are_refused(cuts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="cut points"):
        Scale("x", SCALE.valid_from, 600, 20, 40, cuts)


def an_indicator(*, is_mutable: bool) -> IndicatorText:
    return IndicatorText(
        code="void_rate_sales",
        name_zh="销项作废率",
        name_en="Void rate of sales",
        measure=Measure.PPM,
        is_mutable=is_mutable,
        advice_zh="开票前核对",
        advice_en="Check before issuing",
        description="",
    )


def test_a_reason_names_the_indicator_its_value_and_advice_that_can_be_followed() -> None:
    share = Share("void_rate_sales", Side.RAISES, 412_000, 125_000)

    reason = reason_of(share, an_indicator(is_mutable=True))

    assert reason["zh"] == "销项作废率为 12.5 %，提高了违约风险。建议：开票前核对"
    assert reason["en"] == "Void rate of sales: 12.5 %; this raises the risk of default. Advice: Check before issuing"


def test_nobody_is_advised_about_what_cannot_be_changed_or_already_helps() -> None:
    fixed = reason_of(Share("void_rate_sales", Side.RAISES, 1, 1), an_indicator(is_mutable=False))
    helping = reason_of(Share("void_rate_sales", Side.LOWERS, -1, 1), an_indicator(is_mutable=True))

    assert "建议" not in str(fixed["zh"])
    assert "Advice" not in str(helping["en"])


def test_no_data_is_said_and_is_not_zero() -> None:
    share = Share("void_rate_sales", Side.RAISES, 1, None)

    reason = reason_of(share, an_indicator(is_mutable=False))

    assert reason["value"] is None
    assert "无数据" in str(reason["zh"])
    assert "no data" in str(reason["en"])


@pytest.mark.parametrize(
    ("measure", "value", "zh", "en"),
    [
        (Measure.FEN, 123_456_789, "1,234,567.89 元", "1,234,567.89 yuan"),
        (Measure.FEN, -5, "-0.05 元", "-0.05 yuan"),
        (Measure.PPM, -400, "0.0 %", "0.0 %"),
        (Measure.PPM, 1_234_567, "123.5 %", "123.5 %"),
        (Measure.MONTHS, 12, "12 个月", "12 months"),
        (Measure.DAYS, 0, "0 天", "0 days"),
        (Measure.COUNT, 1_000, "1,000", "1,000"),
    ],
)
def test_values_in_words(measure: Measure, value: int, zh: str, en: str) -> None:
    words = in_words_zh(measure, value), in_words_en(measure, value)

    assert words == (zh, en)


def test_readable_rows_are_read_and_the_others_counted_by_fault() -> None:
    text = (
        "\ufeffcredit_code,is_default,observed_on\n"
        "A,1,2025-05-31\n"
        "B,false,2025-05-31\n"
        "A,1,2025-05-31\n"
        "C,maybe,2025-05-31\n"
        "D,1,31.05.2025\n"
        "E,1,2025-06-17\n"
        ",1,2025-05-31\n"
        "F,1\n"
    )

    rows, faults, received = read_outcomes(text, today=TODAY)

    assert [(row.credit_code, row.is_default) for row in rows] == [("A", True), ("B", False)]
    assert faults == {Fault.DUPLICATE_ROW: 1, Fault.ROW_MALFORMED: 4, Fault.OUTCOME_IN_FUTURE: 1}
    assert received == 8


@pytest.mark.parametrize(
    "text",
    [
        "",
        "credit_code,is_default\nA,1\n",
        "credit_code,is_default,observed_on\n" + "A,1,2025-05-31\n" * (MAX_FILE_ROWS + 1),
        "credit_code,is_default,observed_on\n" + "A" * 200_000,
        "x" * 1_000_001,
    ],
    ids=["empty", "without a column", "too many rows", "one endless field", "too long"],
)
def test_what_is_no_list_of_outcomes_is_refused(text: str) -> None:
    with pytest.raises(OutcomeFileRefused):
        read_outcomes(text, today=TODAY)


def an_observation(*, is_default: bool, days: int = 0, **other: object) -> Observation:
    fields = {"firm_id": FIRM, "loan_id": LOAN, "reported_by": BANK} | other
    return Observation(is_default=is_default, observed_on=TODAY, known_at=SOME_DAY + timedelta(days=days), **fields)  # type: ignore[arg-type]


def test_a_reporters_later_word_on_a_loan_replaces_its_earlier_one() -> None:
    label = labels([an_observation(is_default=False, days=1), an_observation(is_default=True)])

    assert label == {FIRM: False}


@pytest.mark.parametrize("other", [{"reported_by": OTHER_BANK}, {"loan_id": None}])
def test_a_default_anywhere_makes_the_firm_one(other: dict[str, object]) -> None:
    label = labels([an_observation(is_default=True), an_observation(is_default=False, days=1, **other)])

    assert label == {FIRM: True}
