"""What wakes the room: its own deliveries, to be sealed; firms that let facts be fetched; and time."""

from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.clock import BusinessClock
from xinyidai.foundation.database import Sessions, in_transaction
from xinyidai.foundation.errors import SourceUnavailable
from xinyidai.foundation.outbox import Envelope, TryLater, consumes, consumes_outside
from xinyidai.foundation.settings import settings
from xinyidai.foundation.timetable import Rhythm, every
from xinyidai.sources import service
from xinyidai.sources.adapters import Page, PulledSource, Row, SourceBusy, SourceDenied, SourceSilent
from xinyidai.sources.adapters.tax import TaxBureau
from xinyidai.sources.events import DeliveryLoaded, PullAsked
from xinyidai.sources.rules import ITEM, ConsentTakenBack, DeliveryInProgress
from xinyidai.sources.rules.pulls import MAX_PAGES, Claimed, PullReason, PullStopped
from xinyidai.sources.tasks import day_files

__all__ = ["day_files", "pull", "tax_bureau"]
"""`day_files` is imported for what it registers: the job and the consumer of daily files."""


@consumes(DeliveryLoaded, name="sources.seal_delivery")
async def seal_delivery(session: AsyncSession, envelope: Envelope) -> None:
    """Seal what was just loaded; sealing twice finds nothing left to do."""
    await act_as_platform(session, now=envelope.delivered_at)
    await service.seal_facts(session, now=envelope.delivered_at)


@every(Rhythm.HOUR, name="sources.seal_facts", finds=service.unsealed_deliveries)
async def seal_what_is_left(session: AsyncSession, now: datetime) -> None:
    """Seal deliveries whose event was lost or whose sealing failed."""
    await act_as_platform(session, now=now)
    await service.seal_facts(session, now=now)


@every(Rhythm.HOUR, name="sources.abandon_pulls", finds=service.pulls_given_up)
async def abandon_pulls(session: AsyncSession, now: datetime) -> None:
    """End pulls that nobody works on any more."""
    await act_as_platform(session, now=now)
    await service.abandon_pulls(session, now=now)


@consumes_outside(PullAsked, name="sources.pull")
async def pull_asked(sessions: Sessions, clock: BusinessClock, envelope: Envelope) -> None:
    """Fetch a firm's invoices from the tax bureau."""
    await pull(sessions, clock, tax_bureau(), envelope.id_of("pull_id"))


@cache
def tax_bureau() -> TaxBureau:
    """Return this process's client of the tax bureau, whose connections are kept."""
    known = settings()
    if known.city_url is None or known.tax_client_id is None or known.tax_client_secret is None:
        raise SourceUnavailable("tax", "not connected")
    return TaxBureau(known.city_url, known.tax_client_id, known.tax_client_secret.get_secret_value())


async def pull(sessions: Sessions, clock: BusinessClock, source: PulledSource, pull_id: UUID) -> None:
    """Make one attempt at a pull: claim, ask page by page, store; each step a transaction, no call inside one.

    Raises
    ------
    TryLater
        The source asked for patience, or another worker has the pull.
    """
    async with in_transaction(sessions) as session:
        await act_as_platform(session, now=clock.now())
        claimed = await service.claim_pull(session, pull_id, now=clock.now())
    if claimed is None:
        return
    if isinstance(claimed, timedelta):
        raise TryLater(claimed)
    wait: timedelta | None = None
    try:
        await _fetch(sessions, clock, source, claimed)
    except PullStopped:
        return
    except SourceDenied:
        reason = PullReason.CODE_REFUSED if claimed.token is None else PullReason.ACCESS_REFUSED
        async with in_transaction(sessions) as session:
            await act_as_platform(session, now=clock.now())
            await service.deny_pull(session, pull_id, reason, now=clock.now())
    except (SourceUnavailable, DeliveryInProgress) as error:
        async with in_transaction(sessions) as session:
            await act_as_platform(session, now=clock.now())
            wait = await service.put_off(
                session, pull_id, _reason_of(error), retry_after=getattr(error, "retry_after", None), now=clock.now()
            )
    if wait is not None:
        raise TryLater(wait)


async def _fetch(sessions: Sessions, clock: BusinessClock, source: PulledSource, claimed: Claimed) -> None:
    token = claimed.token
    if token is None:
        token = (await source.exchange(claimed.consent_code or "")).secret
        async with in_transaction(sessions) as session:
            await act_as_platform(session, now=clock.now())
            await service.keep_token(session, claimed.id, token)
    rows: list[Row] = []
    pages = 1
    for number in range(1, MAX_PAGES + 1):
        if number > pages:
            break
        page = await _page(source, token, claimed, number)
        rows += page.rows
        pages = page.pages
        async with in_transaction(sessions) as session:
            await act_as_platform(session, now=clock.now())
            may_go_on = await service.note_page(
                session,
                claimed.id,
                done=number,
                pages=pages,
                covers=(page.covers_from, page.covers_to),
                now=clock.now(),
            )
        if not may_go_on:
            await _give_back(source, token)
            return
    await _store(sessions, clock, claimed, rows)
    await _give_back(source, token)


async def _page(source: PulledSource, token: str, claimed: Claimed, number: int) -> Page:
    return await source.page(
        token,
        ITEM,
        credit_code=claimed.credit_code,
        months_from=claimed.months_from,
        months_to=claimed.months_to,
        number=number,
    )


async def _store(sessions: Sessions, clock: BusinessClock, claimed: Claimed, rows: list[Row]) -> None:
    try:
        async with in_transaction(sessions) as session:
            await act_as_platform(session, now=clock.now())
            await service.store_pull(session, claimed.id, rows, now=clock.now())
    except ConsentTakenBack:
        async with in_transaction(sessions) as session:
            await act_as_platform(session, now=clock.now())
            await service.deny_pull(session, claimed.id, PullReason.CONSENT_TAKEN_BACK, now=clock.now())


async def _give_back(source: PulledSource, token: str) -> None:
    """Tell the source that we are through; where it does not listen, the token ends by itself."""
    with suppress(SourceUnavailable, SourceDenied):
        await source.give_back(token)


def _reason_of(error: Exception) -> PullReason:
    if isinstance(error, SourceBusy | DeliveryInProgress):
        return PullReason.QUOTA
    return PullReason.SILENT if isinstance(error, SourceSilent) else PullReason.FAULTY
