"""In a sandbox: signing in as a simulated person by one click."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Role
from xinyidai.access.service import act_as, platform_scope
from xinyidai.audit import service as audit
from xinyidai.foundation.errors import NotFound
from xinyidai.parties import queries
from xinyidai.parties.rules import PartyId, SessionStage, SignedIn, SimulatedPerson, UserId
from xinyidai.parties.service.sessions import open_session

SIMULATED_DOMAIN = "@simulated.example"
"""A reserved domain (RFC 2606): no real person has such an address."""
SHOWN_DESKS = (
    OrganisationKind.FIRM,
    OrganisationKind.SOLE_TRADER,
    OrganisationKind.LENDER,
    OrganisationKind.FUND,
    OrganisationKind.GUARANTOR,
    OrganisationKind.AGENCY,
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


async def sign_in_simulated(
    session: AsyncSession, user_id: UUID, party_id: UUID, *, agent: str = "", now: datetime
) -> SignedIn:
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
    viewer = await queries.viewer_for(session, user_id, party_id)
    if viewer is None:
        raise NotFound
    token, _expires_at = await open_session(session, user_id, party_id, stage=SessionStage.OPEN, agent=agent)
    held = await queries.organisations_of(session, user_id)
    await act_as(session, viewer, now=now)
    await audit.write_down(
        session,
        viewer,
        action="parties.simulated_sign_in",
        subject_ids=[],
        object_kind="user",
        object_id=str(user_id),
        now=now,
    )
    return SignedIn(UserId(user_id), viewer, tuple(held), token)


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
