"""A condition of eligibility as data, and its evaluation against what is known of an applicant. Pure."""

import operator as arithmetic
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property, lru_cache, partial
from typing import Final, NamedTuple

from xinyidai.foundation.canonical import Json

Scalar = int | str
Value = Scalar | tuple[Scalar, ...]
Fact = int | str | None
"""What is known on a field; None is "not known" and fulfils no condition."""

INDICATOR = "indicator:"
"""An indicator may be written with this prefix; it is kept, and looked up among the facts, by its bare code."""


class Operator(StrEnum):
    """How the fact is held against the value. Order is for whole numbers only."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    IN = "in"
    NOT_IN = "not_in"


ORDER: Mapping[Operator, Callable[[int, int], bool]] = {
    Operator.LT: arithmetic.gt,
    Operator.LTE: arithmetic.ge,
    Operator.GT: arithmetic.lt,
    Operator.GTE: arithmetic.le,
}
"""Each as it reads from the bound, which comes first in a partial call: ``fact < bound`` is ``bound > fact``."""

LISTS = frozenset({Operator.IN, Operator.NOT_IN})
MAX_KEPT: Final = 1 << 14
"""Conditions kept ready between decisions: a shelf of 300 products with 50 each, at about 600 bytes a condition."""


class Ready(NamedTuple):
    """A condition ready to be held against facts: where to look, of which type the fact must be, the test itself."""

    field: str
    kinds: tuple[type, ...]
    holds: Callable[..., bool]


@dataclass(frozen=True)
class Clause:
    """One condition: the applicant's `field` must stand in `operator` to `value`; `code` names it in every answer."""

    field: str
    operator: Operator
    value: Value
    code: str

    @property
    def values(self) -> tuple[Scalar, ...]:
        """Return the value, or the values of a list, as a tuple."""
        return self.value if isinstance(self.value, tuple) else (self.value,)

    @cached_property
    def ready(self) -> Ready:
        """Return the condition made ready, once: types and operators sorted out per fact took four times as long."""
        return _made_ready(self)


FailedClause = tuple[Clause, Fact]
"""A condition that is not fulfilled and what was found; None means that it is not known.

A bare pair, because one decision makes a thousand: a named one took as long to make as the test itself.
"""


def failing_clauses(clauses: Sequence[Clause], facts: Mapping[str, Fact]) -> tuple[FailedClause, ...]:
    """Return every condition that the facts do not fulfil, in their order; none stops the rest.

    A field that is missing, None or of another type fails whatever the operator: "not one of" is no statement about
    what is not known.
    """
    known = facts.get
    failed = []
    for clause in clauses:
        field, kinds, holds = clause.ready
        got = known(field)
        if not (isinstance(got, kinds) and holds(got)):
            failed.append((clause, got))
    return tuple(failed)


def is_met(clause: Clause, fact: Fact) -> bool:
    """Say whether a fact fulfils a condition."""
    return isinstance(fact, clause.ready.kinds) and clause.ready.holds(fact)


def _made_ready(clause: Clause) -> Ready:
    field, values = clause.field.removeprefix(INDICATOR), clause.values
    # Values of two types leave no type that a fact could have: such a condition is met by nothing.
    kinds = tuple(kind for kind in (int, str) if all(isinstance(one, kind) for one in values))
    if clause.operator in ORDER:
        bound = clause.value
        if isinstance(bound, int):
            return Ready(field, (int,), partial(ORDER[clause.operator], bound))
        return Ready(field, (), bool)
    among = frozenset(values)
    if clause.operator in (Operator.EQ, Operator.IN):
        return Ready(field, kinds, among.__contains__)
    return Ready(field, kinds, lambda fact: fact not in among)


def canonical_clause(clause: Clause) -> Clause:
    """Return the condition as it is kept: an indicator by its bare code."""
    return replace(clause, field=clause.field.removeprefix(INDICATOR))


def clause_json(clause: Clause) -> dict[str, Json]:
    """Return a condition as JSON."""
    value: Json = list(clause.value) if isinstance(clause.value, tuple) else clause.value
    return {"field": clause.field, "operator": str(clause.operator), "value": value, "code": clause.code}


def clause_of(told: Json) -> Clause:
    """Return a condition from its own JSON: the same one for the same words, so that it is made ready only once."""
    assert isinstance(told, Mapping), "a clause is an object"
    return _clause(str(told["field"]), str(told["operator"]), _value_of(told["value"]), str(told["code"]))


@lru_cache(MAX_KEPT, typed=True)
def _clause(field: str, operator: str, value: Value, code: str) -> Clause:
    return Clause(field, Operator(operator), value, code)


def _value_of(told: Json) -> Value:
    if isinstance(told, (int, str)):
        return told
    assert isinstance(told, Sequence), "a value is a number, a text or a list of them"
    return tuple(one for one in told if isinstance(one, (int, str)))
