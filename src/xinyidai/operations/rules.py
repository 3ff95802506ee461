"""Why something is tried again, and what there is to say of processes: pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from xinyidai.foundation.errors import Refusal

KINDS: Final = ("web", "worker", "beat")
"""Kinds of process of which at least one has to be heard."""

GRACE: Final = timedelta(seconds=15)
"""So long (wall time) a process that starts with the platform may be silent: it beats every few seconds, and loading
takes a worker five."""


class RetryReason(StrEnum):
    """Why a person has something tried again: a closed list, since the audit trail keeps it for ever."""

    CAUSE_MENDED = "cause_mended"
    OUTSIDE_IS_BACK = "outside_is_back"
    LOOKING_INTO_IT = "looking_into_it"


class NothingToRetry(Refusal):
    """It is done, was never tried, is being worked on right now, or is tried again by itself."""

    code = "nothing_to_retry"
    status = 409
    title_zh = "没有可重试的内容：已完成、尚未执行或正在执行"
    title_en = "There is nothing to try again: it is done, was not tried yet, or is under way"


@dataclass(frozen=True)
class ProcessView:
    """A process that was heard within the hour, named `kind@host`."""

    name: str
    heard_at: datetime
    age_seconds: int
    is_late: bool


@dataclass(frozen=True)
class Processes:
    """What was heard, the kinds of which nothing was, yet or at all, and whether the broker could not be asked."""

    heard: tuple[ProcessView, ...]
    starting: tuple[str, ...]
    missing: tuple[str, ...]
    is_broker_away: bool

    @property
    def faults(self) -> int:
        """Count what a person has to look at; where nobody could be asked, that is the one thing."""
        return 1 if self.is_broker_away else len(self.missing) + sum(one.is_late for one in self.heard)


def is_starting(expected_since: datetime | None, *, wall_at: datetime) -> bool:
    """Say whether who was not heard may still be starting; None where nobody is expected yet."""
    return expected_since is None or wall_at - expected_since < GRACE
