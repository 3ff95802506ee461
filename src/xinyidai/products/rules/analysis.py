"""Looking through conditions before they are published: each must make sense, and all together somebody must meet.

Fields are looked at one by one, exactly: a set of conditions on one field is refused when and only when no value of the
field fulfils them all. What the product's own terms say of a field (its amounts, its regions) narrows the values.
"""

import re
from collections.abc import Collection, Mapping, Sequence

from xinyidai.foundation.errors import Refusal
from xinyidai.products.rules.clauses import LISTS, ORDER, Clause, Operator, Scalar
from xinyidai.products.rules.fields import FIELDS, INDICATOR_DOMAIN, LARGEST, Domain, Whole, Words

MAX_CLAUSES = 50
MAX_LISTED = 200
MAX_TEXT = 60
_CODE = re.compile(r"[a-z][a-z0-9_]{0,59}")


class TooManyClauses(Refusal):
    """More conditions than one product may have."""

    code = "too_many_clauses"
    status = 422
    title_zh = "一个产品的准入条件不能超过 {most} 条"
    title_en = "A product has at most {most} conditions"


class ClauseCodeRefused(Refusal):
    """A condition without a usable name."""

    code = "clause_code_refused"
    status = 422
    title_zh = "第 {number} 条准入条件的代码须为小写字母开头的字母、数字、下划线，最长 60 个字符"
    title_en = "The code of condition {number} must be lower-case letters, digits and underscores, at most 60"


class ClauseCodeRepeated(Refusal):
    """Two conditions of one name could not be told apart in an answer."""

    code = "clause_code_repeated"
    status = 422
    title_zh = "准入条件代码 {clause} 重复"
    title_en = "The condition code {clause} is used twice"


class ClauseFieldUnknown(Refusal):
    """The condition looks at something that the platform does not know of an applicant."""

    code = "clause_field_unknown"
    status = 422
    title_zh = "准入条件 {clause} 使用了未知字段 {field}"
    title_en = "Condition {clause} looks at the unknown field {field}"


class ClauseOperatorRefused(Refusal):
    """Texts have no order here."""

    code = "clause_operator_refused"
    status = 422
    title_zh = "准入条件 {clause} 的字段 {field} 不支持运算符 {operator}"
    title_en = "Condition {clause}: the field {field} does not take the operator {operator}"


class ClauseValueRefused(Refusal):
    """The value is of the wrong type, a list where one is needed or the reverse, or no value that the field has."""

    code = "clause_value_refused"
    status = 422
    title_zh = "准入条件 {clause} 的取值与字段 {field} 或运算符 {operator} 不符"
    title_en = "Condition {clause}: the value does not fit the field {field} or the operator {operator}"


class ClauseNeverMet(Refusal):
    """No value of the field fulfils the condition, within the product's own terms."""

    code = "clause_never_met"
    status = 422
    title_zh = "准入条件 {clause} 对字段 {field} 永远无法满足"
    title_en = "Condition {clause} can never be met by the field {field}"


class ClausesContradict(Refusal):
    """Conditions on one field that no value fulfils together; leaving out any one of those named would do."""

    code = "clauses_contradict"
    status = 422
    title_zh = "字段 {field} 的准入条件 {clauses} 相互矛盾"
    title_en = "The conditions {clauses} on the field {field} contradict each other"


