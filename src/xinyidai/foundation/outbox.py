"""The outbox: an event is written in the transaction that made it true, and wakes its consumers after the commit.

The rows are the truth; a broker message carries only a delivery's id, and the sweeper sends again what nobody took.
Deliveries repeat and promise no order between aggregates, so a consumer is idempotent by event id.
"""

import dataclasses
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Protocol
from uuid import UUID

import structlog
from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel

from xinyidai.foundation.clock import BusinessClock, StandingClock, wall_now
from xinyidai.foundation.database import (
    Sessions,
    after_commit,
    driver,
    in_transaction,
    one_of,
    type_of_json,
    type_of_moment,
)
from xinyidai.foundation.ids import new_id

log = structlog.get_logger()

MAX_ATTEMPTS = 5
SWEEP_AFTER = timedelta(seconds=60)
SWEEP_BATCH = 500


_ANNOUNCE = (
    "WITH happened AS ("
    "  INSERT INTO foundation.outbox_event (id, name, aggregate, body, occurred_at, recorded_at)"
    "  VALUES ($1, $2, $3, $4, $5, $6) RETURNING id)"
    " INSERT INTO foundation.outbox_delivery (id, event_id, consumer, state, attempts, due_at)"
    " SELECT woken.id, happened.id, woken.consumer, 'waiting', 0, $6 FROM happened,"
    "  unnest($7::uuid[], $8::text[]) AS woken (id, consumer)"
)
_TAKE = text(
    "SELECT d.consumer, e.id, e.name, e.body, e.occurred_at FROM foundation.outbox_delivery d"
    " JOIN foundation.outbox_event e ON e.id = d.event_id"
    " WHERE d.id = :id AND d.state = 'waiting' FOR UPDATE OF d SKIP LOCKED"
).columns(body=type_of_json)
_END = text(
    "UPDATE foundation.outbox_delivery SET state = 'done', attempts = attempts + 1, done_at = :wall"
    " WHERE id = :id AND state = 'waiting'"
)


class DeliveryState(StrEnum):
    """The life of one delivery to one consumer."""

    WAITING = "waiting"
    DONE = "done"
    PARKED = "parked"


class OutboxEvent(SQLModel, table=True):
    """Something that happened, with ids only."""

    __tablename__ = "outbox_event"
    __table_args__ = (Index("ix_outbox_event_name_recorded_at", "name", "recorded_at"), {"schema": "foundation"})

    id: UUID = Field(default_factory=new_id, primary_key=True)
    name: str
    aggregate: str
    body: dict[str, str] = Field(sa_type=type_of_json)
    occurred_at: datetime = Field(sa_type=type_of_moment)
    recorded_at: datetime = Field(default_factory=wall_now, sa_type=type_of_moment)


