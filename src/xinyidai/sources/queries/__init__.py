"""Reading facts under a permission, and deliveries by their sender."""

from collections import Counter
from datetime import date, datetime
from uuid import UUID

import asyncpg
import numpy as np
from sqlalchemy import Text, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Viewer, requires_kind
from xinyidai.access.service import platform_scope
from xinyidai.consents import queries as consents
from xinyidai.consents.rules import ConsentMissing, Permission
from xinyidai.foundation.clock import business_date, start_of_day
from xinyidai.foundation.database import driver, type_of_json
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.paging import Page, after_id, before_id, limit_of, page_of
from xinyidai.sources.models import Delivery, PullPart, RejectedRow
from xinyidai.sources.rules import ITEM, MAX_ROWS, DeliveryId, DeliveryKind, DeliveryReport, Fault
from xinyidai.sources.rules import RejectedRow as RejectedRowView
from xinyidai.sources.rules.invoices import Invoices, coded
from xinyidai.sources.rules.senders import ARRIVALS_SEEN, SenderView, is_behind, usual_gap

# Control characters never get into a fact, so one of them can keep texts apart.
_UNIT_SEPARATOR = "\x1f"

_READ = """
SELECT f.firm_id, count(*) AS facts,
       string_agg(int4send(f.issued_on - DATE '1970-01-01'), '') AS issued_on,
       string_agg(int2send((f.direction + 2 * f.is_void::integer)::smallint), '') AS marks,
       string_agg(int8send(f.net_fen), '') AS net_fen,
       string_agg(int8send(f.tax_fen), '') AS tax_fen,
       string_agg(int8send(f.gross_fen), '') AS gross_fen,
       string_agg(f.counterparty, E'\\x1f') AS counterparty
FROM (
    SELECT * FROM sources.invoice_fact
    WHERE firm_id = ANY ($1) AND issued_on < $2 AND recorded_at <= $3
      AND (superseded_at IS NULL OR superseded_at > $3)
    ORDER BY firm_id, delivery_no, line_no
) AS f
GROUP BY f.firm_id
ORDER BY f.firm_id
"""

_STILL_PERMITTED = """
SELECT count(*) FROM unnest($1::uuid[]) AS s (id)
WHERE s.id = access.organisation_id() OR s.id IN (SELECT consents.permitted_subjects($2))
"""

# A delivery's facts were learned at one moment, and what supersedes a fact is a fact learned at that moment: one probe
# of the key a delivery tells what a walk over all invoices would.
_NEWER = f"""
WITH RECURSIVE held AS (
    SELECT n.* FROM unnest($1::uuid[]) AS s (id) CROSS JOIN LATERAL (
        SELECT f.firm_id, f.delivery_no, f.recorded_at FROM sources.invoice_fact f
        WHERE f.firm_id = s.id ORDER BY f.delivery_no DESC LIMIT 1) AS n
    UNION ALL
    SELECT n.* FROM held h CROSS JOIN LATERAL (
        SELECT f.firm_id, f.delivery_no, f.recorded_at FROM sources.invoice_fact f
        WHERE f.firm_id = h.firm_id AND f.delivery_no < h.delivery_no ORDER BY f.delivery_no DESC LIMIT 1) AS n
)
SELECT ({_STILL_PERMITTED}) AS permitted, EXISTS (SELECT FROM held WHERE recorded_at > $3) AS is_newer
"""  # noqa: S608 - made of constants


async def invoices(session: AsyncSession, permission: Permission, *, before: datetime, known_at: datetime) -> Invoices:
    """Return the invoices of the permission's subjects, as the platform knew them at `known_at`.

    Numbers come as one string of bytes a column and firm and become arrays without a Python object in between: 3,000
    rows take 3 ms. After the read the consents are looked at once more; they never come back once revoked, so a read
    that was still permitted afterwards was permitted while it ran. The caller writes the audit row.

    Parameters
    ----------
    before : datetime
        Invoices whose day began before this moment; days are Shanghai's.
    known_at : datetime
        What was recorded by then, and not superseded by then.

    Raises
    ------
    ConsentMissing
        The permission was not for invoices, or the database no longer lets every subject be read.
    """
    subjects = sorted(permission.subject_ids)
    if ITEM not in permission.item_codes:
        raise _missing(permission, len(subjects))
    await consents.present(session, permission)
    connection = await driver(session)
    rows = await connection.fetch(_READ, subjects, _first_day_not_before(before), known_at)
    permitted = await connection.fetchval(_STILL_PERMITTED, subjects, ITEM)
    if permitted != len(subjects):
        raise _missing(permission, len(subjects) - permitted)
    return _invoices_of(rows)


