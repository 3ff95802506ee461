"""What fetches from offices that answer by files: a list goes out each day, then the files of the days come in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.clock import BusinessClock
from xinyidai.foundation.database import Sessions, in_transaction
from xinyidai.foundation.errors import SourceUnavailable
from xinyidai.foundation.outbox import Envelope, TryLater, consumes_outside
from xinyidai.foundation.settings import settings
from xinyidai.foundation.timetable import Rhythm, every
from xinyidai.sources.adapters import SourceBusy, SourceDenied, SourceSilent
from xinyidai.sources.adapters.asking import NotThere
from xinyidai.sources.adapters.benefits import Benefits
from xinyidai.sources.events import DayFilesDue
from xinyidai.sources.rules import ConsentTakenBack, DeliveryInProgress
from xinyidai.sources.rules.offices import AnswerRefused
from xinyidai.sources.rules.offices.day_files import FILES, FileEntry, rows_kept
from xinyidai.sources.rules.subscriptions import Trouble
from xinyidai.sources.service import day_files, subscribing
from xinyidai.sources.service.connecting import benefits_connection

File = tuple[date, str]


@every(Rhythm.DAY, name="sources.order_day_files", finds=subscribing.subscriptions_to_tell)
async def order_day_files(session: AsyncSession, now: datetime) -> None:
    """Ask for the day's list to be sent and its files to be fetched."""
    await act_as_platform(session, now=now)
    await day_files.order_day_files(session, now=now)


@consumes_outside(DayFilesDue, name="sources.fetch_day_files")
async def day_files_due(sessions: Sessions, clock: BusinessClock, _envelope: Envelope) -> None:
    """Send the list and fetch the files."""
    await fetch_day_files(sessions, clock, benefits())


@cache
def benefits() -> Benefits:
    """Return this process's client of the office, whose connections are kept."""
    known = benefits_connection(settings())
    if known is None:
        raise SourceUnavailable("benefits", "not connected, or no key is pinned")
    return Benefits(known.url, known.client_id, known.client_secret, known.public_key)


async def fetch_day_files(sessions: Sessions, clock: BusinessClock, office: Benefits) -> None:
    """Send today's list, then fetch every file that is wanted, day by day; each step a transaction, no call in one.

    A file that is not believed, or cannot be had, does not keep the others from coming; an office that is away ends the
    round. Without a list that went out no file is asked for: the one before may name who took the consent back since.

    Raises
    ------
    TryLater
        The office asked for patience or was away, or another worker is at it.
    """
    work = _Round(sessions, clock, office)
    if not await work.send_list():
        return
    async with in_transaction(sessions) as session:
        await act_as_platform(session, now=clock.now())
        claimed = await day_files.claim_day_files(session, now=clock.now())
    if claimed.wait is not None:
        raise TryLater(claimed.wait)
    waits: list[timedelta] = []
    left = list(claimed.files)
    while left:
        of_day = [one for one in left if one[0] == left[0][0]]
        left = [one for one in left if one not in of_day]
        try:
            await work.fetch(of_day)
        except (SourceDenied, SourceUnavailable, DeliveryInProgress, ConsentTakenBack) as error:
            # An office that is away is not asked for every other day too; one that stumbled over a day is.
            is_away = isinstance(error, SourceSilent | SourceBusy)
            waits += await work.put_off(of_day + (left if is_away else []), error)
            left = [] if is_away else left
    if waits:
        raise TryLater(min(waits))


@dataclass(frozen=True)
class _Round:
    sessions: Sessions
    clock: BusinessClock
    office: Benefits

    async def send_list(self) -> bool:
        """Say whether the list went out; where it can be tried again today, that is raised."""
        # One moment for all of it: a day that ends meanwhile would have no list of its own yet.
        now = self.clock.now()
        async with in_transaction(self.sessions) as session:
            await act_as_platform(session, now=now)
            listed = await subscribing.compile_list(session, now=now)
        if listed is None:
            return False
        try:
            refused = await self.office.send_list([(one.credit_code, one.reference) for one in listed])
        except (SourceDenied, SourceUnavailable) as error:
            async with in_transaction(self.sessions) as session:
                await act_as_platform(session, now=now)
                wait = await subscribing.put_off_list(
                    session, _trouble_of(error), retry_after=_asked_for(error), now=now
                )
            if wait is None:
                return False
            raise TryLater(wait) from error
        async with in_transaction(self.sessions) as session:
            await act_as_platform(session, now=now)
            await subscribing.note_list(session, listed, refused, now=now)
        return True

    async def fetch(self, files: Sequence[File]) -> None:
        """Fetch the files of one day."""
        day = files[0][0]
        try:
            entries = await self.office.entries(day)
        except AnswerRefused as refused:
            await self._refuse(refused, files)
            return
        for _, item_code in files:
            await self._fetch_file(day, item_code, entries[item_code])

    async def _fetch_file(self, day: date, item_code: str, entry: FileEntry) -> None:
        async with in_transaction(self.sessions) as session:
            await act_as_platform(session, now=self.clock.now())
            codes = await subscribing.codes_subscribed(session, item_code, now=self.clock.now())
        try:
            content = await self.office.file(day, item_code)
            kept = rows_kept(content, entry, FILES[item_code], credit_codes=codes)
        except AnswerRefused as refused:
            await self._refuse(refused, [(day, item_code)])
            return
        async with in_transaction(self.sessions) as session:
            await act_as_platform(session, now=self.clock.now())
            await day_files.store_day_file(session, day, item_code, entry, kept, now=self.clock.now())

    async def _refuse(self, refused: AnswerRefused, files: Sequence[File]) -> None:
        async with in_transaction(self.sessions) as session:
            await act_as_platform(session, now=self.clock.now())
            await day_files.refuse_day_files(session, files, refused.fault, now=self.clock.now())

    async def put_off(self, files: Sequence[File], error: Exception) -> list[timedelta]:
        """Give files back, and return how long to wait, if they are tried again today."""
        async with in_transaction(self.sessions) as session:
            await act_as_platform(session, now=self.clock.now())
            wait = await day_files.put_off_day_files(session, files, _trouble_of(error), retry_after=_asked_for(error))
        return [] if wait is None else [wait]


def _asked_for(error: Exception) -> timedelta | None:
    return error.retry_after if isinstance(error, SourceBusy) else None


def _trouble_of(error: Exception) -> Trouble:
    kinds = (
        (NotThere, Trouble.NOT_THERE),
        (SourceBusy, Trouble.BUSY),
        ((DeliveryInProgress, ConsentTakenBack), Trouble.BUSY),
        (SourceSilent, Trouble.SILENT),
        (SourceDenied, Trouble.DENIED),
    )
    return next((trouble for kind, trouble in kinds if isinstance(error, kind)), Trouble.FAULTY)
