"""Builders of demands: firms that ask, lenders that read, demands ready made."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, PrincipalKind, Role, Viewer
from xinyidai.consents import service as consents
from xinyidai.consents.rules import ConsentView, Purpose
from xinyidai.demands import service
from xinyidai.demands.queries import DemandView
from xinyidai.demands.rules import ITEMS_OPENED_TO_LENDERS, LoanUse, RepaymentKind
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.ids import new_id


def a_viewer(
    kind: OrganisationKind,
    *,
    organisation_id: UUID | None = None,
    roles: tuple[Role, ...] = (Role.OWNER, Role.OFFICER, Role.APPROVER),
) -> Viewer:
    """Return a person of an organisation; a new organisation unless one is named."""
    return Viewer(
        principal_id=new_id(),
        principal_kind=PrincipalKind.USER,
        organisation_id=organisation_id or new_id(),
        organisation_kind=kind,
        roles=frozenset(roles),
    )


def a_firm_viewer(organisation_id: UUID | None = None) -> Viewer:
    """Return the owner of a firm."""
    return a_viewer(OrganisationKind.FIRM, organisation_id=organisation_id)


def a_lender_viewer(organisation_id: UUID | None = None) -> Viewer:
    """Return an officer of a lender."""
    return a_viewer(OrganisationKind.LENDER, organisation_id=organisation_id)


async def a_draft(
    session: AsyncSession,
    firm: Viewer,
    *,
    amount_fen: int = 50_000_000,
    term_months: int = 12,
    use: LoanUse = LoanUse.RAW_MATERIALS,
    repayment_kind: RepaymentKind = RepaymentKind.EQUAL_INSTALMENTS,
    now: datetime,
) -> DemandView:
    """Draft half a million yuan for a year."""
    return await service.draft(
        session,
        firm,
        amount_fen=amount_fen,
        term_months=term_months,
        use=use,
        repayment_kind=repayment_kind,
        wanted_by=business_date(now) + timedelta(days=30),
        is_lawful_use_declared=True,
        now=now,
    )


async def a_demand(
    session: AsyncSession,
    firm: Viewer,
    *,
    amount_fen: int = 50_000_000,
    term_months: int = 12,
    repayment_kind: RepaymentKind = RepaymentKind.EQUAL_INSTALMENTS,
    now: datetime,
) -> DemandView:
    """Draft and submit half a million yuan for a year."""
    drafted = await a_draft(
        session, firm, amount_fen=amount_fen, term_months=term_months, repayment_kind=repayment_kind, now=now
    )
    return await service.submit_draft(session, firm, drafted.id, now=now)


async def a_consent_to(
    session: AsyncSession, firm: Viewer, *receiver_ids: UUID, days: int = 60, now: datetime
) -> ConsentView:
    """Let the receivers look into the firm's invoices before a loan."""
    return await consents.grant(
        session,
        firm,
        purpose=Purpose.PRE_LOAN,
        item_codes=list(ITEMS_OPENED_TO_LENDERS),
        receiver_ids=list(receiver_ids),
        expires_at=now + timedelta(days=days),
        now=now,
    )
