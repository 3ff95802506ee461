"""A pull step by step: asked, claimed, counted page by page, stored, ended; the calls lie between transactions."""

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import (
    OrganisationKind,
    PrincipalKind,
    Role,
    Viewer,
    requires_kind,
    requires_role,
    requires_scope,
)
from xinyidai.consents.rules import ConsentMissing, Purpose
from xinyidai.foundation import outbox
from xinyidai.foundation.cipher import Cipher
from xinyidai.foundation.clock import business_date, wall_now
from xinyidai.foundation.database import lock_key
from xinyidai.foundation.errors import ValueRefused
from xinyidai.foundation.settings import settings
from xinyidai.foundation.timetable import Moment, moment_of
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PartyId
from xinyidai.sources.events import PullAsked
from xinyidai.sources.models import Pull, PullPart
from xinyidai.sources.models.offices import CourtQuery
from xinyidai.sources.queries.pulled import part_view, pull_view
from xinyidai.sources.queries.pulled import parts_of as parts_told
from xinyidai.sources.rules.pull_parts import PartState, PullReason
from xinyidai.sources.rules.pulls import (
    ANSWERED_WITHIN,
    GIVEN_UP_AFTER,
    ITEMS_OF,
    LEASE,
    MAX_ATTEMPTS,
    MAX_CODE,
    OPEN_STATES,
    Claimed,
    Going,
    PullSource,
    PullState,
    PullUnderWay,
    PullView,
    SourceNotConnected,
    months_asked,
    wait_before,
    waits_too_long,
)
from xinyidai.sources.service.breaking import admit, is_away
from xinyidai.sources.service.connecting import connection_to
from xinyidai.sources.service.pull_life import (
    askable,
    end,
    end_part,
    is_open,
    locked,
    may_go_on,
    parts_of,
    retotal,
    running,
    write_down,
)
from xinyidai.sources.service.receiving import SCOPE


async def ask_pull(
    session: AsyncSession,
    viewer: Viewer,
    consent_code: str,
    *,
    source: PullSource = PullSource.TAX,
    now: datetime,
) -> PullView:
    """Let a source be asked for all that it has of the viewer's firm, with the permission that the firm gave there.

    `consent_code` is the source's code or number for it; the same one again answers with the same pull. It is kept
    encrypted until it is used. Items without the firm's consent to the platform are not asked for, and say so. While a
    pull waits for a source that is away and has not yet used its code, a newer code takes the place of that one, which
    may have run out meanwhile.

    Raises
    ------
    NotAllowed
        Nobody who acts for a firm.
    SourceNotConnected
        The platform has no access to the source.
    ConsentMissing
        The firm has consented to none of the source's items that need it.
    PullUnderWay
        Another pull of the firm from this source has not ended.
    """
    _requires_firm(viewer)
    if connection_to(settings(), source) is None:
        raise SourceNotConnected
    code = consent_code.strip()
    if not 0 < len(code) <= MAX_CODE or not code.isascii():
        raise ValueRefused(field="consent_code", why=f"1..{MAX_CODE} ASCII characters")
    firm_id = viewer.organisation_id
    allowed = await askable(session, firm_id, source, now=now)
    if allowed.missing:
        raise ConsentMissing(purpose=Purpose.PRE_LOAN.value, missing=1, items=allowed.missing)
    await lock_key(session, f"sources.pull:{firm_id}")
    digest = hashlib.sha256(code.encode()).digest()
    earlier = await session.execute(
        select(Pull).where(
            col(Pull.firm_id) == firm_id,
            col(Pull.source) == source.value,
            (col(Pull.code_digest) == digest) | col(Pull.state).in_([state.value for state in OPEN_STATES]),
        )
    )
    rows = list(earlier.scalars())
    for row in rows:
        if row.code_digest == digest:
            return pull_view(row, tuple((await parts_told(session, [row.id]))[row.id]))
    if rows:
        return await _renewed(session, viewer, rows[0].id, code, allowed.refused, now=now)
    first, last = months_asked(business_date(now))
    row = Pull(
        firm_id=firm_id,
        source=source.value,
        asked_by=viewer.principal_id,
        asked_at=now,
        months_from=first,
        months_to=last,
        code_digest=digest,
    )
    row.sealed_code = _cipher().seal(code.encode(), bound_to=row.id.bytes)
    session.add(row)
    await session.flush()
    parts = _parts_for(row, allowed.refused, now=now)
    session.add_all(parts)
    await session.flush()
    await write_down(session, viewer, row, "sources.pull_asked", now=now)
    await outbox.announce(session, PullAsked(row.id, firm_id, source.value), occurred_at=now)
    return pull_view(row, tuple(map(part_view, parts)))


