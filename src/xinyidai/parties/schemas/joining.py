"""Invitations and recoveries on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field
from pydantic.config import JsonDict

from xinyidai.access.rules import OrganisationKind, Role
from xinyidai.parties.rules import (
    MAX_TOKEN,
    InvitationShown,
    InvitationView,
    Invited,
    Joined,
    RecoveryKind,
    RecoveryLink,
    RecoveryView,
)
from xinyidai.parties.schemas.shapes import ID, USER_ID, Roles, Text, Typed, with_example
from xinyidai.parties.schemas.signing_in import TypedCode

Token = Annotated[str, Field(min_length=1, max_length=MAX_TOKEN)]
_TOKEN = "q3Zr1yU0bXJ5c2l4dGVlbi1ieXRlcy1vZi1yYW5kb20"  # noqa: S105
_ROW_ID = "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b15"
_AT = "2025-06-16T04:00:00Z"
_EXPIRES = "2025-06-23T04:00:00Z"


class InvitationIn(BaseModel):
    """An email invited to roles in an organisation; without `organisation_id` in one's own."""

    model_config = with_example({"email": "officer@example.com", "roles": ["officer"]})

    email: Typed
    roles: Roles
    organisation_id: UUID | None = None


_INVITATION: JsonDict = {
    "id": _ROW_ID,
    "organisation_id": ID,
    "email": "officer@example.com",
    "roles": ["officer"],
    "invited_by": USER_ID,
    "invited_at": _AT,
    "expires_at": _EXPIRES,
}


class InvitationOut(BaseModel):
    """An open invitation; `expires_at` is wall time."""

    model_config = with_example(_INVITATION)

    id: UUID
    organisation_id: UUID
    email: str
    roles: list[Role]
    invited_by: UUID
    invited_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, view: InvitationView) -> "InvitationOut":
        """Build from an invitation."""
        return cls(
            id=view.id,
            organisation_id=view.organisation_id,
            email=view.email,
            roles=sorted(view.roles),
            invited_by=view.invited_by,
            invited_at=view.invited_at,
            expires_at=view.expires_at,
        )


class InvitedOut(BaseModel):
    """A new invitation with its token and the path of its link, shown this once."""

    model_config = with_example(
        {"invitation": _INVITATION, "token": _TOKEN, "path": f"/invitations/{_TOKEN}"},
    )

    invitation: InvitationOut
    token: str
    path: str

    @classmethod
    def of(cls, invited: Invited) -> "InvitedOut":
        """Build from a new invitation."""
        return cls(invitation=InvitationOut.of(invited.invitation), token=invited.token, path=invited.path)


class InvitationPageOut(BaseModel):
    """A page of open invitations, oldest first."""

    model_config = with_example({"invitations": [_INVITATION], "next_cursor": None})

    invitations: list[InvitationOut]
    next_cursor: str | None


class TokenIn(BaseModel):
    """The token of a link."""

    model_config = with_example({"token": _TOKEN})

    token: Token


class InvitationShownOut(BaseModel):
    """What the holder of an invitation's link may know before accepting."""

    model_config = with_example(
        {
            "organisation_name": "重庆示例银行股份有限公司",
            "organisation_kind": "lender",
            "email": "officer@example.com",
            "roles": ["officer"],
            "expires_at": _EXPIRES,
        }
    )

    organisation_name: str
    organisation_kind: OrganisationKind
    email: str
    roles: list[Role]
    expires_at: datetime

    @classmethod
    def of(cls, shown: InvitationShown) -> "InvitationShownOut":
        """Build from an invitation."""
        return cls(
            organisation_name=shown.organisation_name,
            organisation_kind=shown.organisation_kind,
            email=shown.email,
            roles=sorted(shown.roles),
            expires_at=shown.expires_at,
        )


class AcceptanceIn(BaseModel):
    """A name and a password for a new account, the password of one's own account, or nothing when signed in."""

    model_config = with_example({"token": _TOKEN, "display_name": "李明", "password": "a long pass phrase"})

    token: Token
    display_name: Text | None = None
    password: Typed | None = None


class JoinedOut(BaseModel):
    """Who joined which organisation; signing in comes next."""

    model_config = with_example({"user_id": USER_ID, "organisation_id": ID, "membership_id": _ROW_ID})

    user_id: UUID
    organisation_id: UUID
    membership_id: UUID

    @classmethod
    def of(cls, joined: Joined) -> "JoinedOut":
        """Build from an acceptance."""
        return cls(user_id=joined.user_id, organisation_id=joined.organisation_id, membership_id=joined.membership_id)


class EmailIn(BaseModel):
    """The email of an account."""

    model_config = with_example({"email": "officer@example.com"})

    email: Typed


_RECOVERY: JsonDict = {
    "id": _ROW_ID,
    "kind": "desk",
    "user_id": USER_ID,
    "email": "officer@example.com",
    "display_name": "李明",
    "asked_by": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b16",
    "asked_at": _AT,
    "expires_at": "2025-06-17T04:00:00Z",
}


class AccountRecoveryOut(BaseModel):
    """A recovery that waits for another administrator; times are wall time."""

    model_config = with_example(_RECOVERY)

    id: UUID
    kind: RecoveryKind
    user_id: UUID
    email: str
    display_name: str
    asked_by: UUID
    asked_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, view: RecoveryView) -> "AccountRecoveryOut":
        """Build from a recovery."""
        return cls(
            id=view.id,
            kind=view.kind,
            user_id=view.user_id,
            email=view.email,
            display_name=view.display_name,
            asked_by=view.asked_by,
            asked_at=view.asked_at,
            expires_at=view.expires_at,
        )


class AccountRecoveryPageOut(BaseModel):
    """A page of recoveries that wait, oldest first."""

    model_config = with_example({"recoveries": [_RECOVERY], "next_cursor": None})

    recoveries: list[AccountRecoveryOut]
    next_cursor: str | None


class RecoveryLinkOut(BaseModel):
    """The one-time link of a confirmed recovery, shown this once; hand it to the person outside the platform."""

    model_config = with_example(
        {"token": _TOKEN, "path": f"/account-recovery/{_TOKEN}", "expires_at": "2025-06-16T04:30:00Z"}
    )

    token: str
    path: str
    expires_at: datetime

    @classmethod
    def of(cls, link: RecoveryLink) -> "RecoveryLinkOut":
        """Build from a confirmed recovery."""
        return cls(token=link.token, path=link.path, expires_at=link.expires_at)


class NewPasswordIn(BaseModel):
    """The token of a recovery's link and the new password."""

    model_config = with_example({"token": _TOKEN, "password": "another long pass phrase"})

    token: Token
    password: Typed


class RecoverAloneIn(BaseModel):
    """An email, a recovery code or in a sandbox the code of a message, and the new password."""

    model_config = with_example(
        {"email": "owner@example.com", "code": "ABCD-EFGH-JK23", "password": "another long pass phrase"}
    )

    email: Typed
    code: TypedCode
    password: Typed
