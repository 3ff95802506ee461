"""Where facts came from: a firm's invoices with their lines, one fact's life, and the deliveries behind them."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.service import platform_scope
from xinyidai.consents import queries as consents
from xinyidai.consents.rules import ConsentMissing, Permission
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import driver
from xinyidai.foundation.errors import NotFound
from xinyidai.sources.models import Delivery, Pull, PullPart, RecordSupersession, Supersession
from xinyidai.sources.queries.pulled import pull_view
from xinyidai.sources.queries.purged import tombstone_of
from xinyidai.sources.rules import ITEM, DeliveryId, DeliveryKind, FileFormat
from xinyidai.sources.rules.invoices import Invoices, coded
from xinyidai.sources.rules.origins import (
    INVOICE_FACT,
    MAX_REPLACED,
    FactLife,
    FactRef,
    InvoiceLines,
    Origin,
)
from xinyidai.sources.rules.records.kinds import KINDS

_COLUMNS: Final = (
    "firm_id, delivery_no, line_no, issued_on, direction, counterparty, net_fen, tax_fen, gross_fen, is_void,"
    " recorded_at, superseded_at"
)
_LATER: Final = """
WITH RECURSIVE later AS (
    SELECT * FROM unnest($1::text[], $2::uuid[], $3::integer[], $4::integer[])
      AS asked (item_code, firm_id, delivery_no, line_no)
    UNION
    SELECT s.item_code::text, s.firm_id, s.by_delivery_no, s.by_line_no
    FROM later AS l JOIN sources.record_supersession AS s USING (item_code, firm_id, delivery_no, line_no)
)
SELECT item_code, firm_id, delivery_no, line_no FROM later
"""
_LINES: Final = f"""
SELECT {_COLUMNS} FROM sources.invoice_fact
WHERE firm_id = $1 AND issued_on <= $2 AND recorded_at <= $3 AND (superseded_at IS NULL OR superseded_at > $3)
ORDER BY delivery_no, line_no
"""  # noqa: S608 - column names are constants
_ONE: Final = "SELECT {columns} FROM sources.{table} WHERE firm_id = $1 AND delivery_no = $2 AND line_no = $3"
_PERMITTED: Final = """
SELECT $1 = access.organisation_id() OR $1 IN (SELECT consents.permitted_subjects($2))
    OR $1 IN (SELECT sources.open_subjects($2))