async def _renewed(
    session: AsyncSession, viewer: Viewer, pull_id: UUID, code: str, refused: Mapping[str, PullReason], *, now: datetime
) -> PullView:
    """Let a pull that was put off with its code unused go on with a newer one; of such a pull nothing was read yet."""
    row = await locked(session, pull_id)
    if row.state != PullState.PENDING or row.reason is None or row.sealed_code is None:
        raise PullUnderWay
    row.code_digest = hashlib.sha256(code.encode()).digest()
    row.sealed_code = _cipher().seal(code.encode(), bound_to=row.id.bytes)
    row.asked_by, row.asked_at = viewer.principal_id, now
    row.months_from, row.months_to = months_asked(business_date(now))
    row.attempts = 0
    for part in await parts_of(session, row):
        part.state, part.reason, part.ended_at = PartState.WAITING.value, row.reason, None
        if part.item_code in refused:
            end_part(part, PartState.REFUSED, refused[part.item_code], now=now)
    await session.flush()
    await write_down(session, viewer, row, "sources.pull_asked", now=now)
    return pull_view(row, tuple((await parts_told(session, [row.id]))[row.id]))


def _parts_for(row: Pull, refused: Mapping[str, PullReason], *, now: datetime) -> list[PullPart]:
    parts = []
    for place, item in enumerate(ITEMS_OF[PullSource(row.source)]):
        part = PullPart(firm_id=row.firm_id, pull_id=row.id, item_code=item, place=place)
        if item in refused:
            end_part(part, PartState.REFUSED, refused[item], now=now)
        parts.append(part)
    return parts


async def claim_pull(session: AsyncSession, pull_id: UUID, *, now: datetime) -> Claimed | timedelta | None:
    """Take a pull for one attempt; None when it has ended, a wait when it is somebody's, not due or its source away.

    Needs platform scope. Locks the pull, then its source's breaker. A firm without consent ends it here.
    """
    row = await locked(session, pull_id)
    wall = wall_now()
    if row.state not in OPEN_STATES:
        return None
    for until in (row.leased_until, row.retries_at):
        if until is not None and until > wall:
            return until - wall
    parts = await parts_of(session, row)
    if await may_go_on(session, row, parts, None, now=now) is not Going.ON:
        return None
    if row.attempts >= MAX_ATTEMPTS:
        await end(session, row, PartState.FAILED, PullReason.ABANDONED, now=now)
        return None
    wait = await admit(session, PullSource(row.source))
    if wait is not None:
        return await _wait_for_source(session, row, wait, PullReason.SOURCE_AWAY, now=now)
    row.state, row.reason = PullState.RUNNING.value, None
    row.attempts += 1
    row.leased_until, row.retries_at, row.touched_at = wall + LEASE, None, wall
    for part in parts:
        if is_open(part):
            part.state, part.reason, part.pages_done, part.pages = PartState.WAITING.value, None, 0, None
    retotal(row, parts)
    await session.flush()
    firm = (await parties.parties_by_id(session, [row.firm_id]))[PartyId(row.firm_id)]
    return Claimed(
        id=pull_view(row).id,
        firm_id=row.firm_id,
        credit_code=firm.credit_code or "",
        months_from=row.months_from,
        months_to=row.months_to,
        attempt=row.attempts,
        consent_code=_opened(row, row.sealed_code),
        token=_opened(row, row.sealed_token),
        source=PullSource(row.source),
        item_codes=tuple(part.item_code for part in parts if is_open(part)),
    )


async def keep_access(
    session: AsyncSession, pull_id: UUID, secret: str, item_codes: Collection[str], *, now: datetime
) -> None:
    """Keep the access, encrypted, destroy the code that it was given for, and refuse what it does not open."""
    row = await running(session, pull_id)
    row.sealed_token = _cipher().seal(secret.encode(), bound_to=row.id.bytes)
    row.sealed_code = None
    row.touched_at = wall_now()
    if row.source == PullSource.COURTS:
        # What they call back names nothing but this.
        session.add(CourtQuery(job_id=secret, firm_id=row.firm_id, pull_id=row.id, asked_at=now))
    for part in await parts_of(session, row):
        if is_open(part) and part.item_code not in item_codes:
            end_part(part, PartState.REFUSED, PullReason.NOT_GRANTED, now=now)
    await session.flush()


