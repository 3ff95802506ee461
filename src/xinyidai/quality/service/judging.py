"""Judging a delivery: its rows by the rules of its item, its figures against those of the sender's earlier ones."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final
from uuid import UUID

import numpy as np
import pandas as pd
from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import driver
from xinyidai.foundation.ids import new_id
from xinyidai.quality import queries
from xinyidai.quality.models import Finding, JudgedDelivery
from xinyidai.quality.rules import STANDING, FindingState, Rule, Scope, Severity
from xinyidai.quality.rules.items import COLUMNS_OF
from xinyidai.quality.rules.judging import ReadRule, judge
from xinyidai.quality.rules.weighing import Figure, columns_of, figures_of, joined_figures, newest_on, weigh_batch
from xinyidai.quality.service import reading
from xinyidai.sources.queries import delivered as sources
from xinyidai.sources.queries.delivered import Delivered
from xinyidai.sources.rules import Fault

LINES_AT_ONCE: Final = 100_000
MAX_FINDINGS: Final = 1_000
"""Findings kept one by one of a rule and a delivery; the counts tell of all."""
BATCHES_COMPARED: Final = 12
ROWS_AT_ONCE: Final = 1_000
Place = tuple[int, str]
"""A line of the delivery that is judged, and a rule."""

# Written with every delivery, dozens of rows each: through the classes it costs twice the time of the rules themselves.
_TABLES: Final = Finding.metadata.tables
_FIGURES, _TALLIES = _TABLES["quality.batch_figure"], _TABLES["quality.count"]
_FINDING_TYPES: Final = {
    "id": "uuid",
    "item_code": "text",
    "rule_code": "text",
    "rule_version": "integer",
    "severity": "text",
    "sender_id": "uuid",
    "delivery_no": "integer",
    "line_no": "integer",
    "firm_id": "uuid",
    "state": "text",
    "first_seen_at": "timestamptz",
}
_INSERT_FINDINGS: Final = (
    f"INSERT INTO quality.finding ({', '.join(_FINDING_TYPES)}) SELECT * FROM unnest("  # noqa: S608 - names of columns
    + ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(_FINDING_TYPES.values(), start=1))
    + ") ON CONFLICT (delivery_no, line_no, rule_code) WHERE state IN ('open', 'waived')"
    " DO UPDATE SET rule_version = excluded.rule_version, severity = excluded.severity"
    " WHERE finding.rule_version < excluded.rule_version"
)
"""One statement for all rows: told one by one, findings cost more than all the judging."""


@dataclass
class Judging:
    """One delivery under way: what was checked, failed and found so far."""

    session: AsyncSession
    delivery: Delivered
    rules: Sequence[ReadRule]
    now: datetime
    today: date
    checked: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    found: dict[Place, UUID] = field(default_factory=dict)
    lines: set[int] = field(default_factory=set)
    replaced: dict[tuple[int, int], int] = field(default_factory=dict)
    """The line that replaced an earlier fact, by that fact's delivery and line."""
    still_failing: set[Place] = field(default_factory=set)
    """What fails of the lines that replaced something, all of it: `found` keeps no more than MAX_FINDINGS of a rule."""
    failing_rows: int = 0
    figures: list[dict[str, Figure]] = field(default_factory=list)
    newest: list[date] = field(default_factory=list)

    def of_scope(self, scope: Scope) -> list[ReadRule]:
        """Return the rules of the delivery's item that need no more than a scope offers."""
        return [read for read in self.rules if read.scope is scope]


async def judge_delivery(session: AsyncSession, delivery_id: UUID, *, now: datetime) -> None:
    """Judge a delivery's facts by the rules of its item, once; needs platform scope.

    Facts that a later delivery superseded meanwhile, or whose firm took its consent back, are left out. A finding of
    an earlier delivery whose fact this one replaced is closed where the new fact passes, and goes on at the new line
    where it does not.

    Raises
    ------
    QualityRuleRefused
        A rule cannot be read: nothing is judged until it is put right.
    """
    delivery = await sources.delivered(session, delivery_id)
    if delivery is None or await session.get(JudgedDelivery, delivery.no) is not None:
        return
    if delivery.item_code not in COLUMNS_OF:
        return
    today = business_date(now)
    rules = await queries.read_rules_on(session, today, item_code=delivery.item_code)
    judging = Judging(session, delivery, rules, now, today)
    replaced = await sources.replaced_by(session, delivery.item_code, delivery.no)
    judging.replaced.update({(one.delivery_no, one.line_no): one.by_line_no for one in replaced})
    for firm_ids in reading.chunks(delivery.firm_ids):
        await _judge_firms(judging, firm_ids)
    await _close_corrected(judging)
    await _write_findings(judging)
    await _judge_batch(judging)
    await _write_counts(judging)