async def has_newer(session: AsyncSession, permission: Permission, *, known_at: datetime) -> bool:
    """Say whether an invoice of the permission's subjects came, or was superseded, after `known_at`.

    What `invoices` returned as known at that moment, it then no longer returns as known now. Facts and consents are
    looked at in one statement, so that no consent taken back meanwhile makes it look as if nothing came.

    Raises
    ------
    ConsentMissing
        As of `invoices`.
    """
    subjects = sorted(permission.subject_ids)
    if ITEM not in permission.item_codes:
        raise _missing(permission, len(subjects))
    await consents.present(session, permission)
    row = await (await driver(session)).fetchrow(_NEWER, subjects, ITEM, known_at)
    if row["permitted"] != len(subjects):
        raise _missing(permission, len(subjects) - row["permitted"])
    return bool(row["is_newer"])


def _missing(permission: Permission, count: int) -> ConsentMissing:
    return ConsentMissing(purpose=permission.purpose.value, missing=count, items=[ITEM])


def _first_day_not_before(moment: datetime) -> date:
    """Return the first Shanghai day that begins at `moment` or later."""
    day = business_date(moment)
    return day if start_of_day(day) >= moment else date.fromordinal(day.toordinal() + 1)


def _invoices_of(rows: list[asyncpg.Record]) -> Invoices:
    marks = _numbers(rows, "marks", ">i2")
    counterparty, counterparties = coded(
        [partner for row in rows for partner in row["counterparty"].split(_UNIT_SEPARATOR)]
    )
    return Invoices(
        firms=[str(row["firm_id"]) for row in rows],
        counts=np.array([row["facts"] for row in rows], dtype=np.int64),
        issued_on=_numbers(rows, "issued_on", ">i4").astype("datetime64[D]"),
        is_sale=(marks & 1).astype(np.bool_),
        counterparty=counterparty,
        counterparties=counterparties,
        net_fen=_numbers(rows, "net_fen", ">i8").astype(np.int64),
        tax_fen=_numbers(rows, "tax_fen", ">i8").astype(np.int64),
        gross_fen=_numbers(rows, "gross_fen", ">i8").astype(np.int64),
        is_void=(marks & 2).astype(np.bool_),
    )


def _numbers(rows: list[asyncpg.Record], column: str, kind: str) -> np.ndarray:
    return np.frombuffer(b"".join(row[column] for row in rows), dtype=kind)


async def deliveries(
    session: AsyncSession, viewer: Viewer, *, cursor: str | None = None, limit: int = 50
) -> Page[DeliveryReport]:
    """Return the reports of what the viewer's organisation delivered, in order of arrival."""
    size = limit_of(limit)
    found = await session.execute(
        select(Delivery)
        .where(col(Delivery.sender_id) == viewer.organisation_id, col(Delivery.id) > after_id(cursor))
        .order_by(col(Delivery.id))
        .limit(size + 1)
    )
    rows = [report_of(row, is_repeat=False) for row in found.scalars()]
    return page_of(rows, limit=size, id_of=lambda report: report.delivery_id)


async def senders(session: AsyncSession, viewer: Viewer, *, now: datetime) -> list[SenderView]:
    """Return who delivers, those behind their rhythm first: for the operator. What the platform pulls is left out.

    Counts only, so no firm's data is read and nothing is written down.
    """
    requires_kind(viewer, OrganisationKind.OPERATOR)
    is_pulled = select(PullPart).where(col(PullPart.delivery_id) == col(Delivery.id)).exists()
    sent = select(Delivery).where(~is_pulled).subquery()
    totals = select(
        sent.c.sender_id,
        func.count().label("deliveries"),
        func.sum(sent.c.received).label("received"),
        func.sum(sent.c.loaded).label("loaded"),
        func.sum(sent.c.rejected_rows).label("rejected_rows"),
    ).group_by(sent.c.sender_id)
    place = func.row_number().over(partition_by=sent.c.sender_id, order_by=sent.c.no.desc()).label("place")
    ranked = select(sent.c.sender_id, sent.c.rejected, sent.c.received_at, place).subquery()
    newest = select(ranked).where(ranked.c.place <= ARRIVALS_SEEN)
    async with platform_scope(session):
        counted = (await session.execute(totals)).all()
        arrived = (await session.execute(newest)).all()
    views = []
    for row in counted:
        ours = [one for one in arrived if one.sender_id == row.sender_id]
        last_at, gap = max(one.received_at for one in ours), usual_gap([one.received_at for one in ours])
        views.append(
            SenderView(
                sender_id=row.sender_id,
                deliveries=row.deliveries,
                received=int(row.received),
                loaded=int(row.loaded),
                rejected_rows=int(row.rejected_rows),
                rejected=dict(sum((Counter(one.rejected) for one in ours), Counter())),
                last_received_at=last_at,
                usual_gap=gap,
                is_behind=is_behind(last_at, gap, now=now),
            )
        )
    return sorted(views, key=lambda view: (not view.is_behind, view.last_received_at, view.sender_id))


