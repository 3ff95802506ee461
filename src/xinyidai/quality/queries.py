"""Reading the rules of a day, findings under the viewer's scope, and how deliveries came through."""

from datetime import date

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.foundation.database import read_once
from xinyidai.quality.models import Finding, QualityRule
from xinyidai.quality.rules import FindingId, FindingState, FindingView, Rule, RuleClass, Severity
from xinyidai.quality.rules.judging import ReadRule, read_rule


async def rules_on(session: AsyncSession, day: date) -> list[Rule]:
    """Return the rules in force on a Shanghai day, by code, unread."""
    found = await session.scalars(
        select(QualityRule)
        .where(
            col(QualityRule.valid_from) <= day,
            or_(col(QualityRule.valid_to).is_(None), day < col(QualityRule.valid_to)),
        )
        .order_by(col(QualityRule.code))
    )
    return [_rule_of(row) for row in found]


async def read_rules_on(session: AsyncSession, day: date) -> list[ReadRule]:
    """Return the rules in force on a Shanghai day, each read and tried on its own examples.

    Raises
    ------
    QualityRuleRefused
        One cannot be read: nothing is judged until it is put right.
    """

    async def read() -> list[ReadRule]:
        return [read_rule(rule) for rule in await rules_on(session, day)]

    return await read_once(session, f"quality rules of {day}", read)


def _rule_of(row: QualityRule) -> Rule:
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


def view_of(row: Finding) -> FindingView:
    """Return a finding's row as a value."""
    return FindingView(
        id=FindingId(row.id),
        item_code=row.item_code,
        rule_code=row.rule_code,
        rule_version=row.rule_version,
        severity=Severity(row.severity),
        sender_id=row.sender_id,
        delivery_no=row.delivery_no,
        line_no=row.line_no,
        firm_id=row.firm_id,
        state=FindingState(row.state),
        first_seen_at=row.first_seen_at,
        closed_at=row.closed_at,
        waiver_reason=row.waiver_reason,
        waiver_asked_at=row.waiver_asked_at,
        waiver_decided_at=row.waiver_decided_at,
    )
