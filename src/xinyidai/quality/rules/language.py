"""The language of conditions: read with Python's own parser, in a closed set of nodes, into functions on columns.

Nothing is ever evaluated as Python: a node that is not named here is refused, and so is a name that is no column, a
comparison of unlike things, and anything longer than a condition needs to be.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np

from xinyidai.quality.rules import Scope
from xinyidai.quality.rules.columns import Columns, Number, Plain, ValueKind, Values
from xinyidai.quality.rules.functions import (
    DAY,
    FUNCTIONS,
    NUMBER,
    TRUTH,
    WORD,
    all_of,
    any_of,
    calculated,
    compared,
    distance,
    divided,
    is_missing,
    known_truth,
    matcher,
    multiplied,
    negated,
    remainder,
    same_words,
)
from xinyidai.quality.rules.items import COLUMNS_OF, EVERYWHERE
from xinyidai.quality.rules.measures import (
    OF_ANY_COLUMN,
    OF_OTHER_ITEM,
    WITHOUT_COLUMN,
    Asked,
    Measure,
)
from xinyidai.sources.rules import ITEM

MAX_CHARACTERS: Final = 400
MAX_NODES: Final = 150
MISSING: Final = "missing"
_MAX_NUMBER: Final = 10**15
_MEASURES: Final = frozenset(one.value for one in Measure)
_COMPARE: Final = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
Judge = Callable[[Columns], Values]


class NotOfTheLanguage(ValueError):
    """What is wrong with a condition, in words."""


@dataclass(frozen=True)
class Expression:
    """A part of a condition that has been read: what it is, and how it is worked out.

    `constant` is set for a number or word that was written down.
    """

    kind: ValueKind
    judge: Judge
    constant: Plain = None


@dataclass(frozen=True)
class Condition:
    """A condition that has been read: which columns and measures it needs, and how it is judged.

    Its answers are yes (the row is as it should be), no, or unknown where something it needs is missing.
    """

    judge: Judge
    columns: frozenset[str]
    measures: tuple[Asked, ...]

    @property
    def scope(self) -> Scope:
        """Return what must be read to judge."""
        scopes = {asked.scope for asked in self.measures}
        return Scope.BATCH if Scope.BATCH in scopes else Scope.FIRM if scopes else Scope.ROW


def read_condition(source: str, item_code: str) -> Condition:
    """Read the condition of a rule over an item's rows.

    Raises
    ------
    NotOfTheLanguage
    """
    if len(source) > MAX_CHARACTERS:
        raise NotOfTheLanguage(f"longer than {MAX_CHARACTERS} characters")
    if item_code not in COLUMNS_OF:
        raise NotOfTheLanguage(f"no such item: {item_code}")
    try:
        tree = ast.parse(source, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotOfTheLanguage("no expression") from error
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
        raise NotOfTheLanguage(f"more than {MAX_NODES} parts")
    reader = _Reader(item_code)
    whole = reader.read(tree.body)
    _requires(whole, TRUTH, "the condition")
    measures = tuple(reader.measures[text] for text in sorted(reader.measures))
    if {asked.scope for asked in measures} == {Scope.BATCH, Scope.FIRM}:
        raise NotOfTheLanguage("asks of a delivery and of a firm at once")
    if item_code == ITEM and any(asked.scope is Scope.FIRM for asked in measures):
        raise NotOfTheLanguage("an invoice is judged by itself: firms' invoices are read by the month only")
    if any(asked.scope is Scope.BATCH for asked in measures) and reader.columns - {"today"}:
        raise NotOfTheLanguage("asks of a delivery and of a row at once")
    return Condition(whole.judge, frozenset(reader.columns), measures)


class _Reader:
    """Reads one condition and notes what it needs."""

    def __init__(self, item_code: str) -> None:
        self.item_code = item_code
        self.known = {**COLUMNS_OF[item_code], **EVERYWHERE}
        self.columns: set[str] = set()
        self.measures: dict[str, Asked] = {}

    def read(self, node: ast.expr) -> Expression:
        """Return the expression of a node."""
        read = _NODES.get(type(node))
        if read is None:
            raise NotOfTheLanguage(f"{type(node).__name__} is not of the language")
        return read(self, node)

    def name(self, node: ast.Name) -> Expression:
        """Read the name of a column."""
        if node.id not in self.known:
            raise NotOfTheLanguage(f"{self.item_code} has no column {node.id}")
        self.columns.add(node.id)
        name = node.id
        return Expression(self.known[name], lambda columns: columns[name])

    def constant(self, node: ast.Constant) -> Expression:
        """Read a number, a word, True or False."""
        value = node.value
        if isinstance(value, bool):
            return Expression(TRUTH, lambda _: Values(TRUTH, np.array([value])), value)
        if isinstance(value, Number) and abs(value) <= _MAX_NUMBER:
            array = np.array([value])
            return Expression(NUMBER, lambda _: Values(NUMBER, array), value)
        if isinstance(value, str):
            return Expression(WORD, lambda _: Values(WORD, np.zeros(1, np.int32), None, (value,)), value)
        raise NotOfTheLanguage(f"{value!r} is no number or word of the language")

    def logic(self, node: ast.BoolOp) -> Expression:
        """Read `and` and `or`."""
        parts = [self.read(one) for one in node.values]
        for part in parts:
            _requires(part, TRUTH, "each side of and, or")
        join = all_of if isinstance(node.op, ast.And) else any_of
        judges = [part.judge for part in parts]
        return Expression(TRUTH, lambda columns: reduce(join, (judge(columns) for judge in judges)))

    def unary(self, node: ast.UnaryOp) -> Expression:
        """Read `not` and a sign."""
        part = self.read(node.operand)
        if isinstance(node.op, ast.Not):
            _requires(part, TRUTH, "after not")
            return Expression(TRUTH, lambda columns: negated(part.judge(columns)))
        if isinstance(node.op, ast.USub):
            _requires(part, NUMBER, "after a sign")
            constant = -part.constant if isinstance(part.constant, Number) else None
            return Expression(NUMBER, lambda columns: _minus(part.judge(columns)), constant)
        raise NotOfTheLanguage(f"{type(node.op).__name__} is not of the language")

    def arithmetic(self, node: ast.BinOp) -> Expression:
        """Read a calculation: numbers with numbers, a day with a number of days, two days into a number of days."""
        first, second = self.read(node.left), self.read(node.right)
        work, kind = _calculation(type(node.op), first.kind, second.kind)
        return Expression(kind, lambda columns: work(first.judge(columns), second.judge(columns)))

    def comparison(self, node: ast.Compare) -> Expression:
        """Read comparisons, which may be chained, `in` a list, and `is missing`."""
        judges = []
        left = node.left
        for kind, right in zip(node.ops, node.comparators, strict=True):
            judges.append(self._compare(left, kind, right))
            left = right
        return Expression(TRUTH, lambda columns: reduce(all_of, (judge(columns) for judge in judges)))

    def _compare(self, left: ast.expr, kind: ast.cmpop, right: ast.expr) -> Judge:
        if isinstance(kind, ast.Is | ast.IsNot):
            if not (isinstance(right, ast.Name) and right.id == MISSING):
                raise NotOfTheLanguage("only missing may follow is")
            one = self.read(left).judge
            if isinstance(kind, ast.Is):
                return lambda columns: is_missing(one(columns))
            return lambda columns: negated(is_missing(one(columns)))
        first = self.read(left)
        if isinstance(kind, ast.In | ast.NotIn):
            inside = _membership(first, _listed(right))
            return inside if isinstance(kind, ast.In) else lambda columns: negated(inside(columns))
        second = self.read(right)
        if first.kind is not second.kind:
            raise NotOfTheLanguage(f"a {first.kind} is compared with a {second.kind}")
        if first.kind in (WORD, TRUTH) and not isinstance(kind, ast.Eq | ast.NotEq):
            raise NotOfTheLanguage(f"a {first.kind} is larger than none")
        if first.kind is WORD:
            return _words_compared(first, second, is_equal=isinstance(kind, ast.Eq))
        work = compared(_COMPARE[type(kind)])
        return lambda columns: work(first.judge(columns), second.judge(columns))

    def call(self, node: ast.Call) -> Expression:
        """Read a function or a measure."""
        if not isinstance(node.func, ast.Name):
            raise NotOfTheLanguage("only a name may be called")
        name = node.func.id
        if name in _MEASURES:
            return self._measure(Measure(name), node)
        if node.keywords:
            raise NotOfTheLanguage(f"{name} takes no named arguments")
        if name in _WRITTEN_DOWN:
            return _WRITTEN_DOWN[name](self, node)
        if name not in FUNCTIONS:
            raise NotOfTheLanguage(f"there is no function {name}")
        function, parts = FUNCTIONS[name], [self.read(one) for one in node.args]
        if len(parts) != len(function.takes):
            raise NotOfTheLanguage(f"{name} takes {len(function.takes)} arguments")
        for part, kind in zip(parts, function.takes, strict=True):
            _requires(part, kind, f"in {name}")
        judges = [part.judge for part in parts]
        return Expression(function.returns, lambda columns: function.apply(*(judge(columns) for judge in judges)))

    def _matches(self, node: ast.Call) -> Expression:
        if len(node.args) != 2:
            raise NotOfTheLanguage("matches takes 2 arguments")
        part, pattern = self.read(node.args[0]), self.read(node.args[1])
        _requires(part, WORD, "in matches")
        if not isinstance(pattern.constant, str):
            raise NotOfTheLanguage("the pattern must be written down")
        try:
            is_match = matcher(pattern.constant)
        except re.error as error:
            raise NotOfTheLanguage("the pattern is none") from error
        return Expression(TRUTH, lambda columns: part.judge(columns).of_words(TRUTH, is_match))

    def _nearest(self, node: ast.Call) -> Expression:
        if len(node.args) != 2:
            raise NotOfTheLanguage("nearest takes 2 arguments")
        part, listed = self.read(node.args[0]), _listed(node.args[1])
        _requires(part, NUMBER, "in nearest")
        if isinstance(listed[0], str):
            raise NotOfTheLanguage("nearest takes a list of numbers")
        known = np.array(sorted(listed), dtype=np.float64)
        return Expression(NUMBER, lambda columns: distance(part.judge(columns), known))

    def _measure(self, measure: Measure, node: ast.Call) -> Expression:
        wanted = 0 if measure in WITHOUT_COLUMN else 1
        if len(node.args) != wanted:
            raise NotOfTheLanguage(f"{measure} takes {wanted} arguments")
        item_code, column = self.item_code, None
        if wanted:
            item_code, column = self._column_of(measure, node.args[0])
        only = tuple((word.arg or "", _word_of(word.value)) for word in node.keywords)
        if only and (measure not in OF_OTHER_ITEM or {name for name, _ in only} - COLUMNS_OF[item_code].keys()):
            raise NotOfTheLanguage(f"{measure} cannot be narrowed so")
        asked = Asked(ast.unparse(node), measure, item_code, column, only)
        self.measures[asked.text] = asked
        text = asked.text
        return Expression(NUMBER, lambda columns: columns[text])

    def _column_of(self, measure: Measure, node: ast.expr) -> tuple[str, str]:
        item_code, name = self.item_code, getattr(node, "id", "")
        if measure in OF_OTHER_ITEM:
            if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
                raise NotOfTheLanguage(f"{measure} takes item.column")
            item_code, name = node.value.id, node.attr
        kind = COLUMNS_OF.get(item_code, {}).get(name)
        if kind is None:
            raise NotOfTheLanguage(f"{measure}: {item_code} has no column {name}")
        if kind is not NUMBER and measure not in OF_ANY_COLUMN:
            raise NotOfTheLanguage(f"{measure} takes a number")
        return item_code, name


_WRITTEN_DOWN: Final[Mapping[str, Callable[[_Reader, ast.Call], Expression]]] = {
    "matches": _Reader._matches,
    "nearest": _Reader._nearest,
}
"""Functions whose second argument must be written down: a pattern, a list."""
_NODES: Final[Mapping[type, Callable[..., Expression]]] = {
    ast.Name: _Reader.name,
    ast.Constant: _Reader.constant,
    ast.BoolOp: _Reader.logic,
    ast.UnaryOp: _Reader.unary,
    ast.BinOp: _Reader.arithmetic,
    ast.Compare: _Reader.comparison,
    ast.Call: _Reader.call,
}


def _requires(part: Expression, kind: ValueKind, where: str) -> None:
    if part.kind is not kind:
        raise NotOfTheLanguage(f"{where} must be a {kind}, not a {part.kind}")


def _minus(one: Values) -> Values:
    return Values(NUMBER, -one.array, one.missing)


def _calculation(kind: type, first: ValueKind, second: ValueKind) -> tuple[Callable[..., Values], ValueKind]:
    if (first, second) == (NUMBER, NUMBER):
        works: dict[type, Callable[..., Values]] = {
            ast.Add: calculated(np.add, NUMBER),
            ast.Sub: calculated(np.subtract, NUMBER),
            ast.Mult: multiplied,
            ast.Div: divided,
            ast.Mod: remainder,
        }
        if kind in works:
            return works[kind], NUMBER
    if (first, second) == (DAY, NUMBER) and kind in (ast.Add, ast.Sub):
        return calculated(np.add if kind is ast.Add else np.subtract, DAY), DAY
    if (first, second) == (DAY, DAY) and kind is ast.Sub:
        return calculated(np.subtract, NUMBER), NUMBER
    raise NotOfTheLanguage(f"{kind.__name__} of a {first} and a {second}")


def _listed(node: ast.expr) -> tuple[Number | str, ...]:
    if not isinstance(node, ast.Tuple | ast.List) or not node.elts:
        raise NotOfTheLanguage("in takes a list")
    values = [one.value for one in node.elts if isinstance(one, ast.Constant)]
    fit = [one for one in values if isinstance(one, Number | str) and not isinstance(one, bool)]
    if len(fit) != len(node.elts) or len({isinstance(one, str) for one in fit}) != 1:
        raise NotOfTheLanguage("a list is of numbers or of words")
    return tuple(fit)


def _word_of(node: ast.expr) -> str:
    if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        raise NotOfTheLanguage("a measure is narrowed by a word")
    return node.value


def _membership(first: Expression, listed: tuple[Number | str, ...]) -> Judge:
    if (first.kind, isinstance(listed[0], str)) not in ((WORD, True), (NUMBER, False)):
        raise NotOfTheLanguage(f"a {first.kind} is in no such list")
    known = frozenset(listed)
    if first.kind is WORD:
        return lambda columns: first.judge(columns).of_words(TRUTH, lambda word: word in known)

    def inside(columns: Columns) -> Values:
        one = first.judge(columns)
        return known_truth(np.isin(one.array, np.array(listed)), one.missing)

    return inside


def _words_compared(first: Expression, second: Expression, *, is_equal: bool) -> Judge:
    word = second.constant
    if isinstance(word, str):
        # A column with a word written down: looked at once a word and not once a row.
        return lambda columns: first.judge(columns).of_words(TRUTH, lambda one: (one == word) is is_equal)

    def compare(columns: Columns) -> Values:
        same = same_words(first.judge(columns), second.judge(columns))
        return same if is_equal else negated(same)

    return compare
