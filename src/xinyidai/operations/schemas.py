"""Deliveries, jobs and processes on the wire."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from xinyidai.foundation.paging import Page
from xinyidai.foundation.running import DeliveryView, JobOutcome, JobView, Standing
from xinyidai.foundation.timetable import Rhythm
from xinyidai.operations.rules import Processes, ProcessView, RetryReason

_DELIVERY: JsonDict = {
    "id": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11",
    "event_name": "LoanDisbursed",
    "consumer": "risk_sharing.cover",
    "standing": "given_up",
    "attempts": 5,
    "announced_at": "2025-06-16T04:00:00Z",
    "due_at": "2025-06-16T04:01:02Z",
    "last_error": "OperationalError",
}
_JOB: JsonDict = {
    "name": "audit.seal",
    "rhythm": "minute",
    "outcome": "done",
    "next_at": "2025-06-16T04:01:00Z",
    "done_period": "2025-06-16T12:00",
    "done_at": "2025-06-16T04:00:01Z",
    "open_count": 0,
    "open_period": None,
    "attempts": 0,
    "tries_at": None,
    "last_error": None,
}
_PROCESS: JsonDict = {
    "name": "worker@host",
    "heard_at": "2025-06-16T04:00:00Z",
    "age_seconds": 2,
    "is_late": False,
}


class RetryIn(BaseModel):
    """Why it is tried again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "cause_mended"}})

    reason: RetryReason = Field(description="Kept in the audit trail")


class JobRetryIn(BaseModel):
    """Which period of the job is tried again, and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"period": "2025-06-16", "reason": "cause_mended"}}
    )

    period: str = Field(max_length=20, description="The period's name, as the list of jobs gives it")
    reason: RetryReason = Field(description="Kept in the audit trail")


class RetriedOut(BaseModel):
    """How many were let be tried again."""

    model_config = ConfigDict(json_schema_extra={"example": {"count": 3}})

    count: int


class OpenDeliveryOut(BaseModel):
    """A delivery that is not done: ids and names, never what the event says."""

    model_config = ConfigDict(json_schema_extra={"example": _DELIVERY})

    id: UUID
    event_name: str
    consumer: str
    standing: Standing
    attempts: int
    announced_at: datetime
    due_at: datetime
    last_error: str | None

    @classmethod
    def of(cls, view: DeliveryView) -> "OpenDeliveryOut":
        """Build from a delivery."""
        return cls(
            id=view.id,
            event_name=view.event_name,
            consumer=view.consumer,
            standing=view.standing,
            attempts=view.attempts,
            announced_at=view.announced_at,
            due_at=view.due_at,
            last_error=view.last_error,
        )


class OpenDeliveryPageOut(BaseModel):
    """A page of deliveries that are not done, oldest first, and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"deliveries": [_DELIVERY], "next_cursor": None}})

    deliveries: list[OpenDeliveryOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[DeliveryView]) -> "OpenDeliveryPageOut":
        """Build from a page."""
        return cls(deliveries=[OpenDeliveryOut.of(row) for row in page.rows], next_cursor=page.next_cursor)


class JobOut(BaseModel):
    """A job of the timetable; `next_at` is business time, the other moments are wall time."""

    model_config = ConfigDict(json_schema_extra={"example": _JOB})

    name: str
    rhythm: Rhythm | None
    outcome: JobOutcome
    next_at: datetime | None
    done_period: str | None
    done_at: datetime | None
    open_count: int
    open_period: str | None
    attempts: int
    tries_at: datetime | None
    last_error: str | None

    @classmethod
    def of(cls, view: JobView) -> "JobOut":
        """Build from a job."""
        return cls(
            name=view.name,
            rhythm=view.rhythm,
            outcome=view.outcome,
            next_at=view.next_at,
            done_period=view.done_period,
            done_at=view.done_at,
            open_count=view.open_count,
            open_period=view.open_period,
            attempts=view.attempts,
            tries_at=view.tries_at,
            last_error=view.last_error,
        )


class JobsOut(BaseModel):
    """Every job of the timetable, by name."""

    model_config = ConfigDict(json_schema_extra={"example": {"jobs": [_JOB]}})

    jobs: list[JobOut]


class ProcessOut(BaseModel):
    """A process that was heard within the hour."""

    model_config = ConfigDict(json_schema_extra={"example": _PROCESS})

    name: str
    heard_at: datetime
    age_seconds: int
    is_late: bool

    @classmethod
    def of(cls, view: ProcessView) -> "ProcessOut":
        """Build from a process."""
        return cls(name=view.name, heard_at=view.heard_at, age_seconds=view.age_seconds, is_late=view.is_late)


class ProcessesOut(BaseModel):
    """What was heard, and the kinds of process of which nothing was, yet (`starting`) or at all (`missing`)."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"heard": [_PROCESS], "starting": [], "missing": ["beat"], "is_broker_away": False}
        }
    )

    heard: list[ProcessOut]
    starting: list[str]
    missing: list[str]
    is_broker_away: bool

    @classmethod
    def of(cls, found: Processes) -> "ProcessesOut":
        """Build from what was heard."""
        return cls(
            heard=[ProcessOut.of(one) for one in found.heard],
            starting=list(found.starting),
            missing=list(found.missing),
            is_broker_away=found.is_broker_away,
        )
