"""Judging firms over all their rows and sources, and senders over their silence: what no delivery says by itself."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final
from uuid import UUID

import numpy as np
import pandas as pd
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.foundation import outbox
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.timetable import Found, Moment
from xinyidai.quality import queries
from xinyidai.quality.events import LinkingGoesOn
from xinyidai.quality.models import Finding, JudgedDelivery, RuleTally
from xinyidai.quality.rules import STANDING, FindingState, RuleClass, Scope
from xinyidai.quality.rules.columns import numbers
from xinyidai.quality.rules.items import INVOICE_MONTH, requires_item
from xinyidai.quality.rules.judging import Judgement, ReadRule, judge
from xinyidai.quality.rules.measures import Measure
from xinyidai.quality.rules.weighing import columns_of, weigh
from xinyidai.quality.service import reading
from xinyidai.quality.service.judging import MAX_FINDINGS, finding_row, insert_findings
from xinyidai.sources.queries import delivered as sources
from xinyidai.sources.rules import ITEM

DELIVERIES_AT_ONCE: Final = 20
_TALLIES: Final = RuleTally.metadata.tables["quality.count"]
Line = tuple[int, int]


@dataclass
class Linking:
    """The firms of some deliveries under way."""

    session: AsyncSession
    rules: Sequence[ReadRule]
    delivery_nos: Collection[int]
    now: datetime
    today: date
    checked: dict[tuple[int, str], int] = field(default_factory=dict)
    failed: dict[tuple[int, str], int] = field(default_factory=dict)


def unlinked_deliveries(_moment: Moment) -> Found:
    """Return the deliveries whose firms were not judged over their sources yet, for the timetable."""
    return select(col(JudgedDelivery.delivery_no)).where(col(JudgedDelivery.linked_at).is_(None))


async def link_firms(session: AsyncSession, *, now: datetime) -> int:
    """Judge the firms of the oldest deliveries that wait for it over all their rows and sources; return how many
    deliveries. Needs platform scope. Where it took as many as it may, an event wakes the next run.

    An open finding is closed where its fact passes now or was superseded, a waived one where it was superseded; where
    the answer is unknown, because another source may not be read or says nothing, it stays.
    """
    waiting = (
        select(col(JudgedDelivery.delivery_no))
        .where(col(JudgedDelivery.linked_at).is_(None))
        .order_by(col(JudgedDelivery.delivery_no))
        .limit(DELIVERIES_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    taken = list((await session.execute(waiting)).scalars())
    if not taken:
        return 0
    today = business_date(now)
    rules = [read for read in await queries.read_rules_on(session, today) if read.scope is Scope.FIRM]
    linking = Linking(session, rules, frozenset(taken), now, today)
    deliveries = await sources.deliveries_by_no(session, taken)
    firm_ids = sorted({firm_id for one in deliveries.values() for firm_id in one.firm_ids})
    for chunk in reading.chunks(firm_ids):
        await _judge_firms(linking, chunk)
    await _write_counts(linking, {no: one.sender_id for no, one in deliveries.items()})
    await session.execute(
        update(JudgedDelivery).where(col(JudgedDelivery.delivery_no).in_(taken)).values(linked_at=now)
    )
    if len(taken) == DELIVERIES_AT_ONCE:
        await outbox.announce(session, LinkingGoesOn(max(taken)), occurred_at=now)
    return len(taken)


async def _judge_firms(linking: Linking, firm_ids: Sequence[UUID]) -> None:
    frames, readable = await _frames(linking, firm_ids)
    established_on = await reading.established(linking.session, firm_ids)
    failing: dict[str, dict[Line, UUID]] = {}
    passing: dict[str, set[Line]] = {}
    current: dict[str, set[Line]] = {}
    for code in sorted({read.rule.item_code for read in linking.rules} & frames.keys()):
        rules = [read for read in linking.rules if read.rule.item_code == code]
        frame = frames[code]
        columns = dict(columns_of(code, frame, today=linking.today, established_on=established_on))
        for read in rules:
            columns |= weigh(read.condition.measures, code, frames)
        lines = [(int(no), int(line)) for no, line in zip(frame["delivery_no"], frame["line_no"], strict=True)]
        firms: list[UUID] = frame["firm_id"].tolist()
        current[code] = set(lines)
        for rule_code, told in judge(rules, columns).items():
            _count(linking, rule_code, lines, told)
            bad = np.flatnonzero(told.is_failed)[:MAX_FINDINGS].tolist()
            failing[rule_code] = {lines[at]: firms[at] for at in bad}
            passing[rule_code] = {lines[at] for at in np.flatnonzero(told.is_checked & ~told.is_failed)}
    await _close(linking, firm_ids, readable, current, passing)
    await _write(linking, failing)


async def _frames(
    linking: Linking, firm_ids: Sequence[UUID]
) -> tuple[dict[str, pd.DataFrame], Mapping[str, frozenset[UUID]]]:
    """Return the facts of every item that some rule needs, and of whom each could be read."""
    asked = {one.item_code for read in linking.rules for one in read.condition.measures}
    needed = {requires_item(code) for code in asked | {read.rule.item_code for read in linking.rules}}
    permitted = await reading.permitted(
        linking.session, needed, firm_ids, object_id=str(min(linking.delivery_nos)), now=linking.now
    )
    frames = {}
    for code, permission in permitted.items():
        if not permission.subject_ids:
            continue
        if code == ITEM:
            frame, name = await sources.invoice_months(linking.session, permission), INVOICE_MONTH
        else:
            frame, name = await reading.facts(linking.session, permission), code
        if len(frame):
            frames[name] = frame
    return frames, {code: permission.subject_ids for code, permission in permitted.items()}


def _count(linking: Linking, rule_code: str, lines: Sequence[Line], told: Judgement) -> None:
    for place in np.flatnonzero(told.is_checked).tolist():
        no = lines[place][0]
        if no in linking.delivery_nos:
            linking.checked[no, rule_code] = linking.checked.get((no, rule_code), 0) + 1
            linking.failed[no, rule_code] = linking.failed.get((no, rule_code), 0) + int(told.is_failed[place])


async def _close(
    linking: Linking,
    firm_ids: Sequence[UUID],
    readable: Mapping[str, frozenset[UUID]],
    current: Mapping[str, set[Line]],
    passing: Mapping[str, set[Line]],
) -> None:
    statement = select(Finding).where(
        col(Finding.firm_id).in_(firm_ids),
        col(Finding.state).in_([state.value for state in STANDING]),
        col(Finding.rule_code).in_([read.rule.code for read in linking.rules]),
    )
    for row in await linking.session.scalars(statement):
        line = (row.delivery_no, row.line_no or 0)
        is_readable = row.firm_id in readable[row.item_code]
        is_gone = is_readable and line not in current.get(row.item_code, set())
        is_right = row.state == FindingState.OPEN and line in passing.get(row.rule_code, set())
        if is_gone or is_right:
            row.state, row.closed_at = FindingState.CORRECTED.value, linking.now
            linking.session.add(row)
    await linking.session.flush()


async def _write(linking: Linking, failing: Mapping[str, Mapping[Line, UUID]]) -> None:
    nos = {no for lines in failing.values() for no, _line in lines}
    deliveries = await sources.deliveries_by_no(linking.session, sorted(nos))
    rules = {read.rule.code: read.rule for read in linking.rules}
    rows = [
        finding_row(
            rules[rule_code],
            sender_id=deliveries[no].sender_id,
            delivery_no=no,
            line_no=line_no,
            firm_id=firm_id,
            now=linking.now,
        )
        for rule_code, lines in failing.items()
        for (no, line_no), firm_id in lines.items()
    ]
    await insert_findings(linking.session, rows)


async def _write_counts(linking: Linking, senders: Mapping[int, UUID]) -> None:
    versions = {read.rule.code: read.rule.version for read in linking.rules}
    rows = [
        {
            "delivery_no": no,
            "rule_code": code,
            "rule_version": versions[code],
            "sender_id": senders[no],
            "checked": checked,
            "failed": linking.failed[no, code],
        }
        for (no, code), checked in sorted(linking.checked.items())
    ]
    if rows:
        statement = insert(_TALLIES)
        again = {"checked": statement.excluded.checked, "failed": statement.excluded.failed}
        upsert = statement.on_conflict_do_update(index_elements=["delivery_no", "rule_code"], set_=again)
        await linking.session.execute(upsert, rows)


def heard_before(moment: Moment) -> Found:
    """Return the deliveries that speak of days before today, for the timetable: without one nobody can be silent."""
    return select(col(JudgedDelivery.delivery_no)).where(col(JudgedDelivery.newest_on) < moment.today)


async def note_silence(session: AsyncSession, *, now: datetime) -> int:
    """Judge every sender and item by how long its newest row lies back; return how many are silent too long.

    Needs platform scope. The finding stands at the newest delivery, and is closed when a newer one comes.
    """
    today = business_date(now)
    timely = await queries.read_rules_on(session, today, rule_class=RuleClass.TIMELINESS)
    rules = {read.rule.item_code: read for read in timely if _is_of_silence(read)}
    newest = await session.execute(
        select(
            col(JudgedDelivery.sender_id),
            col(JudgedDelivery.item_code),
            func.max(col(JudgedDelivery.delivery_no)).label("delivery_no"),
            func.max(col(JudgedDelivery.newest_on)).label("newest_on"),
        )
        .where(col(JudgedDelivery.newest_on).is_not(None))
        .group_by(col(JudgedDelivery.sender_id), col(JudgedDelivery.item_code))
    )
    silent: set[int] = set()
    rows = []
    for one in newest:
        read = rules.get(one.item_code)
        if read is None:
            continue
        (asked,) = read.condition.measures
        told = judge([read], {asked.text: numbers([(today - one.newest_on).days])})[read.rule.code]
        if told.is_failed[0]:
            silent.add(one.delivery_no)
            rows.append(
                finding_row(
                    read.rule,
                    sender_id=one.sender_id,
                    delivery_no=one.delivery_no,
                    line_no=None,
                    firm_id=None,
                    now=now,
                )
            )
    await session.execute(
        update(Finding)
        .where(
            col(Finding.state) == FindingState.OPEN.value,
            col(Finding.rule_code).in_([read.rule.code for read in rules.values()]),
            col(Finding.delivery_no).not_in(silent),
        )
        .values(state=FindingState.CORRECTED.value, closed_at=now)
    )
    await insert_findings(session, rows)
    return len(silent)


def _is_of_silence(read: ReadRule) -> bool:
    return [asked.measure for asked in read.condition.measures] == [Measure.SILENT_DAYS]
