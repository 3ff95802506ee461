"""Taking a delivery in: one transaction, chunk after chunk, every row loaded or kept aside by name."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import numpy as np
import pandas as pd
import pyarrow as pa
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import (
    OrganisationKind,
    PrincipalKind,
    Role,
    Viewer,
    requires_kind,
    requires_role,
    requires_scope,
)
from xinyidai.access.service import act_as, platform_scope
from xinyidai.audit import service as audit
from xinyidai.audit.rules import MAX_SUBJECTS
from xinyidai.catalogue import queries as catalogue
from xinyidai.catalogue.rules import Item, ItemNotListed, Topology, requires_usable
from xinyidai.consents import queries as consents
from xinyidai.consents.rules import Permission, Purpose
from xinyidai.foundation import outbox
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import Sessions, driver, in_transaction, lock_key, set_local
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PLATFORM_ID, CreditCodeRefused, normalised_credit_code
from xinyidai.sources.events import DeliveryLoaded
from xinyidai.sources.models import Delivery
from xinyidai.sources.queries import report_of
from xinyidai.sources.rules import (
    FLAG_NAMES,
    ITEM,
    MAX_CORRECTIONS,
    ConsentTakenBack,
    DeliveryInProgress,
    DeliveryKind,
    DeliveryReport,
    Fault,
    FileCutInHalf,
    FileEmpty,
    FileFormat,
    FileTooLarge,
    Flag,
)
from xinyidai.sources.rules.amounts import BoolArray
from xinyidai.sources.rules.checking import Facts, contents_of, faults_of_rows, judge, read_rows
from xinyidai.sources.rules.repeats import SeenNumbers, find_repeats, find_targets, frame_of, number_hashes
from xinyidai.sources.service import storing
from xinyidai.sources.service.files import Chunk, Source, open_csv, open_file, open_rows

SCOPE = "sources:write"
_FILE_TIME_OUT = "15min"
_LOCK_NOT_AVAILABLE = "55P03"


@dataclass
class _Load:
    """One delivery under way."""

    session: AsyncSession
    connection: asyncpg.Connection
    viewer: Viewer
    kind: DeliveryKind
    delivery_no: int
    now: datetime
    today: date
    firm_ids: dict[str, UUID | None] = field(default_factory=dict)
    consenting: set[UUID] = field(default_factory=set)
    with_past: set[UUID] = field(default_factory=set)
    loaded_firms: set[UUID] = field(default_factory=set)
    seen: SeenNumbers = field(default_factory=SeenNumbers)
    received: int = 0
    loaded: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)


async def receive_file(
    sessions: Sessions,
    viewer: Viewer,
    path: Path,
    *,
    kind: DeliveryKind = DeliveryKind.VAT_INVOICE,
    file_format: FileFormat | None = None,
    expected_rows: int | None = None,
    now: datetime,
) -> DeliveryReport:
    """Take in a file of any size up to `MAX_FILE_BYTES`, in one transaction of its own and bounded memory.

    The same bytes from the same sender are taken in once; again, they get the first report.

    Parameters
    ----------
    file_format : FileFormat, optional
        By the file's suffix when absent.
    expected_rows : int, optional
        The sender's control total. A CSV file cut off exactly at a line's end cannot be told without it.

    Raises
    ------
    FileMissing, FileTooLarge, FileEmpty, FileCutInHalf, FileWrongEncoding, FileWithoutColumn, FileUnreadable
        The file as a whole is refused and nothing of it is kept.
    ItemNotListed
        The catalogue does not list VAT invoices as a held copy today.
    """
    _requires_sender(viewer)
    source = await asyncio.to_thread(open_file, path, file_format)
    async with in_transaction(sessions) as session:
        await act_as(session, viewer, now=now)
        for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            await set_local(session, limit, _FILE_TIME_OUT)
        return await _receive(session, viewer, source, kind=kind, expected_rows=expected_rows, now=now)


async def receive_csv(
    session: AsyncSession, viewer: Viewer, body: bytes, *, kind: DeliveryKind = DeliveryKind.VAT_INVOICE, now: datetime
) -> DeliveryReport:
    """Take in a CSV body in the caller's transaction; see `receive_file`."""
    _requires_sender(viewer)
    return await _receive(session, viewer, open_csv(body), kind=kind, expected_rows=None, now=now)


