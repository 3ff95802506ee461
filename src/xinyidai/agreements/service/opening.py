"""Opening a line: one person proposes its terms, another approves them, its accounts and capacity are made."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Role, Viewer, requires_two_people
from xinyidai.access.service import platform_scope
from xinyidai.agreements import queries
from xinyidai.agreements.models import Agreement
from xinyidai.agreements.queries import AgreementView
from xinyidai.agreements.rules import (
    COVERING,
    AgreementId,
    LineReason,
    LineState,
    LineStepRefused,
    ReservationState,
    Shares,
    Terms,
    TermsRefused,
    available_code,
    capital_code,
    cash_code,
    check_terms,
    exposure_code,
    limit_code,
)
from xinyidai.agreements.service.lines import locked_agreement, move, requires_fund_desk, write_down
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.money import Fen, Ppm
from xinyidai.ledger import service as ledger
from xinyidai.ledger.rules import Book, Leg, Posting
from xinyidai.parties import queries as parties

MAX_NAME_LENGTH = 120


@dataclass(frozen=True)
class Proposal:
    """A line that one person proposes: its parties and terms."""

    name: str
    fund_id: UUID
    lender_id: UUID
    guarantor_id: UUID | None
    terms: Terms


async def open_agreement(
    session: AsyncSession,
    maker: Viewer,
    checker: Viewer,
    *,
    name: str,
    fund_id: UUID,
    lender_id: UUID,
    guarantor_id: UUID | None,
    fund_share_ppm: int,
    lender_share_ppm: int,
    guarantor_share_ppm: int,
    capacity_fen: int,
    per_firm_cap_fen: int,
    claim_after_days: int,
    max_rate_bp: int,
    valid_from: date,
    valid_to: date,
    stop_loss_ppm: int | None = None,
    now: datetime,
) -> AgreementId:
    """Propose and approve a line in one step, for callers that have both people; refusals as of the two steps."""
    proposal = Proposal(
        name=name,
        fund_id=fund_id,
        lender_id=lender_id,
        guarantor_id=guarantor_id,
        terms=Terms(
            shares=Shares(Ppm(lender_share_ppm), Ppm(fund_share_ppm), Ppm(guarantor_share_ppm)),
            capacity_fen=Fen(capacity_fen),
            per_firm_cap_fen=Fen(per_firm_cap_fen),
            claim_after_days=claim_after_days,
            max_rate_bp=max_rate_bp,
            stop_loss_ppm=stop_loss_ppm,
            valid_from=valid_from,
            valid_to=valid_to,
        ),
    )
    agreement_id = await propose_agreement(session, maker, proposal, now=now)
    await approve_agreement(session, checker, agreement_id, now=now)
    return agreement_id


async def propose_agreement(session: AsyncSession, maker: Viewer, proposal: Proposal, *, now: datetime) -> AgreementId:
    """Write down the terms of a line that another person then opens.

    Raises
    ------
    NotAllowed, NotFound
        The maker is no officer of the fund or the operator; a party is unknown.
    SharesRefused, SharesBelowPolicy, TermsRefused
        Which term; also a party of the wrong kind.
    """
    requires_fund_desk(maker, proposal.fund_id, Role.OFFICER, Role.APPROVER)
    terms = await _checked(session, proposal)
    await _check_parties(session, proposal)
    row = Agreement(
        name=proposal.name,
        fund_id=proposal.fund_id,
        lender_id=proposal.lender_id,
        guarantor_id=proposal.guarantor_id,
        fund_ppm=terms.shares.fund_ppm,
        lender_ppm=terms.shares.lender_ppm,
        guarantor_ppm=terms.shares.guarantor_ppm,
        capacity_fen=terms.capacity_fen,
        per_firm_cap_fen=terms.per_firm_cap_fen,
        claim_after_days=terms.claim_after_days,
        max_rate_bp=terms.max_rate_bp,
        stop_loss_ppm=terms.stop_loss_ppm or 0,  # checked to be there
        valid_from=terms.valid_from,
        valid_to=terms.valid_to,
        proposed_by=maker.principal_id,
        proposed_at=now,
    )
    async with platform_scope(session):
        session.add(row)
        await session.flush()
    await write_down(session, maker, row, "agreements.line_proposed", now=now)
    return AgreementId(row.id)


async def approve_agreement(
    session: AsyncSession, checker: Viewer, agreement_id: UUID, *, now: datetime
) -> AgreementView:
    """Open a proposed line: make its accounts and post its capacity. Locks the agreement.

    Raises
    ------
    NotAllowed, NotFound, SamePersonTwice
    LineStepRefused
        The line was opened or ended before.
    """
    async with platform_scope(session):
        row = await locked_agreement(session, agreement_id)
        requires_fund_desk(checker, row.fund_id, Role.APPROVER)
        requires_two_people(row.proposed_by, checker.principal_id)
        if row.state != LineState.PROPOSED:
            raise LineStepRefused(state=row.state, wanted=LineState.OPEN.value)
        row.opened_by = checker.principal_id
        row.opened_at = now
        await _open_accounts(session, row, now=now)
        await move(session, row, LineState.OPEN, LineReason.AGREED, row.proposed_by, checker.principal_id, now=now)
    await write_down(session, checker, row, "agreements.line_opened", now=now)
    return queries.view_of(row)


async def _checked(session: AsyncSession, proposal: Proposal) -> Terms:
    """Return the terms, with the policy's stop-loss where they name none, when nothing is wrong with them."""
    if not 1 <= len(proposal.name) <= MAX_NAME_LENGTH or not proposal.name.isprintable():
        raise TermsRefused(field="name")
    policy = await queries.policy_on(session, proposal.terms.valid_from)
    terms = proposal.terms
    if terms.stop_loss_ppm is None and policy is not None:
        terms = replace(terms, stop_loss_ppm=policy.stop_loss_ppm)
    check_terms(terms, policy, has_guarantor=proposal.guarantor_id is not None)
    return terms