"""
# A name leads on to at most one other either way, so the walk is a line; nothing ends it but its length.
_WALK: Final = """
WITH RECURSIVE line (delivery_no, line_no, step) AS (
    SELECT $2::integer, $3::integer, 0
    UNION ALL
    SELECT s.{to}delivery_no, s.{to}line_no, line.step + 1
    FROM line JOIN sources.{table} s
      ON s.firm_id = $1 AND s.{at}delivery_no = line.delivery_no AND s.{at}line_no = line.line_no {of_kind}
    WHERE line.step < $4
)
SELECT delivery_no, line_no FROM line WHERE step > 0 ORDER BY step
"""


async def invoice_lines(
    session: AsyncSession, permission: Permission, firm_id: UUID, *, before: datetime, known_at: datetime
) -> InvoiceLines:
    """Return the invoices of one subject of the permission as `sources.invoices` does, with the line of each.

    The caller writes the audit row.

    Raises
    ------
    NotFound
        The permission is not for this firm.
    ConsentMissing
        As of `sources.invoices`.
    """
    if firm_id not in permission.subject_ids:
        raise NotFound
    if ITEM not in permission.item_codes:
        raise ConsentMissing(purpose=permission.purpose.value, missing=1, items=[ITEM])
    await consents.present(session, permission)
    last_day = business_date(before - timedelta(microseconds=1))
    rows = await (await driver(session)).fetch(_LINES, firm_id, last_day, known_at)
    await _require_still_permitted(session, permission, firm_id, ITEM)
    return InvoiceLines(
        invoices=_invoices_of(rows),
        delivery_no=np.array([row["delivery_no"] for row in rows], dtype=np.int64),
        line_no=np.array([row["line_no"] for row in rows], dtype=np.int64),
    )


async def life_of(session: AsyncSession, permission: Permission, ref: FactRef) -> FactLife:
    """Return a fact with where it came from and what it replaced; superseded ones too. The caller writes the audit row.

    Raises
    ------
    NotFound
        The permission is not for the fact's firm, or there is no such fact and never was.
    ConsentMissing
        The permission is not for the fact's item, or the database no longer lets it be read.
    """
    if ref.firm_id not in permission.subject_ids:
        raise NotFound
    if ref.item_code not in permission.item_codes:
        raise ConsentMissing(purpose=permission.purpose.value, missing=1, items=[ref.item_code])
    await consents.present(session, permission)
    is_invoice = ref.kind == INVOICE_FACT
    statement = _ONE.format(columns=_COLUMNS if is_invoice else "recorded_at, superseded_at", table=ref.kind)
    row = await (await driver(session)).fetchrow(statement, ref.firm_id, ref.delivery_no, ref.line_no)
    await _require_still_permitted(session, permission, ref.firm_id, ref.item_code)
    if row is None:
        return await purged_life(session, ref)
    return FactLife(
        ref=ref,
        recorded_at=row["recorded_at"],
        superseded_at=row["superseded_at"],
        invoice=_invoices_of([row]) if is_invoice else None,
        origin=(await origins(session, [ref.delivery_no]))[ref.delivery_no],
        replaced=await _walk(session, ref, at="by_", to=""),
        replaced_by=await _walk(session, ref, at="", to="by_"),
    )


async def purged_life(session: AsyncSession, ref: FactRef) -> FactLife:
    """Return what is left of a fact that was purged: where it came from, its succession, its tombstone.

    The caller has checked who asks.

    Raises
    ------
    NotFound
        There is no such fact, and never was, or it is there still.
    """
    stone = await tombstone_of(session, ref)
    if stone is None:
        raise NotFound
    is_invoice = ref.kind == INVOICE_FACT
    table = Supersession if is_invoice else RecordSupersession
    of_kind = () if is_invoice else (col(RecordSupersession.item_code) == ref.item_code,)
    ended = select(col(table.superseded_at)).where(
        col(table.firm_id) == ref.firm_id,
        col(table.delivery_no) == ref.delivery_no,
        col(table.line_no) == ref.line_no,
        *of_kind,
    )
    async with platform_scope(session):
        superseded_at = (await session.execute(ended)).scalar_one_or_none()
    return FactLife(
        ref=ref,
        recorded_at=stone.recorded_at,
        superseded_at=superseded_at,
        invoice=None,
        origin=(await origins(session, [ref.delivery_no]))[ref.delivery_no],
        replaced=await _walk(session, ref, at="by_", to=""),
        replaced_by=await _walk(session, ref, at="", to="by_"),
        purged=stone,
    )


async def origins(session: AsyncSession, delivery_nos: Collection[int]) -> dict[int, Origin]:
    """Return the deliveries of these numbers, with the pulls that fetched them.

    Deliveries are their sender's rows: the caller has read a fact of each under a permission.
    """
    statement = (
        select(Delivery, Pull)
        .join(PullPart, col(PullPart.delivery_id) == col(Delivery.id), isouter=True)
        .join(Pull, col(Pull.id) == col(PullPart.pull_id), isouter=True)
        .where(col(Delivery.no).in_(sorted(delivery_nos)))
        # Two pulls may have brought the same bytes, which are one delivery: the first of them is told.
        .order_by(col(Pull.id).desc())
    )
    async with platform_scope(session):
        found = (await session.execute(statement)).all()
    return {
        delivery.no: Origin(
            delivery_id=DeliveryId(delivery.id),
            delivery_no=delivery.no,
            sender_id=delivery.sender_id,
            kind=DeliveryKind(delivery.kind),
            file_format=FileFormat(delivery.file_format),
            digest=delivery.digest,
            received_at=delivery.received_at,
            pull=None if pull is None else pull_view(pull),
        )
        for delivery, pull in found
    }


async def _walk(session: AsyncSession, ref: FactRef, *, at: str, to: str) -> tuple[FactRef, ...]:
    """Follow supersessions from a fact, one way."""
    is_invoice = ref.kind == INVOICE_FACT
    statement = _WALK.format(
        table="supersession" if is_invoice else "record_supersession",
        at=at,
        to=to,
        of_kind="" if is_invoice else f"AND s.item_code = '{ref.item_code}'",
    )
    async with platform_scope(session):
        rows = await (await driver(session)).fetch(statement, ref.firm_id, ref.delivery_no, ref.line_no, MAX_REPLACED)
    return tuple(FactRef(ref.kind, ref.firm_id, row["delivery_no"], row["line_no"]) for row in rows)


async def _require_still_permitted(
    session: AsyncSession, permission: Permission, firm_id: UUID, item_code: str
) -> None:
    """Look at the consents once more after a read: they never come back, so it was permitted while it ran."""
    if not await (await driver(session)).fetchval(_PERMITTED, firm_id, item_code):
        raise ConsentMissing(purpose=permission.purpose.value, missing=1, items=[item_code])


def _invoices_of(rows: Sequence[asyncpg.Record]) -> Invoices:
    counterparty, counterparties = coded([row["counterparty"] for row in rows])

    def fen(column: str) -> np.ndarray:
        return np.array([row[column] for row in rows], dtype=np.int64)

    return Invoices(
        firms=[str(rows[0]["firm_id"])] if rows else [],
        counts=np.array([len(rows)] if rows else [], dtype=np.int64),
        issued_on=np.array([row["issued_on"] for row in rows], dtype="datetime64[D]"),
        is_sale=np.array([row["direction"] == 1 for row in rows], dtype=np.bool_),
        counterparty=counterparty,
        counterparties=counterparties,
        net_fen=fen("net_fen"),
        tax_fen=fen("tax_fen"),
        gross_fen=fen("gross_fen"),
        is_void=np.array([row["is_void"] for row in rows], dtype=np.bool_),
    )


async def later_versions(session: AsyncSession, refs: Sequence[FactRef]) -> list[FactRef]:
    """Return what superseded these records, and what superseded that, to the last; references only, no fact.

    In platform scope, or as the firm whose records they are.
    """
    if not refs:
        return []
    found = await (await driver(session)).fetch(
        _LATER,
        [one.item_code for one in refs],
        [one.firm_id for one in refs],
        [one.delivery_no for one in refs],
        [one.line_no for one in refs],
    )
    return [FactRef(KINDS[code].table, *place) for code, *place in found]