async def receive_rows(
    session: AsyncSession,
    viewer: Viewer,
    rows: Sequence[Mapping[str, str | None]],
    *,
    kind: DeliveryKind = DeliveryKind.VAT_INVOICE,
    now: datetime,
) -> DeliveryReport:
    """Take in rows of text fields in the caller's transaction; see `receive_file`."""
    _requires_sender(viewer)
    return await _receive(session, viewer, open_rows(rows), kind=kind, expected_rows=None, now=now)


def _requires_sender(viewer: Viewer) -> None:
    requires_kind(viewer, OrganisationKind.AGENCY, OrganisationKind.OPERATOR)
    if viewer.principal_kind is PrincipalKind.CLIENT:
        requires_scope(viewer, SCOPE)
    else:
        requires_role(viewer, Role.OFFICER, Role.ADMIN)


async def _receive(
    session: AsyncSession,
    viewer: Viewer,
    source: Source,
    *,
    kind: DeliveryKind,
    expected_rows: int | None,
    now: datetime,
) -> DeliveryReport:
    item = await catalogue.item(session, ITEM, business_date(now))
    requires_usable(item)
    if item.topology is not Topology.HELD_COPY:
        raise ItemNotListed(item=ITEM)
    await _lock(session)
    earlier = await _earlier(session, viewer, source, kind)
    if earlier is not None:
        return report_of(earlier, is_repeat=True)
    connection = await driver(session)
    delivery_no = (await session.execute(text("SELECT nextval('sources.delivery_no')"))).scalar_one()
    load = _Load(session, connection, viewer, kind, delivery_no, now, business_date(now))
    await storing.prepare(connection)
    chunks = source.chunks() if kind is DeliveryKind.VAT_INVOICE else _as_one(source.chunks())
    async with platform_scope(session), aclosing(_read_ahead(chunks)) as ahead:
        async for chunk in ahead:
            await _take_in(load, chunk)
        await _check_consents_once_more(load)
    if expected_rows is not None and expected_rows != load.received:
        raise FileCutInHalf(why=f"{load.received} rows instead of {expected_rows}")
    if not load.received:
        raise FileEmpty
    return await _finish(load, source, item)


async def _lock(session: AsyncSession) -> None:
    """One delivery of invoices at a time: two that hold the same row would both find it new."""
    try:
        await lock_key(session, f"sources:{ITEM}")
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            raise DeliveryInProgress from error
        raise


async def _earlier(session: AsyncSession, viewer: Viewer, source: Source, kind: DeliveryKind) -> Delivery | None:
    same = select(Delivery).where(
        col(Delivery.sender_id) == viewer.organisation_id,
        col(Delivery.digest) == source.digest,
        col(Delivery.kind) == kind.value,
    )
    return (await session.execute(same)).scalar_one_or_none()


async def _read_ahead(chunks: Iterator[Chunk]) -> AsyncGenerator[Chunk]:
    """Yield chunks while a thread already reads the next: reading and the database work at the same time."""
    ahead = asyncio.create_task(asyncio.to_thread(next, chunks, None))
    try:
        while (chunk := await ahead) is not None:
            ahead = asyncio.create_task(asyncio.to_thread(next, chunks, None))
            yield chunk
    finally:
        # A thread cannot be cancelled, and the file must not be closed under it.
        await asyncio.wait([ahead])
        if not ahead.cancelled():
            ahead.exception()


