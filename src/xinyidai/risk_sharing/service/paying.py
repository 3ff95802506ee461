"""Paying an approved claim: money, exposure and the claim on the borrower in one journal."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Role, Viewer
from xinyidai.access.service import platform_scope
from xinyidai.agreements import queries as agreement_queries
from xinyidai.agreements import service as agreements
from xinyidai.agreements.queries import AgreementView, ReservationView
from xinyidai.agreements.rules import COVERING, TAKES_NEW_LOANS, LineReason, RiskParts, RiskParty
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import lock_key
from xinyidai.foundation.money import Fen
from xinyidai.ledger import service as ledger
from xinyidai.ledger.rules import Posting
from xinyidai.loans import service as loan_service
from xinyidai.loans.queries import LoanView
from xinyidai.risk_sharing import queries
from xinyidai.risk_sharing.events import ClaimPaid
from xinyidai.risk_sharing.models import Claim, ClaimStep, Cover
from xinyidai.risk_sharing.queries import ClaimView
from xinyidai.risk_sharing.rules import (
    ClaimStage,
    ClaimState,
    CoverState,
    NothingLost,
    NothingToPay,
    PayingPower,
    check_claim_step,
    is_stop_loss_reached,
    split_loss,
)
from xinyidai.risk_sharing.service.desk import (
    cash_legs,
    found_claim,
    locked_claim,
    move,
    payer_of,
    recoverable_legs,
    requires_claim_desk,
    tell,
    write_down,
)
from xinyidai.risk_sharing.service.filing import requires_long_overdue


async def pay_claim(session: AsyncSession, viewer: Viewer, claim_id: UUID, *, now: datetime) -> ClaimView:
    """Pay an approved claim out of what its fund and guarantor have, and post the payment to the ledger.

    The loss is the principal unpaid at this moment, at most what was claimed. Each pays its frozen share, at most its
    money and at most what it holds for this loan; the rest stays with the lender. The line is paused when claims paid
    pass its stop-loss. Locks line, loan, claim, reservation and the payers' money, in this order, so that two payments
    of one claim, or of two claims out of one fund, wait for each other.

    Raises
    ------
    NotAllowed, NotFound, ClaimStepRefused
        No person of the fund; the claim is not approved, or paid already.
    NothingLost, ClaimTooEarly
        The borrower has repaid, or paid up, meanwhile.
    NothingToPay
        Nobody has any money; the claim stays approved.
    """
    async with platform_scope(session):
        found = await found_claim(session, claim_id)
        line = await agreements.lock_line(session, found.agreement_id)
        loan = await loan_service.lock_loan(session, found.loan_id)
        row = await locked_claim(session, claim_id)
        requires_claim_desk(viewer, row, Role.OFFICER, Role.APPROVER)
        check_claim_step(ClaimState(row.state), ClaimState.PAID)
        if loan.outstanding_fen == 0:
            raise NothingLost
        await requires_long_overdue(session, loan, row.agreement_id, now=now)
        split = await _split(session, row, loan)
        await _write_payment(session, row, split, now=now)
        await _pause_beyond_stop_loss(session, line, now=now)
    await write_down(session, viewer, row, "risk_sharing.claim_paid", now=now)
    return queries.claim_of(row)


async def _split(session: AsyncSession, row: Claim, loan: LoanView) -> RiskParts:
    held = await agreement_queries.reservation(session, row.reservation_id)
    payers = sorted(str(payer) for payer in (row.fund_id, row.guarantor_id) if payer is not None)
    for payer in payers:
        await lock_key(session, f"risk_sharing.payer:{payer}")
    fund, guarantor = [await _power(session, row, held, party) for party in COVERING]
    split = split_loss(min(loan.outstanding_fen, Fen(row.claimed_fen)), held.shares, fund=fund, guarantor=guarantor)
    if not split.covered_fen:
        raise NothingToPay
    return split


async def _power(session: AsyncSession, row: Claim, held: ReservationView, party: RiskParty) -> PayingPower:
    payer_id = payer_of(row, party)
    cash_fen = await agreement_queries.cash_fen(session, payer_id) if payer_id is not None else Fen(0)
    return PayingPower(cash_fen, held.held.of(party))


async def _write_payment(session: AsyncSession, row: Claim, split: RiskParts, *, now: datetime) -> None:
    _reservation, exposure = await agreements.pay_exposure(session, row.reservation_id, paid=split, now=now)
    posted = await ledger.post(
        session,
        Posting(
            key=f"claim:{row.id}:paid",
            kind="claim_paid",
            legs=(
                *await cash_legs(session, row, split, sign=-1, lender_account="clearing"),
                *exposure,
                *await recoverable_legs(session, row, split, sign=1),
            ),
            effective_on=business_date(now),
            maker_id=_certain(row.first_reviewed_by),
            checker_id=_certain(row.second_reviewed_by),
            subject={"claim_id": str(row.id), "loan_id": str(row.loan_id), "stage": ClaimStage.PAID.value},
        ),
        now=now,
    )
    session.add_all(
        ClaimStep(
            claim_id=row.id,
            party=party.value,
            stage=ClaimStage.PAID.value,
            amount_fen=split.of(party),
            journal_id=posted.journal_id,
            recorded_at=now,
        )
        for party in COVERING
        if split.of(party)
    )
    row.loss_fen = split.total_fen
    row.fund_paid_fen, row.guarantor_paid_fen, row.lender_borne_fen = (split.of(party) for party in RiskParty)
    row.paid_at = now
    await move(session, row, ClaimState.PAID)
    cover = await session.get_one(Cover, row.cover_id)
    cover.state = CoverState.COMPENSATED.value
    session.add(cover)
    await session.flush()
    await loan_service.mark_compensated(session, row.loan_id, now=now)
    await tell(session, row, ClaimPaid, now=now)


async def _pause_beyond_stop_loss(session: AsyncSession, line: AgreementView, *, now: datetime) -> None:
    """Pause the line (熔断) when what was paid under it passes the agreed part of what was lent under it."""
    paid_fen = await queries.paid_under_fen(session, line.id)
    disbursed_fen = await agreement_queries.covered_principal_fen(session, line.id)
    if line.state in TAKES_NEW_LOANS and is_stop_loss_reached(paid_fen, disbursed_fen, line.stop_loss_ppm):
        await agreements.pause_line(session, line.id, reason=LineReason.STOP_LOSS, now=now)


def _certain(reviewer: UUID | None) -> UUID:
    assert reviewer is not None, "an approved claim was reviewed twice: a CHECK of the table"
    return reviewer
