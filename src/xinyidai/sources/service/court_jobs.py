"""Queries to the courts: what number a pull was told, what calls back about it, and which nobody called back about."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.service import act_as_platform
from xinyidai.foundation import outbox
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.settings import settings
from xinyidai.foundation.timetable import Moment, moment_of
from xinyidai.sources.events import AnswerDue
from xinyidai.sources.models import Pull
from xinyidai.sources.models.offices import CourtQuery
from xinyidai.sources.rules.offices.court_answers import (
    CallbackSignatureWrong,
    CourtJobUnknown,
    check_callback,
    job_called_back,
)
from xinyidai.sources.rules.pull_parts import PullReason
from xinyidai.sources.rules.pulls import OPEN_STATES, PullSource, PullState
from xinyidai.sources.service.connecting import connection_to

POLLED_AFTER: Final = timedelta(minutes=5)
"""Wall time for which a call back is waited for; then the answer is asked for by the clock."""
POLLED_AT_ONCE: Final = 500


async def hear_callback(
    session: AsyncSession, body: bytes, *, message_id: str, timestamp: str, signature: str, now: datetime
) -> None:
    """Let the answer be fetched that the courts say is there. Said again, or after the pull has ended, it is nothing.

    Raises
    ------
    CallbackSignatureWrong, CallbackTimeRefused
        Before anything of the body is parsed; also while no courts are connected.
    CallbackUnreadable, CourtJobUnknown
    """
    connection = connection_to(settings(), PullSource.COURTS)
    if connection is None or not connection.client_secret:
        raise CallbackSignatureWrong
    check_callback(
        connection.client_secret,
        message_id=message_id,
        timestamp=timestamp,
        signature=signature,
        body=body,
        wall_at=wall_now(),
    )
    job_id = job_called_back(body, message_id=message_id)
    # The courts are nobody here: it is the platform that acts on what they signed.
    await act_as_platform(session, now=now)
    query = await session.get(CourtQuery, job_id, with_for_update=True, populate_existing=True)
    if query is None:
        raise CourtJobUnknown
    if query.called_at is not None:
        return
    query.called_at = wall_now()
    await session.flush()
    pull = await session.get_one(Pull, query.pull_id)
    if pull.state in OPEN_STATES:
        await _wake(session, [pull], now=now)


def pulls_not_called_back(at: Moment) -> Select[Pull]:
    """Return the statement of pulls that wait for an answer longer than a call back takes."""
    return (
        select(Pull)
        .where(
            col(Pull.state) == PullState.PENDING.value,
            col(Pull.reason) == PullReason.AWAITED.value,
            col(Pull.touched_at) < at.wall_at - POLLED_AFTER,
        )
        .order_by(col(Pull.id))
    )


async def poll_courts(session: AsyncSession, *, now: datetime) -> int:
    """Let the answers be asked for that nobody called back about; return how many. Needs platform scope."""
    due = pulls_not_called_back(moment_of(now)).limit(POLLED_AT_ONCE).with_for_update(skip_locked=True)
    rows = list((await session.execute(due)).scalars())
    await _wake(session, rows, now=now)
    return len(rows)


async def _wake(session: AsyncSession, pulls: Sequence[Pull], *, now: datetime) -> None:
    woken = [AnswerDue(pull.id, pull.firm_id, pull.source) for pull in pulls]
    await outbox.announce_all(session, woken, occurred_at=now)