def _as_one(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Yield all corrections of a delivery at once: whether two of them are rivals must not depend on the chunks."""
    gathered: list[Chunk] = []
    count = 0
    for chunk in chunks:
        gathered.append(chunk)
        count += len(chunk.rows.line_no) + len(chunk.broken)
        if count > MAX_CORRECTIONS:
            raise FileTooLarge(most=MAX_CORRECTIONS, unit="rows")
    broken = tuple(line for chunk in gathered for line in chunk.broken)
    filled = [chunk.rows for chunk in gathered if len(chunk.rows.line_no)]
    if filled:
        raw = pa.concat_batches([rows.raw for rows in filled])
        yield Chunk(read_rows(raw, np.concatenate([rows.line_no for rows in filled])), broken)
    elif gathered:
        yield Chunk(gathered[0].rows, broken)


async def _take_in(load: _Load, chunk: Chunk) -> None:
    rows = chunk.rows
    load.received += len(rows.line_no) + len(chunk.broken)
    await _look_up_firms(load, rows.firm.words)
    firm_ids = {word: firm for word in rows.firm.words if (firm := load.firm_ids[word]) is not None}
    judged = judge(rows, firm_ids=firm_ids, consenting=load.consenting, today=load.today)
    faults = faults_of_rows(judged.faults, len(judged.bad))
    await _reject(load, rows.line_no[judged.bad].tolist(), faults, contents_of(rows.raw, judged.bad))
    await _reject(
        load,
        [line.line_no for line in chunk.broken],
        [Fault.WRONG_COLUMN_COUNT.value] * len(chunk.broken),
        [line.content for line in chunk.broken],
    )
    if load.kind is DeliveryKind.CORRECTION:
        kept, repeated = await _correct(load, judged.facts)
    else:
        kept, repeated = await _add(load, judged.facts)
    positions = np.searchsorted(rows.line_no, repeated.line_nos)
    await _reject(load, repeated.line_nos, repeated.faults, contents_of(rows.raw, positions))
    load.loaded += len(kept)
    load.loaded_firms.update(kept.firms[place] for place in np.unique(kept.firm))
    for flag, name in FLAG_NAMES.items():
        load.flagged[name] += int((kept.flags & flag).astype(bool).sum())


async def _look_up_firms(load: _Load, words: Sequence[str]) -> None:
    """Learn whose the codes are, which firms consent, which have facts; and present the consenting to the database."""
    new = [word for word in words if word not in load.firm_ids]
    load.firm_ids.update(await _firms_by_code(load.session, new))
    fresh = {firm for word in new if (firm := load.firm_ids[word]) is not None} - load.consenting
    allowed = await consents.subjects_allowed(
        load.session,
        sorted(fresh),
        purpose=Purpose.PRE_LOAN,
        item_codes=[ITEM],
        receiver_id=PLATFORM_ID,
        now=load.now,
    )
    load.consenting |= allowed
    present = load.consenting & {load.firm_ids[word] for word in words}
    await consents.present(
        load.session, Permission(frozenset(present), (), Purpose.PRE_LOAN, PLATFORM_ID, (ITEM,), load.now)
    )
    # Asked before any row of theirs in this delivery is written, so it is about earlier deliveries alone.
    load.with_past |= await storing.firms_with_past(load.connection, sorted(allowed))


async def _check_consents_once_more(load: _Load) -> None:
    """Refuse the delivery when a firm took its consent back while the file was being read."""
    allowed = await consents.subjects_allowed(
        load.session,
        sorted(load.loaded_firms),
        purpose=Purpose.PRE_LOAN,
        item_codes=[ITEM],
        receiver_id=PLATFORM_ID,
        now=load.now,
    )
    if load.loaded_firms - allowed:
        raise ConsentTakenBack


async def _firms_by_code(session: AsyncSession, words: Sequence[str]) -> dict[str, UUID | None]:
    codes: dict[str, str] = {}
    for word in words:
        try:
            codes[word] = normalised_credit_code(word)
        except CreditCodeRefused:
            continue
    asked = sorted(set(codes.values()))
    found: dict[str, UUID] = {}
    for start in range(0, len(asked), parties.MAX_CODES):
        views = await parties.parties_by_credit_code(session, asked[start : start + parties.MAX_CODES])
        found |= {
            code: view.id
            for code, view in views.items()
            if view.kind in (OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)
        }
    return {word: found.get(codes[word]) if word in codes else None for word in words}


@dataclass(frozen=True)
class _Repeated:
    """Good rows that nevertheless are not taken in."""

    line_nos: list[int]
    faults: list[str]


async def _add(load: _Load, facts: Facts) -> tuple[Facts, _Repeated]:
    """Store what is new, and return it with the rows that are not."""
    hashes = number_hashes(facts)
    with_past = np.array([*(firm in load.with_past for firm in facts.firms), False], dtype=np.bool_)
    look = load.seen.candidates(hashes) | with_past[facts.firm]
    load.seen.add(hashes)
    is_duplicate = np.zeros(len(facts), dtype=np.bool_)
    if look.any():
        looked_at = facts.take(look)
        stored = await storing.stored_like(load.connection, looked_at)
        repeats = find_repeats(frame_of(looked_at), stored)
        is_duplicate[look] = repeats.is_duplicate
        facts.flags[np.flatnonzero(look)[repeats.is_reused]] |= Flag.NUMBER_REUSED
    kept = facts.take(~is_duplicate)
    await storing.store(load.connection, kept, delivery_no=load.delivery_no, now=load.now)
    return kept, _repeated(facts, {Fault.DUPLICATE_ROW: is_duplicate})


async def _correct(load: _Load, facts: Facts) -> tuple[Facts, _Repeated]:
    """Store corrections and close what they replace."""
    stored = await storing.stored_like(load.connection, facts)
    current: pd.DataFrame = stored[stored["is_current"]]
    found = find_targets(frame_of(facts), current)
    replaces = found.target >= 0
    kept = facts.take(replaces)
    await storing.store(load.connection, kept, delivery_no=load.delivery_no, now=load.now)
    await storing.supersede(
        load.connection, kept, current, found.target[replaces], delivery_no=load.delivery_no, now=load.now
    )
    faults = {
        Fault.DUPLICATE_ROW: found.is_duplicate,
        Fault.NOTHING_TO_CORRECT: found.has_no_target,
        Fault.AMBIGUOUS_CORRECTION: found.is_ambiguous,
    }
    return kept, _repeated(facts, faults)


def _repeated(facts: Facts, faults: Mapping[Fault, BoolArray]) -> _Repeated:
    any_fault = np.logical_or.reduce(list(faults.values()))
    chosen = {fault: mask[any_fault] for fault, mask in faults.items()}
    return _Repeated(facts.line_no[any_fault].tolist(), faults_of_rows(chosen, int(any_fault.sum())))


async def _reject(load: _Load, line_nos: Sequence[int], faults: Sequence[str], contents: Sequence[str]) -> None:
    for joined in faults:
        load.rejected.update(joined.split(","))
    await storing.reject(
        load.connection,
        delivery_no=load.delivery_no,
        sender_id=load.viewer.organisation_id,
        line_nos=line_nos,
        faults=faults,
        contents=contents,
    )


async def _finish(load: _Load, source: Source, item: Item) -> DeliveryReport:
    """Write the delivery itself, its audit rows and its event."""
    row = Delivery(
        no=load.delivery_no,
        sender_id=load.viewer.organisation_id,
        sent_by=load.viewer.principal_id,
        kind=load.kind,
        file_format=source.file_format,
        item_code=item.code,
        item_version=item.version,
        digest=source.digest,
        byte_count=source.byte_count,
        received=load.received,
        loaded=load.loaded,
        rejected_rows=load.received - load.loaded,
        rejected=dict(load.rejected),
        flagged=dict(+load.flagged),
        firm_ids=sorted(load.loaded_firms),
        received_at=load.now,
    )
    load.session.add(row)
    await load.session.flush()
    firms = sorted(load.loaded_firms)
    for start in range(0, max(len(firms), 1), MAX_SUBJECTS):
        await audit.write_down(
            load.session,
            load.viewer,
            action="sources.delivered",
            subject_ids=firms[start : start + MAX_SUBJECTS],
            object_kind="delivery",
            object_id=str(row.id),
            now=load.now,
            purpose=Purpose.PRE_LOAN,
        )
    await outbox.announce(load.session, DeliveryLoaded(row.id, row.no), occurred_at=load.now)
    return report_of(row, is_repeat=False)
