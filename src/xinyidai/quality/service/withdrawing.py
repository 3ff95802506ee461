"""Withdrawing findings whose rule is in force no longer: nobody is asked for an answer, and nothing is corrected."""

from datetime import datetime

from sqlalchemy import and_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.foundation.timetable import Found, Moment, moment_of
from xinyidai.quality.models import Finding, QualityRule
from xinyidai.quality.rules import FindingState


def findings_of_ended_rules(moment: Moment) -> Found:
    """Return the open findings of versions of rules that have ended, for the timetable."""
    rule = and_(col(QualityRule.code) == col(Finding.rule_code), col(QualityRule.version) == col(Finding.rule_version))
    return (
        select(col(Finding.id))
        .join(QualityRule, rule)
        .where(col(Finding.state) == FindingState.OPEN.value, col(QualityRule.valid_to) <= moment.today)
    )


async def withdraw_findings(session: AsyncSession, *, now: datetime) -> int:
    """Withdraw the open findings of versions of rules that have ended; return how many. Needs platform scope.

    What the version in force finds in the same fact is a finding of its own.
    """
    ended = findings_of_ended_rules(moment_of(now))
    statement = (
        update(Finding)
        .where(col(Finding.id).in_(ended))
        .values(state=FindingState.WITHDRAWN.value, closed_at=now)
        .returning(col(Finding.id))
    )
    return len(list(await session.scalars(statement)))
