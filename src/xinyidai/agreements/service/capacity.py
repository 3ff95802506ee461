"""Capacity: reserved when an offer is accepted, cover when it is disbursed, given back as principal is repaid."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.service import platform_scope
from xinyidai.agreements import queries
from xinyidai.agreements.models import Agreement, Reservation
from xinyidai.agreements.queries import ReservationView, reservation_of
from xinyidai.agreements.rules import (
    COVERING,
    TAKES_NEW_LOANS,
    CapacityExhausted,
    FirmCapReached,
    NoAgreement,
    OfferReservedOtherwise,
    RateAboveAgreement,
    ReleaseTooLarge,
    ReservationState,
    RiskParts,
    RiskParty,
    Shares,
    TermsRefused,
    available_code,
    check_reservation_step,
    exposure_code,
    parts_of,
    released_by,
)
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotFound, Refusal
from xinyidai.foundation.money import Fen, Ppm
from xinyidai.ledger import queries as ledger_queries
from xinyidai.ledger import service as ledger
from xinyidai.ledger.rules import Leg, Posting
from xinyidai.parties.rules import PLATFORM_ID

Move = tuple[str, int]
"""An account's code and the fen that raise it."""

MAX_PRINCIPAL_FEN = 10**13
_LIVE = (ReservationState.RESERVED, ReservationState.COVERED, ReservationState.CLAIMED, ReservationState.PAID)


async def reserve(
    session: AsyncSession,
    *,
    lender_id: UUID,
    firm_id: UUID,
    offer_id: UUID,
    principal_fen: int,
    rate_bp: int,
    now: datetime,
    maker_id: UUID = PLATFORM_ID,
) -> ReservationView:
    """Take capacity for an offer that is being accepted, in the acceptance's own transaction.

    The first of the lender's lines that takes the loan, in order of age, is used. Locks the lender's lines, so of many
    reservations at once exactly those that fit succeed; the floor of the line's account stands behind that. The same
    offer on the same terms again is answered with the reservation that is there.

    Raises
    ------
    NoAgreement
        No line of the lender takes new loans today.
    RateAboveAgreement, FirmCapReached, CapacityExhausted
        Why the last line asked would not.
    OfferReservedOtherwise
        The offer holds capacity on other terms.
    """
    if not 1 <= principal_fen <= MAX_PRINCIPAL_FEN:
        raise TermsRefused(field="principal_fen")
    async with platform_scope(session):
        lines = await _locked_lines(session, lender_id, now=now)
        before = await queries.reservation_of_offer(session, offer_id)
        if before is not None:
            asked = (lender_id, firm_id, principal_fen, rate_bp)
            if asked != (before.lender_id, before.firm_id, before.principal_fen, before.rate_bp):
                raise OfferReservedOtherwise
            return before
        line = await _line_that_takes(session, lines, firm_id, Fen(principal_fen), rate_bp)
        row = _reservation(line, firm_id, offer_id, Fen(principal_fen), rate_bp, now=now)
        session.add(row)
        await session.flush()
        legs = await _capacity_legs(session, row, reservation_of(row).parts, sign=1)
        key = f"reservation:{row.id}:reserved"
        await _post(session, row, legs, key=key, kind="capacity_reserved", maker_id=maker_id, now=now)
    return reservation_of(row)


async def turn_into_cover(
    session: AsyncSession, reservation_id: UUID, *, loan_id: UUID, now: datetime
) -> ReservationView:
    """Bind a reservation to the loan that was disbursed; from now on it is given back as principal is repaid.

    Repeating it for the same loan changes nothing. Locks the reservation.

    Raises
    ------
    NotFound, ReservationStepRefused
    """
    async with platform_scope(session):
        row = await locked_reservation(session, reservation_id)
        if row.loan_id == loan_id:
            return reservation_of(row)
        move(row, ReservationState.COVERED, now=now)
        row.loan_id = loan_id
        session.add(row)
        await session.flush()
    return reservation_of(row)


