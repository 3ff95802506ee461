"""What `doctor --sources` looks at: whether each source is connected and answers, and who is behind with deliveries."""

from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from xinyidai.access.service import act_as_platform
from xinyidai.cli.diagnosis import MOST_NAMED, Check
from xinyidai.foundation.clock import SHANGHAI
from xinyidai.foundation.database import Sessions, in_transaction
from xinyidai.foundation.settings import Settings
from xinyidai.parties import queries as parties
from xinyidai.sources import queries
from xinyidai.sources.queries.breakers import breakers
from xinyidai.sources.rules.breakers import Breaker, BreakerState
from xinyidai.sources.rules.pulls import PullSource
from xinyidai.sources.rules.senders import SenderView
from xinyidai.sources.service.connecting import connected_sources
from xinyidai.sources.service.pull_life import THE_PLATFORM


async def source_checks(sessions: Sessions, settings: Settings, *, now: datetime) -> list[Check]:
    """Look at every source's breaker and at the rhythm of those who deliver; `sessions` are the worker's."""
    try:
        async with in_transaction(sessions) as session:
            await act_as_platform(session, now=now)
            found = await breakers(session)
            senders = await queries.senders(session, THE_PLATFORM, now=now)
            names = await parties.parties_by_id(session, [one.sender_id for one in senders if one.is_behind])
    except (SQLAlchemyError, OSError) as error:
        return [Check("sources", False, type(error).__name__)]
    known = connected_sources(settings)
    named = [name.name for name in names.values()]
    return [*(_source(one, known) for one in found), _deliveries(senders, named)]


def _source(one: Breaker, connected: list[PullSource]) -> Check:
    if one.source not in connected:
        return Check(f"source {one.source}", True, "not connected: nobody can ask for it")
    says = [f"connected, breaker {one.state}"]
    if one.rests_until is not None:
        says.append(f"tried again after {_told(one.rests_until)}")
    elif one.failures:
        says.append(f"{one.failures} failures in a row")
    says.append(f"last success {_told(one.last_success_at)}")
    why = "" if one.last_reason is None else f" ({one.last_reason})"
    says.append(f"last failure {_told(one.last_failure_at)}{why}")
    return Check(f"source {one.source}", one.state is BreakerState.CLOSED, ", ".join(says))


def _deliveries(senders: list[SenderView], behind: list[str]) -> Check:
    told = ": " + ", ".join(behind[:MOST_NAMED]) if behind else ""
    return Check("deliveries", not behind, f"{len(behind)} of {len(senders)} senders are behind their rhythm{told}")


def _told(moment: datetime | None) -> str:
    return "never" if moment is None else moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
