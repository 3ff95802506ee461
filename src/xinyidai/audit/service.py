"""Writing the audit trail down."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import PrincipalKind, Viewer
from xinyidai.audit.rules import MAX_SUBJECTS
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.ids import new_id

_INSERT = text(
    "INSERT INTO audit.record (id, action, principal_id, principal_kind, organisation_id, organisation_kind,"
    "  subject_ids, object_kind, object_id, purpose, consent_ids, happened_at, recorded_at)"
    " VALUES (:id, :action, :principal_id, :principal_kind, :organisation_id, :organisation_kind,"
    "  CAST(:subject_ids AS uuid[]), :object_kind, :object_id, :purpose, CAST(:consent_ids AS uuid[]), :happened_at,"
    "  :recorded_at)"
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
    await session.execute(
        _INSERT,
        {
            "id": record_id,
            "action": action,
            "principal_id": viewer.principal_id if viewer else None,
            "principal_kind": viewer.principal_kind.value if viewer else PrincipalKind.SYSTEM.value,
            "organisation_id": viewer.organisation_id if viewer else None,
            "organisation_kind": viewer.organisation_kind.value if viewer else None,
            "subject_ids": list(subject_ids),
            "object_kind": object_kind,
            "object_id": object_id,
            "purpose": purpose,
            "consent_ids": list(consent_ids),
            "happened_at": now,
            "recorded_at": wall_now(),
        },
    )
    return record_id