async def _judge_firms(judging: Judging, firm_ids: Sequence[UUID]) -> None:
    session, delivery = judging.session, judging.delivery
    code = delivery.item_code
    permission = (await reading.permitted(session, [code], firm_ids, object_id=str(delivery.id), now=judging.now))[code]
    established_on = await reading.established(session, firm_ids)
    for start in range(0, delivery.received + 1, LINES_AT_ONCE):
        frame = await reading.facts(session, permission, delivery_no=delivery.no, lines=(start, start + LINES_AT_ONCE))
        if len(frame):
            _judge_rows(judging, frame, established_on)


def _judge_rows(judging: Judging, frame: pd.DataFrame, established_on: Mapping[object, date]) -> None:
    code = judging.delivery.item_code
    columns = columns_of(
        code,
        frame,
        today=judging.today,
        established_on=established_on,
        corrections=set(judging.replaced.values()),
    )
    rules = judging.of_scope(Scope.ROW)
    is_failing = np.zeros(len(frame), dtype=np.bool_)
    line_no, firm_id = frame["line_no"].to_numpy(), frame["firm_id"].to_numpy()
    replaces = np.isin(line_no, list(judging.replaced.values()))
    for rule_code, told in judge(rules, columns).items():
        count = int(told.is_failed.sum())
        judging.checked[rule_code] = judging.checked.get(rule_code, 0) + int(told.is_checked.sum())
        kept = MAX_FINDINGS - judging.failed.get(rule_code, 0)
        judging.failed[rule_code] = judging.failed.get(rule_code, 0) + count
        for place in np.flatnonzero(told.is_failed)[: max(kept, 0)]:
            judging.found[int(line_no[place]), rule_code] = firm_id[place]
        judging.still_failing.update((int(no), rule_code) for no in line_no[told.is_failed & replaces])
        if _rule(rules, rule_code).severity is Severity.ERROR:
            is_failing |= told.is_failed
    judging.failing_rows += int(is_failing.sum())
    judging.lines.update(line_no.tolist())
    judging.figures.append(figures_of(code, columns))
    judging.newest.append(newest_on(code, frame))


def _rule(rules: Iterable[ReadRule], code: str) -> Rule:
    return next(read.rule for read in rules if read.rule.code == code)


async def _close_corrected(judging: Judging) -> None:
    """Look at the findings of facts that this delivery replaced; a waiver ends with the fact that it was given for."""
    session, now_at = judging.session, judging.replaced
    of_rows = {read.rule.code for read in judging.of_scope(Scope.ROW)}
    places = sorted(now_at)
    for start in range(0, len(places), ROWS_AT_ONCE):
        statement = select(Finding).where(
            tuple_(col(Finding.delivery_no), col(Finding.line_no)).in_(places[start : start + ROWS_AT_ONCE]),
            col(Finding.state).in_([state.value for state in STANDING]),
            col(Finding.rule_code).in_(of_rows),
        )
        for row in await session.scalars(statement):
            by_line_no = now_at[row.delivery_no, row.line_no or 0]
            is_found = (by_line_no, row.rule_code) in judging.still_failing
            if is_found and row.state == FindingState.OPEN:
                row.delivery_no, row.line_no = judging.delivery.no, by_line_no
            elif is_found or by_line_no in judging.lines:
                row.state, row.closed_at = FindingState.CORRECTED.value, judging.now
            session.add(row)
    await session.flush()


async def _write_findings(judging: Judging) -> None:
    delivery = judging.delivery
    rows = [
        finding_row(
            _rule(judging.rules, rule_code),
            sender_id=delivery.sender_id,
            delivery_no=delivery.no,
            line_no=line_no,
            firm_id=firm_id,
            now=judging.now,
        )
        for (line_no, rule_code), firm_id in judging.found.items()
    ]
    await insert_findings(judging.session, rows)


