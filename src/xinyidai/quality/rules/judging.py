"""Judging columns by rules: what each says of every row, yes, no or unknown. Pure and vectorised."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from xinyidai.quality.rules import QualityRuleRefused, Rule, Scope
from xinyidai.quality.rules.columns import BoolArray, Columns, Plain, ValueKind, Values, values_of
from xinyidai.quality.rules.functions import denied
from xinyidai.quality.rules.items import COLUMNS_OF, EVERYWHERE
from xinyidai.quality.rules.language import Condition, NotOfTheLanguage, read_condition

BLOCK_ROWS = 65_536
"""Rows judged at once: a block of a few columns stays in the processor's cache."""


@dataclass(frozen=True)
class ReadRule:
    """A rule with its condition read."""

    rule: Rule
    condition: Condition

    @property
    def scope(self) -> Scope:
        """Return what must be read to judge by it."""
        return self.condition.scope


@dataclass(frozen=True)
class Judgement:
    """What one rule says of the rows it was asked about: which it could judge, and which of those are not right."""

    is_checked: BoolArray
    is_failed: BoolArray


def read_rule(rule: Rule) -> ReadRule:
    """Read a rule and try it on its own examples.

    Raises
    ------
    QualityRuleRefused
        With the rule's code and what is wrong.
    """
    try:
        read = ReadRule(rule, read_condition(rule.condition, rule.item_code))
        unknown = set(rule.fields) - COLUMNS_OF[rule.item_code].keys()
    except NotOfTheLanguage as wrong:
        raise QualityRuleRefused(rule=rule.code, why=str(wrong)) from wrong
    if unknown:
        raise QualityRuleRefused(rule=rule.code, why=f"no fields {sorted(unknown)}")
    for wanted, example in ((True, rule.passing), (False, rule.failing)):
        columns = example_columns(read, example)
        found = judge([read], columns)[rule.code]
        if not found.is_checked[0] or bool(found.is_failed[0]) is wanted:
            raise QualityRuleRefused(rule=rule.code, why="its own examples are judged otherwise")
    return read


def read_rules(rules: Iterable[Rule]) -> list[ReadRule]:
    """Read rules, each as `read_rule` does."""
    return [read_rule(rule) for rule in rules]


def example_columns(read: ReadRule, example: Mapping[str, Plain]) -> Columns:
    """Return the columns of one row given by an example; what it does not name is missing. Days are ISO dates."""
    known = {**COLUMNS_OF[read.rule.item_code], **EVERYWHERE}
    needed = {name: known[name] for name in read.condition.columns}
    needed |= {asked.text: asked.kind for asked in read.condition.measures}
    unknown = example.keys() - needed.keys()
    if unknown:
        raise QualityRuleRefused(rule=read.rule.code, why=f"an example names {sorted(unknown)}")
    return {name: values_of(kind, [_plain(kind, example.get(name))]) for name, kind in needed.items()}


def _plain(kind: ValueKind, value: Plain) -> object:
    return date.fromisoformat(value) if kind is ValueKind.DAY and isinstance(value, str) else value


def judge(rules: Sequence[ReadRule], columns: Columns) -> dict[str, Judgement]:
    """Return what each rule says of every row, by its code.

    Parameters
    ----------
    columns : mapping of a column or measure to its values
        All of one length, and at least those that the rules need.

    Returns
    -------
    dict of Judgement
        A row is checked where the condition's answer is known, and failed where it is no.
    """
    count = max((len(one) for one in columns.values()), default=0)
    starts = range(0, count, BLOCK_ROWS)
    found: dict[str, list[Judgement]] = {read.rule.code: [] for read in rules}
    for start in starts:
        block = {name: _rows(one, start, start + BLOCK_ROWS) for name, one in columns.items()}
        rows = min(BLOCK_ROWS, count - start)
        for read in rules:
            found[read.rule.code].append(_judgement(read.condition.judge(block), rows))
    return {code: _joined(parts) for code, parts in found.items()}


def _judgement(answer: Values, rows: int) -> Judgement:
    is_failed = denied(answer)
    is_checked = np.ones(len(is_failed), dtype=np.bool_) if answer.missing is None else ~answer.missing
    if len(is_failed) != rows:
        return Judgement(np.broadcast_to(is_checked, rows), np.broadcast_to(is_failed, rows))
    return Judgement(is_checked, is_failed)


def _rows(one: Values, start: int, end: int) -> Values:
    missing = None if one.missing is None else one.missing[start:end]
    return Values(one.kind, one.array[start:end], missing, one.words)


def _joined(parts: Sequence[Judgement]) -> Judgement:
    if not parts:
        return Judgement(np.zeros(0, dtype=np.bool_), np.zeros(0, dtype=np.bool_))
    return Judgement(
        np.concatenate([part.is_checked for part in parts]), np.concatenate([part.is_failed for part in parts])
    )
