"""A delivery of records chunk by chunk: whose rows they are, what is wrong with each, what is new, what is stored."""

import numpy as np
import pandas as pd

from xinyidai.sources.rules import Fault
from xinyidai.sources.rules.amounts import BoolArray
from xinyidai.sources.rules.checking import contents_of, faults_of_rows
from xinyidai.sources.rules.records.checking import (
    HashArray,
    RecordRows,
    Records,
    judge_records,
    key_hashes,
    same_twice,
)
from xinyidai.sources.rules.records.kinds import RecordKind
from xinyidai.sources.service import record_storing
from xinyidai.sources.service.files import Chunk
from xinyidai.sources.service.loading import Load, look_up_firms, reject, reject_broken


async def take_in_records(load: Load, kind: RecordKind, chunk: Chunk) -> None:
    """Check a chunk, merge its good rows into the facts, keep the others aside, and count all.

    A row that says what is known already is counted and not kept aside: sources tell everything again every day.
    """
    rows = chunk.rows
    assert isinstance(rows, RecordRows)
    load.received += len(rows.line_no) + len(chunk.broken)
    await look_up_firms(load, rows.firm.words, facts=kind.table)
    firm_ids = {word: firm for word in rows.firm.words if (firm := load.firm_ids[word]) is not None}
    judged = judge_records(kind, rows, firm_ids=firm_ids, permitted=load.consenting, today=load.today)
    faults = faults_of_rows(judged.faults, len(judged.bad))
    await reject(load, rows.line_no[judged.bad].tolist(), faults, contents_of(rows.raw, judged.bad))
    await reject_broken(load, chunk)
    await _merge(load, rows, judged.records)


async def _merge(load: Load, rows: RecordRows, records: Records) -> None:
    hashes = key_hashes(records)
    with_past = np.array([*(firm in load.with_past for firm in records.firms), False], dtype=np.bool_)
    look = load.seen.candidates(hashes) | with_past[records.firm]
    load.seen.add(hashes)
    is_repeated, is_conflicting = _told_twice(records, hashes)
    is_first = ~(is_repeated | is_conflicting)
    fresh, known = records.take(is_first & ~look), records.take(is_first & look)
    await record_storing.store(load.connection, fresh, delivery_no=load.delivery_no, now=load.now)
    merged = await record_storing.merge(
        load.connection,
        known,
        delivery_no=load.delivery_no,
        sender_id=load.viewer.organisation_id,
        now=load.now,
    )
    load.rejected[Fault.DUPLICATE_ROW.value] += merged.repeated + int(is_repeated.sum())
    conflicting = [*records.line_no[is_conflicting].tolist(), *merged.conflicting]
    for fault, line_nos in ((Fault.CONFLICTING_ROW, conflicting), (Fault.DELIVERED_BY_ANOTHER, merged.of_another)):
        positions = np.searchsorted(rows.line_no, line_nos)
        await reject(load, line_nos, [fault.value] * len(line_nos), contents_of(rows.raw, positions))
    load.loaded += len(fresh) + merged.loaded
    load.loaded_firms.update(fresh.firms[place] for place in np.unique(fresh.firm))
    load.loaded_firms |= merged.loaded_firms


def _told_twice(records: Records, hashes: HashArray) -> tuple[BoolArray, BoolArray]:
    """Return which rows repeat, and which contradict, an earlier row of the same chunk."""
    repeated, conflicting = np.zeros(len(records), dtype=np.bool_), np.zeros(len(records), dtype=np.bool_)
    within = pd.Series(hashes).duplicated(keep=False).to_numpy()
    if within.any():
        repeated[within], conflicting[within] = same_twice(records.take(within))
    return repeated, conflicting