async def put_off(
    session: AsyncSession, pull_id: UUID, reason: PullReason, *, retry_after: timedelta | None, now: datetime
) -> timedelta | None:
    """Give the pull back for another attempt and return in how long; None when that was the last: it has ended.

    Patience that the source asks for spends no attempt, and while the source is away for everybody none is the last.
    """
    row = await running(session, pull_id)
    wait = wait_before(row.attempts + row.put_offs, retry_after)
    if reason is PullReason.QUOTA:
        row.attempts -= 1
        return await _wait_for_source(session, row, wait, reason, now=now)
    if row.attempts < MAX_ATTEMPTS:
        await _lay_aside(session, row, reason, wait)
        return wait
    if await is_away(session, PullSource(row.source)):
        row.attempts = 0
        return await _wait_for_source(session, row, wait, PullReason.SOURCE_AWAY, now=now)
    await end(session, row, PartState.FAILED, reason, now=now)
    return None


async def await_answer(session: AsyncSession, pull_id: UUID, *, now: datetime) -> None:
    """Lay a pull aside that its source works on, for a call back or the clock to wake; no attempt is spent."""
    row = await running(session, pull_id)
    if waits_too_long(asked_at=row.asked_at, put_offs=row.put_offs, now=now):
        await end(session, row, PartState.FAILED, PullReason.ABANDONED, now=now)
        return
    row.put_offs += 1
    row.attempts -= 1
    for part in await parts_of(session, row):
        if is_open(part):
            part.reason, part.expected_by = PullReason.AWAITED.value, business_date(now) + ANSWERED_WITHIN
    await session.flush()
    await _lay_aside(session, row, PullReason.AWAITED, timedelta(0))


async def deny_pull(session: AsyncSession, pull_id: UUID, reason: PullReason, *, now: datetime) -> None:
    """End a pull that the source refused for good."""
    await end(session, await running(session, pull_id), PartState.REFUSED, reason, now=now)


def pulls_given_up(at: Moment) -> Select[Pull]:
    """Return the statement of pulls that nobody has touched for an hour of wall time, nor calls back about."""
    return (
        select(Pull)
        .where(
            col(Pull.state).in_([state.value for state in OPEN_STATES]),
            col(Pull.touched_at) < at.wall_at - GIVEN_UP_AFTER,
            col(Pull.reason).is_distinct_from(PullReason.AWAITED.value),
        )
        .order_by(col(Pull.id))
    )


async def abandon_pulls(session: AsyncSession, *, now: datetime) -> int:
    """End the pulls that nobody has touched for an hour of wall time; return how many. Needs platform scope."""
    left = await session.execute(pulls_given_up(moment_of(now)).limit(1000).with_for_update(skip_locked=True))
    rows = list(left.scalars())
    for row in rows:
        await end(session, row, PartState.FAILED, PullReason.ABANDONED, now=now)
    return len(rows)


def _requires_firm(viewer: Viewer) -> None:
    requires_kind(viewer, OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)
    requires_scope(viewer, SCOPE)
    if viewer.principal_kind is not PrincipalKind.CLIENT:
        requires_role(viewer, Role.OWNER, Role.OFFICER)


async def _lay_aside(session: AsyncSession, row: Pull, reason: PullReason, wait: timedelta) -> None:
    row.state, row.reason = PullState.PENDING.value, reason.value
    row.leased_until, row.touched_at = None, wall_now()
    row.retries_at = row.touched_at + wait
    for part in await parts_of(session, row):
        if is_open(part):
            part.state, part.reason = PartState.WAITING.value, part.reason or reason.value
    await session.flush()


async def _wait_for_source(
    session: AsyncSession, row: Pull, wait: timedelta, reason: PullReason, *, now: datetime
) -> timedelta | None:
    """Put a pull off while its source is away: no attempt is spent, but this ends too."""
    for part in await parts_of(session, row):
        if is_open(part):
            part.reason = reason.value
    if waits_too_long(asked_at=row.asked_at, put_offs=row.put_offs, now=now):
        await session.flush()
        await end(session, row, PartState.FAILED, reason, now=now)
        return None
    row.put_offs += 1
    await _lay_aside(session, row, reason, wait)
    return wait


def _opened(row: Pull, sealed: bytes | None) -> str | None:
    return None if sealed is None else _cipher().open(sealed, bound_to=row.id.bytes).decode()


def _cipher() -> Cipher:
    return Cipher(settings().secret("pull secrets"))
