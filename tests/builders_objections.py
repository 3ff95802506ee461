"""Disputed invoices for tests: a firm whose invoices an agency delivered, and cases about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import count
from uuid import UUID

from builders_consents import a_consent
from builders_operations import a_colleague
from builders_parties import Desk, a_credit_code, a_desk, a_firm, a_regulator
from builders_sources import rows_of
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation.database import Sessions, in_transaction
from xinyidai.objections import service
from xinyidai.objections.rules import FactKind, FactRef, ObjectionReason, ObjectionView
from xinyidai.objections.rules.repairs import RepairView, Severity
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.sources import service as sources
from xinyidai.sources.queries import invoice_facts

_numbers = count(1)
SAID = "合同和发票存根上的金额都不是这个数"


@dataclass(frozen=True)
class Disputed:
    """A firm with three invoices of an agency, and who looks after them."""

    firm: Viewer
    code: str
    agency: Desk
    operator: Desk
    regulator: Desk
    refs: tuple[FactRef, ...]


async def a_disputed_firm(session: AsyncSession, *, invoices: int = 3, now: datetime) -> Disputed:
    """Return a firm whose invoices an agency delivered; the session is in platform scope before and after."""
    code = a_credit_code()
    firm = await a_firm(session, credit_code=code, now=now)
    await a_consent(session, firm, item_codes=("vat_invoice", "loan_outcome"), now=now)
    agency = await a_desk(session, OrganisationKind.AGENCY, now=now)
    await sources.receive_rows(session, agency.maker, rows_of(code, invoices), now=now)
    await act_as(session, firm, now=now)
    found = await invoice_facts.own_invoices(session, firm)
    await act_as_platform(session, now=now)
    refs = sorted(FactRef(FactKind.VAT_INVOICE, firm.organisation_id, one.delivery_no, one.line_no) for one in found)
    number = next(_numbers)
    operator = Desk(
        PLATFORM_ID,
        await a_colleague(session, f"objections{number}", Role.OFFICER, now=now),
        await a_colleague(session, f"repairs{number}", Role.APPROVER, now=now),
    )
    return Disputed(firm, code, agency, operator, await a_regulator(session, now=now), tuple(refs))


async def in_tx(sessions: Sessions, *, now: datetime, invoices: int = 3) -> Disputed:
    """Return a disputed firm on a committed database."""
    async with in_transaction(sessions) as session:
        await act_as_platform(session, now=now)
        return await a_disputed_firm(session, invoices=invoices, now=now)


async def an_objection(
    session: AsyncSession,
    told: Disputed,
    number: int = 0,
    *,
    reason: ObjectionReason = ObjectionReason.AMOUNT_WRONG,
    text: str = SAID,
    document_ids: Sequence[UUID] = (),
    now: datetime,
) -> ObjectionView:
    """Return an objection that the firm filed; the session is in platform scope afterwards."""
    await act_as(session, told.firm, now=now)
    filed = await service.file_objection(
        session, told.firm, told.refs[number], reason=reason, text=text, document_ids=document_ids, now=now
    )
    await session.flush()
    await act_as_platform(session, now=now)
    return filed


async def an_asked_objection(session: AsyncSession, told: Disputed, number: int = 0, *, now: datetime) -> ObjectionView:
    """Return an objection that lies before the source."""
    filed = await an_objection(session, told, number, now=now)
    await service.accept_objection(session, told.operator.maker, filed.id, now=now)
    return await service.ask_source(session, told.operator.maker, filed.id, now=now)


async def a_repair(
    session: AsyncSession,
    firm: Viewer,
    *,
    line_no: int = 1,
    severity: Severity = Severity.ORDINARY,
    listed_on: date = date(2025, 1, 10),
    now: datetime,
) -> RepairView:
    """Return a repair that a firm asked for; the session is in platform scope afterwards."""
    await act_as(session, firm, now=now)
    filed = await service.file_repair(
        session,
        firm,
        FactRef(FactKind.PENALTY, firm.organisation_id, 1, line_no),
        severity=severity,
        listed_on=listed_on,
        text="罚款已缴清，问题已整改",
        is_declared=True,
        now=now,
    )
    await session.flush()
    await act_as_platform(session, now=now)
    return filed
