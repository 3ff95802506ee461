"""Reading the rules of a day, findings under the viewer's scope, and how deliveries came through."""

from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Row, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import Viewer, requires_kind
from xinyidai.foundation.clock import add_months
from xinyidai.foundation.paging import limit_of
from xinyidai.foundation.reference import read_reference
from xinyidai.quality.models import JudgedDelivery, QualityRule, RuleTally
from xinyidai.quality.queries.findings import (
    SEES,
    finding,
    finding_groups,
    findings,
    findings_of,
    returned,
    seen,
    view_of,
)
from xinyidai.quality.rules import (
    JudgedView,
    PassRate,
    Rule,
    RuleClass,
    RuleCount,
    Severity,
    check_months,
)
from xinyidai.quality.rules.judging import ReadRule, read_rule

__all__ = [
    "SEES",
    "finding",
    "finding_groups",
    "findings",
    "findings_of",
    "judged_deliveries",
    "judged_delivery",
    "pass_rates",
    "read_rules_on",
    "returned",
    "rule_counts",
    "rule_versions",
    "rules_on",
    "view_of",
]
_ARRIVED: Final = func.timezone("Asia/Shanghai", col(JudgedDelivery.received_at))
_MONTH: Final[ColumnElement[date]] = cast(func.date_trunc("month", _ARRIVED), Date)
"""The Shanghai month in which a delivery came."""

_JUDGED: Final = select(*(col(getattr(JudgedDelivery, name)) for name in JudgedView.__dataclass_fields__))

# Read with every delivery: through the class, hundreds of rows cost ten times as much.
_RULES: Final = QualityRule.metadata.tables["quality.rule"]
_READ: Final[dict[tuple[str, int], ReadRule]] = {}


async def rules_on(
    session: AsyncSession, day: date, *, item_code: str | None = None, rule_class: RuleClass | None = None
) -> list[Rule]:
    """Return the rules in force on a Shanghai day, of one item or class or of all, by code, unread; a process keeps
    them.
    """

    async def read() -> tuple[Rule, ...]:
        return tuple(_rule_of(row) for row in await session.execute(select(_RULES).order_by(_RULES.c.code)))

    return [
        rule
        for rule in await read_reference(session, "quality.rules", read)
        if rule.valid_from <= day
        and (rule.valid_to is None or day < rule.valid_to)
        and item_code in (None, rule.item_code)
        and rule_class in (None, rule.rule_class)
    ]


async def rule_versions(session: AsyncSession) -> list[Rule]:
    """Return every version of every rule, by item and code, the newest version first."""
    order = (_RULES.c.item_code, _RULES.c.code, _RULES.c.version.desc())
    return [_rule_of(row) for row in await session.execute(select(_RULES).order_by(*order))]


async def read_rules_on(
    session: AsyncSession, day: date, *, item_code: str | None = None, rule_class: RuleClass | None = None
) -> list[ReadRule]:
    """Return the rules in force on a Shanghai day, of one item or class or of all, each tried on its own examples.

    A process reads and tries a version of a rule once, while it says the same.

    Raises
    ------
    QualityRuleRefused
        One cannot be read: nothing is judged until it is put right.
    """
    return [_read(rule) for rule in await rules_on(session, day, item_code=item_code, rule_class=rule_class)]


def _read(rule: Rule) -> ReadRule:
    known = _READ.get((rule.code, rule.version))
    if known is None or known.rule != rule:
        known = _READ[rule.code, rule.version] = read_rule(rule)
    return known


def _rule_of(row: Row[tuple[object, ...]]) -> Rule:
    return Rule(
        code=row.code,
        version=row.version,
        item_code=row.item_code,
        rule_class=RuleClass(row.rule_class),
        severity=Severity(row.severity),
        fields=tuple(row.fields),
        condition=row.condition,
        name_zh=row.name_zh,
        name_en=row.name_en,
        message_zh=row.message_zh,
        message_en=row.message_en,
        passing=row.passing,
        failing=row.failing,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
    )


