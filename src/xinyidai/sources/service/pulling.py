"""A pull step by step: asked, claimed, counted page by page, stored, ended; the calls lie between transactions."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
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
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.consents import queries as consents
from xinyidai.consents.rules import ConsentMissing, Purpose
from xinyidai.foundation import outbox
from xinyidai.foundation.cipher import Cipher
from xinyidai.foundation.clock import business_date, wall_now
from xinyidai.foundation.database import lock_key
from xinyidai.foundation.errors import ValueRefused
from xinyidai.foundation.settings import settings
from xinyidai.foundation.timetable import Moment, moment_of
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PLATFORM_ID, PartyId
from xinyidai.sources.events import PullAsked, PullEnded
from xinyidai.sources.models import Pull
from xinyidai.sources.queries import pull_view
from xinyidai.sources.rules import ITEM, ConsentTakenBack, DeliveryKind, Fault
from xinyidai.sources.rules.pulls import (
    GIVEN_UP_AFTER,
    LEASE,
    MAX_ATTEMPTS,
    MAX_CODE,
    OPEN_STATES,
    Claimed,
    PullReason,
    PullSource,
    PullState,
    PullStopped,
    PullUnderWay,
    PullView,
    SourceNotConnected,
    months_asked,
    wait_before,
)
from xinyidai.sources.service.files import open_rows
from xinyidai.sources.service.receiving import SCOPE, receive_source

THE_PLATFORM = Viewer(
    principal_id=PLATFORM_ID,
    principal_kind=PrincipalKind.SYSTEM,
    organisation_id=PLATFORM_ID,
    organisation_kind=OrganisationKind.OPERATOR,
    roles=frozenset(),
)


async def ask_pull(session: AsyncSession, viewer: Viewer, consent_code: str, *, now: datetime) -> PullView:
    """Let the tax bureau be asked for the viewer's firm's invoices, with the code of its consent there.

    The same code again answers with the same pull. The code is kept encrypted until it is used.

    Raises
    ------
    NotAllowed
        Nobody who acts for a firm.
    SourceNotConnected
        No tax provider is set up.
    ConsentMissing
        The firm has not consented that the platform uses its invoices.
    PullUnderWay
        Another pull of the firm has not ended.
    """
    _requires_firm(viewer)
    if settings().city_url is None or settings().tax_client_id is None:
        raise SourceNotConnected
    code = consent_code.strip()
    if not 0 < len(code) <= MAX_CODE or not code.isascii():
        raise ValueRefused(field="consent_code", why=f"1..{MAX_CODE} ASCII characters")
    firm_id = viewer.organisation_id
    if not await _has_consent(session, firm_id, now=now):
        raise ConsentMissing(purpose=Purpose.PRE_LOAN.value, missing=1, items=[ITEM])
    await lock_key(session, f"sources.pull:{firm_id}")
    digest = hashlib.sha256(code.encode()).digest()
    earlier = await session.execute(
        select(Pull).where(
            col(Pull.firm_id) == firm_id,
            (col(Pull.code_digest) == digest) | col(Pull.state).in_([state.value for state in OPEN_STATES]),
        )
    )
    rows = list(earlier.scalars())
    for row in rows:
        if row.code_digest == digest:
            return pull_view(row)
    if rows:
        raise PullUnderWay
    first, last = months_asked(business_date(now))
    row = Pull(
        firm_id=firm_id,
        source=PullSource.TAX.value,
        asked_by=viewer.principal_id,
        asked_at=now,
        months_from=first,
        months_to=last,
        code_digest=digest,
    )
    row.sealed_code = _cipher().seal(code.encode(), bound_to=row.id.bytes)
    session.add(row)
    await session.flush()
    await _write_down(session, viewer, row, "sources.pull_asked", now=now)
    await outbox.announce(session, PullAsked(row.id, firm_id), occurred_at=now)
    return pull_view(row)


async def claim_pull(session: AsyncSession, pull_id: UUID, *, now: datetime) -> Claimed | timedelta | None:
    """Take a pull for one attempt; None when it has ended, a wait when it is somebody's or not due yet.

    Needs platform scope. Locks the pull. A firm without consent ends it here.
    """
    row = await _locked(session, pull_id)
    wall = wall_now()
    if row.state not in OPEN_STATES:
        return None
    for until in (row.leased_until, row.retries_at):
        if until is not None and until > wall:
            return until - wall
    if not await _may_go_on(session, row, now=now):
        return None
    if row.attempts >= MAX_ATTEMPTS:
        await _end(session, row, PullState.TIMED_OUT, PullReason.ABANDONED, now=now)
        return None
    row.state = PullState.RUNNING.value
    row.attempts += 1
    row.leased_until, row.retries_at, row.touched_at = wall + LEASE, None, wall
    row.pages_done, row.pages = 0, None
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
    )


async def keep_token(session: AsyncSession, pull_id: UUID, token: str) -> None:
    """Keep the access token, encrypted, and destroy the consent code that it was given for."""
    row = await _running(session, pull_id)
    row.sealed_token = _cipher().seal(token.encode(), bound_to=row.id.bytes)
    row.sealed_code = None
    row.touched_at = wall_now()
    await session.flush()


async def note_page(
    session: AsyncSession,
    pull_id: UUID,
    *,
    done: int,
    pages: int,
    covers: tuple[date | None, date | None],
    now: datetime,
) -> bool:
    """Write the progress down and say whether the pull may go on; where the firm took its consent back, end it."""
    row = await _running(session, pull_id)
    row.pages_done, row.pages = done, pages
    row.covers_from, row.covers_to = covers
    row.touched_at = wall_now()
    row.leased_until = row.touched_at + LEASE
    return await _may_go_on(session, row, now=now)


async def store_pull(
    session: AsyncSession, pull_id: UUID, rows: Sequence[Mapping[str, str | None]], *, now: datetime
) -> PullView:
    """Store what was pulled as a delivery, by the door that every delivery takes, and end the pull.

    What the platform holds already is counted and not kept aside: asking for the same months again is no fault. The
    consent is looked at before and after; without it nothing is kept, not even a row aside.

    Raises
    ------
    PullStopped
        It is not running any more.
    ConsentTakenBack, DeliveryInProgress
    """
    row = await _running(session, pull_id)
    if not await _may_go_on(session, row, now=now):
        return pull_view(row)
    if rows:
        report = await receive_source(
            session, THE_PLATFORM, open_rows(rows), kind=DeliveryKind.VAT_INVOICE, now=now, keeps_repeats=False
        )
        if Fault.NO_CONSENT.value in report.rejected:
            raise ConsentTakenBack
        row.delivery_id, row.received = report.delivery_id, report.received
        row.loaded = 0 if report.is_repeat else report.loaded
    else:
        row.received = row.loaded = 0
    await _end(session, row, PullState.READY, None, now=now)
    return pull_view(row)


async def put_off(
    session: AsyncSession, pull_id: UUID, reason: PullReason, *, retry_after: timedelta | None, now: datetime
) -> timedelta | None:
    """Give the pull back for another attempt and return in how long; None when that was the last: it has ended."""
    row = await _running(session, pull_id)
    if row.attempts >= MAX_ATTEMPTS:
        state = PullState.FAILED if reason is PullReason.FAULTY else PullState.TIMED_OUT
        await _end(session, row, state, reason, now=now)
        return None
    wait = wait_before(row.attempts, retry_after)
    row.state, row.reason = PullState.PENDING.value, reason.value
    row.leased_until, row.touched_at = None, wall_now()
    row.retries_at = row.touched_at + wait
    await session.flush()
    return wait


async def deny_pull(session: AsyncSession, pull_id: UUID, reason: PullReason, *, now: datetime) -> None:
    """End a pull that the source refused for good."""
    await _end(session, await _running(session, pull_id), PullState.DENIED, reason, now=now)


def pulls_given_up(at: Moment) -> Select[Pull]:
    """Return the statement of pulls under way that nobody has touched for an hour of wall time."""
    return (
        select(Pull)
        .where(
            col(Pull.state).in_([state.value for state in OPEN_STATES]),
            col(Pull.touched_at) < at.wall_at - GIVEN_UP_AFTER,
        )
        .order_by(col(Pull.id))
    )


async def abandon_pulls(session: AsyncSession, *, now: datetime) -> int:
    """End the pulls that nobody has touched for an hour of wall time; return how many. Needs platform scope."""
    left = await session.execute(pulls_given_up(moment_of(now)).limit(1000).with_for_update(skip_locked=True))
    rows = list(left.scalars())
    for row in rows:
        await _end(session, row, PullState.TIMED_OUT, PullReason.ABANDONED, now=now)
    return len(rows)


def _requires_firm(viewer: Viewer) -> None:
    requires_kind(viewer, OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)
    requires_scope(viewer, SCOPE)
    if viewer.principal_kind is not PrincipalKind.CLIENT:
        requires_role(viewer, Role.OWNER, Role.OFFICER)


async def _may_go_on(session: AsyncSession, row: Pull, *, now: datetime) -> bool:
    if await _has_consent(session, row.firm_id, now=now):
        return True
    await _end(session, row, PullState.DENIED, PullReason.CONSENT_TAKEN_BACK, now=now)
    return False


async def _has_consent(session: AsyncSession, firm_id: UUID, *, now: datetime) -> bool:
    return bool(
        await consents.subjects_allowed(
            session, [firm_id], purpose=Purpose.PRE_LOAN, item_codes=[ITEM], receiver_id=PLATFORM_ID, now=now
        )
    )


async def _locked(session: AsyncSession, pull_id: UUID) -> Pull:
    return await session.get_one(Pull, pull_id, with_for_update=True, populate_existing=True)


async def _running(session: AsyncSession, pull_id: UUID) -> Pull:
    row = await _locked(session, pull_id)
    if row.state != PullState.RUNNING:
        raise PullStopped
    return row


async def _end(session: AsyncSession, row: Pull, state: PullState, reason: PullReason | None, *, now: datetime) -> None:
    row.state, row.reason, row.ended_at = state.value, reason and reason.value, now
    row.sealed_code = row.sealed_token = row.leased_until = row.retries_at = None
    row.touched_at = wall_now()
    await session.flush()
    await _write_down(session, THE_PLATFORM, row, "sources.pull_ended", now=now)
    await outbox.announce(session, PullEnded(row.id, row.firm_id, state.value), occurred_at=now)


async def _write_down(session: AsyncSession, viewer: Viewer, row: Pull, action: str, *, now: datetime) -> None:
    async with platform_scope(session):
        await audit.write_down(
            session,
            viewer,
            action=action,
            subject_ids=[row.firm_id],
            object_kind="pull",
            object_id=str(row.id),
            now=now,
            purpose=Purpose.PRE_LOAN,
        )


def _opened(row: Pull, sealed: bytes | None) -> str | None:
    return None if sealed is None else _cipher().open(sealed, bound_to=row.id.bytes).decode()


def _cipher() -> Cipher:
    return Cipher(settings().secret("pull secrets"))
