"""Acting for another of one's organisations, and, in a sandbox, signing in as a simulated person."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.access.service import act_as, platform_scope
from xinyidai.audit import service as audit
from xinyidai.foundation.errors import NotAllowed, NotFound
from xinyidai.parties import queries
from xinyidai.parties.rules import PartyId, SignedIn, SimulatedPerson, UserId

SIMULATED_DOMAIN = "@simulated.example"
"""A reserved domain (RFC 2606): no real person has such an address."""
SHOWN_DESKS = (
    OrganisationKind.FIRM,
    OrganisationKind.SOLE_TRADER,
    OrganisationKind.LENDER,
    OrganisationKind.FUND,
    OrganisationKind.GUARANTOR,
    OrganisationKind.REGULATOR,
    OrganisationKind.OPERATOR,
)
PEOPLE_A_DESK = 2

_IS_SIMULATED = text(
    "SELECT 1 FROM parties.membership m JOIN parties.party p ON p.id = m.party_id"
    " JOIN parties.platform_user u ON u.id = m.user_id"
    " WHERE m.user_id = :user_id AND m.party_id = :party_id AND m.ended_at IS NULL"
    "   AND (p.is_simulated OR (p.kind = 'operator' AND u.email LIKE :domain)) LIMIT 1"
)
_SIMULATED = text(
    "WITH staffed AS ("
    "  SELECT DISTINCT ON (p.kind) p.id, p.kind, p.name FROM parties.party p"
    "  JOIN parties.membership m ON m.party_id = p.id AND m.ended_at IS NULL"
    "  JOIN parties.platform_user u ON u.id = m.user_id"
    "  WHERE p.kind = ANY(:kinds) AND (p.is_simulated OR (p.kind = 'operator' AND u.email LIKE :domain))"
    "  ORDER BY p.kind, p.id"
    ") SELECT s.id AS party_id, s.kind, s.name, u.id AS user_id, u.display_name, m.roles FROM staffed s"
    " JOIN parties.membership m ON m.party_id = s.id AND m.ended_at IS NULL"
    " JOIN parties.platform_user u ON u.id = m.user_id"
    " WHERE s.kind <> 'operator' OR u.email LIKE :domain"
    " ORDER BY m.id LIMIT 100"
)


async def switch_organisation(session: AsyncSession, viewer: Viewer, party_id: UUID, *, now: datetime) -> SignedIn:
    """Return the viewer's person as the viewer acting for another organisation they belong to.

    Raises
    ------
    NotAllowed
        The person has no active membership there.
    """
    return await _signed_in(session, viewer.principal_id, party_id, "parties.organisation_switched", now=now)


async def sign_in_simulated(session: AsyncSession, user_id: UUID, party_id: UUID, *, now: datetime) -> SignedIn:
    """Sign a simulated person in without a password; the door to this exists in a sandbox only.

    Raises
    ------
    NotFound
        Not a simulated party, nor the operator's simulated staff: a real desk is never opened this way.
    """
    asked = {"user_id": user_id, "party_id": party_id, "domain": f"%{SIMULATED_DOMAIN}"}
    async with platform_scope(session):
        is_simulated = (await session.execute(_IS_SIMULATED, asked)).scalar_one_or_none()
    if is_simulated is None:
        raise NotFound
    return await _signed_in(session, user_id, party_id, "parties.simulated_sign_in", now=now)


async def simulated_people(session: AsyncSession) -> list[SimulatedPerson]:
    """Return up to two people of the first staffed simulated party of each desk, and of the operator's staff.

    The operating body itself is no simulated party: its simulated staff is known by their address.
    """
    people: dict[OrganisationKind, list[SimulatedPerson]] = {kind: [] for kind in SHOWN_DESKS}
    async with platform_scope(session):
        found = await session.execute(_SIMULATED, {"kinds": list(SHOWN_DESKS), "domain": f"%{SIMULATED_DOMAIN}"})
    for row in found:
        desk = people[OrganisationKind(row.kind)]
        if len(desk) < PEOPLE_A_DESK:
            desk.append(
                SimulatedPerson(
                    user_id=UserId(row.user_id),
                    party_id=PartyId(row.party_id),
                    party_kind=OrganisationKind(row.kind),
                    party_name=row.name,
                    display_name=row.display_name,
                    roles=frozenset(Role(role) for role in row.roles),
                )
            )
    return [one for desk in people.values() for one in desk]


async def _signed_in(session: AsyncSession, user_id: UUID, party_id: UUID, action: str, *, now: datetime) -> SignedIn:
    viewer = await queries.viewer_for(session, user_id, party_id)
    if viewer is None:
        raise NotAllowed
    held = await queries.organisations_of(session, user_id)
    await act_as(session, viewer, now=now)
    await audit.write_down(
        session, viewer, action=action, subject_ids=[], object_kind="user", object_id=str(user_id), now=now
    )
    return SignedIn(user_id=UserId(user_id), viewer=viewer, organisations=tuple(held))
