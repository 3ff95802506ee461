"""Reading one claim, with the trail that a look at a firm's default leaves."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.audit import service as audit
from xinyidai.risk_sharing import queries
from xinyidai.risk_sharing.queries import ClaimView, RecoveryView


async def read(
    session: AsyncSession, viewer: Viewer, claim_id: UUID, *, now: datetime
) -> tuple[ClaimView, list[RecoveryView]]:
    """Return a claim and its recoveries to a party of it or who oversees it; each look leaves an audit row.

    Raises
    ------
    NotFound
    """
    found = await queries.claim(session, viewer, claim_id)
    await audit.write_down(
        session,
        viewer,
        action="risk_sharing.claim_read",
        subject_ids=[found.firm_id],
        object_kind="claim",
        object_id=str(claim_id),
        now=now,
    )
    return found, await queries.recoveries(session, claim_id)
