"""People who sign in, for tests: with a password, a second factor, a session; everything is committed."""

from dataclasses import dataclass
from datetime import datetime

import pyotp
from builders_parties import Desk, a_firm, a_lender, the_operator
from conftest import Database

from xinyidai.access.rules import Role, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.parties import queries, service
from xinyidai.parties.rules import PartyId, SignedIn, SignInPending
from xinyidai.parties.rules.second_factor import STEP_SECONDS

PASSWORD = "a long pass phrase"


@dataclass(frozen=True)
class Authenticator:
    """What a person holds after enrolling."""

    secret: str
    recovery_codes: tuple[str, ...]

    def code(self, ahead: int = 1) -> str:
        """Return the code of the step `ahead` of the present one; the enrolment has used the present one."""
        return code_of(self.secret, ahead=ahead)


def code_of(secret: str, *, ahead: int = 0) -> str:
    """Return a secret's code some steps ahead of the present."""
    return pyotp.TOTP(secret).generate_otp(int(wall_now().timestamp()) // STEP_SECONDS + ahead)


async def a_bank(database: Database, now: datetime) -> Desk:
    """Return a committed bank whose two people are administrators."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        return await a_lender(session, now=now)


async def an_operators_desk(database: Database, now: datetime) -> Desk:
    """Return two committed administrators of the operator."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        return await the_operator(session, now=now)


async def a_committed_firm(database: Database, now: datetime) -> Viewer:
    """Return the owner of a committed firm."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        return await a_firm(session, now=now)


async def a_person(database: Database, party_id: PartyId, email: str, *roles: Role, now: datetime) -> Viewer:
    """Return a committed person with PASSWORD and these roles."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        user_id = await service.create_user(session, email=email, display_name="李明", password=PASSWORD, now=now)
        await service.add_membership(session, user_id, party_id, roles, now=now)
        viewer = await queries.viewer_for(session, user_id, party_id)
    assert viewer is not None
    return viewer


async def joins(database: Database, viewer: Viewer, party_id: PartyId, *roles: Role, now: datetime) -> None:
    """Give a person roles in one more organisation."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        await service.add_membership(session, viewer.principal_id, party_id, roles, now=now)


async def enrols(database: Database, viewer: Viewer, *, now: datetime) -> Authenticator:
    """Let a person enrol a second factor by the code of the present step."""
    async with in_transaction(database.app) as session:
        await act_as(session, viewer, now=now)
        enrolment = await service.begin_enrolment(session, viewer)
    async with in_transaction(database.app) as session:
        await act_as(session, viewer, now=now)
        codes = await service.confirm_enrolment(session, viewer, code_of(enrolment.secret), now=now)
    return Authenticator(enrolment.secret, codes)


async def tries(database: Database, email: str, password: str = PASSWORD, *, now: datetime) -> object:
    """Return the outcome of a sign-in's first step."""
    async with in_transaction(database.app) as session:
        return await service.sign_in(session, email, password, agent="Mozilla/5.0 (X11; Linux) Firefox/140", now=now)


async def signs_in(database: Database, email: str, password: str = PASSWORD, *, now: datetime) -> SignedIn:
    """Sign a person without a second factor in."""
    outcome = await tries(database, email, password, now=now)
    assert isinstance(outcome, SignedIn)
    return outcome


async def waits_for_a_code(database: Database, email: str, *, now: datetime) -> SignInPending:
    """Return the pending sign-in of a person with a second factor."""
    outcome = await tries(database, email, now=now)
    assert isinstance(outcome, SignInPending)
    return outcome


async def completes(database: Database, token: str, code: str, *, now: datetime) -> object:
    """Return the outcome of a sign-in's second step."""
    async with in_transaction(database.app) as session:
        return await service.complete_sign_in(session, token, code, now=now)


async def is_in(database: Database, token: str) -> bool:
    """Say whether a session's next request has a viewer."""
    async with in_transaction(database.app) as session:
        return await queries.viewer_of_session(session, token) is not None
