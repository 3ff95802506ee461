"""Signing in, in one step or two. What fails looks the same and takes the same time, whatever failed."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, platform_scope
from xinyidai.audit import service as audit
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.errors import Refusal
from xinyidai.parties import queries
from xinyidai.parties.models import WebSession
from xinyidai.parties.rules import (
    Enrolment,
    OrganisationHeld,
    OrganisationToChoose,
    ProofRefused,
    SecondFactorNeeded,
    SessionStage,
    SignedIn,
    SignInPending,
    SignInRefused,
    UserId,
)
from xinyidai.parties.service.attempts import prove_password
from xinyidai.parties.service.second_factors import (
    is_demanded_by,
    offer_secret,
    passes,
    requires_enrolment,
    take_secret,
)
from xinyidai.parties.service.sessions import finish_session, open_session, pending_session


@dataclass(frozen=True)
class _Known:
    """Whose password was right, and for which organisation the person asks to act."""

    user_id: UserId
    is_enrolled: bool
    viewer: Viewer
    organisations: tuple[OrganisationHeld, ...]


async def sign_in(
    session: AsyncSession,
    email: str,
    password: str,
    *,
    organisation_id: UUID | None = None,
    agent: str = "",
    now: datetime,
) -> SignedIn | SignInPending | SignInRefused | OrganisationToChoose:
    """Check a password and open a session for the organisation or the person's only one, or say which step is next.

    A refusal is returned, not raised, because the count of failures must be committed first: the caller raises it
    after the transaction. `agent` is the User-Agent header, of which only browser and system are kept.
    """
    known = await _known(session, email, password, organisation_id)
    if isinstance(known, Refusal):
        return known
    stage = SessionStage.OPEN
    if known.is_enrolled:
        stage = SessionStage.SECOND_FACTOR
    elif is_demanded_by([known.viewer.organisation_kind]):
        stage = SessionStage.ENROLMENT
    token, expires_at = await open_session(
        session, known.user_id, known.viewer.organisation_id, stage=stage, agent=agent
    )
    if stage is not SessionStage.OPEN:
        return SignInPending(stage, token, expires_at)
    return SignedIn(known.user_id, await _entered(session, known.viewer, now=now), known.organisations, token)


async def complete_sign_in(
    session: AsyncSession, token: str, code: str, *, now: datetime
) -> SignedIn | ProofRefused | SignInRefused:
    """Finish a sign-in that waits for a code of the second factor; a recovery code passes too.

    Refusals are returned for the caller to raise after the transaction, as with `sign_in`.

    Raises
    ------
    SignInStale
        No sign-in waits for a code under this token.
    """
    async with platform_scope(session):
        row = await pending_session(session, token, SessionStage.SECOND_FACTOR)
        if not await passes(session, row.user_id, code):
            return ProofRefused()
        new_token = await finish_session(session, row)
    return await _finished(session, row, new_token, now=now)


async def begin_enrolment_at_sign_in(session: AsyncSession, token: str) -> Enrolment:
    """Return a new secret to a person whose sign-in waits for the enrolment that their organisation demands.

    Raises
    ------
    SignInStale
        No sign-in waits for an enrolment under this token, or the person has enrolled meanwhile.
    """
    async with platform_scope(session):
        row = await pending_session(session, token, SessionStage.ENROLMENT)
        return await offer_secret(session, row.user_id, replaces=False)


async def confirm_enrolment_at_sign_in(
    session: AsyncSession, token: str, code: str, *, now: datetime
) -> tuple[SignedIn, tuple[str, ...]]:
    """Confirm the demanded enrolment by its first code, which finishes the sign-in; the recovery codes are shown once.

    Raises
    ------
    SignInStale, NotEnrolled, ProofRefused, SignInRefused
        Nothing waits, no enrolment was begun, the code is not its secret's, the membership ended meanwhile.
    """
    async with platform_scope(session):
        row = await pending_session(session, token, SessionStage.ENROLMENT)
        codes = await take_secret(session, row.user_id, code, replaces=False)
        new_token = await finish_session(session, row)
    finished = await _finished(session, row, new_token, now=now)
    if isinstance(finished, Refusal):
        raise finished
    await _write_down(session, finished.viewer, "parties.second_factor_enrolled", now=now)
    return finished, codes


async def prove(
    session: AsyncSession,
    email: str,
    password: str,
    *,
    code: str | None,
    organisation_id: UUID | None,
    now: datetime,
) -> Viewer | Refusal:
    """Return a person as viewer by password and, where enrolled, code: for commands, which keep no session.

    Refusals are returned for the caller to raise after the transaction: `SecondFactorNeeded` asks for the code.
    """
    known = await _known(session, email, password, organisation_id)
    if isinstance(known, Refusal):
        return known
    if known.is_enrolled:
        if code is None:
            return SecondFactorNeeded()
        if not await passes(session, known.user_id, code):
            return ProofRefused()
    await requires_enrolment(session, known.user_id, known.viewer.organisation_kind)
    return await _entered(session, known.viewer, now=now)


async def _known(
    session: AsyncSession, email: str, password: str, organisation_id: UUID | None
) -> _Known | SignInRefused | OrganisationToChoose:
    proved = await prove_password(session, email, password)
    if proved is None:
        return SignInRefused()
    held = await queries.organisations_of(session, proved.user_id)
    if organisation_id is None and len(held) > 1:
        return OrganisationToChoose(organisation_ids=[str(one.party_id) for one in held])
    chosen = organisation_id or (held[0].party_id if held else None)
    viewer = await queries.viewer_for(session, proved.user_id, chosen) if chosen else None
    if viewer is None:
        return SignInRefused()
    return _Known(proved.user_id, proved.is_enrolled, viewer, tuple(held))


async def _finished(session: AsyncSession, row: WebSession, token: str, *, now: datetime) -> SignedIn | SignInRefused:
    viewer = await queries.viewer_for(session, row.user_id, row.party_id)
    if viewer is None:
        return SignInRefused()
    held = await queries.organisations_of(session, row.user_id)
    return SignedIn(UserId(row.user_id), await _entered(session, viewer, now=now), tuple(held), token)


async def _entered(session: AsyncSession, viewer: Viewer, *, now: datetime) -> Viewer:
    """Limit the transaction to the viewer, write the sign-in down, and return the viewer with the time of the proof."""
    await act_as(session, viewer, now=now)
    await _write_down(session, viewer, "parties.signed_in", now=now)
    return replace(viewer, proved_at=wall_now())


async def _write_down(session: AsyncSession, viewer: Viewer, action: str, *, now: datetime) -> None:
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[],
        object_kind="user",
        object_id=str(viewer.principal_id),
        now=now,
    )
