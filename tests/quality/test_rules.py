"""The rules that come with the platform: each does what its own examples say, of an item, in both languages."""

from collections import Counter
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.rules_listed import listed_rules
from xinyidai.foundation.clock import business_date
from xinyidai.quality import queries
from xinyidai.quality.rules import Rule, RuleClass, Scope
from xinyidai.quality.rules.items import COLUMNS_OF, INVOICE_MONTH
from xinyidai.quality.rules.judging import example_columns, judge, read_rule

SCOPES = {
    RuleClass.COMPLETENESS: {Scope.ROW},
    RuleClass.VALIDITY: {Scope.ROW},
    RuleClass.ROW_CONSISTENCY: {Scope.ROW},
    RuleClass.TIMELINESS: {Scope.ROW, Scope.BATCH},
    RuleClass.UNIQUENESS: {Scope.FIRM},
    RuleClass.CROSS_ROW: {Scope.FIRM},
    RuleClass.CROSS_SOURCE: {Scope.FIRM},
    RuleClass.DRIFT: {Scope.BATCH},
}


LISTED = listed_rules()
CHANGED_ON = date(2025, 1, 1)
"""The day from which notices that spoke to honest firms are narrower, or are no more."""
BEFORE = listed_rules(on=CHANGED_ON - timedelta(days=1))


@pytest.mark.parametrize(
    "rule", [*LISTED, *(rule for rule in BEFORE if rule not in LISTED)], ids=lambda rule: f"{rule.code}.{rule.version}"
)
def test_a_rule_lets_its_good_row_pass_and_not_its_bad_one(rule: Rule) -> None:
    read = read_rule(rule)
    good, bad = (judge([read], example_columns(read, example))[rule.code] for example in (rule.passing, rule.failing))

    assert (good.is_checked.tolist(), good.is_failed.tolist()) == ([True], [False])
    assert (bad.is_checked.tolist(), bad.is_failed.tolist()) == ([True], [True])
    assert read.scope in SCOPES[rule.rule_class]
    assert rule.code.startswith(f"{rule.item_code}.")


def test_there_are_rules_of_every_class_for_every_item() -> None:
    by_class = Counter(rule.rule_class for rule in LISTED)

    assert len(LISTED) >= 150
    assert len({rule.code for rule in LISTED}) == len(LISTED)
    assert set(by_class) == set(RuleClass)
    assert {rule.item_code for rule in LISTED} == COLUMNS_OF.keys() - {INVOICE_MONTH}


def test_every_rule_speaks_both_languages() -> None:
    silent = [rule.code for rule in LISTED if not all((rule.name_zh, rule.name_en, rule.message_zh, rule.message_en))]
    half = [rule.code for rule in LISTED if not (rule.name_en + rule.message_en).replace("’", "").isascii()]

    assert silent == []
    assert half == []


def test_a_nil_return_is_nobodys_fault_where_nothing_was_sold() -> None:
    now, before = ({rule.code: rule for rule in rules} for rules in (LISTED, BEFORE))
    code, sold, told = "tax_filing.nil_return", "same_month(invoice_month.sales_net_fen)", "tax_kind='vat'"
    month = {"tax_kind": "vat", "declared_sales_fen": 0, f"same_month(tax_filing.declared_sales_fen, {told})": 0}

    read = read_rule(now[code])
    found = [
        judge([read], example_columns(read, month | seen))[code]
        for seen in ({sold: 0}, {sold: 5_000_000}, {sold: None})
    ]

    assert [bool(one.is_failed[0]) for one in found] == [False, True, False]
    assert [bool(one.is_checked[0]) for one in found] == [True, True, False]
    assert (before[code].version, now[code].version) == (1, 2)
    assert before.keys() - now.keys() == {
        "self_declared.debt_near",
        "self_declared.profit_near",
        "tax_filing.month_against_declared",
        "tax_filing.unusual_paid",
    }


async def test_the_database_holds_the_rules_of_the_list_from_their_first_day(
    session: AsyncSession, noon: datetime
) -> None:
    stored = await queries.rules_on(session, business_date(noon))
    read = await queries.read_rules_on(session, business_date(noon))

    assert stored == sorted(LISTED, key=lambda rule: rule.code)
    assert [one.rule for one in read] == stored
    earlier = await queries.rules_on(session, CHANGED_ON - timedelta(days=1))
    assert [(rule.code, rule.version, rule.condition) for rule in earlier] == sorted(
        (rule.code, rule.version, rule.condition) for rule in BEFORE
    )
    assert await queries.rules_on(session, date(2015, 12, 31)) == []
