"""The Celery application: which event wakes which task, and the tick that drives sweeper and timetable.

A message carries one delivery's id and nothing else; the outbox row is the truth. One asyncio runner and one engine
live as long as the worker process: a new loop per task would break the pooled connections on its second task.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TypeVar
from uuid import UUID

import structlog
import uvloop
from celery import Celery
from celery.signals import after_task_publish, heartbeat_sent, worker_process_init, worker_process_shutdown
from sqlalchemy.ext.asyncio import AsyncEngine

from xinyidai.access.service import act_as_platform
from xinyidai.foundation import outbox, timetable
from xinyidai.foundation.clock import BusinessClock
from xinyidai.foundation.database import Sessions, make_engine, make_sessions
from xinyidai.foundation.heartbeats import Heart
from xinyidai.foundation.memory import collect_seldom
from xinyidai.foundation.settings import DatabaseRole, settings
from xinyidai.tables import ROOMS

log = structlog.get_logger()

VISIBILITY_SECONDS = 600
TASK_SECONDS = 240
"""Under half the visibility time-out, so that a running task is never handed to a second worker."""
EXPIRES_SECONDS = 3600
"""When a message that nobody took is dropped; the sweeper has sent another long before."""

Result = TypeVar("Result")

celery = Celery("xinyidai")
celery.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    task_time_limit=TASK_SECONDS,
    task_soft_time_limit=TASK_SECONDS - 10,
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": VISIBILITY_SECONDS, "socket_timeout": 5},
    task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_max": 0.2},
    beat_schedule={
        "tick": {"task": "xinyidai.tick", "schedule": 1.0, "options": {"expires": 5}},
        "sweep": {"task": "xinyidai.sweep", "schedule": 10.0, "options": {"expires": 20}},
    },
    enable_utc=True,
    worker_hijack_root_logger=False,
)


@dataclass
class _Running:
    runner: asyncio.Runner
    engine: AsyncEngine
    sessions: Sessions
    clock: BusinessClock


_running: list[_Running] = []
_hearts: list[Heart] = []


def load_rooms() -> None:
    """Import every room's tasks, so that their consumers and jobs are registered in this process."""
    for room in (*ROOMS, "reporting"):
        if find_spec(f"xinyidai.{room}.tasks") is not None:
            import_module(f"xinyidai.{room}.tasks")


def connect_broker(url: str, *, only_outside: bool = False) -> None:
    """Point this process at the broker and hand it each committed delivery, or only work on the outside world."""
    celery.conf.update(broker_url=url)
    outbox.send_with(_send, only_outside=only_outside)


@contextmanager
def beating(heart: Heart) -> Generator[None]:
    """Let this process say that it works, until it ends in order."""
    _hearts[:] = [heart]
    try:
        yield
    finally:
        _hearts.clear()
        heart.end()


@heartbeat_sent.connect
@after_task_publish.connect
def beat_heart(**_signal: object) -> None:
    """Say that this process works: a worker every two seconds, beat with each message that the broker took."""
    for heart in _hearts:
        heart.beat()


def _send(delivery_id: UUID) -> None:
    try:
        deliver.apply_async((str(delivery_id),), expires=EXPIRES_SECONDS, retry=False)
    except celery.connection_for_write().recoverable_connection_errors as error:
        raise OSError(str(error)) from error


@worker_process_init.connect
def open_runner(**_signal: object) -> None:
    """Make this process's runner and engine."""
    # The heart is the parent's: what a child publishes does not prove that the parent lives.
    _hearts.clear()
    load_rooms()
    known = settings()
    engine = make_engine(known.dsn(DatabaseRole.WORKER), pool_size=2)
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    runner.__enter__()
    collect_seldom()
    _running[:] = [_Running(runner, engine, make_sessions(engine), known.clock())]


@worker_process_shutdown.connect
def close_runner(**_signal: object) -> None:
    """Close what `open_runner` opened."""
    for process in _running:
        process.runner.run(process.engine.dispose())
        process.runner.close()
    _running.clear()


def _run(act: Callable[[_Running], Awaitable[Result]]) -> Result:
    (process,) = _running

    async def acting() -> Result:
        return await act(process)

    return process.runner.run(acting())


@celery.task(name="xinyidai.deliver")
def deliver(delivery_id: str) -> None:
    """Run one delivery of the outbox."""
    _run(lambda process: outbox.deliver(process.sessions, UUID(delivery_id), clock=process.clock))


@celery.task(name="xinyidai.tick")
def tick() -> None:
    """Run what the timetable says is due."""
    _run(lambda process: timetable.tick(process.sessions, now=process.clock.now(), act_as=act_as_platform))


@celery.task(name="xinyidai.sweep")
def sweep() -> None:
    """Send again what nobody took."""
    _run(lambda process: outbox.sweep(process.sessions))
