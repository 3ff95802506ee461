"""Sessions of signed-in people: opening, proving anew, acting for another organisation, ending."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import Viewer
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.errors import NotFound, ValueRefused
from xinyidai.parties import queries
from xinyidai.parties.models import WebSession
from xinyidai.parties.rules import (
    PENDING_LASTS,
    SESSION_LASTS,
    ProofRefused,
    SecondFactorNeeded,
    SessionStage,
    SignInStale,
    coarse_agent,
    new_token,
    token_digest,
)
from xinyidai.parties.service.attempts import prove_password, set_password
from xinyidai.parties.service.second_factors import passes, requires_enrolment


async def open_session(
    session: AsyncSession, user_id: UUID, organisation_id: UUID, *, stage: SessionStage, agent: str
) -> tuple[str, datetime]:
    """Write a session down; return its token, shown this once, and the wall time at which it expires."""
    token, wall_at = new_token(), wall_now()
    is_open = stage is SessionStage.OPEN
    row = WebSession(
        user_id=user_id,
        party_id=organisation_id,
        token_digest=token_digest(token),
        stage=stage.value,
        agent=coarse_agent(agent),
        created_at=wall_at,
        seen_at=wall_at,
        proved_at=wall_at if is_open else None,
        expires_at=wall_at + (SESSION_LASTS if is_open else PENDING_LASTS),
    )
    async with platform_scope(session):
        session.add(row)
    return token, row.expires_at


async def pending_session(session: AsyncSession, token: str, stage: SessionStage) -> WebSession:
    """Lock and return the sign-in that waits at this stage; needs platform scope.

    Raises
    ------
    SignInStale
        None waits under this token.
    """
    row = await _locked(session, token)
    if row is None or row.stage != stage or row.expires_at <= wall_now():
        raise SignInStale
    return row


async def finish_session(session: AsyncSession, row: WebSession) -> str:
    """Open a session that waited, under a new token, which is returned; needs platform scope."""
    token, wall_at = new_token(), wall_now()
    row.token_digest, row.stage = token_digest(token), SessionStage.OPEN.value
    row.proved_at, row.expires_at = wall_at, wall_at + SESSION_LASTS
    session.add(row)
    await session.flush()
    return token


async def step_up(
    session: AsyncSession, viewer: Viewer, token: str, *, password: str | None, code: str | None, now: datetime
) -> datetime | ProofRefused:
    """Prove anew who sits there, by a code where a second factor is enrolled, else by the password.

    Returns the wall time of the proof. A refusal is returned, not raised, because the count of failures must be
    committed first.

    Raises
    ------
    SecondFactorNeeded, ValueRefused
        A code or a password is needed and was not given; nothing is counted.
    SignInStale
        The session ended meanwhile.
    """
    async with platform_scope(session):
        row = await _own(session, viewer, token)
        if await queries.is_enrolled(session, viewer.principal_id):
            if code is None:
                raise SecondFactorNeeded
            is_proved = await passes(session, viewer.principal_id, code)
        else:
            is_proved = await _password_is_right(session, viewer, password)
        if not is_proved:
            return ProofRefused()
        row.proved_at = wall_now()
        session.add(row)
        await session.flush()
    await _write_down(session, viewer, "parties.identity_proved", row.id, now=now)
    return row.proved_at


async def change_password(
    session: AsyncSession, viewer: Viewer, token: str, *, current: str, new: str, now: datetime
) -> ProofRefused | None:
    """Change the viewer's password and end their other sessions; a wrong current one is returned as a refusal.

    Raises
    ------
    ValueRefused
        The new password is not fit to be one.
    """
    async with platform_scope(session):
        await lock_sessions(session, viewer.principal_id)
        row = await _own(session, viewer, token)
        if not await _password_is_right(session, viewer, current):
            return ProofRefused()
        await set_password(session, viewer.principal_id, new)
        await end_sessions(session, viewer.principal_id, but=row.id)
    await _write_down(session, viewer, "parties.password_changed", row.id, now=now)
    return None


async def switch_organisation(
    session: AsyncSession, viewer: Viewer, token: str, *, organisation_id: UUID, now: datetime
) -> Viewer:
    """Let the viewer's session act for another of their organisations from the next request on.

    Raises
    ------
    NotFound
        The viewer has no roles there.
    EnrolmentNeeded
        That organisation's people need a second factor, and the viewer has none.
    """
    chosen = await queries.viewer_for(session, viewer.principal_id, organisation_id)
    if chosen is None:
        raise NotFound
    await requires_enrolment(session, viewer.principal_id, chosen.organisation_kind)
    async with platform_scope(session):
        row = await _own(session, viewer, token)
        row.party_id = organisation_id
        session.add(row)
    await _write_down(session, viewer, "parties.organisation_switched", row.id, now=now)
    return replace(chosen, proved_at=viewer.proved_at)


async def revoke_session(session: AsyncSession, viewer: Viewer, session_id: UUID, *, now: datetime) -> None:
    """End one of the viewer's own sessions; its next request is refused.

    Raises
    ------
    NotFound
        The viewer has no such open session.
    """
    ended = (
        update(WebSession)
        .where(
            col(WebSession.id) == session_id,
            col(WebSession.user_id) == viewer.principal_id,
            col(WebSession.ended_at).is_(None),
        )
        .values(ended_at=wall_now())
        .returning(col(WebSession.id))
    )
    async with platform_scope(session):
        if (await session.execute(ended)).scalar_one_or_none() is None:
            raise NotFound
    await _write_down(session, viewer, "parties.session_revoked", session_id, now=now)


async def revoke_other_sessions(session: AsyncSession, viewer: Viewer, token: str, *, now: datetime) -> int:
    """End every session of the viewer but this one; return how many."""
    async with platform_scope(session):
        await lock_sessions(session, viewer.principal_id)
        row = await _own(session, viewer, token)
        count = await end_sessions(session, viewer.principal_id, but=row.id)
    await _write_down(session, viewer, "parties.other_sessions_revoked", row.id, now=now)
    return count


async def sign_out(session: AsyncSession, token: str) -> None:
    """End the session of this token; without one nothing happens. Needs no scope."""
    async with platform_scope(session):
        row = await _locked(session, token)
        if row is not None:
            row.ended_at = wall_now()
            session.add(row)


async def lock_sessions(session: AsyncSession, user_id: UUID) -> None:
    """Lock a person's sessions in id order; always before their second factor, and that before their account."""
    await session.execute(
        select(col(WebSession.id))
        .where(col(WebSession.user_id) == user_id, col(WebSession.ended_at).is_(None))
        .order_by(col(WebSession.id))
        .with_for_update()
    )


