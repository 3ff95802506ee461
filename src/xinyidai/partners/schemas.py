"""Keys on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from xinyidai.access.rules import Role
from xinyidai.foundation.paging import Page
from xinyidai.partners.rules import KeyView, MintedKey, Scope

_ID = "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b21"
_ORGANISATION_ID = "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11"
_KEY: JsonDict = {
    "id": _ID,
    "organisation_id": _ORGANISATION_ID,
    "name": "核心系统",
    "prefix": "xyd_live_8c1f0a",
    "scopes": ["offers:write"],
    "is_sandbox": False,
    "role": "officer",
    "created_by": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b12",
    "created_at": "2025-06-16T04:00:00Z",
    "revoked_at": None,
    "last_used_at": None,
}


class ApiClientIn(BaseModel):
    """A key to mint: for which organisation, under which name, with which scopes."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "organisation_id": _ORGANISATION_ID,
                "name": "核心系统",
                "scopes": ["offers:write"],
                "role": "officer",
            }
        },
    )

    organisation_id: UUID
    name: Annotated[str, Field(min_length=1, max_length=200)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
    role: Role = Field(Role.OFFICER, description="officer; approver only for a simulated party in a sandbox")


class ApiClientOut(BaseModel):
    """A key without its secret."""

    model_config = ConfigDict(json_schema_extra={"example": _KEY})

    id: UUID
    organisation_id: UUID
    name: str
    prefix: str
    scopes: list[Scope]
    is_sandbox: bool
    role: Role
    created_by: UUID
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, view: KeyView) -> "ApiClientOut":
        """Build from a key."""
        return cls(
            id=view.id,
            organisation_id=view.organisation_id,
            name=view.name,
            prefix=view.prefix,
            scopes=list(view.scopes),
            is_sandbox=view.is_sandbox,
            role=view.role,
            created_by=view.created_by,
            created_at=view.created_at,
            revoked_at=view.revoked_at,
            last_used_at=view.last_used_at,
        )


class MintedKeyOut(BaseModel):
    """A new key with its secret, which is shown this once and kept nowhere."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"client": _KEY, "secret": "xyd_live_8c1f0aexample-of-43-characters-never-a-real-one"}
        }
    )

    client: ApiClientOut
    secret: str

    @classmethod
    def of(cls, minted: MintedKey) -> "MintedKeyOut":
        """Build from a minted key."""
        return cls(client=ApiClientOut.of(minted.key), secret=minted.secret)


class ApiClientPageOut(BaseModel):
    """A page of keys and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"clients": [_KEY], "next_cursor": None}})

    clients: list[ApiClientOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[KeyView]) -> "ApiClientPageOut":
        """Build from a page."""
        return cls(clients=[ApiClientOut.of(view) for view in page.rows], next_cursor=page.next_cursor)