async def deliveries_of_sender(
    session: AsyncSession, viewer: Viewer, sender_id: UUID, *, cursor: str | None, limit: int
) -> Page[DeliveryReport]:
    """Return the reports of what an organisation delivered, newest first: for the operator."""
    requires_kind(viewer, OrganisationKind.OPERATOR)
    size = limit_of(limit)
    statement = (
        select(Delivery)
        .where(col(Delivery.sender_id) == sender_id, col(Delivery.id) < before_id(cursor))
        .order_by(col(Delivery.id).desc())
        .limit(size + 1)
    )
    async with platform_scope(session):
        rows = [report_of(row, is_repeat=False) for row in (await session.execute(statement)).scalars()]
    return page_of(rows, limit=size, id_of=lambda report: report.delivery_id)


async def with_faults_since(session: AsyncSession, viewer: Viewer, since: datetime) -> int:
    """Return how many deliveries since a moment had rows that need somebody: for the operator.

    A row that only repeats what the platform holds needs nobody: senders overlap, and a pull asks for whole months.
    """
    requires_kind(viewer, OrganisationKind.OPERATOR)
    but_repeats = col(Delivery.rejected).op("-")(literal(Fault.DUPLICATE_ROW.value, Text))
    statement = (
        select(func.count())
        .select_from(Delivery)
        .where(but_repeats != literal({}, type_of_json), col(Delivery.received_at) >= since)
    )
    async with platform_scope(session):
        return (await session.execute(statement)).scalar_one()


async def delivery(session: AsyncSession, viewer: Viewer, delivery_id: UUID) -> DeliveryReport:
    """Return one report to its sender; to anybody else it is not there (`NotFound`)."""
    return report_of(await _own(session, viewer, delivery_id), is_repeat=False)


async def rejected_rows(
    session: AsyncSession, viewer: Viewer, delivery_id: UUID, *, cursor: str | None = None, limit: int = 50
) -> Page[RejectedRowView]:
    """Return the rows of a delivery that were kept aside, by line, for its sender to correct."""
    size = limit_of(limit)
    row = await _own(session, viewer, delivery_id)
    found = await session.execute(
        select(RejectedRow)
        .where(
            col(RejectedRow.delivery_no) == row.no,
            col(RejectedRow.sender_id) == viewer.organisation_id,
            col(RejectedRow.line_no) > min(after_id(cursor).int, MAX_ROWS),
        )
        .order_by(col(RejectedRow.line_no))
        .limit(size + 1)
    )
    views = [RejectedRowView(one.line_no, tuple(one.faults), one.content) for one in found.scalars()]
    return page_of(views, limit=size, id_of=lambda view: UUID(int=view.line_no))


async def _own(session: AsyncSession, viewer: Viewer, delivery_id: UUID) -> Delivery:
    mine = select(Delivery).where(col(Delivery.id) == delivery_id, col(Delivery.sender_id) == viewer.organisation_id)
    row = (await session.execute(mine)).scalar_one_or_none()
    if row is None:
        raise NotFound
    return row


def report_of(row: Delivery, *, is_repeat: bool) -> DeliveryReport:
    """Return a delivery's row as its report."""
    return DeliveryReport(
        delivery_id=DeliveryId(row.id),
        kind=DeliveryKind(row.kind),
        received=row.received,
        loaded=row.loaded,
        rejected_rows=row.rejected_rows,
        rejected=dict(row.rejected),
        flagged=dict(row.flagged),
        received_at=row.received_at,
        is_repeat=is_repeat,
    )