class OutboxDelivery(SQLModel, table=True):
    """One event on its way to one consumer."""

    __tablename__ = "outbox_delivery"
    __table_args__ = (
        UniqueConstraint("event_id", "consumer"),
        one_of("state", DeliveryState),
        Index("ix_outbox_delivery_waiting", "due_at", postgresql_where=text("state = 'waiting'")),
        Index("ix_outbox_delivery_open", "id", postgresql_where=text("state <> 'done'")),
        {"schema": "foundation"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    event_id: UUID = Field(foreign_key="foundation.outbox_event.id")
    consumer: str
    state: str = DeliveryState.WAITING
    attempts: int = 0
    due_at: datetime = Field(default_factory=wall_now, sa_type=type_of_moment)
    done_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    last_error: str | None = None


class Event(Protocol):
    """A frozen dataclass in the past tense whose fields are ids or short codes, and the aggregate it belongs to."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[str]]]

    @property
    def aggregate(self) -> str:
        """Return what the order promise is about, for example ``"demand:<id>"``."""
        ...


@dataclass(frozen=True)
class Envelope:
    """What a consumer gets: the event's id for idempotency, its name and fields, and two business times.

    A delivery may come late, after a crash or behind a queue. What a consumer decides, it decides at `delivered_at`: a
    consent that ended meanwhile counts as ended. `occurred_at` only tells when the event became true.
    """

    event_id: UUID
    name: str
    body: dict[str, str]
    occurred_at: datetime
    delivered_at: datetime

    def id_of(self, field: str) -> UUID:
        """Return a field of the event as an id."""
        return UUID(self.body[field])


Consume = Callable[[AsyncSession, Envelope], Awaitable[None]]
WorkOutside = Callable[[Sessions, BusinessClock, Envelope], Awaitable[None]]


class TryLater(Exception):
    """Work outside could not be done now; it is neither done nor failed, and asked for again after a while.

    Whoever raises it bounds the tries: this is no failure of ours and parks nothing.
    """

    def __init__(self, after: timedelta) -> None:
        self.after = after
        super().__init__(str(after))


@dataclass(frozen=True)
class Consumer:
    """A verb of an upper room that an event of a lower room wakes."""

    name: str
    event_name: str
    consume: Consume | None = None
    work_outside: WorkOutside | None = None


_consumers: dict[str, Consumer] = {}


@dataclass(frozen=True)
class _Hand:
    """How this process hands deliveries to the broker."""

    send: Callable[[UUID], None]
    only_outside: bool


_hands: list[_Hand] = []


def consumes(event_type: type, *, name: str) -> Callable[[Consume], Consume]:
    """Register an async function ``(session, envelope)`` as a consumer; `name` is stable and stored."""

    def register(consume: Consume) -> Consume:
        _consumers[name] = Consumer(name, event_type.__name__, consume)
        return consume

    return register


def consumes_outside(event_type: type, *, name: str) -> Callable[[WorkOutside], WorkOutside]:
    """Register an async function ``(sessions, clock, envelope)`` that calls the outside world.

    It opens its own transactions around the calls, never over one, and claims what it works on by a lease: the same
    delivery may be running elsewhere.
    """

    def register(work: WorkOutside) -> WorkOutside:
        _consumers[name] = Consumer(name, event_type.__name__, work_outside=work)
        return work

    return register


def consumers() -> list[Consumer]:
    """Return every registered consumer, by name."""
    return [_consumers[name] for name in sorted(_consumers)]


def send_with(send: Callable[[UUID], None] | None, *, only_outside: bool = False) -> None:
    """Tell this process how to hand a delivery's id to the broker; None leaves everything to the sweeper.

    With `only_outside` it hands over work outside, which hangs on nothing that others do meanwhile, and leaves the rest
    to whoever drives.
    """
    _hands[:] = [_Hand(send, only_outside)] if send else []


async def announce(session: AsyncSession, happened: Event, *, occurred_at: datetime) -> UUID:
    """Write an event and a delivery for each consumer, in the caller's transaction; send after the commit."""
    (event_id,) = await announce_all(session, [happened], occurred_at=occurred_at)
    return event_id


async def announce_all(session: AsyncSession, happened: Sequence[Event], *, occurred_at: datetime) -> list[UUID]:
    """Announce several events in their order, as `announce` does one, in one round trip; return their ids."""
    if not happened:
        return []
    told, rows = await driver(session), []
    delivery_ids: list[UUID] = []
    for one in happened:
        name = type(one).__name__
        woken = [consumer for consumer in consumers() if consumer.event_name == name]
        ids = [new_id() for _ in woken]
        delivery_ids += [one for one, consumer in zip(ids, woken, strict=True) if _hands_over(consumer)]
        body = {field.name: str(getattr(one, field.name)) for field in dataclasses.fields(one)}
        rows.append(
            (
                new_id(),
                name,
                one.aggregate,
                json.dumps(body),
                occurred_at,
                wall_now(),
                ids,
                [consumer.name for consumer in woken],
            )
        )
    await told.executemany(_ANNOUNCE, rows)
    after_commit(session, lambda: send_again(delivery_ids))
    return [row[0] for row in rows]


def send_again(delivery_ids: list[UUID]) -> None:
    """Hand deliveries to the broker, where this process was told how; what it does not take, the sweeper sends."""
    for hand in _hands:
        for delivery_id in delivery_ids:
            try:
                hand.send(delivery_id)
            except OSError as error:
                # The broker is away: the commit stands and the sweeper sends again within a minute.
                log.warning("outbox_send_failed", delivery_id=str(delivery_id), error=type(error).__name__)


def _hands_over(consumer: Consumer) -> bool:
    return all(consumer.work_outside is not None or not hand.only_outside for hand in _hands)


async def deliver(sessions: Sessions, delivery_id: UUID, *, clock: BusinessClock) -> bool:
    """Run one delivery in one transaction, or work outside and then note it; True when it was done now.

    A delivery that is done, parked or being worked on by another worker is left alone. A failure is counted in a
    transaction of its own and tried again later, MAX_ATTEMPTS times; then the delivery is parked for an operator.
    """
    try:
        async with in_transaction(sessions) as session:
            row = (await session.execute(_TAKE, {"id": delivery_id})).one_or_none()
            if row is None:
                return False
            consumer = _consumers[row.consumer]
            envelope = Envelope(row.id, row.name, row.body, row.occurred_at, clock.now())
            if consumer.consume is not None:
                await consumer.consume(session, envelope)
                await session.flush()
                await session.execute(_END, {"id": delivery_id, "wall": wall_now()})
        if consumer.work_outside is not None:
            await consumer.work_outside(sessions, clock, envelope)
            async with in_transaction(sessions) as session:
                await session.execute(_END, {"id": delivery_id, "wall": wall_now()})
        return True
    except TryLater as later:
        await _put_off(sessions, delivery_id, later.after)
        return False
    except Exception as error:
        log.exception("delivery_failed", delivery_id=str(delivery_id))
        await _count_failure(sessions, delivery_id, type(error).__name__)
        return False


async def _put_off(sessions: Sessions, delivery_id: UUID, after: timedelta) -> None:
    async with in_transaction(sessions) as session:
        delivery = await session.get_one(OutboxDelivery, delivery_id, with_for_update=True)
        delivery.last_error = TryLater.__name__
        delivery.due_at = wall_now() + after
        session.add(delivery)


async def _count_failure(sessions: Sessions, delivery_id: UUID, error_name: str) -> None:
    async with in_transaction(sessions) as session:
        delivery = await session.get_one(OutboxDelivery, delivery_id, with_for_update=True)
        delivery.attempts += 1
        delivery.last_error = error_name
        delivery.due_at = wall_now() + timedelta(seconds=2**delivery.attempts)
        if delivery.attempts >= MAX_ATTEMPTS:
            delivery.state = DeliveryState.PARKED
        session.add(delivery)


async def waiting(
    sessions: Sessions,
    *,
    older_than: timedelta = timedelta(0),
    is_another_try: bool = False,
    limit: int = SWEEP_BATCH,
) -> list[UUID]:
    """Return the ids of due deliveries, or of those that were tried before; oldest event first, at most `limit`."""
    statement = text(
        "SELECT d.id FROM foundation.outbox_delivery d JOIN foundation.outbox_event e ON e.id = d.event_id"
        " WHERE d.state = 'waiting' AND d.due_at <= :before AND (NOT :tried OR d.last_error IS NOT NULL)"
        " ORDER BY e.recorded_at, d.consumer LIMIT :limit"
    )
    async with in_transaction(sessions) as session:
        found = await session.execute(
            statement, {"before": wall_now() - older_than, "tried": is_another_try, "limit": limit}
        )
        return list(found.scalars())


async def drain(sessions: Sessions, *, now: datetime, max_rounds: int = 1000) -> int:
    """Deliver everything that is due, here and at the business time `now`, until nothing is left; return how many."""
    done = 0
    for _round in range(max_rounds):
        due = await waiting(sessions)
        if not due:
            return done
        for delivery_id in due:
            done += await deliver(sessions, delivery_id, clock=StandingClock(now))
    raise RuntimeError(f"the outbox still grows after {max_rounds} rounds")


async def sweep(sessions: Sessions) -> int:
    """Send again what was due a minute ago and nobody took, and what is due for another try; return how many."""
    due = await waiting(sessions, older_than=SWEEP_AFTER)
    tried = await waiting(sessions, is_another_try=True)
    again = list(dict.fromkeys(due + tried))
    send_again(again)
    return len(again)


async def newest_events(session: AsyncSession, names: Sequence[str], *, limit: int) -> list[Envelope]:
    """Return the newest events of some names, newest first: for those who watch, not for those who act on them."""
    statement = text(
        "SELECT id, name, body, occurred_at FROM foundation.outbox_event WHERE name = ANY(:names)"
        " ORDER BY recorded_at DESC, id DESC LIMIT :limit"
    )
    found = await session.execute(statement, {"names": list(names), "limit": limit})
    return [Envelope(row.id, row.name, row.body, row.occurred_at, row.occurred_at) for row in found]
