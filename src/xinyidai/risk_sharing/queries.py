"""Reads of covers, claims and recoveries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.access.service import platform_scope
from xinyidai.agreements.rules import RiskParts, Shares
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.money import Fen, Ppm
from xinyidai.foundation.paging import Page, after_id, limit_of, page_of
from xinyidai.risk_sharing.models import Claim, Cover, Recovery
from xinyidai.risk_sharing.rules import ClaimId, ClaimState, CoverId, CoverState, DenialCode

OVERSEES = (OrganisationKind.OPERATOR, OrganisationKind.REGULATOR)


@dataclass(frozen=True)
class CoverView:
    """A covered loan."""

    id: CoverId
    loan_id: UUID
    reservation_id: UUID
    agreement_id: UUID
    scheme_version: int
    firm_id: UUID
    lender_id: UUID
    fund_id: UUID
    guarantor_id: UUID | None
    principal_fen: Fen
    shares: Shares
    state: CoverState


@dataclass(frozen=True)
class ClaimView:
    """A claim as its lender, fund and guarantor see it. Amounts of a claim that is not paid are zero."""

    id: ClaimId
    loan_id: UUID
    agreement_id: UUID
    firm_id: UUID
    lender_id: UUID
    fund_id: UUID
    guarantor_id: UUID | None
    state: ClaimState
    days_past_due: int
    claimed_fen: Fen
    denial_code: DenialCode | None
    filed_at: datetime
    paid_at: datetime | None
    borne: RiskParts
    returned: RiskParts

    @property
    def paid_fen(self) -> Fen:
        """Return what fund and guarantor paid together."""
        return self.borne.covered_fen


@dataclass(frozen=True)
class ClaimTrail:
    """Who did what on a claim, and when; None where nobody has yet."""

    filed_by: UUID
    filed_at: datetime
    first_reviewed_by: UUID | None
    first_reviewed_at: datetime | None
    second_reviewed_by: UUID | None
    second_reviewed_at: datetime | None
    denied_by: UUID | None
    closed_at: datetime | None


@dataclass(frozen=True)
class RecoveryView:
    """A recovery and where it went."""

    id: UUID
    claim_id: ClaimId
    reference: str
    received_fen: Fen
    costs_fen: Fen
    principal: RiskParts
    interest_fen: Fen
    received_on: date


def cover_of(row: Cover) -> CoverView:
    """Return a cover's row as a value."""
    return CoverView(
        id=CoverId(row.id),
        loan_id=row.loan_id,
        reservation_id=row.reservation_id,
        agreement_id=row.agreement_id,
        scheme_version=row.scheme_version,
        firm_id=row.firm_id,
        lender_id=row.lender_id,
        fund_id=row.fund_id,
        guarantor_id=row.guarantor_id,
        principal_fen=Fen(row.principal_fen),
        shares=Shares(Ppm(row.lender_ppm), Ppm(row.fund_ppm), Ppm(row.guarantor_ppm)),
        state=CoverState(row.state),
    )


def claim_of(row: Claim) -> ClaimView:
    """Return a claim's row as a value."""
    return ClaimView(
        id=ClaimId(row.id),
        loan_id=row.loan_id,
        agreement_id=row.agreement_id,
        firm_id=row.firm_id,
        lender_id=row.lender_id,
        fund_id=row.fund_id,
        guarantor_id=row.guarantor_id,
        state=ClaimState(row.state),
        days_past_due=row.days_past_due,
        claimed_fen=Fen(row.claimed_fen),
        denial_code=DenialCode(row.denial_code) if row.denial_code else None,
        filed_at=row.filed_at,
        paid_at=row.paid_at,
        borne=RiskParts(Fen(row.fund_paid_fen), Fen(row.guarantor_paid_fen), Fen(row.lender_borne_fen)),
        returned=RiskParts(Fen(row.fund_returned_fen), Fen(row.guarantor_returned_fen), Fen(row.lender_returned_fen)),
    )


def recovery_of(row: Recovery) -> RecoveryView:
    """Return a recovery's row as a value."""
    return RecoveryView(
        id=row.id,
        claim_id=ClaimId(row.claim_id),
        reference=row.reference,
        received_fen=Fen(row.received_fen),
        costs_fen=Fen(row.costs_fen),
        principal=RiskParts(Fen(row.fund_fen), Fen(row.guarantor_fen), Fen(row.lender_fen)),
        interest_fen=Fen(row.interest_fen),
        received_on=row.received_on,
    )


async def cover_of_loan(session: AsyncSession, loan_id: UUID) -> CoverView | None:
    """Return the cover of a loan, if it has one."""
    row = (await session.execute(select(Cover).where(col(Cover.loan_id) == loan_id))).scalar_one_or_none()
    return cover_of(row) if row else None


async def claim(session: AsyncSession, viewer: Viewer, claim_id: UUID) -> ClaimView:
    """Return a claim to its lender, fund or guarantor, the operator or the regulator.

    Raises
    ------
    NotFound
    """
    async with platform_scope(session):
        row = await session.get(Claim, claim_id)
    if row is None or not may_see(viewer, row):
        raise NotFound
    return claim_of(row)