def finding_row(
    rule: Rule, *, sender_id: UUID, delivery_no: int, line_no: int | None, firm_id: UUID | None, now: datetime
) -> dict[str, object]:
    """Return a new finding as a row to insert."""
    return {
        "id": new_id(),
        "item_code": rule.item_code,
        "rule_code": rule.code,
        "rule_version": rule.version,
        "severity": rule.severity.value,
        "sender_id": sender_id,
        "delivery_no": delivery_no,
        "line_no": line_no,
        "firm_id": firm_id,
        "state": FindingState.OPEN.value,
        "first_seen_at": now,
    }


async def insert_findings(session: AsyncSession, rows: Sequence[Mapping[str, object]]) -> None:
    """Write findings; one that stands already, open or waived, only learns by which version it was found again."""
    if rows:
        connection = await driver(session)
        await connection.execute(_INSERT_FINDINGS, *([row[name] for row in rows] for name in _FINDING_TYPES))


async def _judge_batch(judging: Judging) -> None:
    """Judge the delivery's figures by the rules of drift, and keep them for the next."""
    session, delivery = judging.session, judging.delivery
    figures = joined_figures(judging.figures)
    if not figures:
        return
    past = await _past(judging)
    rows = []
    for read in judging.of_scope(Scope.BATCH):
        columns = weigh_batch(read.condition.measures, figures, past, None)
        told = judge([read], columns)[read.rule.code]
        judging.checked[read.rule.code], judging.failed[read.rule.code] = (
            int(told.is_checked[0]),
            int(told.is_failed[0]),
        )
        if told.is_failed[0]:
            rows.append(
                finding_row(
                    read.rule,
                    sender_id=delivery.sender_id,
                    delivery_no=delivery.no,
                    line_no=None,
                    firm_id=None,
                    now=judging.now,
                )
            )
    await insert_findings(session, rows)
    of_delivery = {"delivery_no": delivery.no, "sender_id": delivery.sender_id, "item_code": delivery.item_code}
    kept = [of_delivery | {"column_name": name} | vars(one) for name, one in figures.items()]
    await session.execute(insert(_FIGURES), kept)


async def _past(judging: Judging) -> dict[str, list[Figure]]:
    """Return the figures of the sender's newest deliveries of the item before this one, by column."""
    delivery = judging.delivery
    earlier = (
        select(col(JudgedDelivery.delivery_no))
        .where(
            col(JudgedDelivery.sender_id) == delivery.sender_id,
            col(JudgedDelivery.item_code) == delivery.item_code,
            col(JudgedDelivery.delivery_no) < delivery.no,
        )
        .order_by(col(JudgedDelivery.delivery_no).desc())
        .limit(BATCHES_COMPARED)
    )
    found: dict[str, list[Figure]] = {}
    statement = select(_FIGURES).where(_FIGURES.c.delivery_no.in_(earlier))
    for row in await judging.session.execute(statement):
        found.setdefault(row.column_name, []).append(Figure(row.rows, row.zeros, row.blanks, row.mean))
    return found


async def _write_counts(judging: Judging) -> None:
    session, delivery = judging.session, judging.delivery
    no_faults = (Fault.DUPLICATE_ROW.value, Fault.NO_CONSENT.value)
    refused = delivery.rejected_rows - sum(delivery.rejected.get(fault, 0) for fault in no_faults)
    session.add(
        JudgedDelivery(
            delivery_no=delivery.no,
            delivery_id=delivery.id,
            sender_id=delivery.sender_id,
            item_code=delivery.item_code,
            received_at=delivery.received_at,
            received=delivery.received,
            judged=len(judging.lines),
            failed=judging.failing_rows,
            refused=max(refused, 0),
            unknown_firm=delivery.rejected.get(Fault.UNKNOWN_FIRM.value, 0),
            newest_on=max(judging.newest, default=None),
            judged_at=judging.now,
        )
    )
    await session.flush()
    versions = {read.rule.code: read.rule.version for read in judging.rules}
    tallies = [
        {
            "delivery_no": delivery.no,
            "rule_code": code,
            "rule_version": versions[code],
            "sender_id": delivery.sender_id,
            "checked": checked,
            "failed": judging.failed[code],
        }
        for code, checked in judging.checked.items()
        if checked
    ]
    if tallies:
        await session.execute(insert(_TALLIES), tallies)
