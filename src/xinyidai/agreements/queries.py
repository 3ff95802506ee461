"""Reads of lines, reservations and policy."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Viewer, requires_kind
from xinyidai.access.service import platform_scope
from xinyidai.agreements.models import Agreement, PayIn, Reservation, SharingPolicyRow
from xinyidai.agreements.rules import (
    AgreementId,
    LineState,
    PayInState,
    ReservationId,
    ReservationState,
    RiskParts,
    Shares,
    SharingPolicy,
    available_code,
    cash_code,
    released_by,
)
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.money import Fen, Ppm
from xinyidai.foundation.paging import Page, after_id, limit_of, page_of
from xinyidai.ledger import queries as ledger

OVERSEES = (OrganisationKind.OPERATOR, OrganisationKind.REGULATOR)


@dataclass(frozen=True)
class AgreementView:
    """A line as its parties, the operator and the regulator see it."""

    id: AgreementId
    name: str
    version: int
    fund_id: UUID
    lender_id: UUID
    guarantor_id: UUID | None
    shares: Shares
    capacity_fen: Fen
    per_firm_cap_fen: Fen
    claim_after_days: int
    max_rate_bp: int
    stop_loss_ppm: int
    valid_from: date
    valid_to: date
    state: LineState
    proposed_by: UUID
    opened_by: UUID | None
    opened_at: datetime | None
    reopening_proposed_by: UUID | None


@dataclass(frozen=True)
class ReservationView:
    """What one offer or loan holds of a line."""

    id: ReservationId
    agreement_id: AgreementId
    scheme_version: int
    offer_id: UUID
    loan_id: UUID | None
    firm_id: UUID
    lender_id: UUID
    fund_id: UUID
    guarantor_id: UUID | None
    principal_fen: Fen
    rate_bp: int
    shares: Shares
    parts: RiskParts
    held: RiskParts
    paid: RiskParts
    returned: RiskParts
    state: ReservationState

    @property
    def fund_part_fen(self) -> Fen:
        """Return the fund's part of the principal."""
        return self.parts.fund_fen

    @property
    def guarantor_part_fen(self) -> Fen:
        """Return the guarantor's part of the principal."""
        return self.parts.guarantor_fen


@dataclass(frozen=True)
class PayInView:
    """Money paid in, declared or confirmed."""

    id: UUID
    payer_id: UUID
    reference: str
    amount_fen: Fen
    paid_on: date
    state: PayInState
    declared_by: UUID


@dataclass(frozen=True)
class Held:
    """What a fund or guarantor holds for loans, by how far they are; never below zero."""

    reserved_fen: Fen
    covered_fen: Fen
    claimed_fen: Fen


def by_age(line: AgreementView | Agreement) -> tuple[date, datetime, str, int, int, int, UUID]:
    """Return what a lender's lines are asked in order of: the oldest first, then what the lines themselves say.

    The id comes last and decides between lines alike in every term, where it makes no difference.
    """
    opened_at = line.opened_at or datetime.max.replace(tzinfo=UTC)
    return line.valid_from, opened_at, line.name, line.capacity_fen, line.per_firm_cap_fen, line.max_rate_bp, line.id


def view_of(row: Agreement) -> AgreementView:
    """Return a line's row as a value."""
    return AgreementView(
        id=AgreementId(row.id),
        name=row.name,
        version=row.version,
        fund_id=row.fund_id,
        lender_id=row.lender_id,
        guarantor_id=row.guarantor_id,
        shares=Shares(Ppm(row.lender_ppm), Ppm(row.fund_ppm), Ppm(row.guarantor_ppm)),
        capacity_fen=Fen(row.capacity_fen),
        per_firm_cap_fen=Fen(row.per_firm_cap_fen),
        claim_after_days=row.claim_after_days,
        max_rate_bp=row.max_rate_bp,
        stop_loss_ppm=row.stop_loss_ppm,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        state=LineState(row.state),
        proposed_by=row.proposed_by,
        opened_by=row.opened_by,
        opened_at=row.opened_at,
        reopening_proposed_by=row.reopening_proposed_by,
    )


