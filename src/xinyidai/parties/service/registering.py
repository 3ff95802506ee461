"""Registering parties, and what a party says of itself."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, PrincipalKind, Role, Viewer, requires_kind, requires_role
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotAllowed, ValueRefused
from xinyidai.foundation.ids import new_id
from xinyidai.foundation.money import MAX_FEN
from xinyidai.parties import queries
from xinyidai.parties.models import CodeException, DeclaredSize, Party, PartyRegion
from xinyidai.parties.rules import (
    CreditCodeCheckDigitWrong,
    DuplicateParty,
    PartyId,
    UserId,
    check_class,
    check_digit_holds,
    checked_name,
    normalised_credit_code,
)
from xinyidai.parties.service.people import add_membership, create_user

MAX_STAFF = 10_000_000
REGISTERED_BY_OPERATOR = (
    OrganisationKind.LENDER,
    OrganisationKind.GUARANTOR,
    OrganisationKind.FUND,
    OrganisationKind.AGENCY,
    OrganisationKind.REGULATOR,
)
REGISTERED_BY_THEMSELVES = (OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)


@dataclass(frozen=True)
class Owner:
    """The person who registers a firm and owns its account."""

    email: str
    display_name: str
    password: str


async def register_party(
    session: AsyncSession,
    *,
    kind: OrganisationKind,
    name: str,
    credit_code: str | None = None,
    region_code: str | None = None,
    industry_code: str | None = None,
    established_on: date | None = None,
    staff: int | None = None,
    revenue_fen: int | None = None,
    assets_fen: int | None = None,
    is_simulated: bool = False,
    now: datetime,
) -> PartyId:
    """Write a party down; who may do so is checked by the verbs around this one.

    Two registrations of one code at the same moment wait for each other and exactly one succeeds.

    Raises
    ------
    CreditCodeRefused
        Malformed, of another kind of organisation, or a wrong check digit that nobody admitted as an exception.
    DuplicateParty
        The code is registered.
    RegionUnknown, IndustryUnknown, ValueRefused
        The region does not exist today, the industry is unknown, the name or a figure is out of range.
    """
    today = business_date(now)
    code = await _admitted_code(session, kind, credit_code, on=today) if credit_code is not None else None
    if established_on is not None and established_on > today:
        raise ValueRefused(field="established_on", why="in the future")
    if region_code is not None:
        await queries.region(session, region_code, on=today)
    if industry_code is not None:
        await queries.industry_of(session, industry_code, on=today)
    party_id = PartyId(new_id())
    row = {
        "id": party_id,
        "kind": kind.value,
        "name": checked_name(name),
        "credit_code": code,
        "industry_code": industry_code,
        "established_on": established_on,
        "is_simulated": is_simulated,
        "registered_at": now,
    }
    # ON CONFLICT, not SELECT before INSERT: the unique index is the only judge two sessions share.
    written = await session.execute(insert(Party).values(row).on_conflict_do_nothing().returning(col(Party.id)))
    if written.scalar_one_or_none() is None:
        raise DuplicateParty
    if region_code is not None:
        session.add(PartyRegion(party_id=party_id, region_code=region_code, valid_from=today, recorded_at=now))
    if (staff, revenue_fen, assets_fen) != (None, None, None):
        await _write_size(session, party_id, staff, revenue_fen, assets_fen, valid_from=today, now=now)
    await session.flush()
    return party_id


async def register_organisation(
    session: AsyncSession,
    viewer: Viewer,
    *,
    kind: OrganisationKind,
    name: str,
    credit_code: str | None,
    region_code: str | None,
    now: datetime,
) -> PartyId:
    """Register a lender, guarantor, fund, agency or regulator: an administrator of the operator's does."""
    requires_kind(viewer, OrganisationKind.OPERATOR)
    requires_role(viewer, Role.ADMIN)
    if kind not in REGISTERED_BY_OPERATOR:
        raise ValueRefused(field="kind", why="firms register themselves; there is one operator")
    party_id = await register_party(
        session, kind=kind, name=name, credit_code=credit_code, region_code=region_code, now=now
    )
    await audit.write_down(
        session,
        viewer,
        action="parties.organisation_registered",
        subject_ids=[party_id],
        object_kind="party",
        object_id=str(party_id),
        now=now,
    )
    return party_id