async def pass_rates(session: AsyncSession, viewer: Viewer, *, from_month: date, to_month: date) -> list[PassRate]:
    """Return how rows came through by item, sender and month of arrival, of the months from the first to the last.

    A sender sees its own deliveries, the operator all. Counts only, so no firm's data is read.

    Raises
    ------
    NotAllowed, MonthsRefused
    """
    requires_kind(viewer, *SEES)
    check_months(from_month, to_month)
    keys = (col(JudgedDelivery.item_code), col(JudgedDelivery.sender_id), _MONTH.label("month"))
    sums = ("received", "judged", "failed", "refused", "unknown_firm")
    of_uniqueness = select(_RULES.c.code).where(_RULES.c.rule_class == RuleClass.UNIQUENESS.value)
    doubled = (
        select(col(RuleTally.delivery_no), func.sum(col(RuleTally.failed)).label("failed"))
        .where(col(RuleTally.rule_code).in_(of_uniqueness))
        .group_by(col(RuleTally.delivery_no))
        .subquery()
    )
    statement = (
        select(
            *keys,
            func.count().label("deliveries"),
            *(func.sum(getattr(JudgedDelivery, name)).label(name) for name in sums),
            func.coalesce(func.sum(doubled.c.failed), 0).label("doubled"),
        )
        .outerjoin(doubled, doubled.c.delivery_no == col(JudgedDelivery.delivery_no))
        .where(from_month <= _MONTH, add_months(to_month, 1) > _MONTH)
        .group_by(*keys)
        .order_by(_MONTH.desc(), col(JudgedDelivery.item_code), col(JudgedDelivery.sender_id))
    )
    return [_pass_rate_of(row) for row in await seen(session, viewer, statement, col(JudgedDelivery.sender_id))]


async def judged_deliveries(
    session: AsyncSession, viewer: Viewer, *, before_no: int | None = None, limit: int = 50
) -> list[JudgedView]:
    """Return how the newest deliveries came through, before a number where one is given.

    A sender sees its own, the operator all.

    Raises
    ------
    NotAllowed
    """
    statement = _JUDGED.order_by(col(JudgedDelivery.delivery_no).desc()).limit(limit_of(limit))
    if before_no is not None:
        statement = statement.where(col(JudgedDelivery.delivery_no) < before_no)
    found = await seen(session, viewer, statement, col(JudgedDelivery.sender_id))
    return [JudgedView(**row._mapping) for row in found]


async def judged_delivery(session: AsyncSession, viewer: Viewer, delivery_id: UUID) -> JudgedView | None:
    """Return how one delivery came through; None where it was not judged, or is somebody else's.

    Raises
    ------
    NotAllowed
    """
    statement = _JUDGED.where(col(JudgedDelivery.delivery_id) == delivery_id)
    found = await seen(session, viewer, statement, col(JudgedDelivery.sender_id))
    return JudgedView(**found[0]._mapping) if found else None


async def rule_counts(
    session: AsyncSession, viewer: Viewer, *, item_code: str, sender_id: UUID, month: date
) -> list[RuleCount]:
    """Return how often each rule was asked of an item from a sender in a month, and how often it said no; those that
    said no most often first.

    Raises
    ------
    NotAllowed
    """
    requires_kind(viewer, *SEES)
    failed = func.sum(col(RuleTally.failed))
    statement = (
        select(col(RuleTally.rule_code), func.sum(col(RuleTally.checked)).label("checked"), failed.label("failed"))
        .join(JudgedDelivery, col(JudgedDelivery.delivery_no) == col(RuleTally.delivery_no))
        .where(
            col(JudgedDelivery.item_code) == item_code,
            col(JudgedDelivery.sender_id) == sender_id,
            _MONTH.in_([month.replace(day=1)]),
        )
        .group_by(col(RuleTally.rule_code))
        .order_by(failed.desc(), col(RuleTally.rule_code))
    )
    found = await seen(session, viewer, statement, col(JudgedDelivery.sender_id))
    return [RuleCount(row.rule_code, int(row.checked), int(row.failed)) for row in found]


def _pass_rate_of(row: Row[tuple[object, ...]]) -> PassRate:
    judged, failed, refused = int(row.judged), int(row.failed), int(row.refused)
    return PassRate(
        item_code=row.item_code,
        sender_id=row.sender_id,
        month=row.month,
        deliveries=row.deliveries,
        received=int(row.received),
        offered=judged + refused,
        judged=judged,
        passed=judged - failed,
        failed=failed,
        refused=refused,
        unknown_firm=int(row.unknown_firm),
        doubled=int(row.doubled),
    )
