"""Taking a delivery in: one transaction, nothing of it seen before all of it is there, the same bytes only once."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from sqlalchemy import select
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
from xinyidai.catalogue.rules import Item, ItemNotHeldHere, Topology, requires_usable
from xinyidai.consents.rules import Purpose
from xinyidai.foundation import outbox
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import Sessions, driver, in_transaction, lock_key, set_local
from xinyidai.foundation.settings import settings
from xinyidai.sources.events import DeliveryLoaded
from xinyidai.sources.models import Delivery
from xinyidai.sources.queries import report_of
from xinyidai.sources.queries.purged import deliveries_purged
from xinyidai.sources.rules import (
    MAX_CORRECTIONS,
    DeliveryInProgress,
    DeliveryKind,
    DeliveryReport,
    FileCutInHalf,
    FileEmpty,
    FileFormat,
    FileTooLarge,
)
from xinyidai.sources.rules.checking import read_rows
from xinyidai.sources.rules.layouts import Layout
from xinyidai.sources.rules.records.checking import layout_of
from xinyidai.sources.rules.records.kinds import KINDS
from xinyidai.sources.service import record_storing, storing
from xinyidai.sources.service.files import INVOICES, Chunk, Source, apart, open_csv, open_file, open_rows
from xinyidai.sources.service.loading import Load, check_consents_once_more, take_in
from xinyidai.sources.service.record_loading import take_in_records

SCOPE = "sources:write"
_FILE_TIME_OUT = "15min"
_LOCK_NOT_AVAILABLE = "55P03"


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
        The catalogue does not list the item today.
    ItemForbidden, ItemNotHeldHere
        Nobody may use it, or this province's platform keeps no copy of it.
    """
    _requires_sender(viewer)
    source = await asyncio.to_thread(open_file, path, file_format, layout_for(kind))
    async with in_transaction(sessions) as session:
        await act_as(session, viewer, now=now)
        for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            await set_local(session, limit, _FILE_TIME_OUT)
        return await receive_source(session, viewer, source, kind=kind, expected_rows=expected_rows, now=now)


async def receive_csv(
    session: AsyncSession, viewer: Viewer, body: bytes, *, kind: DeliveryKind = DeliveryKind.VAT_INVOICE, now: datetime
) -> DeliveryReport:
    """Take in a CSV body in the caller's transaction; see `receive_file`."""
    _requires_sender(viewer)
    return await receive_source(
        session, viewer, open_csv(body, layout_for(kind)), kind=kind, expected_rows=None, now=now
    )


async def receive_rows(
    session: AsyncSession,
    viewer: Viewer,
    rows: Sequence[Mapping[str, str | None]],
    *,
    kind: DeliveryKind = DeliveryKind.VAT_INVOICE,
    occasion: str | None = None,
    now: datetime,
) -> DeliveryReport:
    """Take in rows of text fields in the caller's transaction; see `receive_file`.

    Parameters
    ----------
    occasion : str, optional
        What the rows answer, for example a case: on another occasion the same rows are news again.
    """
    _requires_sender(viewer)
    source = open_rows(rows, layout_for(kind))
    told = source if occasion is None else apart(source, occasion)
    return await receive_source(session, viewer, told, kind=kind, expected_rows=None, now=now)


def _requires_sender(viewer: Viewer) -> None:
    requires_kind(viewer, OrganisationKind.AGENCY, OrganisationKind.OPERATOR)
    if viewer.principal_kind is PrincipalKind.CLIENT:
        requires_scope(viewer, SCOPE)
    else:
        requires_role(viewer, Role.OFFICER, Role.ADMIN)


async def receive_source(
    session: AsyncSession,
    viewer: Viewer,
    source: Source,
    *,
    kind: DeliveryKind,
    expected_rows: int | None = None,
    keeps_repeats: bool = True,
    now: datetime,
) -> DeliveryReport:
    """Take in what was opened, in the caller's transaction; who may is checked by the verbs around this one.

    Without `keeps_repeats` rows that the platform holds already are counted as rejected and not kept aside.
    """
    item = await catalogue.item(session, kind.item_code, business_date(now))
    await _requires_held_here(session, item)
    await _lock(session, item.code)
    earlier = await _earlier(session, viewer, source, kind)
    if earlier is not None:
        return report_of(earlier, is_repeat=True)
    connection = await driver(session)
    delivery_no = await connection.fetchval("SELECT nextval('sources.delivery_no')")
    load = Load(
        session, connection, viewer, kind, delivery_no, now, business_date(now), item, keeps_repeats=keeps_repeats
    )
    chunks = _as_one(source.chunks()) if kind is DeliveryKind.CORRECTION else source.chunks()
    async with platform_scope(session), aclosing(_read_ahead(chunks)) as ahead:
        await _take_in_all(load, ahead)
        await check_consents_once_more(load)
    if expected_rows is not None and expected_rows != load.received:
        raise FileCutInHalf(why=f"{load.received} rows instead of {expected_rows}")
    if not load.received:
        raise FileEmpty
    return await _finish(load, source, item)


def layout_for(kind: DeliveryKind) -> Layout:
    """Return how the rows of a delivery are read."""
    record = KINDS.get(kind.value)
    return INVOICES if record is None else layout_of(record)


async def _take_in_all(load: Load, chunks: AsyncIterator[Chunk]) -> None:
    record = KINDS.get(load.kind.value)
    if record is None:
        await storing.prepare(load.connection)
    else:
        await record_storing.prepare(load.connection, record)
    async for chunk in chunks:
        await (take_in(load, chunk) if record is None else take_in_records(load, record, chunk))


async def _requires_held_here(session: AsyncSession, item: Item) -> None:
    """Refuse rows of an item that nobody may use, or of which this province's platform keeps no copy."""
    requires_usable(item)
    topology = await catalogue.topology_in(session, item, settings().province_code)
    if topology is not Topology.HELD_COPY:
        raise ItemNotHeldHere(item=item.code, topology=topology.value)


async def _lock(session: AsyncSession, item_code: str) -> None:
    """One delivery of an item at a time: two that hold the same row would both find it new."""
    try:
        await lock_key(session, f"sources:{item_code}")
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
    newest = same.order_by(col(Delivery.no).desc()).limit(1)
    row = (await session.execute(newest)).scalar_one_or_none()
    if row is None:
        return None
    # What was purged since is not held any more: the same bytes are news again, and the rest of them repeats.
    async with platform_scope(session):
        return None if await deliveries_purged(session, [row.no]) else row


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


async def _finish(load: Load, source: Source, item: Item) -> DeliveryReport:
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
        rejected=dict(+load.rejected),
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
