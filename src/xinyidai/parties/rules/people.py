"""People signing in, their memberships, and when a desk has the two people that four eyes need."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.foundation.errors import Refusal
from xinyidai.parties.rules.identity import PartyId, UserId
from xinyidai.parties.rules.sessions import SessionStage


class SignInRefused(Refusal):
    """Unknown email, wrong password, locked account, no such membership: one answer for all, on purpose."""

    code = "sign_in_refused"
    status = 401
    title_zh = "邮箱或密码不正确；连续 5 次失败后账户锁定 15 分钟"
    title_en = "Email or password is wrong; five failures in a row shut an account for 15 minutes"


class OrganisationToChoose(Refusal):
    """The password is right and the person belongs to several organisations: say for which to act."""

    code = "organisation_to_choose"
    title_zh = "您属于多个机构，请指定 organisation_id"
    title_en = "You belong to several organisations: name one as organisation_id"


class DuplicateMembership(Refusal):
    """The person has an active membership in the organisation."""

    code = "duplicate_membership"
    title_zh = "该人员已是本机构成员"
    title_en = "This person is a member of the organisation already"


class LastAdministrator(Refusal):
    """The organisation would be left with nobody to administer it."""

    code = "last_administrator"
    title_zh = "至少须保留一名管理员"
    title_en = "Somebody must stay who administers the organisation"


class ExceptionNotNeeded(Refusal):
    """The code's check digit is right."""

    code = "code_exception_not_needed"
    title_zh = "该代码校验位正确，无需登记例外"
    title_en = "The check digit of this code is right: it needs no exception"


class ExceptionStands(Refusal):
    """The code is proposed or admitted as an exception already."""

    code = "code_exception_stands"
    title_zh = "该代码已登记或正在登记例外"
    title_en = "This code is proposed or admitted as an exception already"


@dataclass(frozen=True)
class CodeExceptionView:
    """A credit code that one person proposed to admit though its check digit fails, and why."""

    id: UUID
    credit_code: str
    reason: str
    proposed_by: UserId
    proposed_at: datetime


@dataclass(frozen=True)
class OrganisationHeld:
    """An organisation a person may act for, and in which roles."""

    party_id: PartyId
    kind: OrganisationKind
    name: str
    roles: frozenset[Role]


@dataclass(frozen=True)
class SignedIn:
    """Who signed in, as the viewer to act as, every organisation they may act for, and the session's token."""

    user_id: UserId
    viewer: Viewer
    organisations: tuple[OrganisationHeld, ...]
    token: str


@dataclass(frozen=True)
class SignInPending:
    """The password is right and one more step is needed, within `expires_at` of wall time; nothing else is allowed."""

    stage: SessionStage
    token: str
    expires_at: datetime


@dataclass(frozen=True)
class SimulatedPerson:
    """A person of a simulated party, as a sandbox's start page offers them."""

    user_id: UserId
    party_id: PartyId
    party_kind: OrganisationKind
    party_name: str
    display_name: str
    roles: frozenset[Role]


@dataclass(frozen=True)
class MembershipView:
    """A person's active roles in an organisation."""

    id: UUID
    user_id: UserId
    party_id: PartyId
    email: str
    display_name: str
    roles: frozenset[Role]
    begun_at: datetime


@dataclass(frozen=True)
class Desk:
    """Whether a desk can work under four eyes, and if not, which role finds no second person."""

    is_complete: bool
    missing: tuple[Role, ...]


ONE_PERSON_DESKS = (OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)


def desk_of(kind: OrganisationKind, roles_of: Mapping[UserId, frozenset[Role]]) -> Desk:
    """Say whether a desk is complete: an officer to make and somebody else to approve.

    A firm or sole trader needs only its owner. One person in both roles is one pair of eyes.
    """
    if kind in ONE_PERSON_DESKS:
        has_owner = any(Role.OWNER in roles for roles in roles_of.values())
        return Desk(has_owner, () if has_owner else (Role.OWNER,))
    makers = {user for user, roles in roles_of.items() if Role.OFFICER in roles}
    checkers = {user for user, roles in roles_of.items() if Role.APPROVER in roles}
    missing = tuple(role for role, people in ((Role.OFFICER, makers), (Role.APPROVER, checkers)) if not people)
    if not missing and len(makers | checkers) < 2:
        missing = (Role.APPROVER,)
    return Desk(not missing, missing)
