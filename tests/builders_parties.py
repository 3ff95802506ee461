"""Parties and people for tests, made through the room's own verbs; the session is in platform scope."""

from dataclasses import dataclass
from datetime import date, datetime
from itertools import count

from sqlalchemy.ext.asyncio import AsyncSession
from stdnum.cn import uscc

from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.parties import queries, service
from xinyidai.parties.rules import PLATFORM_ID, PartyId

_numbers = count(1)
_PREFIXES = {
    OrganisationKind.FIRM: "91500103",
    OrganisationKind.SOLE_TRADER: "92500103",
    OrganisationKind.LENDER: "91500103",
    OrganisationKind.GUARANTOR: "91500103",
}


@dataclass(frozen=True)
class Desk:
    """A party and two of its people: the maker makes, the checker approves."""

    id: PartyId
    maker: Viewer
    checker: Viewer


def a_credit_code(kind: OrganisationKind = OrganisationKind.FIRM, number: int | None = None) -> str:
    """Return a code with a right check digit, another on every call unless numbered."""
    start = _PREFIXES.get(kind, "12500103") + f"{number or next(_numbers):09d}"
    return start + uscc.calc_check_digit(start)


async def a_viewer(session: AsyncSession, party_id: PartyId, *roles: Role, now: datetime) -> Viewer:
    """Return a new person with these roles in the party."""
    number = next(_numbers)
    user_id = await service.create_user(
        session, email=f"person{number}@example.com", display_name=f"人员{number}", password=None, now=now
    )
    await service.add_membership(session, user_id, party_id, roles, now=now)
    viewer = await queries.viewer_for(session, user_id, party_id)
    assert viewer is not None
    return viewer


async def a_desk(session: AsyncSession, kind: OrganisationKind, *, name: str | None = None, now: datetime) -> Desk:
    """Return a party of the kind with a maker (officer) and a checker (approver), both administrators."""
    party_id = await service.register_party(
        session,
        kind=kind,
        name=name or f"{kind.value} {next(_numbers)}",
        credit_code=a_credit_code(kind),
        region_code="500103",
        is_simulated=True,
        now=now,
    )
    return Desk(
        party_id,
        await a_viewer(session, party_id, Role.OFFICER, Role.ADMIN, now=now),
        await a_viewer(session, party_id, Role.APPROVER, Role.ADMIN, now=now),
    )


async def a_firm(
    session: AsyncSession,
    *,
    kind: OrganisationKind = OrganisationKind.FIRM,
    name: str | None = None,
    credit_code: str | None = None,
    region_code: str | None = "500103",
    industry_code: str | None = "F52",
    established_on: date | None = date(2018, 3, 1),
    staff: int | None = 12,
    now: datetime,
) -> Viewer:
    """Return the owner of a new firm; `organisation_id` is the firm."""
    party_id = await service.register_party(
        session,
        kind=kind,
        name=name or f"重庆测试企业{next(_numbers)}有限公司",
        credit_code=credit_code or a_credit_code(kind),
        region_code=region_code,
        industry_code=industry_code,
        established_on=established_on,
        staff=staff,
        is_simulated=True,
        now=now,
    )
    return await a_viewer(session, party_id, Role.OWNER, now=now)


async def a_sole_trader(session: AsyncSession, *, now: datetime) -> Viewer:
    """Return the owner of a new sole trader (个体工商户)."""
    return await a_firm(session, kind=OrganisationKind.SOLE_TRADER, industry_code="H62", staff=2, now=now)


async def a_lender(session: AsyncSession, *, name: str | None = None, now: datetime) -> Desk:
    """Return a bank with two people."""
    return await a_desk(session, OrganisationKind.LENDER, name=name, now=now)


async def a_guarantor(session: AsyncSession, *, now: datetime) -> Desk:
    """Return a guarantee company with two people."""
    return await a_desk(session, OrganisationKind.GUARANTOR, now=now)


async def a_fund(session: AsyncSession, *, now: datetime) -> Desk:
    """Return a compensation fund with two people."""
    return await a_desk(session, OrganisationKind.FUND, now=now)


async def a_regulator(session: AsyncSession, *, now: datetime) -> Desk:
    """Return a regulator with two people."""
    return await a_desk(session, OrganisationKind.REGULATOR, now=now)


async def the_operator(session: AsyncSession, *, now: datetime) -> Desk:
    """Return the platform's operator with two new people."""
    return Desk(
        PLATFORM_ID,
        await a_viewer(session, PLATFORM_ID, Role.OFFICER, Role.ADMIN, now=now),
        await a_viewer(session, PLATFORM_ID, Role.APPROVER, Role.ADMIN, now=now),
    )
