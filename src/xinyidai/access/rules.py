"""Viewers and roles: pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from xinyidai.foundation.errors import NotAllowed, Refusal

STEP_UP_LASTS = timedelta(minutes=5)


class OrganisationKind(StrEnum):
    """What kind of party the viewer acts for."""

    FIRM = "firm"
    SOLE_TRADER = "sole_trader"
    LENDER = "lender"
    GUARANTOR = "guarantor"
    FUND = "fund"
    AGENCY = "agency"
    REGULATOR = "regulator"
    OPERATOR = "operator"


class Role(StrEnum):
    """What a person or client may do in one organisation. Maker and checker are never the same person."""

    OWNER = "owner"
    OFFICER = "officer"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMIN = "admin"


class PrincipalKind(StrEnum):
    """A signed-in person, a machine client with a key, or a command run on the platform's own machine."""

    USER = "user"
    CLIENT = "client"
    SYSTEM = "system"


class StepUpNeeded(Refusal):
    """The act moves money or rights and the last proof of identity is too old."""

    code = "step_up_needed"
    status = 403
    title_zh = "此操作需要重新验证身份（5 分钟内有效）"
    title_en = "This act needs a proof of identity from the last five minutes"


class SamePersonTwice(Refusal):
    """Four eyes are demanded and the second pair is the first."""

    code = "same_person_twice"
    status = 409
    title_zh = "经办人与复核人不能是同一人"
    title_en = "The maker and the checker must be two people"


@dataclass(frozen=True)
class Viewer:
    """Who asks: the principal, the organisation acted for, the roles held in it."""

    principal_id: UUID
    principal_kind: PrincipalKind
    organisation_id: UUID
    organisation_kind: OrganisationKind
    roles: frozenset[Role]
    scopes: frozenset[str] = frozenset()
    is_simulated: bool = False
    """A machine client that plays a person of a simulated party; only a sandbox knows such."""
    proved_at: datetime | None = None
    """Wall time of the last proof of identity: the sign-in, or a step-up since."""

    def is_one_of(self, *kinds: OrganisationKind) -> bool:
        """Say whether the organisation is of one of these kinds."""
        return self.organisation_kind in kinds


def requires_role(viewer: Viewer, *roles: Role) -> None:
    """Refuse with `NotAllowed` unless the viewer holds one of the roles."""
    if not viewer.roles & set(roles):
        raise NotAllowed


def requires_kind(viewer: Viewer, *kinds: OrganisationKind) -> None:
    """Refuse with `NotAllowed` unless the viewer acts for an organisation of one of the kinds."""
    if not viewer.is_one_of(*kinds):
        raise NotAllowed


def requires_scope(viewer: Viewer, scope: str) -> None:
    """Refuse a machine client whose key was not given this scope; people are held by their roles."""
    if viewer.principal_kind is PrincipalKind.CLIENT and scope not in viewer.scopes:
        raise NotAllowed


def requires_fresh_proof(viewer: Viewer, *, wall_at: datetime) -> None:
    """Refuse a person with `StepUpNeeded` whose last proof of identity is older than STEP_UP_LASTS.

    Machine clients hold a key and no session that somebody could sit down at: they are held by their scopes.
    """
    if viewer.principal_kind is not PrincipalKind.USER:
        return
    if viewer.proved_at is None or wall_at - viewer.proved_at > STEP_UP_LASTS:
        raise StepUpNeeded


def requires_a_person(viewer: Viewer) -> None:
    """Refuse a machine client with `NotAllowed`, unless it plays a person of a simulated party."""
    if viewer.principal_kind is PrincipalKind.CLIENT and not viewer.is_simulated:
        raise NotAllowed


def requires_two_people(maker_id: UUID, checker_id: UUID) -> None:
    """Refuse with `SamePersonTwice` when maker and checker are one."""
    if maker_id == checker_id:
        raise SamePersonTwice
