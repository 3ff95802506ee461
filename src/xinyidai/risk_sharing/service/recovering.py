"""Sharing out what is collected after a claim was paid."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import Viewer
from xinyidai.access.service import platform_scope
from xinyidai.agreements import service as agreements
from xinyidai.agreements.rules import RiskParts
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.ids import new_id
from xinyidai.foundation.money import Fen
from xinyidai.ledger import service as ledger
from xinyidai.ledger.rules import Posting
from xinyidai.loans import service as loan_service
from xinyidai.loans.rules.life import checked_reference
from xinyidai.risk_sharing import queries
from xinyidai.risk_sharing.events import RecoveryRecorded
from xinyidai.risk_sharing.models import Claim, Recovery
from xinyidai.risk_sharing.queries import RecoveryView
from xinyidai.risk_sharing.rules import (
    ClaimState,
    ClaimStepRefused,
    RecoveryReferenceReused,
    RecoveryRefused,
    RecoverySplit,
    split_recovery,
)
from xinyidai.risk_sharing.service.desk import (
    cash_legs,
    found_claim,
    locked_claim,
    move,
    recoverable_legs,
    requires_lender_desk,
    tell,
    write_down,
)

MAX_RECEIVED_FEN = 2 * 10**13
_AFTER_PAYMENT = (ClaimState.PAID, ClaimState.RECOVERING)


async def record_recovery(
    session: AsyncSession,
    viewer: Viewer,
    claim_id: UUID,
    *,
    received_fen: int,
    costs_fen: int = 0,
    received_on: date | None = None,
    reference: str | None = None,
    now: datetime,
) -> RecoveryView:
    """Write down what the lender collected on a paid claim and return it: costs first, then principal to who bore it.

    Fund and guarantor get back money and capacity; what is beyond the principal is the lender's interest. The same
    reference and content again is the same recovery. Locks the loan, the claim and the reservation.

    Raises
    ------
    NotAllowed, NotFound
        No officer of a lender; another lender's claim.
    ClaimStepRefused
        The claim is not paid, or settled.
    RecoveryRefused, CostsAboveReceipts, LoanReferenceRefused, RecoveryReferenceReused
    """
    requires_lender_desk(viewer)
    name = str(new_id()) if reference is None else checked_reference(reference)
    on = received_on or business_date(now)
    async with platform_scope(session):
        await loan_service.lock_loan(session, (await found_claim(session, claim_id)).loan_id)
        row = await locked_claim(session, claim_id)
        if row.lender_id != viewer.organisation_id:
            raise NotFound
        before = await _by_reference(session, row, name)
        if before is not None:
            if (before.received_fen, before.costs_fen, before.received_on) != (received_fen, costs_fen, on):
                raise RecoveryReferenceReused
            return queries.recovery_of(before)
        _check(row, received_fen, costs_fen, on, now=now)
        claim = queries.claim_of(row)
        split = split_recovery(
            Fen(received_fen), Fen(costs_fen), borne=claim.borne, recovered_before_fen=claim.returned.total_fen
        )
        recovery = _row_of(row, name, Fen(received_fen), split, on, viewer.principal_id, now=now)
        session.add(recovery)
        await session.flush()
        await _share_out(session, row, recovery, split, now=now)
    await write_down(session, viewer, row, "risk_sharing.recovery_recorded", now=now)
    return queries.recovery_of(recovery)


async def _share_out(
    session: AsyncSession, row: Claim, recovery: Recovery, split: RecoverySplit, *, now: datetime
) -> None:
    """Post the recovery in one journal over four books and write down what each has got back."""
    principal = split.principal
    _reservation, exposure = await agreements.return_exposure(session, row.reservation_id, returned=principal, now=now)
    loan, lending = await loan_service.apply_recovery(session, row.loan_id, principal_fen=principal.total_fen, now=now)
    legs = (
        *await cash_legs(session, row, principal, sign=1, lender_account="collection"),
        *exposure,
        *await recoverable_legs(session, row, principal, sign=-1),
        *lending,
    )
    if legs:
        await ledger.post(
            session,
            Posting(
                key=f"recovery:{recovery.id}",
                kind="recovery",
                legs=legs,
                effective_on=recovery.received_on,
                maker_id=recovery.recorded_by,
                subject={"claim_id": str(row.id), "loan_id": str(row.loan_id), "recovery_id": str(recovery.id)},
            ),
            now=now,
        )
    _add_returned(row, principal)
    is_whole = loan.outstanding_fen == 0
    if row.state == ClaimState.PAID and not is_whole:
        await move(session, row, ClaimState.RECOVERING)
    if is_whole:
        row.closed_at = now
        await move(session, row, ClaimState.SETTLED)
    session.add(row)
    await session.flush()
    await tell(session, row, RecoveryRecorded, now=now)


def _add_returned(row: Claim, principal: RiskParts) -> None:
    row.fund_returned_fen += principal.fund_fen
    row.guarantor_returned_fen += principal.guarantor_fen
    row.lender_returned_fen += principal.lender_fen


def _check(row: Claim, received_fen: int, costs_fen: int, on: date, *, now: datetime) -> None:
    if row.state not in _AFTER_PAYMENT or row.paid_at is None:
        raise ClaimStepRefused(state=row.state, wanted=ClaimState.RECOVERING.value)
    for field, is_fine in (
        ("received_fen", 1 <= received_fen <= MAX_RECEIVED_FEN),
        ("costs_fen", 0 <= costs_fen <= MAX_RECEIVED_FEN),
        ("received_on", business_date(row.paid_at) <= on <= business_date(now)),
    ):
        if not is_fine:
            raise RecoveryRefused(field=field)


async def _by_reference(session: AsyncSession, row: Claim, reference: str) -> Recovery | None:
    statement = select(Recovery).where(col(Recovery.claim_id) == row.id, col(Recovery.reference) == reference)
    return (await session.execute(statement)).scalar_one_or_none()


def _row_of(
    row: Claim,
    reference: str,
    received_fen: Fen,
    split: RecoverySplit,
    received_on: date,
    recorded_by: UUID,
    *,
    now: datetime,
) -> Recovery:
    return Recovery(
        claim_id=row.id,
        reference=reference,
        received_fen=received_fen,
        costs_fen=split.costs_fen,
        fund_fen=split.principal.fund_fen,
        guarantor_fen=split.principal.guarantor_fen,
        lender_fen=split.principal.lender_fen,
        interest_fen=split.interest_fen,
        received_on=received_on,
        recorded_at=now,
        recorded_by=recorded_by,
    )