def reservation_of(row: Reservation) -> ReservationView:
    """Return a reservation's row as a value; `held` is what is neither released nor paid."""
    parts = RiskParts(Fen(row.fund_part_fen), Fen(row.guarantor_part_fen), Fen(row.lender_part_fen))
    paid = RiskParts(Fen(row.fund_paid_fen), Fen(row.guarantor_paid_fen), Fen(0))
    is_over = row.state in (ReservationState.PAID, ReservationState.RELEASED)
    lender_released = released_by(Fen(row.released_principal_fen), parts).lender_fen
    held = RiskParts(
        Fen(row.fund_part_fen - row.fund_released_fen - row.fund_paid_fen),
        Fen(row.guarantor_part_fen - row.guarantor_released_fen - row.guarantor_paid_fen),
        Fen(0 if is_over else row.lender_part_fen - lender_released),
    )
    return ReservationView(
        id=ReservationId(row.id),
        agreement_id=AgreementId(row.agreement_id),
        scheme_version=row.scheme_version,
        offer_id=row.offer_id,
        loan_id=row.loan_id,
        firm_id=row.firm_id,
        lender_id=row.lender_id,
        fund_id=row.fund_id,
        guarantor_id=row.guarantor_id,
        principal_fen=Fen(row.principal_fen),
        rate_bp=row.rate_bp,
        shares=Shares(Ppm(row.lender_ppm), Ppm(row.fund_ppm), Ppm(row.guarantor_ppm)),
        parts=parts,
        held=held,
        paid=paid,
        returned=RiskParts(Fen(row.fund_returned_fen), Fen(row.guarantor_returned_fen), Fen(0)),
        state=ReservationState(row.state),
    )


def pay_in_of(row: PayIn) -> PayInView:
    """Return a payment's row as a value."""
    return PayInView(
        id=row.id,
        payer_id=row.payer_id,
        reference=row.reference,
        amount_fen=Fen(row.amount_fen),
        paid_on=row.paid_on,
        state=PayInState(row.state),
        declared_by=row.declared_by,
    )


async def policy_on(session: AsyncSession, day: date) -> SharingPolicy | None:
    """Return the policy in force on a day; None before the first one known."""
    newest = (
        select(SharingPolicyRow)
        .where(col(SharingPolicyRow.effective_from) <= day)
        .order_by(col(SharingPolicyRow.effective_from).desc())
        .limit(1)
    )
    row = (await session.execute(newest)).scalar_one_or_none()
    if row is None:
        return None
    return SharingPolicy(row.effective_from, row.least_lender_ppm, row.stop_loss_ppm, row.source, row.is_verified)


async def agreement(session: AsyncSession, agreement_id: UUID) -> AgreementView:
    """Return a line by id, for rooms above; the session's scope decides what it can see.

    Raises
    ------
    NotFound
    """
    row = await session.get(Agreement, agreement_id)
    if row is None:
        raise NotFound
    return view_of(row)


async def reservation(session: AsyncSession, reservation_id: UUID) -> ReservationView:
    """Return a reservation by id, for rooms above.

    Raises
    ------
    NotFound
    """
    row = await session.get(Reservation, reservation_id)
    if row is None:
        raise NotFound
    return reservation_of(row)


async def reservation_of_offer(session: AsyncSession, offer_id: UUID) -> ReservationView | None:
    """Return what an offer holds, if it holds anything."""
    found = await session.execute(select(Reservation).where(col(Reservation.offer_id) == offer_id))
    row = found.scalar_one_or_none()
    return reservation_of(row) if row else None


async def available_fen(session: AsyncSession, agreement_id: UUID) -> Fen:
    """Return a line's free capacity: covered principal that it can still take."""
    return await _balance(session, available_code(agreement_id))


async def available_fen_by_line(session: AsyncSession, agreement_ids: Collection[UUID]) -> dict[UUID, Fen]:
    """Return the free capacity of several lines, in one look."""
    codes = {agreement_id: available_code(agreement_id) for agreement_id in agreement_ids}
    found = await ledger.accounts_by_code(session, codes.values())
    return {line: Fen(found[code].balance_fen) if code in found else Fen(0) for line, code in codes.items()}


async def covered_principal_fen(session: AsyncSession, agreement_id: UUID) -> Fen:
    """Return the principal of every loan ever disbursed under a line: what the stop-loss measures claims against."""
    statement = select(func.coalesce(func.sum(col(Reservation.principal_fen)), 0)).where(
        col(Reservation.agreement_id) == agreement_id, col(Reservation.loan_id).is_not(None)
    )
    return Fen(int((await session.execute(statement)).scalar_one()))


async def cash_fen(session: AsyncSession, payer_id: UUID) -> Fen:
    """Return the money a fund or guarantor can pay claims with."""
    return await _balance(session, cash_code(payer_id))


async def seen_agreement(session: AsyncSession, viewer: Viewer, agreement_id: UUID) -> AgreementView:
    """Return a line that the viewer is a party to or oversees.

    Raises
    ------
    NotFound
    """
    async with platform_scope(session):
        row = await session.get(Agreement, agreement_id)
    if row is None or not (viewer.is_one_of(*OVERSEES) or viewer.organisation_id in _parties(row)):
        raise NotFound
    return view_of(row)


