"""The audit trail on the wire."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from xinyidai.audit.rules import Look
from xinyidai.foundation.paging import Page

_LOOK: JsonDict = {
    "id": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11",
    "action": "profiles.profile_read",
    "organisation_id": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b12",
    "organisation_kind": "lender",
    "object_kind": "profile",
    "purpose": "pre_loan",
    "consent_ids": ["01976f2c-8a1e-7c55-9a53-0c7d0a5f2b13"],
    "happened_at": "2025-06-16T04:00:00Z",
}


class LookOut(BaseModel):
    """One act on the asking firm's data; without an organisation it was the platform itself."""

    model_config = ConfigDict(json_schema_extra={"example": _LOOK})

    id: UUID
    action: str
    organisation_id: UUID | None
    organisation_kind: str | None
    object_kind: str
    purpose: str | None
    consent_ids: list[UUID]
    happened_at: datetime

    @classmethod
    def of(cls, look: Look) -> "LookOut":
        """Build from a look."""
        return cls(
            id=look.id,
            action=look.action,
            organisation_id=look.organisation_id,
            organisation_kind=look.organisation_kind,
            object_kind=look.object_kind,
            purpose=look.purpose,
            consent_ids=list(look.consent_ids),
            happened_at=look.happened_at,
        )


class LookPageOut(BaseModel):
    """A page of looks, newest first, and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"looks": [_LOOK], "next_cursor": None}})

    looks: list[LookOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[Look]) -> "LookPageOut":
        """Build from a page."""
        return cls(looks=[LookOut.of(look) for look in page.rows], next_cursor=page.next_cursor)
