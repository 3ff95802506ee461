"""Money that a fund or guarantor sets aside to pay claims with."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Role, Viewer, requires_kind, requires_role, requires_two_people
from xinyidai.access.service import platform_scope
from xinyidai.agreements.models import PayIn
from xinyidai.agreements.queries import PayInView, pay_in_of
from xinyidai.agreements.rules import (
    PayInReferenceReused,
    PayInState,
    PayInStepRefused,
    TermsRefused,
    capital_code,
    cash_code,
)
from xinyidai.audit import service as audit
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import lock_key
from xinyidai.foundation.errors import NotFound
from xinyidai.ledger import service as ledger
from xinyidai.ledger.rules import Book, Leg, Posting
from xinyidai.parties import queries as parties

PAYERS = (OrganisationKind.FUND, OrganisationKind.GUARANTOR)
MAX_PAY_IN_FEN = 10**14
MAX_REFERENCE_LENGTH = 100


async def pay_in(
    session: AsyncSession,
    maker: Viewer,
    checker: Viewer,
    *,
    payer_id: UUID,
    amount_fen: int,
    reference: str,
    paid_on: date,
    now: datetime,
) -> PayInView:
    """Declare and confirm a payment in one step, for callers that have both people; refusals as of the two steps."""
    declared = await declare_pay_in(
        session, maker, payer_id=payer_id, amount_fen=amount_fen, reference=reference, paid_on=paid_on, now=now
    )
    return await confirm_pay_in(session, checker, declared.id, now=now)


async def declare_pay_in(
    session: AsyncSession,
    maker: Viewer,
    *,
    payer_id: UUID,
    amount_fen: int,
    reference: str,
    paid_on: date,
    now: datetime,
) -> PayInView:
    """Write down that a fund or guarantor paid in; the same reference and content again is the same payment.

    Raises
    ------
    NotAllowed, NotFound, TermsRefused
    PayInReferenceReused
        The payer's reference names another payment.
    """
    _requires_payer_desk(maker, payer_id, Role.OFFICER, Role.APPROVER)
    if not 1 <= amount_fen <= MAX_PAY_IN_FEN:
        raise TermsRefused(field="amount_fen")
    if not 1 <= len(reference) <= MAX_REFERENCE_LENGTH or not reference.isprintable():
        raise TermsRefused(field="reference")
    if paid_on > business_date(now):
        raise TermsRefused(field="paid_on")
    async with platform_scope(session):
        if (await parties.party(session, payer_id)).kind not in PAYERS:
            raise TermsRefused(field="payer_id")
        await lock_key(session, f"agreements.pay_in:{payer_id}")
        before = await _by_reference(session, payer_id, reference)
        if before is not None:
            if (before.amount_fen, before.paid_on) != (amount_fen, paid_on):
                raise PayInReferenceReused
            return pay_in_of(before)
        row = PayIn(
            payer_id=payer_id,
            reference=reference,
            amount_fen=amount_fen,
            paid_on=paid_on,
            declared_by=maker.principal_id,
            declared_at=now,
        )
        session.add(row)
        await session.flush()
    await _write_down(session, maker, row, "agreements.pay_in_declared", now=now)
    return pay_in_of(row)


async def confirm_pay_in(session: AsyncSession, checker: Viewer, pay_in_id: UUID, *, now: datetime) -> PayInView:
    """Confirm, as a second person, that the money is on the account, and post it. Locks the payment.

    Raises
    ------
    NotAllowed, NotFound, SamePersonTwice
    PayInStepRefused
        It was confirmed before.
    """
    async with platform_scope(session):
        row = await session.get(PayIn, pay_in_id, with_for_update=True, populate_existing=True)
        if row is None:
            raise NotFound
        _requires_payer_desk(checker, row.payer_id, Role.APPROVER)
        requires_two_people(row.declared_by, checker.principal_id)
        if row.state != PayInState.DECLARED:
            raise PayInStepRefused
        row.state = PayInState.CONFIRMED.value
        row.confirmed_by = checker.principal_id
        row.confirmed_at = now
        session.add(row)
        await session.flush()
        await _post(session, row, now=now)
    await _write_down(session, checker, row, "agreements.pay_in_confirmed", now=now)
    return pay_in_of(row)


async def _post(session: AsyncSession, row: PayIn, *, now: datetime) -> None:
    capital = await ledger.open_account(session, book=Book.CASH, code=capital_code(row.payer_id), owner_id=row.payer_id)
    cash = await ledger.open_account(
        session, book=Book.CASH, code=cash_code(row.payer_id), owner_id=row.payer_id, floor_fen=0
    )
    await ledger.post(
        session,
        Posting(
            key=f"pay_in:{row.id}",
            kind="pay_in",
            legs=(Leg(cash, row.amount_fen), Leg(capital, -row.amount_fen)),
            effective_on=row.paid_on,
            maker_id=row.declared_by,
            checker_id=row.confirmed_by,
            subject={"pay_in_id": str(row.id), "payer_id": str(row.payer_id)},
        ),
        now=now,
    )


async def _by_reference(session: AsyncSession, payer_id: UUID, reference: str) -> PayIn | None:
    found = await session.execute(
        select(PayIn).where(col(PayIn.payer_id) == payer_id, col(PayIn.reference) == reference)
    )
    return found.scalar_one_or_none()


def _requires_payer_desk(viewer: Viewer, payer_id: UUID, *roles: Role) -> None:
    requires_kind(viewer, *PAYERS, OrganisationKind.OPERATOR)
    if viewer.is_one_of(*PAYERS) and viewer.organisation_id != payer_id:
        raise NotFound
    requires_role(viewer, *roles)


async def _write_down(session: AsyncSession, viewer: Viewer, row: PayIn, action: str, *, now: datetime) -> None:
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[row.payer_id],
        object_kind="pay_in",
        object_id=str(row.id),
        now=now,
    )
