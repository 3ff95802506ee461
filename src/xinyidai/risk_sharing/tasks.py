"""What disbursements and closed loans do to covers."""

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.outbox import Envelope, consumes
from xinyidai.loans.events import LoanClosed, LoanDisbursed
from xinyidai.risk_sharing import service


@consumes(LoanDisbursed, name="risk_sharing.make_cover")
async def make_cover(session: AsyncSession, envelope: Envelope) -> None:
    """Write down the cover of a disbursed loan."""
    await act_as_platform(session, now=envelope.delivered_at)
    await service.make_cover(session, envelope.id_of("loan_id"), now=envelope.delivered_at)


@consumes(LoanClosed, name="risk_sharing.end_cover")
async def end_cover(session: AsyncSession, envelope: Envelope) -> None:
    """End the cover of a closed loan."""
    await act_as_platform(session, now=envelope.delivered_at)
    await service.end_cover(session, envelope.id_of("loan_id"), now=envelope.delivered_at)