async def register_firm(
    session: AsyncSession,
    owner: Owner | UserId,
    *,
    kind: OrganisationKind,
    name: str,
    credit_code: str,
    region_code: str,
    industry_code: str | None = None,
    established_on: date | None = None,
    staff: int | None = None,
    revenue_fen: int | None = None,
    assets_fen: int | None = None,
    now: datetime,
) -> tuple[PartyId, UserId]:
    """Register a firm or sole trader at its own wish, with its owner: a new account, or the person signed in.

    That the person may speak for the firm is not proved here: see the limits in the README.

    Raises
    ------
    DuplicateUser
        The email has an account: sign in and register the firm from there. A password is never checked here, where
        failures are not counted.
    """
    if kind not in REGISTERED_BY_THEMSELVES:
        raise ValueRefused(field="kind", why="only firms and sole traders register themselves")
    party_id = await register_party(
        session,
        kind=kind,
        name=name,
        credit_code=credit_code,
        region_code=region_code,
        industry_code=industry_code,
        established_on=established_on,
        now=now,
    )
    user_id = await _owning_user(session, owner, now=now)
    async with platform_scope(session):
        # Nobody is signed in yet: these first rows are the registration itself.
        if (staff, revenue_fen, assets_fen) != (None, None, None):
            await _write_size(session, party_id, staff, revenue_fen, assets_fen, valid_from=business_date(now), now=now)
        await add_membership(session, user_id, party_id, [Role.OWNER], now=now)
        await audit.write_down(
            session,
            Viewer(user_id, PrincipalKind.USER, party_id, kind, frozenset({Role.OWNER})),
            action="parties.firm_registered",
            subject_ids=[party_id],
            object_kind="party",
            object_id=str(party_id),
            now=now,
        )
    return party_id, user_id


async def declare_size(
    session: AsyncSession,
    viewer: Viewer,
    *,
    staff: int | None,
    revenue_fen: int | None,
    assets_fen: int | None,
    valid_from: date,
    now: datetime,
) -> None:
    """Record what the viewer's own firm says of its staff, revenue and assets from a day on."""
    requires_kind(viewer, *REGISTERED_BY_THEMSELVES)
    requires_role(viewer, Role.OWNER, Role.OFFICER)
    if valid_from > business_date(now):
        raise ValueRefused(field="valid_from", why="in the future")
    party_id = PartyId(viewer.organisation_id)
    await _write_size(session, party_id, staff, revenue_fen, assets_fen, valid_from=valid_from, now=now)
    await _write_down(session, viewer, "parties.size_declared", party_id, now=now)


async def move_party(
    session: AsyncSession, viewer: Viewer, party_id: UUID, *, region_code: str, valid_from: date, now: datetime
) -> None:
    """Record where a party sits from a day on: its own owner does, or an administrator of the operator's.

    Raises
    ------
    RegionUnknown
        The region does not exist on that day.
    """
    if viewer.organisation_id == party_id:
        requires_role(viewer, Role.OWNER, Role.ADMIN)
    elif viewer.is_one_of(OrganisationKind.OPERATOR):
        requires_role(viewer, Role.ADMIN)
    else:
        raise NotAllowed
    if valid_from > business_date(now):
        raise ValueRefused(field="valid_from", why="in the future")
    await queries.party(session, party_id)
    await queries.region(session, region_code, on=valid_from)
    session.add(
        PartyRegion(
            party_id=party_id,
            region_code=region_code,
            valid_from=valid_from,
            recorded_at=now,
            recorded_by=viewer.principal_id,
        )
    )
    await session.flush()
    await _write_down(session, viewer, "parties.party_moved", PartyId(party_id), now=now)


async def _owning_user(session: AsyncSession, owner: Owner | UserId, *, now: datetime) -> UserId:
    if not isinstance(owner, Owner):
        return owner
    return await create_user(
        session, email=owner.email, display_name=owner.display_name, password=owner.password, now=now
    )


async def _admitted_code(session: AsyncSession, kind: OrganisationKind, typed: str, *, on: date) -> str:
    code = normalised_credit_code(typed)
    check_class(kind, code)
    if not check_digit_holds(code) and not await _is_admitted_exception(session, code, on=on):
        raise CreditCodeCheckDigitWrong
    return code


async def _is_admitted_exception(session: AsyncSession, code: str, *, on: date) -> bool:
    """Say whether the code stands in the table of legal exceptions, by the migration or by two people."""
    admitted = select(col(CodeException.id)).where(
        col(CodeException.credit_code) == code,
        or_(col(CodeException.approved_by).is_not(None), col(CodeException.proposed_by).is_(None)),
        col(CodeException.valid_from) <= on,
        or_(col(CodeException.valid_to).is_(None), col(CodeException.valid_to) > on),
    )
    return (await session.execute(admitted.limit(1))).scalar_one_or_none() is not None


async def _write_size(
    session: AsyncSession,
    party_id: PartyId,
    staff: int | None,
    revenue_fen: int | None,
    assets_fen: int | None,
    *,
    valid_from: date,
    now: datetime,
) -> None:
    for field, value, most in (
        ("staff", staff, MAX_STAFF),
        ("revenue_fen", revenue_fen, MAX_FEN),
        ("assets_fen", assets_fen, MAX_FEN),
    ):
        if value is not None and not 0 <= value <= most:
            raise ValueRefused(field=field, why=f"0..{most}")
    session.add(
        DeclaredSize(
            party_id=party_id,
            staff=staff,
            revenue_fen=revenue_fen,
            assets_fen=assets_fen,
            valid_from=valid_from,
            recorded_at=now,
        )
    )
    await session.flush()


async def _write_down(session: AsyncSession, viewer: Viewer, action: str, party_id: PartyId, *, now: datetime) -> None:
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[party_id],
        object_kind="party",
        object_id=str(party_id),
        now=now,
    )
