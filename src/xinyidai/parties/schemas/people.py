"""The people of an organisation, and who is asking, on the wire."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel
from pydantic.config import JsonDict

from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.parties.rules import (
    MembershipView,
    OrganisationHeld,
)
from xinyidai.parties.schemas.shapes import ID, ME, ORGANISATION, USER_ID, Roles, Text, Typed, with_example


class PersonIn(BaseModel):
    """A new person with an account and roles in an organisation."""

    model_config = with_example(
        {
            "organisation_id": ID,
            "email": "officer@example.com",
            "display_name": "李明",
            "password": "a long pass phrase",
            "roles": ["officer"],
        }
    )

    organisation_id: UUID
    email: Typed
    display_name: Text
    password: Typed
    roles: Roles


class MembershipIn(BaseModel):
    """Roles in an organisation for a person who has an account."""

    model_config = with_example({"organisation_id": ID, "email": "officer@example.com", "roles": ["approver"]})

    organisation_id: UUID
    email: Typed
    roles: Roles


class RolesIn(BaseModel):
    """The roles that replace those of a membership."""

    model_config = with_example({"roles": ["officer", "admin"]})

    roles: Roles


class OrganisationOut(BaseModel):
    """An organisation a person may act for, and in which roles."""

    model_config = with_example(ORGANISATION)

    party_id: UUID
    kind: OrganisationKind
    name: str
    roles: list[Role]

    @classmethod
    def of(cls, held: OrganisationHeld) -> "OrganisationOut":
        """Build from what a person holds."""
        return cls(party_id=held.party_id, kind=held.kind, name=held.name, roles=sorted(held.roles))


class MeOut(BaseModel):
    """Who is asking, for which organisation, the others a person may act for, and when identity was proved last."""

    model_config = with_example(ME)

    principal_id: UUID
    principal_kind: str
    organisation_id: UUID
    organisation_kind: OrganisationKind
    roles: list[Role]
    scopes: list[str]
    proved_at: datetime | None
    organisations: list[OrganisationOut]

    @classmethod
    def of(cls, viewer: Viewer, organisations: list[OrganisationHeld]) -> "MeOut":
        """Build from a viewer."""
        return cls(
            principal_id=viewer.principal_id,
            principal_kind=viewer.principal_kind.value,
            organisation_id=viewer.organisation_id,
            organisation_kind=viewer.organisation_kind,
            roles=sorted(viewer.roles),
            scopes=sorted(viewer.scopes),
            proved_at=viewer.proved_at,
            organisations=[OrganisationOut.of(held) for held in organisations],
        )


_MEMBER: JsonDict = {
    "id": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b13",
    "user_id": USER_ID,
    "email": "officer@example.com",
    "display_name": "李明",
    "roles": ["officer"],
    "begun_at": "2025-06-16T04:00:00Z",
}


class MemberOut(BaseModel):
    """A person's roles in the viewer's organisation."""

    model_config = with_example(_MEMBER)

    id: UUID
    user_id: UUID
    email: str
    display_name: str
    roles: list[Role]
    begun_at: datetime

    @classmethod
    def of(cls, view: MembershipView) -> "MemberOut":
        """Build from a membership."""
        return cls(
            id=view.id,
            user_id=view.user_id,
            email=view.email,
            display_name=view.display_name,
            roles=sorted(view.roles),
            begun_at=view.begun_at,
        )


class MemberPageOut(BaseModel):
    """A page of an organisation's people, whether its desk can work under four eyes, and which role finds nobody."""

    model_config = with_example(
        {"members": [_MEMBER], "next_cursor": None, "is_desk_complete": False, "missing_roles": ["approver"]}
    )

    members: list[MemberOut]
    next_cursor: str | None
    is_desk_complete: bool
    missing_roles: list[Role]
