"""What wakes the room: its own deliveries, to be sealed; firms that let facts be fetched; and time."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import Final, TypeVar
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
from xinyidai.sources.adapters import (
    ItemDenied,
    Page,
    PulledSource,
    Row,
    SourceBusy,
    SourceChanged,
    SourceDenied,
    SourcePending,
    SourceRepeats,
    SourceSilent,
    SourceUntrusted,
)
from xinyidai.sources.adapters.courts import Courts
from xinyidai.sources.adapters.customs import Customs
from xinyidai.sources.adapters.tax import TaxBureau
from xinyidai.sources.adapters.utilities import Utilities
from xinyidai.sources.events import AnswerDue, DeliveryLoaded, PullAsked
from xinyidai.sources.rules import ConsentTakenBack, DeliveryInProgress
from xinyidai.sources.rules.offices import AnswerFault, AnswerRefused
from xinyidai.sources.rules.pull_parts import PullReason
from xinyidai.sources.rules.pulls import MAX_PAGES, AnswerStale, Claimed, Going, PullSource, PullStopped
from xinyidai.sources.service.connecting import connection_to
from xinyidai.sources.tasks import day_files, purging

__all__ = ["day_files", "pull", "purging", "source_named"]
"""`day_files` and `purging` are imported for what they register: jobs and consumers."""

T = TypeVar("T")
ADAPTERS: Final[Mapping[PullSource, Callable[[str, str, str], PulledSource]]] = {
    PullSource.TAX: TaxBureau,
    PullSource.UTILITIES: Utilities,
    PullSource.COURTS: Courts,
    PullSource.CUSTOMS: Customs,
}
_REASONS: Final = {
    SourceBusy: PullReason.QUOTA,
    SourceSilent: PullReason.SILENT,
    SourceChanged: PullReason.CHANGED,
    SourceUntrusted: PullReason.UNTRUSTED,
    SourceRepeats: PullReason.REPEATED_PAGES,
    AnswerStale: PullReason.STALE,
    DeliveryInProgress: PullReason.QUOTA,
}
_OF_FAULT: Final = {
    AnswerFault.SCHEMA_CHANGED: PullReason.CHANGED,
    AnswerFault.UNIT_DOUBTFUL: PullReason.CHANGED,
    AnswerFault.ENCODING_WRONG: PullReason.ENCODING,
    AnswerFault.STALE: PullReason.STALE,
    AnswerFault.ANOTHER_FIRM: PullReason.UNTRUSTED,
    AnswerFault.UNSAFE: PullReason.UNTRUSTED,
}


@consumes(DeliveryLoaded, name="sources.seal_delivery")
async def seal_delivery(session: AsyncSession, envelope: Envelope) -> None:
    """Seal what was just loaded; sealing twice finds nothing left to do."""
    await act_as_platform(session, now=envelope.delivered_at)
    await service.seal_facts(session, delivery_no=int(envelope.body["delivery_no"]), now=envelope.delivered_at)


@every(Rhythm.HOUR, name="sources.seal_facts", finds=service.unsealed_deliveries, comes_last=True)
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
    """Fetch what a source has of a firm; an event of the time when there was one source names none."""
    source = PullSource(envelope.body.get("source", PullSource.TAX))
    await pull(sessions, clock, source_named(source), envelope.id_of("pull_id"))


@consumes_outside(AnswerDue, name="sources.fetch_answer")
async def answer_due(sessions: Sessions, clock: BusinessClock, envelope: Envelope) -> None:
    """Fetch what a source called back about, or should have; a pull that has ended is left alone."""
    await pull(sessions, clock, source_named(PullSource(envelope.body["source"])), envelope.id_of("pull_id"))


@every(Rhythm.HOUR, name="sources.poll_courts", finds=service.pulls_not_called_back)
async def poll_courts(session: AsyncSession, now: datetime) -> None:
    """Ask for the answers of the courts that nobody called back about."""
    await act_as_platform(session, now=now)
    await service.poll_courts(session, now=now)


@cache
def source_named(source: PullSource) -> PulledSource:
    """Return this process's client of a source, whose connections are kept."""
    known = connection_to(settings(), source)
    if known is None or not known.client_secret:
        raise SourceUnavailable(source.value, "not connected")
    return ADAPTERS[source](known.url, known.client_id, known.client_secret)


async def pull(sessions: Sessions, clock: BusinessClock, source: PulledSource, pull_id: UUID) -> None:
    """Make one attempt at a pull: claim, then item by item ask and store; each step a transaction, no call inside one.

    What ails one item leaves the others alone; what ails the source ends the attempt.

    Raises
    ------
    TryLater
        The source asked for patience, is away or was of no use, or another worker has the pull.
    """
    async with in_transaction(sessions) as session:
        await act_as_platform(session, now=clock.now())
        claimed = await service.claim_pull(session, pull_id, now=clock.now())
    if claimed is None:
        return
    if isinstance(claimed, timedelta):
        raise TryLater(claimed)
    work = _Work(sessions, clock, source, claimed)
    wait: timedelta | None = None
    try:
        await work.fetch()
    except PullStopped:
        return
    except SourcePending:
        await work.lay_aside()
    except SourceDenied:
        await work.deny(PullReason.CODE_REFUSED if work.claimed.token is None else PullReason.ACCESS_REFUSED)
    except (SourceUnavailable, AnswerStale, DeliveryInProgress) as error:
        wait = await work.put_off(error)
    if wait is not None:
        raise TryLater(wait)