async def claims(
    session: AsyncSession, viewer: Viewer, *, state: ClaimState | None, cursor: str | None, limit: int
) -> Page[ClaimView]:
    """Return a page of the claims that the viewer files, reviews or shares, all for operator and regulator."""
    size = limit_of(limit)
    seen = _seen_by(viewer)
    statement = select(Claim).where(col(Claim.id) > after_id(cursor), seen).order_by(col(Claim.id)).limit(size + 1)
    if state is not None:
        statement = statement.where(col(Claim.state) == state.value)
    async with platform_scope(session):
        rows = (await session.execute(statement)).scalars().all()
    return page_of([claim_of(row) for row in rows], limit=size, id_of=lambda view: view.id)


async def trail(session: AsyncSession, viewer: Viewer, claim_id: UUID) -> ClaimTrail:
    """Return who filed and reviewed a claim, to those who may see it.

    Raises
    ------
    NotFound
    """
    async with platform_scope(session):
        row = await session.get(Claim, claim_id)
    if row is None or not may_see(viewer, row):
        raise NotFound
    return ClaimTrail(
        filed_by=row.filed_by,
        filed_at=row.filed_at,
        first_reviewed_by=row.first_reviewed_by,
        first_reviewed_at=row.first_reviewed_at,
        second_reviewed_by=row.second_reviewed_by,
        second_reviewed_at=row.second_reviewed_at,
        denied_by=row.denied_by,
        closed_at=row.closed_at,
    )


async def claim_counts(session: AsyncSession, viewer: Viewer) -> dict[ClaimState, int]:
    """Return how many claims the viewer may list, by state; states without any are left out."""
    statement = select(col(Claim.state), func.count()).where(_seen_by(viewer)).group_by(col(Claim.state))
    async with platform_scope(session):
        return {ClaimState(state): count for state, count in await session.execute(statement)}


async def claims_of_loan(session: AsyncSession, viewer: Viewer, loan_id: UUID) -> list[ClaimView]:
    """Return the claims that were filed on a loan, the newest first, those alone that the viewer may see."""
    statement = select(Claim).where(col(Claim.loan_id) == loan_id).order_by(col(Claim.id).desc())
    async with platform_scope(session):
        rows = (await session.execute(statement)).scalars().all()
    return [claim_of(row) for row in rows if may_see(viewer, row)]


async def paid_since_fen(session: AsyncSession, viewer: Viewer, since: datetime) -> Fen:
    """Return what the viewer's fund or guarantor has paid on claims from a moment on."""
    own, mine = (
        (col(Claim.fund_paid_fen), col(Claim.fund_id))
        if viewer.is_one_of(OrganisationKind.FUND)
        else (col(Claim.guarantor_paid_fen), col(Claim.guarantor_id))
    )
    statement = select(func.coalesce(func.sum(own), 0)).where(
        mine == viewer.organisation_id, col(Claim.paid_at) >= since
    )
    async with platform_scope(session):
        return Fen(int((await session.execute(statement)).scalar_one()))


async def recoveries(session: AsyncSession, claim_id: UUID) -> list[RecoveryView]:
    """Return a claim's recoveries in order; the caller has checked that the viewer may see the claim."""
    statement = select(Recovery).where(col(Recovery.claim_id) == claim_id).order_by(col(Recovery.id))
    async with platform_scope(session):
        return [recovery_of(row) for row in (await session.execute(statement)).scalars()]


async def paid_under_fen(session: AsyncSession, agreement_id: UUID) -> Fen:
    """Return what was ever paid under a line, recoveries not taken off."""
    paid = func.coalesce(func.sum(col(Claim.fund_paid_fen) + col(Claim.guarantor_paid_fen)), 0)
    statement = select(paid).where(col(Claim.agreement_id) == agreement_id)
    return Fen(int((await session.execute(statement)).scalar_one()))


def may_see(viewer: Viewer, row: Claim) -> bool:
    """Say whether the viewer is a party to the claim or oversees all."""
    return viewer.is_one_of(*OVERSEES) or viewer.organisation_id in (row.lender_id, row.fund_id, row.guarantor_id)


def _seen_by(viewer: Viewer) -> ColumnElement[bool]:
    mine = viewer.organisation_id
    if viewer.is_one_of(*OVERSEES):
        return true()
    return or_(col(Claim.lender_id) == mine, col(Claim.fund_id) == mine, col(Claim.guarantor_id) == mine)


async def funds_to_act(session: AsyncSession, fund_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of the funds that have a claim to review or pay. Needs platform scope."""
    waiting = [ClaimState.LODGED.value, ClaimState.SECOND_REVIEW.value, ClaimState.APPROVED.value]
    found = await session.execute(
        select(col(Claim.fund_id)).where(col(Claim.fund_id).in_(list(fund_ids)), col(Claim.state).in_(waiting))
    )
    return set(found.scalars())
