"""Exposure of a claim: claimed, returned, paid, restored by recoveries. Called by risk_sharing in its transactions."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import platform_scope
from xinyidai.agreements.queries import ReservationView, reservation_of
from xinyidai.agreements.rules import ReservationState, ReservationStepRefused, RiskParts, available_code
from xinyidai.agreements.service.capacity import exposure_moves, legs_on, locked_reservation, move, subject_of
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.money import Fen
from xinyidai.ledger import service as ledger
from xinyidai.ledger.rules import Leg, Posting


async def claim_exposure(
    session: AsyncSession, reservation_id: UUID, *, claim_id: UUID, maker_id: UUID, now: datetime
) -> ReservationView:
    """Move all that is held for a loan from reserved to claimed. Locks the reservation.

    Raises
    ------
    NotFound, ReservationStepRefused
    """
    return await _shift(
        session, reservation_id, ReservationState.CLAIMED, claim_id=claim_id, maker_id=maker_id, now=now
    )


async def unclaim_exposure(
    session: AsyncSession, reservation_id: UUID, *, claim_id: UUID, maker_id: UUID, now: datetime
) -> ReservationView:
    """Move what a denied claim held back to reserved: the loan stays covered. Locks the reservation.

    Raises
    ------
    NotFound, ReservationStepRefused
    """
    return await _shift(
        session, reservation_id, ReservationState.COVERED, claim_id=claim_id, maker_id=maker_id, now=now
    )


async def pay_exposure(
    session: AsyncSession, reservation_id: UUID, *, paid: RiskParts, now: datetime
) -> tuple[ReservationView, tuple[Leg, ...]]:
    """Write down what fund and guarantor pay, and return the legs: claimed to paid, the rest back to available.

    The caller posts them in one journal with the money and the claim on the borrower. Locks the reservation, whose row
    refuses to pay more than is held.

    Raises
    ------
    NotFound, ReservationStepRefused
    """
    async with platform_scope(session):
        row = await locked_reservation(session, reservation_id)
        held = reservation_of(row).held
        covering = RiskParts(paid.fund_fen, paid.guarantor_fen, Fen(0))
        rest = RiskParts(held.fund_fen, held.guarantor_fen, Fen(0)) - covering
        legs = await legs_on(
            session,
            *exposure_moves(row, ReservationState.CLAIMED, held, sign=-1),
            *exposure_moves(row, ReservationState.PAID, covering, sign=1),
            (available_code(row.agreement_id), rest.covered_fen),
        )
        move(row, ReservationState.PAID, now=now)
        row.fund_paid_fen = covering.fund_fen
        row.guarantor_paid_fen = covering.guarantor_fen
        row.fund_released_fen += rest.fund_fen
        row.guarantor_released_fen += rest.guarantor_fen
        session.add(row)
        await session.flush()
    return reservation_of(row), legs


async def return_exposure(
    session: AsyncSession, reservation_id: UUID, *, returned: RiskParts, now: datetime
) -> tuple[ReservationView, tuple[Leg, ...]]:
    """Write down what a recovery gave back, and return the legs: paid to available. The caller posts them.

    Locks the reservation, whose row refuses to return more than was paid.

    Raises
    ------
    NotFound, ReservationStepRefused
    """
    async with platform_scope(session):
        row = await locked_reservation(session, reservation_id)
        if row.state != ReservationState.PAID:
            raise ReservationStepRefused(state=row.state, wanted=ReservationState.PAID.value)
        legs = await legs_on(
            session,
            *exposure_moves(row, ReservationState.PAID, returned, sign=-1),
            (available_code(row.agreement_id), returned.covered_fen),
        )
        row.fund_returned_fen += returned.fund_fen
        row.guarantor_returned_fen += returned.guarantor_fen
        row.changed_at = now
        session.add(row)
        await session.flush()
    return reservation_of(row), legs


async def _shift(
    session: AsyncSession,
    reservation_id: UUID,
    wanted: ReservationState,
    *,
    claim_id: UUID,
    maker_id: UUID,
    now: datetime,
) -> ReservationView:
    async with platform_scope(session):
        row = await locked_reservation(session, reservation_id)
        held = reservation_of(row).held
        left = ReservationState(row.state)
        move(row, wanted, now=now)
        legs = await legs_on(
            session, *exposure_moves(row, left, held, sign=-1), *exposure_moves(row, wanted, held, sign=1)
        )
        if legs:
            await ledger.post(
                session,
                Posting(
                    key=f"claim:{claim_id}:{wanted.value}",
                    kind="exposure_claimed" if wanted is ReservationState.CLAIMED else "exposure_unclaimed",
                    legs=legs,
                    effective_on=business_date(now),
                    maker_id=maker_id,
                    subject=subject_of(row) | {"claim_id": str(claim_id), "stage": wanted.value},
                ),
                now=now,
            )
        session.add(row)
        await session.flush()
    return reservation_of(row)