async def end_sessions(
    session: AsyncSession, user_id: UUID, *, but: UUID | None = None, organisation_id: UUID | None = None
) -> int:
    """End a person's sessions, all or those that act for one organisation; needs platform scope."""
    ended = update(WebSession).where(col(WebSession.user_id) == user_id, col(WebSession.ended_at).is_(None))
    if but is not None:
        ended = ended.where(col(WebSession.id) != but)
    if organisation_id is not None:
        ended = ended.where(col(WebSession.party_id) == organisation_id)
    found = await session.execute(ended.values(ended_at=wall_now()).returning(col(WebSession.id)))
    return len(found.all())


async def _own(session: AsyncSession, viewer: Viewer, token: str) -> WebSession:
    row = await _locked(session, token)
    if row is None or row.user_id != viewer.principal_id or row.stage != SessionStage.OPEN:
        raise SignInStale
    return row


async def _locked(session: AsyncSession, token: str) -> WebSession | None:
    found = await session.execute(
        select(WebSession)
        .where(col(WebSession.token_digest) == token_digest(token), col(WebSession.ended_at).is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return found.scalar_one_or_none()


async def _password_is_right(session: AsyncSession, viewer: Viewer, password: str | None) -> bool:
    if password is None:
        raise ValueRefused(field="password", why="needed, since no second factor is enrolled")
    email = await queries.email_of(session, viewer.principal_id)
    return await prove_password(session, email, password) is not None


async def _write_down(session: AsyncSession, viewer: Viewer, action: str, session_id: UUID, *, now: datetime) -> None:
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[],
        object_kind="web_session",
        object_id=str(session_id),
        now=now,
    )
