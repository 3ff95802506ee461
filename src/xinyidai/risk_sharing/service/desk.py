"""What every verb of risk sharing shares: who may act, the locked row, the trail, the accounts."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import (
    OrganisationKind,
    PrincipalKind,
    Role,
    Viewer,
    requires_a_person,
    requires_kind,
    requires_role,
    requires_scope,
)
from xinyidai.access.service import platform_scope
from xinyidai.agreements.rules import COVERING, RiskParts, RiskParty, cash_code
from xinyidai.audit import service as audit
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.outbox import announce
from xinyidai.ledger import service as ledger
from xinyidai.ledger.rules import Book, Leg
from xinyidai.risk_sharing.events import ClaimApproved, ClaimDenied, ClaimFiled, ClaimPaid, RecoveryRecorded
from xinyidai.risk_sharing.models import Claim
from xinyidai.risk_sharing.rules import ClaimState, check_claim_step

WRITES = "claims:write"
Happened = ClaimFiled | ClaimApproved | ClaimDenied | ClaimPaid | RecoveryRecorded


def requires_lender_desk(viewer: Viewer) -> None:
    """Refuse who is no officer or approver of a lender, nor a lender's client with the scope."""
    requires_kind(viewer, OrganisationKind.LENDER)
    requires_scope(viewer, WRITES)
    if viewer.principal_kind is not PrincipalKind.CLIENT:
        requires_role(viewer, Role.OFFICER, Role.APPROVER)


def requires_claim_desk(viewer: Viewer, row: Claim, *roles: Role) -> None:
    """Refuse who is no person with one of the roles at the claim's fund; another fund's claim is not found."""
    requires_kind(viewer, OrganisationKind.FUND)
    if viewer.organisation_id != row.fund_id:
        raise NotFound
    requires_a_person(viewer)
    requires_role(viewer, *roles)


async def found_claim(session: AsyncSession, claim_id: UUID) -> Claim:
    """Return a claim's row unlocked, for the ids that must be locked before it.

    Raises
    ------
    NotFound
    """
    row = await session.get(Claim, claim_id)
    if row is None:
        raise NotFound
    return row


async def locked_claim(session: AsyncSession, claim_id: UUID) -> Claim:
    """Lock a claim until the transaction ends and return its row as it is now.

    Raises
    ------
    NotFound
    """
    row = await session.get(Claim, claim_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    return row


async def move(session: AsyncSession, row: Claim, wanted: ClaimState) -> None:
    """Move a locked claim to a state that may follow."""
    check_claim_step(ClaimState(row.state), wanted)
    row.state = wanted.value
    session.add(row)
    await session.flush()


async def tell(session: AsyncSession, row: Claim, kind: type[Happened], *, now: datetime) -> None:
    """Announce what happened to a claim."""
    await announce(session, kind(str(row.id), str(row.loan_id), str(row.lender_id), str(row.fund_id)), occurred_at=now)


async def write_down(session: AsyncSession, viewer: Viewer, row: Claim, action: str, *, now: datetime) -> None:
    """Leave the audit row of an act on a claim."""
    async with platform_scope(session):
        await audit.write_down(
            session,
            viewer,
            action=action,
            subject_ids=[row.firm_id],
            object_kind="claim",
            object_id=str(row.id),
            now=now,
        )


def payer_of(row: Claim, party: RiskParty) -> UUID | None:
    """Return the organisation that pays a covering part."""
    return {RiskParty.FUND: row.fund_id, RiskParty.GUARANTOR: row.guarantor_id, RiskParty.LENDER: None}[party]


async def recoverable_legs(session: AsyncSession, row: Claim, parts: RiskParts, *, sign: int) -> list[Leg]:
    """Return the legs of what the borrower owes to those who paid for it: raised by a payment, lowered by a recovery.

    The floor of zero on each account keeps recoveries within what was paid.
    """
    legs = []
    for party in COVERING:
        if parts.of(party):
            account = await ledger.open_account(
                session,
                book=Book.RECOVERABLE,
                code=f"recoverable:loan:{row.loan_id}:{party.value}",
                owner_id=payer_of(row, party),
                floor_fen=0,
            )
            legs.append(Leg(account, sign * parts.of(party)))
    if parts.covered_fen:
        subrogation = await ledger.open_account(
            session,
            book=Book.RECOVERABLE,
            code=f"recoverable:agreement:{row.agreement_id}:subrogation",
            owner_id=row.fund_id,
        )
        legs.append(Leg(subrogation, -sign * parts.covered_fen))
    return legs


async def cash_legs(
    session: AsyncSession, row: Claim, parts: RiskParts, *, sign: int, lender_account: str
) -> list[Leg]:
    """Return the legs of the payers' money, raised (1) or lowered (-1), against an account of the lender."""
    legs = []
    for party in COVERING:
        payer_id = payer_of(row, party)
        if parts.of(party) and payer_id is not None:
            cash = await ledger.open_account(
                session, book=Book.CASH, code=cash_code(payer_id), owner_id=payer_id, floor_fen=0
            )
            legs.append(Leg(cash, sign * parts.of(party)))
    if parts.covered_fen:
        clearing = await ledger.open_account(
            session,
            book=Book.CASH,
            code=f"cash:lender:{row.lender_id}:{lender_account}",
            owner_id=row.lender_id,
        )
        legs.append(Leg(clearing, -sign * parts.covered_fen))
    return legs