def check_clauses(
    clauses: Sequence[Clause], *, narrowed: Mapping[str, Domain], indicators: Collection[str] = ()
) -> None:
    """Refuse conditions that make no sense, alone or together.

    Parameters
    ----------
    narrowed : mapping of field to domain
        Fields of which the product's own terms leave less than `FIELDS` says.
    indicators : collection of str
        Codes of the indicators that the platform computes; each is a field of its own.

    Raises
    ------
    TooManyClauses, ClauseCodeRefused, ClauseCodeRepeated, ClauseFieldUnknown, ClauseOperatorRefused,
    ClauseValueRefused, ClauseNeverMet, ClausesContradict
    """
    if len(clauses) > MAX_CLAUSES:
        raise TooManyClauses(most=MAX_CLAUSES)
    known = {**FIELDS, **dict.fromkeys(indicators, INDICATOR_DOMAIN)}
    by_field: dict[str, list[Clause]] = {}
    seen: set[str] = set()
    for number, clause in enumerate(clauses, 1):
        if not _CODE.fullmatch(clause.code):
            raise ClauseCodeRefused(number=number)
        if clause.code in seen:
            raise ClauseCodeRepeated(clause=clause.code)
        seen.add(clause.code)
        if clause.field not in known:
            raise ClauseFieldUnknown(clause=clause.code, field=clause.field[:MAX_TEXT])
        _check_shape(clause, known[clause.field])
        by_field.setdefault(clause.field, []).append(clause)
    for field, together in by_field.items():
        _check_together(field, together, narrowed.get(field, known[field]))


def is_satisfiable(clauses: Sequence[Clause], domain: Domain) -> bool:
    """Say whether some value of the domain fulfils all the conditions, which are on one field and well formed."""
    chosen = _chosen(clauses)
    excluded = {one for clause in clauses if clause.operator in (Operator.NE, Operator.NOT_IN) for one in clause.values}
    if isinstance(domain, Words):
        # Any text at all: infinitely many are left whatever is excluded, also behind a prefix.
        texts = domain.among if chosen is None else chosen
        return texts is None or any(domain.has(str(one)) for one in texts - excluded)
    span = _span(clauses, domain)
    if chosen is not None:
        return any(_within(one, span) for one in chosen - excluded)
    return span.most - span.least + 1 > sum(_within(one, span) for one in excluded)


def _check_shape(clause: Clause, domain: Domain) -> None:
    facts = {"clause": clause.code, "field": clause.field, "operator": clause.operator.value}
    if clause.operator in ORDER and isinstance(domain, Words):
        raise ClauseOperatorRefused(**facts)
    is_list = isinstance(clause.value, tuple)
    if is_list != (clause.operator in LISTS) or not 1 <= len(clause.values) <= MAX_LISTED:
        raise ClauseValueRefused(**facts)
    if not all(_fits(one, domain) for one in clause.values):
        raise ClauseValueRefused(**facts)


def _fits(value: Scalar, domain: Domain) -> bool:
    if isinstance(domain, Whole):
        return type(value) is int and abs(value) <= LARGEST
    return isinstance(value, str) and 1 <= len(value) <= MAX_TEXT and value.isprintable() and domain.has(value)


def _check_together(field: str, clauses: Sequence[Clause], domain: Domain) -> None:
    if is_satisfiable(clauses, domain):
        return
    # Leave out whatever is not needed for the contradiction, so that only the guilty are named.
    needed = list(clauses)
    for clause in clauses:
        rest = [one for one in needed if one is not clause]
        if not is_satisfiable(rest, domain):
            needed = rest
    if len(needed) == 1:
        raise ClauseNeverMet(clause=needed[0].code, field=field)
    raise ClausesContradict(clauses=[clause.code for clause in needed], field=field)


def _chosen(clauses: Sequence[Clause]) -> frozenset[Scalar] | None:
    chosen: frozenset[Scalar] | None = None
    for clause in clauses:
        if clause.operator in (Operator.EQ, Operator.IN):
            chosen = frozenset(clause.values) if chosen is None else chosen & frozenset(clause.values)
    return chosen


def _span(clauses: Sequence[Clause], domain: Whole) -> Whole:
    least, most = domain.least, domain.most
    for clause in clauses:
        bound = clause.value
        if clause.operator not in ORDER or not isinstance(bound, int):
            continue
        if clause.operator in (Operator.GT, Operator.GTE):
            least = max(least, bound + (clause.operator is Operator.GT))
        else:
            most = min(most, bound - (clause.operator is Operator.LT))
    return Whole(least, max(most, least - 1))


def _within(value: Scalar, span: Whole) -> bool:
    return isinstance(value, int) and span.least <= value <= span.most
