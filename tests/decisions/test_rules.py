"""The pure side of decisions."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.decisions.rules import (
    MAX_NAMED_DIFFERENCES,
    Difference,
    Leg,
    ReasonIncomplete,
    ReplayReport,
    RetentionRule,
    check_reasons,
    differing_fields,
    kept_since,
    keyed_digest,
)
from xinyidai.foundation.ids import derived_id

scalars = st.none() | st.integers() | st.text(max_size=8)
vectors = st.dictionaries(st.text(max_size=8), scalars, max_size=6)


@given(vectors)
def test_a_vector_differs_from_itself_in_no_field(vector: dict[str, int | str | None]) -> None:
    again = dict(reversed(vector.items()))

    fields = differing_fields(vector, again)

    assert fields == ()


@given(vectors, vectors)
def test_differing_fields_are_the_same_from_both_sides(
    one: dict[str, int | str | None], other: dict[str, int | str | None]
) -> None:
    forth, back = differing_fields(one, other), differing_fields(other, one)

    assert forth == back
    assert (forth == ()) == (one == other)


def test_a_missing_field_differs_from_a_field_without_a_value() -> None:
    fields = differing_fields({"a": None}, {})

    assert fields == ("a",)


@pytest.mark.parametrize("lacking", ["code", "zh", "en"])
def test_a_reason_that_nobody_could_read_is_refused(lacking: str) -> None:
    reason = {"code": "late", "zh": "逾期", "en": "Late"} | {lacking: ""}

    with pytest.raises(ReasonIncomplete, match=lacking):
        check_reasons([reason])


def test_the_same_vector_has_another_digest_under_another_key() -> None:
    digests = {keyed_digest(key, b"vector") for key in (b"a" * 32, b"b" * 32)}

    assert len(digests) == 2


def test_reports_add_up_and_name_a_bounded_number_of_differences() -> None:
    one = Difference(derived_id("decision"), "score", derived_id("firm"), Leg.FACTS, ("a",))
    many = ReplayReport(same=1, different=800, purged=2, differences=(one,) * 800)

    total = many.plus(many)

    assert (total.same, total.different, total.purged) == (2, 1600, 4)
    assert len(total.differences) == MAX_NAMED_DIFFERENCES


@pytest.mark.parametrize(
    ("today", "since"),
    [
        (date(2019, 12, 31), {}),
        (date(2025, 8, 31), {"score": datetime(2025, 2, 27, 16, tzinfo=UTC)}),
        (date(2025, 12, 31), {"score": datetime(2025, 6, 29, 16, tzinfo=UTC)}),
        (
            date(2026, 1, 1),
            {"score": datetime(2024, 12, 31, 16, tzinfo=UTC), "match": datetime(2025, 11, 30, 16, tzinfo=UTC)},
        ),
    ],
)
def test_what_is_kept_follows_the_rule_of_the_day(today: date, since: dict[str, datetime]) -> None:
    rules = [
        RetentionRule("score", date(2026, 1, 1), 12),
        RetentionRule("score", date(2020, 1, 1), 6),
        RetentionRule("match", date(2026, 1, 1), 1),
    ]

    assert kept_since(rules, today) == since