async def _check_parties(session: AsyncSession, proposal: Proposal) -> None:
    wanted = {proposal.fund_id: OrganisationKind.FUND, proposal.lender_id: OrganisationKind.LENDER}
    if proposal.guarantor_id is not None:
        wanted[proposal.guarantor_id] = OrganisationKind.GUARANTOR
    async with platform_scope(session):
        for party_id, kind in wanted.items():
            if (await parties.party(session, party_id)).kind is not kind:
                raise TermsRefused(field=f"{kind.value}_id")


async def _open_accounts(session: AsyncSession, row: Agreement, *, now: datetime) -> None:
    """Make the line's accounts and post its capacity. The floors of zero are what no interleaving can pass."""
    fund_id, guarantor_id = row.fund_id, row.guarantor_id
    bearers = [(party, fund_id if party == COVERING[0] else guarantor_id) for party in COVERING]
    for party, owner_id in bearers:
        if owner_id is None:
            continue
        for held in (ReservationState.RESERVED, ReservationState.CLAIMED, ReservationState.PAID):
            code = exposure_code(row.id, held, party)
            await ledger.open_account(session, book=Book.EXPOSURE, code=code, owner_id=owner_id, floor_fen=0)
        await ledger.open_account(session, book=Book.CASH, code=capital_code(owner_id), owner_id=owner_id)
        await ledger.open_account(session, book=Book.CASH, code=cash_code(owner_id), owner_id=owner_id, floor_fen=0)
    limit = await ledger.open_account(session, book=Book.EXPOSURE, code=limit_code(row.id), owner_id=fund_id)
    # Hot: opened last for the highest id, so that its lock is taken last and held shortest.
    available = await ledger.open_account(
        session, book=Book.EXPOSURE, code=available_code(row.id), owner_id=fund_id, floor_fen=0
    )
    await ledger.post(
        session,
        Posting(
            key=f"agreement:{row.id}:opened",
            kind="line_opened",
            legs=(Leg(available, row.capacity_fen), Leg(limit, -row.capacity_fen)),
            effective_on=business_date(now),
            maker_id=row.proposed_by,
            checker_id=row.opened_by,
            subject={"agreement_id": str(row.id)},
        ),
        now=now,
    )
