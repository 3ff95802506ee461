"""Writing the audit trail down."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import PrincipalKind, Viewer
from xinyidai.audit.rules import MAX_SUBJECTS
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import driver
from xinyidai.foundation.ids import new_id

_INSERT = (
    "INSERT INTO audit.record (id, action, principal_id, principal_kind, organisation_id, organisation_kind,"
    "  subject_ids, object_kind, object_id, purpose, consent_ids, happened_at, recorded_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
)


async def write_down(
    session: AsyncSession,
    viewer: Viewer | None,
    *,
    action: str,
    subject_ids: Sequence[UUID],
    object_kind: str,
    object_id: str,
    now: datetime,
    purpose: str | None = None,
    consent_ids: Sequence[UUID] = (),
) -> UUID:
    """Write one act down in the caller's transaction: it is kept exactly when the act is.

    Parameters
    ----------
    viewer : Viewer or None
        Who acts; None is the platform itself (a job), which needs platform scope.
    action : str
        ``"room.fact"`` in the past tense, for example ``"matching.offer_accepted"``.
    subject_ids : sequence of UUID
        Parties whose data was read or changed, at most 1,000; the order is kept.
    """
    if len(subject_ids) > MAX_SUBJECTS or len(consent_ids) > MAX_SUBJECTS:
        raise ValueError(f"one audit row holds at most {MAX_SUBJECTS} subjects and consents: work in chunks")
    record_id = new_id()
    told = await driver(session)
    await told.execute(
        _INSERT,
        record_id,
        action,
        viewer.principal_id if viewer else None,
        viewer.principal_kind.value if viewer else PrincipalKind.SYSTEM.value,
        viewer.organisation_id if viewer else None,
        viewer.organisation_kind.value if viewer else None,
        list(subject_ids),
        object_kind,
        object_id,
        purpose,
        list(consent_ids),
        now,
        wall_now(),
    )
    return record_id
