"""The language of conditions: what it refuses, how missing values answer, that a row alone equals one in a crowd."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.quality.rules import QualityRuleRefused, Rule, RuleClass, Scope, Severity
from xinyidai.quality.rules.columns import Columns, days, numbers, truths, words
from xinyidai.quality.rules.judging import judge, read_rule
from xinyidai.quality.rules.language import NotOfTheLanguage, read_condition

A_RULE = Rule(
    code="electricity.tariff",
    version=1,
    item_code="electricity",
    rule_class=RuleClass.ROW_CONSISTENCY,
    severity=Severity.ERROR,
    fields=("charged_fen", "used_kwh"),
    condition="implies(used_kwh >= 10, within(charged_fen / used_kwh, 30, 180))",
    name_zh="电费与用量相符",
    name_en="Charged is used times the tariff",
    message_zh="请核对单位。",
    message_en="Check the unit.",
    passing={"used_kwh": 1_000, "charged_fen": 100_000},
    failing={"used_kwh": 1_000, "charged_fen": 10_000_000},
    valid_from=date(2016, 1, 1),
    valid_to=None,
)


def answers(condition: str, item: str, columns: Columns) -> list[bool | None]:
    """Return yes, no or, where it is unknown, None for every row."""
    found = read_condition(condition, item).judge(columns)
    missing = np.zeros(len(found), dtype=np.bool_) if found.missing is None else found.missing
    return [None if gone else bool(yes) for yes, gone in zip(found.array, missing, strict=True)]


@pytest.mark.parametrize(
    "condition",
    [
        "__import__('os').system('true')",
        "used_kwh.real",
        "[x for x in (1, 2)]",
        "lambda: used_kwh > 0",
        "used_kwh if is_cut_off else charged_fen",
        "used_kwh > 0 and open('file')",
        "(used_kwh := 3) > 2",
        "f'{used_kwh}' == 'a'",
        "used_kwh ** 99 > 1",
        "used_kwh @ 2 > 1",
        "insured > 0",
        "used_kwh",
        "used_kwh > 'a'",
        "month > 3",
        "is_cut_off > is_cut_off",
        "used_kwh in (1, 'a')",
        "used_kwh in ()",
        "used_kwh in month",
        "used_kwh is None",
        "matches(used_kwh, 'a')",
        "abs(used_kwh, 2) > 1",
        "abs(x=used_kwh) > 1",
        "previous(month) > 1",
        "previous(used_kwh, month='a') > 1",
        "same_month(used_kwh) > 1",
        "same_month(nothing.used_kwh) > 1",
        "same_month(water.used_kwh) > 1",
        "mean(used_kwh) > 1 and used_kwh > 1",
        "mean(used_kwh) > previous(used_kwh)",
        "nearest(used_kwh, used_kwh) > 1",
        "used_kwh > 1e400",
        "used_kwh > 10 ** 15 * 10",
        "not used_kwh",
        "-month > month",
        "used_kwh >",
        "used_kwh > 1" + " and used_kwh > 1" * 40,
        "",
    ],
)
def test_what_is_not_of_the_language_is_refused(condition: str) -> None:
    with pytest.raises(NotOfTheLanguage):
        read_condition(condition, "electricity")


def test_an_invoice_is_judged_by_itself_and_not_beside_millions_of_others() -> None:
    with pytest.raises(NotOfTheLanguage):
        read_condition("usual(net_fen) > 1", "vat_invoice")


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(NotOfTheLanguage):
        read_condition("matches(document_no, '[')", "permit")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"condition": "used_kwh > nothing"}, "no column nothing"),
        ({"item_code": "weather"}, "no such item"),
        ({"fields": ("insured",)}, "no fields"),
        ({"passing": {"used_kwh": 1_000, "charged_fen": 1}}, "examples are judged otherwise"),
        ({"failing": {}}, "examples are judged otherwise"),
        ({"passing": {"insured": 1}}, "an example names"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_code_when_it_is_read(changed: dict[str, object], why: str) -> None:
    with pytest.raises(QualityRuleRefused) as refused:
        read_rule(replace(A_RULE, **changed))

    assert refused.value.facts["rule"] == "electricity.tariff"
    assert why in str(refused.value.facts["why"])


def test_what_touches_a_missing_value_is_unknown_but_where_the_rest_decides() -> None:
    columns = {"assets_fen": numbers([1, None, None, 5]), "revenue_fen": numbers([None, 7, None, 5])}

    assert answers("assets_fen > 2", "annual_report", columns) == [False, None, None, True]
    assert answers("assets_fen > 2 or revenue_fen > 6", "annual_report", columns) == [None, True, None, True]
    assert answers("assets_fen > 2 and revenue_fen > 6", "annual_report", columns) == [False, None, None, False]
    assert answers("not assets_fen > 2", "annual_report", columns) == [True, None, None, False]
    assert answers("assets_fen is missing", "annual_report", columns) == [False, True, True, False]
    assert answers("assets_fen is not missing", "annual_report", columns) == [True, False, False, True]
    assert answers("assets_fen / (revenue_fen - 5) > 0", "annual_report", columns) == [None, None, None, None]
    assert answers("1 <= assets_fen < 5", "annual_report", columns) == [True, None, None, False]


def test_days_words_and_marks_are_compared_as_what_they_are() -> None:
    columns = {
        "list": words(["红名单", "失信名单", None]),
        "is_negative": truths([False, True, True]),
        "listed_on": days([date(2024, 2, 28), date(2025, 3, 1), None]),
        "removed_on": days([date(2024, 3, 1), None, None]),
    }

    assert answers("list == '红名单'", "honour_list", columns) == [True, False, None]
    assert answers("list not in ('红名单', '蓝名单')", "honour_list", columns) == [False, True, None]
    assert answers("matches(list, '.*失信.*') == is_negative", "honour_list", columns) == [True, True, None]
    assert answers("removed_on - listed_on == 2", "honour_list", columns) == [True, None, None]
    assert answers("month_end(listed_on) == listed_on + 1", "honour_list", columns) == [True, False, None]
    assert answers("weekday(listed_on) == 2", "honour_list", columns) == [True, False, None]
    assert answers("year(listed_on) == 2024", "honour_list", columns) == [True, False, None]
    assert answers("month_number(listed_on) < 3", "honour_list", columns) == [True, False, None]
    assert answers("year_end(year(listed_on)) - listed_on > 306", "honour_list", columns) == [True, False, None]


def test_two_columns_of_words_are_compared_by_what_they_say() -> None:
    columns = {"before": words(["甲", "乙", None]), "after": words(["乙", "乙", "乙"])}

    assert answers("before == after", "registration_change", columns) == [False, True, None]
    assert answers("before != after", "registration_change", columns) == [True, False, None]


def test_fen_are_compared_exactly_far_beyond_what_a_float_holds() -> None:
    net = 10**15 - 1
    columns = {"net_fen": numbers([net, net]), "tax_fen": numbers([3, 3]), "gross_fen": numbers([net + 3, net + 4])}

    assert answers("net_fen + tax_fen == gross_fen", "vat_invoice", columns) == [True, False]


def test_a_rule_of_nothing_but_constants_answers_for_every_row() -> None:
    read = replace(read_rule(A_RULE), condition=read_condition("1 < 2", "electricity"))

    assert judge([read], {"used_kwh": numbers([1, 2, 3])})[A_RULE.code].is_checked.tolist() == [True] * 3


def test_a_condition_says_what_must_be_read_for_it() -> None:
    scopes = {
        "used_kwh > 0": Scope.ROW,
        "used_kwh > previous(used_kwh)": Scope.FIRM,
        "charged_fen < same_month(tax_filing.paid_fen, tax_kind='vat')": Scope.FIRM,
        "mean(used_kwh) > 1": Scope.BATCH,
        "silent_days() < 60": Scope.BATCH,
    }

    assert {source: read_condition(source, "electricity").scope for source in scopes} == scopes


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(-(10**6), 10**9) | st.none()), min_size=1, max_size=30),
)
def test_a_row_alone_is_judged_as_in_a_crowd(rows: list[tuple[int, int | None]]) -> None:
    read = read_rule(A_RULE)
    used, charged = zip(*rows, strict=True)

    crowd = judge([read], {"used_kwh": numbers(used), "charged_fen": numbers(charged)})[A_RULE.code]
    alone = [
        judge([read], {"used_kwh": numbers([one]), "charged_fen": numbers([other])})[A_RULE.code] for one, other in rows
    ]

    assert crowd.is_failed.tolist() == [bool(one.is_failed[0]) for one in alone]
    assert crowd.is_checked.tolist() == [bool(one.is_checked[0]) for one in alone]
    assert not (crowd.is_failed & ~crowd.is_checked).any()