@dataclass
class _Work:
    """One attempt at a pull."""

    sessions: Sessions
    clock: BusinessClock
    source: PulledSource
    claimed: Claimed

    async def fetch(self) -> None:
        """Ask for every item that is still open, store what comes, and end the pull unless an item has to come again.

        Raises
        ------
        SourceUnavailable, AnswerStale
            The last thing that ailed an item, or what ails the source.
        """
        secret, items = await self._access()
        trouble: Exception | None = None
        for item in items:
            try:
                going = await self._item(secret, item)
            except ItemDenied:
                going = await self._refuse(item, PullReason.NOT_GRANTED)
            except ConsentTakenBack:
                going = await self._refuse(item, PullReason.CONSENT_TAKEN_BACK)
            except (SourceBusy, SourceSilent, SourcePending):
                raise
            except (SourceUnavailable, AnswerStale) as error:
                going, trouble = Going.ON, error
                await self._leave(item, error)
            if going is Going.PULL_OVER:
                await self._give_back(secret)
                return
        if trouble is not None:
            raise trouble
        async with in_transaction(self.sessions) as session:
            await act_as_platform(session, now=self.clock.now())
            await service.finish_pull(session, self.claimed.id, now=self.clock.now())
        await self._give_back(secret)

    async def _access(self) -> tuple[str, Sequence[str]]:
        if self.claimed.token is not None:
            return self.claimed.token, self.claimed.item_codes
        access = await self._called(self.source.exchange(self.claimed.consent_code or ""))
        async with in_transaction(self.sessions) as session:
            await act_as_platform(session, now=self.clock.now())
            await service.keep_access(session, self.claimed.id, access.secret, access.item_codes, now=self.clock.now())
        # From here on a refusal is of the access and no more of the code.
        self.claimed = replace(self.claimed, token=access.secret, consent_code=None)
        return access.secret, [item for item in self.claimed.item_codes if item in access.item_codes]

    async def _item(self, secret: str, item: str) -> Going:
        rows: list[Row] = []
        covers: list[date] = []
        before: Sequence[Row] | None = None
        for number in range(1, MAX_PAGES + 1):
            page = await self._called(self._page(secret, item, number))
            if page.rows and page.rows == before:
                raise await self._failed(SourceRepeats(self.claimed.source, "a page came twice"))
            rows, before = [*rows, *page.rows], page.rows
            covers += [month for month in (page.covers_from, page.covers_to) if month is not None]
            read = service.PageRead(number, page.pages, min(covers, default=None), max(covers, default=None))
            async with in_transaction(self.sessions) as session:
                await act_as_platform(session, now=self.clock.now())
                if number >= page.pages:
                    return await service.store_part(session, self.claimed.id, item, read, rows, now=self.clock.now())
                going = await service.note_page(session, self.claimed.id, item, read, now=self.clock.now())
            if going is not Going.ON:
                return going
        raise await self._failed(SourceChanged(self.claimed.source, "more pages than an answer may have"))

    async def _page(self, secret: str, item: str, number: int) -> Page:
        return await self.source.page(
            secret,
            item,
            credit_code=self.claimed.credit_code,
            months_from=self.claimed.months_from,
            months_to=self.claimed.months_to,
            number=number,
        )

    async def _called(self, call: Awaitable[T]) -> T:
        """Return a call's answer, and tell the source's breaker of one that failed, or that refused and so is there."""
        try:
            return await call
        except SourceBusy:
            async with in_transaction(self.sessions) as session:
                await service.note_busy(session, self.claimed.source)
            raise
        except (SourceDenied, SourcePending):
            async with in_transaction(self.sessions) as session:
                await service.note_answer(session, self.claimed.source)
            raise
        except SourceUnavailable as error:
            raise await self._failed(error) from error

    async def _failed(self, error: SourceUnavailable) -> SourceUnavailable:
        async with in_transaction(self.sessions) as session:
            await service.note_failure(session, self.claimed.source, _reason_of(error))
        return error

    async def _refuse(self, item: str, reason: PullReason) -> Going:
        async with in_transaction(self.sessions) as session:
            await act_as_platform(session, now=self.clock.now())
            return await service.refuse_part(session, self.claimed.id, item, reason, now=self.clock.now())

    async def _leave(self, item: str, error: Exception) -> None:
        async with in_transaction(self.sessions) as session:
            await act_as_platform(session, now=self.clock.now())
            await service.leave_part(
                session, self.claimed.id, item, _reason_of(error), has_answered=isinstance(error, AnswerStale)
            )

    async def deny(self, reason: PullReason) -> None:
        """End the pull: the source refuses for good."""
        async with in_transaction(self.sessions) as session:
            await act_as_platform(session, now=self.clock.now())
            await service.deny_pull(session, self.claimed.id, reason, now=self.clock.now())

    async def lay_aside(self) -> None:
        """Let the pull rest until its source calls back."""
        async with in_transaction(self.sessions) as session:
            await act_as_platform(session, now=self.clock.now())
            await service.await_answer(session, self.claimed.id, now=self.clock.now())

    async def put_off(self, error: Exception) -> timedelta | None:
        """Give the pull back for another attempt; None when that was the last."""
        async with in_transaction(self.sessions) as session:
            await act_as_platform(session, now=self.clock.now())
            return await service.put_off(
                session,
                self.claimed.id,
                _reason_of(error),
                retry_after=getattr(error, "retry_after", None),
                now=self.clock.now(),
            )

    async def _give_back(self, secret: str) -> None:
        """Tell the source that we are through; where it does not listen, the access ends by itself."""
        with suppress(SourceUnavailable, SourceDenied):
            await self.source.give_back(secret)


def _reason_of(error: Exception) -> PullReason:
    if isinstance(error, AnswerRefused):
        return _OF_FAULT.get(error.fault, PullReason.FAULTY)
    return _REASONS.get(type(error), PullReason.FAULTY)
