"""What the audit trail shows: pure."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

MAX_SUBJECTS = 1_000
"""A page view or a batch chunk leaves one row; larger batches go in chunks."""


@dataclass(frozen=True)
class Look:
    """One act on a subject's data, as the subject may see it: the organisation, never its staff, never other subjects.

    `consent_ids` is empty where the act concerned several subjects, since the others' consents are not this one's to
    know.
    """

    id: UUID
    action: str
    organisation_id: UUID | None
    organisation_kind: str | None
    object_kind: str
    purpose: str | None
    consent_ids: tuple[UUID, ...]
    happened_at: datetime
