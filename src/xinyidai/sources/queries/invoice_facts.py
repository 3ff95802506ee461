"""Single invoices: a firm's newest, one by its line, and whether it was corrected. For the rooms above."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import Viewer
from xinyidai.access.service import platform_scope
from xinyidai.foundation.errors import NotFound
from xinyidai.sources.models import Delivery, InvoiceFact, Supersession

MAX_LISTED = 50
MAX_NUMBER = 40


@dataclass(frozen=True)
class InvoiceRecord:
    """One invoice as its firm sees it, with the line of the delivery that brought it."""

    delivery_no: int
    line_no: int
    invoice_no: str
    is_sale: bool
    issued_on: date
    counterparty: str
    net_fen: int
    tax_fen: int
    gross_fen: int
    is_void: bool
    recorded_at: datetime
    superseded_at: datetime | None

    def texts(self) -> Mapping[str, str]:
        """Return what it says as exact texts, amounts in fen."""
        return {
            "invoice_no": self.invoice_no,
            "direction": "out" if self.is_sale else "in",
            "issued_on": self.issued_on.isoformat(),
            "counterparty": self.counterparty,
            "net_fen": str(self.net_fen),
            "tax_fen": str(self.tax_fen),
            "gross_fen": str(self.gross_fen),
            "status": "void" if self.is_void else "valid",
        }


async def own_invoices(session: AsyncSession, viewer: Viewer, *, invoice_no: str = "") -> list[InvoiceRecord]:
    """Return the newest current invoices of the viewer's firm, at most MAX_LISTED; by number, where one is given.

    The caller writes the audit row.
    """
    statement = (
        select(InvoiceFact)
        .where(col(InvoiceFact.firm_id) == viewer.organisation_id, col(InvoiceFact.superseded_at).is_(None))
        .order_by(
            col(InvoiceFact.issued_on).desc(), col(InvoiceFact.delivery_no).desc(), col(InvoiceFact.line_no).desc()
        )
        .limit(MAX_LISTED)
    )
    if invoice_no:
        statement = statement.where(col(InvoiceFact.invoice_no) == invoice_no[:MAX_NUMBER])
    return [_record_of(row) for row in (await session.execute(statement)).scalars()]


async def own_invoice(session: AsyncSession, viewer: Viewer, *, delivery_no: int, line_no: int) -> InvoiceRecord:
    """Return one invoice of the viewer's firm; what is another's is not there (`NotFound`)."""
    row = await session.get(InvoiceFact, (viewer.organisation_id, delivery_no, line_no), populate_existing=True)
    if row is None:
        raise NotFound
    return _record_of(row)


async def sender_of(session: AsyncSession, delivery_no: int) -> UUID:
    """Return which organisation sent a delivery: the one that may correct it."""
    async with platform_scope(session):
        statement = select(col(Delivery.sender_id)).where(col(Delivery.no) == delivery_no)
        found = (await session.execute(statement)).scalar_one_or_none()
    if found is None:
        raise NotFound
    return found


async def was_superseded(session: AsyncSession, firm_id: UUID, *, delivery_no: int, line_no: int) -> bool:
    """Say whether a correction replaced a fact. Needs platform scope, or the firm's own."""
    return await session.get(Supersession, (firm_id, delivery_no, line_no), populate_existing=True) is not None


def _record_of(row: InvoiceFact) -> InvoiceRecord:
    return InvoiceRecord(
        delivery_no=row.delivery_no,
        line_no=row.line_no,
        invoice_no=row.invoice_no,
        is_sale=row.direction == 1,
        issued_on=row.issued_on,
        counterparty=row.counterparty,
        net_fen=row.net_fen,
        tax_fen=row.tax_fen,
        gross_fen=row.gross_fen,
        is_void=row.is_void,
        recorded_at=row.recorded_at,
        superseded_at=row.superseded_at,
    )
