"""Invitations: an email, an organisation and roles, under a one-time link."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from xinyidai.access.rules import OrganisationKind, Role
from xinyidai.foundation.errors import Refusal
from xinyidai.parties.rules.identity import PartyId, UserId

INVITATION_LASTS: Final = timedelta(days=7)
MAX_INVITATIONS: Final = 100
"""Open invitations of one organisation."""
INVITATION_PATH: Final = "/invitations/{token}"


class InvitationOver(Refusal):
    """The link was used, withdrawn, replaced, has expired, or never was one: they look the same on purpose."""

    code = "invitation_over"
    status = 410
    title_zh = "邀请链接无效：已使用、已撤回、已更换或已过期"
    title_en = "This invitation is over: used, withdrawn, replaced or expired"


class InvitationForAnother(Refusal):
    """The invitation names another email than that of the person who is signed in."""

    code = "invitation_for_another"
    status = 403
    title_zh = "该邀请发给另一邮箱，请以受邀邮箱登录"
    title_en = "The invitation is for another email: sign in with that one"


class TooManyInvitations(Refusal):
    """The organisation has as many open invitations as it may."""

    code = "too_many_invitations"
    title_zh = "未完成的邀请已达上限 {most} 个"
    title_en = "The organisation has {most} open invitations already"


@dataclass(frozen=True)
class InvitationView:
    """An open invitation as the organisation's administrators see it; it never says whether the email has an account.

    `expires_at` is wall time.
    """

    id: UUID
    organisation_id: PartyId
    email: str
    roles: frozenset[Role]
    invited_by: UserId
    invited_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class Invited:
    """A new invitation with its token, which is shown this once."""

    invitation: InvitationView
    token: str

    @property
    def path(self) -> str:
        """Return the path of the link to hand over."""
        return INVITATION_PATH.format(token=self.token)


@dataclass(frozen=True)
class InvitationShown:
    """What the holder of the link is told before accepting."""

    organisation_name: str
    organisation_kind: OrganisationKind
    email: str
    roles: frozenset[Role]
    expires_at: datetime


@dataclass(frozen=True)
class Joined:
    """Who joined which organisation; signing in comes after."""

    user_id: UserId
    organisation_id: PartyId
    membership_id: UUID
