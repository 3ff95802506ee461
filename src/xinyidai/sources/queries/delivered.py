"""What a delivery brought, for who judges it: its counts, its facts under a permission, what they replaced."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import pandas as pd
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.consents import queries as consents
from xinyidai.consents.rules import ConsentMissing, Permission
from xinyidai.foundation.database import driver
from xinyidai.sources.models import Delivery
from xinyidai.sources.queries.records import ORIGIN
from xinyidai.sources.rules import ITEM
from xinyidai.sources.rules.records.kinds import KINDS

_INVOICE: Final = (
    "invoice_no, direction = 1 AS is_sale, issued_on, counterparty, net_fen, tax_fen, gross_fen, is_void",
    ["invoice_no", "is_sale", "issued_on", "counterparty", "net_fen", "tax_fen", "gross_fen", "is_void"],
)


@dataclass(frozen=True)
class Delivered:
    """One delivery, as the rooms above see it: whose it is, what it was about, its counts, whose facts it brought."""

    id: UUID
    no: int
    sender_id: UUID
    item_code: str
    received: int
    loaded: int
    rejected_rows: int
    rejected: dict[str, int]
    firm_ids: tuple[UUID, ...]
    received_at: datetime


@dataclass(frozen=True)
class Replaced:
    """A fact that was superseded, and the line of the superseding delivery that replaced it."""

    firm_id: UUID
    delivery_no: int
    line_no: int
    by_line_no: int


async def delivered(session: AsyncSession, delivery_id: UUID) -> Delivered | None:
    """Return one delivery, in platform scope."""
    row = (await session.execute(select(Delivery).where(col(Delivery.id) == delivery_id))).scalar_one_or_none()
    return None if row is None else _delivered_of(row)


async def deliveries_by_no(session: AsyncSession, numbers: Sequence[int]) -> dict[int, Delivered]:
    """Return deliveries by their numbers, in platform scope."""
    found = await session.scalars(select(Delivery).where(col(Delivery.no).in_(sorted(set(numbers)))))
    return {row.no: _delivered_of(row) for row in found}


def _delivered_of(row: Delivery) -> Delivered:
    return Delivered(
        id=row.id,
        no=row.no,
        sender_id=row.sender_id,
        item_code=row.item_code,
        received=row.received,
        loaded=row.loaded,
        rejected_rows=row.rejected_rows,
        rejected=dict(row.rejected),
        firm_ids=tuple(row.firm_ids),
        received_at=row.received_at,
    )


async def current_facts(
    session: AsyncSession,
    permission: Permission,
    code: str,
    *,
    delivery_no: int | None = None,
    lines: tuple[int, int] = (0, 2**31 - 1),
) -> pd.DataFrame:
    """Return the facts of an item that nothing superseded yet, of the permission's subjects: columns of `ORIGIN`, then
    the item's.

    Of one delivery's lines, from the first to before the second, where a delivery is named. Subjects whose consent
    ended meanwhile are left out by the database, which looks at each statement: whoever judges rows needs no whole.

    Raises
    ------
    ConsentMissing
        The permission was not for the item.
    """
    subjects = sorted(permission.subject_ids)
    if code not in permission.item_codes:
        raise ConsentMissing(purpose=permission.purpose.value, missing=len(subjects), items=[code])
    await consents.present(session, permission)
    connection = await driver(session)
    columns, names = _INVOICE if code == ITEM else _record_columns(code)
    table = "invoice_fact" if code == ITEM else KINDS[code].table
    rows = await connection.fetch(
        f"SELECT {', '.join(ORIGIN)}, {columns} FROM sources.{table}"  # noqa: S608 - names of kinds
        " WHERE firm_id = ANY ($1) AND superseded_at IS NULL AND ($2::integer IS NULL OR delivery_no = $2)"
        " AND line_no >= $3 AND line_no < $4",
        subjects,
        delivery_no,
        *lines,
    )
    return pd.DataFrame([tuple(row) for row in rows], columns=[*ORIGIN, *names])


_MONTHS: Final = """
SELECT firm_id, date_trunc('month', issued_on)::date AS month,
       coalesce(sum(net_fen) FILTER (WHERE direction = 1), 0)::bigint AS sales_net_fen,
       coalesce(sum(tax_fen) FILTER (WHERE direction = 1), 0)::bigint AS sales_tax_fen,
       coalesce(sum(net_fen) FILTER (WHERE direction = 0), 0)::bigint AS purchases_net_fen,
       coalesce(sum(tax_fen) FILTER (WHERE direction = 0), 0)::bigint AS purchases_tax_fen,
       count(*) FILTER (WHERE direction = 1) AS sales
FROM sources.invoice_fact
WHERE firm_id = ANY ($1) AND superseded_at IS NULL AND NOT is_void
GROUP BY 1, 2
"""


async def invoice_months(session: AsyncSession, permission: Permission) -> pd.DataFrame:
    """Return the current invoices of the permission's subjects added up by firm and month, void ones left out.

    Added up in the database: a thousand firms may have millions of invoices, and thirty thousand months.

    Raises
    ------
    ConsentMissing
        The permission was not for invoices.
    """
    subjects = sorted(permission.subject_ids)
    if ITEM not in permission.item_codes:
        raise ConsentMissing(purpose=permission.purpose.value, missing=len(subjects), items=[ITEM])
    await consents.present(session, permission)
    rows = await (await driver(session)).fetch(_MONTHS, subjects)
    names = ["firm_id", "month", "sales_net_fen", "sales_tax_fen", "purchases_net_fen", "purchases_tax_fen", "sales"]
    return pd.DataFrame([tuple(row) for row in rows], columns=names)


def _record_columns(code: str) -> tuple[str, list[str]]:
    names = [column.name for column in KINDS[code].columns]
    return ", ".join(names), names


async def replaced_by(session: AsyncSession, code: str, delivery_no: int) -> list[Replaced]:
    """Return the facts of an item that a delivery superseded, in platform scope."""
    table = "supersession" if code == ITEM else "record_supersession"
    of_item = "" if code == ITEM else " AND item_code = $2"
    rows = await (await driver(session)).fetch(
        f"SELECT firm_id, delivery_no, line_no, by_line_no FROM sources.{table}"  # noqa: S608 - one of two names
        f" WHERE by_delivery_no = $1{of_item}",
        *([delivery_no] if code == ITEM else [delivery_no, code]),
    )
    return [Replaced(*row) for row in rows]