async def seen_capacity(session: AsyncSession, viewer: Viewer, agreement_id: UUID) -> tuple[AgreementView, Fen]:
    """Return a line and its free capacity to a party of it or who oversees it.

    Raises
    ------
    NotFound
    """
    line = await seen_agreement(session, viewer, agreement_id)
    async with platform_scope(session):
        return line, await available_fen(session, agreement_id)


async def agreements(session: AsyncSession, viewer: Viewer, *, cursor: str | None, limit: int) -> Page[AgreementView]:
    """Return a page of the lines that the viewer is a party to, or all for operator and regulator."""
    size = limit_of(limit)
    statement = (
        select(Agreement).where(col(Agreement.id) > after_id(cursor)).order_by(col(Agreement.id)).limit(size + 1)
    )
    if not viewer.is_one_of(*OVERSEES):
        statement = statement.where(_is_party(viewer.organisation_id))
    async with platform_scope(session):
        rows = (await session.execute(statement)).scalars().all()
    return page_of([view_of(row) for row in rows], limit=size, id_of=lambda view: view.id)


async def lines_of_lenders(session: AsyncSession, lender_ids: Collection[UUID], day: date) -> list[AgreementView]:
    """Return the lines of these lenders whose time covers a day, in whatever state, as far as the scope sees them."""
    statement = select(Agreement).where(
        col(Agreement.lender_id).in_(list(lender_ids)),
        col(Agreement.valid_from) <= day,
        col(Agreement.valid_to) > day,
    )
    return [view_of(row) for row in (await session.execute(statement)).scalars()]


async def seen_cash_fen(session: AsyncSession, viewer: Viewer, payer_id: UUID) -> Fen:
    """Return a payer's money to the payer itself, the operator or the regulator.

    Raises
    ------
    NotAllowed, NotFound
    """
    requires_kind(viewer, OrganisationKind.FUND, OrganisationKind.GUARANTOR, *OVERSEES)
    if not (viewer.is_one_of(*OVERSEES) or viewer.organisation_id == payer_id):
        raise NotFound
    async with platform_scope(session):
        return await cash_fen(session, payer_id)


async def pay_ins(session: AsyncSession, viewer: Viewer, *, cursor: str | None, limit: int) -> Page[PayInView]:
    """Return a page of what the viewer's organisation declared as paid in, oldest first."""
    size = limit_of(limit)
    statement = (
        select(PayIn)
        .where(col(PayIn.payer_id) == viewer.organisation_id, col(PayIn.id) > after_id(cursor))
        .order_by(col(PayIn.id))
        .limit(size + 1)
    )
    async with platform_scope(session):
        rows = (await session.execute(statement)).scalars().all()
    return page_of([pay_in_of(row) for row in rows], limit=size, id_of=lambda view: view.id)


async def held_by(session: AsyncSession, viewer: Viewer) -> Held:
    """Return what the viewer's fund or guarantor holds for loans: its own parts that are neither released nor paid."""
    as_fund = col(Reservation.fund_part_fen) - col(Reservation.fund_released_fen) - col(Reservation.fund_paid_fen)
    as_guarantor = (
        col(Reservation.guarantor_part_fen)
        - col(Reservation.guarantor_released_fen)
        - col(Reservation.guarantor_paid_fen)
    )
    own, mine = (
        (as_fund, col(Reservation.fund_id) == viewer.organisation_id)
        if viewer.is_one_of(OrganisationKind.FUND)
        else (as_guarantor, col(Reservation.guarantor_id) == viewer.organisation_id)
    )
    statement = select(col(Reservation.state), func.sum(own)).where(mine).group_by(col(Reservation.state))
    async with platform_scope(session):
        found = {ReservationState(state): Fen(int(held)) for state, held in await session.execute(statement)}
    kinds = (ReservationState.RESERVED, ReservationState.COVERED, ReservationState.CLAIMED)
    return Held(*(found.get(kind, Fen(0)) for kind in kinds))


async def _balance(session: AsyncSession, code: str) -> Fen:
    account = await ledger.account_by_code(session, code)
    return Fen(0) if account is None else Fen(account.balance_fen)


def _parties(row: Agreement) -> set[UUID | None]:
    return {row.fund_id, row.lender_id, row.guarantor_id} - {None}


def _is_party(organisation_id: UUID) -> ColumnElement[bool]:
    return or_(
        col(Agreement.fund_id) == organisation_id,
        col(Agreement.lender_id) == organisation_id,
        col(Agreement.guarantor_id) == organisation_id,
    )