async def release(
    session: AsyncSession,
    reservation_id: UUID,
    *,
    amount_fen: int | None = None,
    reason: str,
    now: datetime,
    maker_id: UUID = PLATFORM_ID,
) -> ReservationView:
    """Give capacity back for `amount_fen` of principal, or for all that is left, in a journal of its own.

    Locks the reservation.

    Raises
    ------
    NotFound, ReleaseTooLarge, ReservationStepRefused
    """
    held, legs = await release_exposure(session, reservation_id, amount_fen=amount_fen, now=now)
    async with platform_scope(session):
        row = await locked_reservation(session, reservation_id)
        key = f"reservation:{row.id}:{reason}:{row.released_principal_fen}"
        await _post(session, row, legs, key=key, kind="capacity_released", maker_id=maker_id, now=now)
    return held


async def release_exposure(
    session: AsyncSession, reservation_id: UUID, *, amount_fen: int | None = None, now: datetime
) -> tuple[ReservationView, tuple[Leg, ...]]:
    """Give capacity back for `amount_fen` of repaid principal, or for all that is left, and return the legs.

    The caller posts them, with its own, in one journal: two journals in one transaction would lock accounts out of
    order. The parts follow the repaid total cumulatively, so a thousand instalments drift by less than a fen and the
    last one leaves nothing. While a claim is open the capacity comes out of what is claimed. Locks the reservation.

    Raises
    ------
    NotFound, ReleaseTooLarge, ReservationStepRefused
    """
    async with platform_scope(session):
        row = await locked_reservation(session, reservation_id)
        check_reservation_step(ReservationState(row.state), ReservationState.RELEASED)
        left_fen = row.principal_fen - row.released_principal_fen
        amount = left_fen if amount_fen is None else amount_fen
        if not 0 < amount <= left_fen:
            raise ReleaseTooLarge(open_fen=left_fen)
        parts = reservation_of(row).parts
        before = released_by(Fen(row.released_principal_fen), parts)
        step = released_by(Fen(row.released_principal_fen + amount), parts) - before
        legs = await _capacity_legs(session, row, step, sign=-1)
        row.released_principal_fen += amount
        row.fund_released_fen += step.fund_fen
        row.guarantor_released_fen += step.guarantor_fen
        if row.released_principal_fen == row.principal_fen:
            move(row, ReservationState.RELEASED, now=now)
        session.add(row)
        await session.flush()
    return reservation_of(row), legs


