"""What there is of a firm for who looks: the firm itself, or a lender whom its demand was opened to."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Viewer, requires_kind
from xinyidai.audit import service as audit
from xinyidai.catalogue import queries as catalogue
from xinyidai.consents import queries as consents
from xinyidai.consents import service as permissions
from xinyidai.consents.rules import Permission, Purpose
from xinyidai.demands import queries
from xinyidai.demands.rules import ITEMS_OPENED_TO_LENDERS
from xinyidai.foundation.clock import business_date
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.sources.queries.coverage import coverage_of
from xinyidai.sources.queries.own import CODES
from xinyidai.sources.rules.coverage import Coverage


async def own_coverage(session: AsyncSession, viewer: Viewer, *, now: datetime) -> list[Coverage]:
    """Show a firm what the platform has of it, item by item, and why not where there is nothing; one audit row."""
    listed = await catalogue.listed(session, CODES, business_date(now))
    permission = await permissions.require_own(session, viewer, item_codes=sorted(listed), now=now)
    return await _show(session, viewer, permission, viewer.organisation_id, receiver_id=PLATFORM_ID, now=now)


async def coverage_for_lender(
    session: AsyncSession, viewer: Viewer, demand_id: UUID, *, now: datetime
) -> list[Coverage]:
    """Show a lender what there is for it of the firm of a demand that is open to it; one audit row.

    Raises
    ------
    NotFound
        No such demand, or it is not open to the viewer, or the firm's consent no longer covers it.
    """
    requires_kind(viewer, OrganisationKind.LENDER)
    demand = await queries.demand(session, viewer, demand_id, now=now)
    listed = await catalogue.listed(session, CODES, business_date(now))
    allowed = await consents.subjects_by_item(
        session,
        [demand.firm_id],
        purpose=Purpose.PRE_LOAN,
        item_codes=[code for code, item in listed.items() if item.needs_consent],
        receiver_id=viewer.organisation_id,
        now=now,
    )
    readable = [code for code, item in listed.items() if not item.needs_consent or allowed[code]]
    permission = await permissions.require(
        session,
        receiver_id=viewer.organisation_id,
        subject_ids=[demand.firm_id],
        purpose=Purpose.PRE_LOAN,
        item_codes=readable,
        now=now,
    )
    return await _show(session, viewer, permission, demand.firm_id, receiver_id=viewer.organisation_id, now=now)


async def _show(
    session: AsyncSession,
    viewer: Viewer,
    permission: Permission,
    firm_id: UUID,
    *,
    receiver_id: UUID,
    now: datetime,
) -> list[Coverage]:
    found = await coverage_of(
        session, permission, firm_id, asked=ITEMS_OPENED_TO_LENDERS, receiver_id=receiver_id, now=now
    )
    await audit.write_down(
        session,
        viewer,
        action="demands.coverage_shown",
        subject_ids=[firm_id],
        object_kind="coverage",
        object_id="",
        now=now,
        purpose=permission.purpose.value,
        consent_ids=permission.consent_ids,
    )
    return found
