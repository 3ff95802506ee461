"""A condition of eligibility as data, and its evaluation against what is known of an applicant. Pure."""

import operator as arithmetic
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

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
    Operator.LT: arithmetic.lt,
    Operator.LTE: arithmetic.le,
    Operator.GT: arithmetic.gt,
    Operator.GTE: arithmetic.ge,
}
LISTS = frozenset({Operator.IN, Operator.NOT_IN})


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


@dataclass(frozen=True)
class FailedClause:
    """A condition that is not fulfilled: what was wanted and what was found; `got` None means that it is not known."""

    code: str
    field: str
    operator: Operator
    wanted: Value
    got: Fact


def failing_clauses(clauses: Sequence[Clause], facts: Mapping[str, Fact]) -> tuple[FailedClause, ...]:
    """Return every condition that the facts do not fulfil, in their order; none stops the rest.

    A field that is missing, None or of another type fails whatever the operator: "not one of" is no statement about
    what is not known.
    """
    failed = []
    for clause in clauses:
        got = facts.get(clause.field.removeprefix(INDICATOR))
        if not is_met(clause, got):
            failed.append(FailedClause(clause.code, clause.field, clause.operator, clause.value, got))
    return tuple(failed)


def is_met(clause: Clause, fact: Fact) -> bool:
    """Say whether a fact fulfils a condition."""
    if fact is None or any(isinstance(one, str) != isinstance(fact, str) for one in clause.values):
        return False
    if clause.operator in ORDER:
        bound = clause.value
        return isinstance(fact, int) and isinstance(bound, int) and ORDER[clause.operator](fact, bound)
    is_among = fact in clause.values
    return is_among if clause.operator in (Operator.EQ, Operator.IN) else not is_among


def canonical_clause(clause: Clause) -> Clause:
    """Return the condition as it is kept: an indicator by its bare code."""
    return replace(clause, field=clause.field.removeprefix(INDICATOR))


def clause_json(clause: Clause) -> dict[str, Json]:
    """Return a condition as JSON."""
    value: Json = list(clause.value) if isinstance(clause.value, tuple) else clause.value
    return {"field": clause.field, "operator": str(clause.operator), "value": value, "code": clause.code}


def clause_of(told: Json) -> Clause:
    """Return a condition from its own JSON."""
    assert isinstance(told, Mapping), "a clause is an object"
    return Clause(str(told["field"]), Operator(str(told["operator"])), _value_of(told["value"]), str(told["code"]))


def _value_of(told: Json) -> Value:
    if isinstance(told, (int, str)):
        return told
    assert isinstance(told, Sequence), "a value is a number, a text or a list of them"
    return tuple(one for one in told if isinstance(one, (int, str)))