async def locked_reservation(session: AsyncSession, reservation_id: UUID) -> Reservation:
    """Lock a reservation until the transaction ends and return its row as it is now.

    Raises
    ------
    NotFound
    """
    row = await session.get(Reservation, reservation_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    return row


async def legs_on(session: AsyncSession, *moves: Move) -> tuple[Leg, ...]:
    """Return the legs of moves on accounts that the opening of the line made, without zeros; the ids in one look."""
    moving = [(code, amount_fen) for code, amount_fen in moves if amount_fen]
    if not moving:
        return ()
    found = await ledger_queries.accounts_by_code(session, {code for code, _amount_fen in moving})
    return tuple(Leg(found[code].id, amount_fen) for code, amount_fen in moving)


def exposure_moves(row: Reservation, held: ReservationState, parts: RiskParts, *, sign: int) -> list[Move]:
    """Return what raises (sign 1) or lowers (-1) what the covering parties hold in a state."""
    return [(exposure_code(row.agreement_id, held, party), sign * parts.of(party)) for party in COVERING]


def move(row: Reservation, wanted: ReservationState, *, now: datetime) -> None:
    """Move a locked reservation to a state that may follow."""
    check_reservation_step(ReservationState(row.state), wanted)
    row.state = wanted.value
    row.changed_at = now


async def _locked_lines(session: AsyncSession, lender_id: UUID, *, now: datetime) -> Sequence[Agreement]:
    today = business_date(now)
    statement = (
        select(Agreement)
        .where(
            col(Agreement.lender_id) == lender_id,
            col(Agreement.valid_from) <= today,
            col(Agreement.valid_to) > today,
        )
        .order_by(col(Agreement.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await session.execute(statement)).scalars().all()


async def _line_that_takes(
    session: AsyncSession, lines: Sequence[Agreement], firm_id: UUID, principal_fen: Fen, rate_bp: int
) -> Agreement:
    refused: Refusal = NoAgreement(why="none")
    for line in sorted(lines, key=queries.by_age):
        refusal = await _refusal_of(session, line, firm_id, principal_fen, rate_bp)
        if refusal is None:
            return line
        refused = refusal
    raise refused


async def _refusal_of(
    session: AsyncSession, line: Agreement, firm_id: UUID, principal_fen: Fen, rate_bp: int
) -> Refusal | None:
    if line.state not in TAKES_NEW_LOANS:
        return NoAgreement(why=line.state)
    if rate_bp > line.max_rate_bp:
        return RateAboveAgreement(rate_bp=rate_bp, max_rate_bp=line.max_rate_bp)
    if await _carried_by_firm(session, line.id, firm_id) + principal_fen > line.per_firm_cap_fen:
        return FirmCapReached(cap_fen=line.per_firm_cap_fen)
    covered_fen = parts_of(principal_fen, _shares_of(line)).covered_fen
    if await queries.available_fen(session, line.id) < covered_fen:
        return CapacityExhausted()
    return None


async def _carried_by_firm(session: AsyncSession, agreement_id: UUID, firm_id: UUID) -> int:
    """Return the firm's principal under the line, not yet repaid; what a claim paid stays counted."""
    statement = select(
        func.coalesce(func.sum(col(Reservation.principal_fen) - col(Reservation.released_principal_fen)), 0)
    ).where(
        col(Reservation.agreement_id) == agreement_id,
        col(Reservation.firm_id) == firm_id,
        col(Reservation.state).in_(list(_LIVE)),
    )
    return int((await session.execute(statement)).scalar_one())


def _shares_of(line: Agreement) -> Shares:
    return Shares(Ppm(line.lender_ppm), Ppm(line.fund_ppm), Ppm(line.guarantor_ppm))


def _reservation(
    line: Agreement, firm_id: UUID, offer_id: UUID, principal_fen: Fen, rate_bp: int, *, now: datetime
) -> Reservation:
    parts = parts_of(principal_fen, _shares_of(line))
    return Reservation(
        agreement_id=line.id,
        scheme_version=line.version,
        offer_id=offer_id,
        firm_id=firm_id,
        lender_id=line.lender_id,
        fund_id=line.fund_id,
        guarantor_id=line.guarantor_id,
        principal_fen=principal_fen,
        rate_bp=rate_bp,
        lender_ppm=line.lender_ppm,
        fund_ppm=line.fund_ppm,
        guarantor_ppm=line.guarantor_ppm,
        lender_part_fen=parts.of(RiskParty.LENDER),
        fund_part_fen=parts.of(RiskParty.FUND),
        guarantor_part_fen=parts.of(RiskParty.GUARANTOR),
        reserved_at=now,
        changed_at=now,
    )


async def _capacity_legs(session: AsyncSession, row: Reservation, parts: RiskParts, *, sign: int) -> tuple[Leg, ...]:
    """Return the legs from free capacity to what the parties hold (sign 1), or back (-1); none for nothing."""
    held = exposure_moves(row, ReservationState(row.state), parts, sign=sign)
    return await legs_on(session, *held, (available_code(row.agreement_id), -sign * parts.covered_fen))


async def _post(
    session: AsyncSession,
    row: Reservation,
    legs: tuple[Leg, ...],
    *,
    key: str,
    kind: str,
    maker_id: UUID,
    now: datetime,
) -> None:
    if legs:
        await ledger.post(
            session,
            Posting(
                key=key,
                kind=kind,
                legs=legs,
                effective_on=business_date(now),
                maker_id=maker_id,
                subject=subject_of(row),
            ),
            now=now,
        )


def subject_of(row: Reservation) -> dict[str, str]:
    """Return the ids that a journal about this reservation carries."""
    subject = {"agreement_id": str(row.agreement_id), "reservation_id": str(row.id), "offer_id": str(row.offer_id)}
    return subject | ({"loan_id": str(row.loan_id)} if row.loan_id else {})
