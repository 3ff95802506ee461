"""Queries to the courts as jobs, and the calls that bring their answers: signed, repeated, sometimes late or twice."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from urllib.parse import urlsplit

import structlog

from city.living.city import City
from city.providers.faults import Kind, skewed
from city.providers.gate import Passage, known_by, money
from city.providers.signatures import webhook_signature
from city.providers.writing import drifted, written
from city.settings import Client
from city.wire import Connections, Wire, WireSilent
from city.world.draws import act_key, draws
from city.world.records import enforcements, judgments

log = structlog.get_logger()

JOB, NUMBER = "court job", "court number"
LEAST_SECONDS, MORE_SECONDS = 1, 3
LATE_SHARE, LATE_SECONDS = 0.05, 45
TWICE_SHARE = 0.05
MOST_TRIES = 3
WAITS_SECONDS = (5, 30)
"""Between the first call, the second and the third."""
MUCH_LATER_SECONDS = 300
REPEATED_TIMES = 3
KEPT_DAYS = 7
LOOK_SECONDS = 0.5
FLAGS = {True: "是", False: "否"}
ROLES = {"plaintiff": "原告", "defendant": "被告"}


@dataclass(frozen=True)
class Call:
    """A call to make at a wall moment; `number` tells calls of one job apart, a forged one is a stranger's."""

    number: int
    due_at: datetime
    tries: int = 0
    is_forged: bool = False


@dataclass(frozen=True)
class Job:
    """A query: of whom, as of which day, ready when, and the calls that are left to make."""

    job_id: str
    client_id: str
    credit_code: str
    scope: str
    known_by: date
    asked_at: datetime
    ready_at: datetime
    fault: Kind | None
    calls: tuple[Call, ...] = field(default=())

    def body(self, city: City) -> bytes:
        """Return the answer, the same whenever it is asked for."""
        firm, seed, unit = city.registry[self.credit_code], city.city_file.seed, money(self.fault)
        cases = judgments(seed, firm, self.known_by) if "judgment" in self.scope.split() else []
        claims = enforcements(seed, firm, self.known_by) if "enforcement" in self.scope.split() else []
        rows = {
            "judgments": [{**written(case, unit), "role": ROLES[case.role]} for case in cases],
            "enforcements": [{**written(one, unit), "is_dishonest": FLAGS[one.is_dishonest]} for one in claims],
        }
        if self.fault is Kind.SCHEMA_DRIFT:
            rows = {name: [drifted(row) for row in listed] for name, listed in rows.items()}
        said = {
            "job_id": self.job_id,
            "state": "done",
            "credit_code": self.credit_code,
            "known_by": self.known_by.isoformat(),
            **rows,
        }
        return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def open_job(passage: Passage) -> Job:
    """Take a query and plan its calls; those answered a week ago are forgotten."""
    city, wall = passage.city, passage.city.ground.wall()
    _forget_old(city, passage.client_id, wall)
    number = int(str(city.store.remembered(NUMBER, passage.client_id).get("next", {}).get("number", 0))) + 1
    city.store.remember(NUMBER, passage.client_id, "next", {"number": number})
    seed = city.city_file.seed
    after, late, twice, second = draws(seed, "court answers", passage.client_id, str(number)).random(4)
    ready_at = wall + timedelta(seconds=LEAST_SECONDS + MORE_SECONDS * float(after))
    called_at = ready_at + timedelta(seconds=LATE_SECONDS if late < LATE_SHARE else 0)
    calls = [Call(1, called_at)]
    if twice < TWICE_SHARE:
        calls.append(Call(2, called_at + timedelta(seconds=5 + 20 * float(second))))
    job = Job(
        job_id=act_key(seed, passage.client_id, "court query", str(number)),
        client_id=passage.client_id,
        credit_code=passage.firm.credit_code,
        scope=passage.granted.scope,
        known_by=known_by(city, passage.fault),
        asked_at=wall,
        ready_at=ready_at,
        fault=passage.fault,
        calls=tuple(_faulty(calls, passage.fault)),
    )
    if not city.city_file.clients["courts"].callback_url:
        job = replace(job, calls=())
    _keep(city, job)
    return job


def job_named(city: City, client: Client, job_id: str) -> Job | None:
    """Return a client's job, None where it has no such."""
    found = city.store.remembered(JOB, client.client_id).get(job_id)
    return None if found is None else _job(found)


def is_ready(job: Job, wall: datetime) -> bool:
    """Say whether the answer is there."""
    return wall >= job.ready_at


class Caller:
    """Makes the calls; `wire` in place of HTTP connections to the client's address."""

    def __init__(self, city: City, *, wire: Wire | None = None) -> None:
        self._city = city
        self._wire = wire
        self._lock = asyncio.Lock()

    async def call_all(self) -> None:
        """Make calls until none is left."""
        while await self.call_due():
            await asyncio.sleep(LOOK_SECONDS)

    async def call_due(self) -> bool:
        """Make the calls that are due; say whether some are left for later."""
        async with self._lock:
            return await self._call_due()

    async def _call_due(self) -> bool:
        client, wall = self._city.city_file.clients.get("courts"), self._city.ground.wall()
        if client is None or not client.callback_url:
            return False
        is_left = False
        for body in self._city.store.remembered(JOB, client.client_id).values():
            job = _job(body)
            left = [call for call in job.calls if call.due_at > wall]
            for call in job.calls:
                if call.due_at <= wall:
                    left += await self._made(client, job, call, wall)
            if tuple(left) != job.calls:
                _keep(self._city, replace(job, calls=tuple(left)))
            is_left = is_left or bool(left)
        return is_left

    async def _made(self, client: Client, job: Job, call: Call, wall: datetime) -> list[Call]:
        """Make one call; return it again, for later, where it failed and may be repeated."""
        content, timestamp = job.body(self._city), int(skewed(wall, job.fault).timestamp())
        is_wrong = call.is_forged or job.fault is Kind.WRONG_SIGNATURE
        signature = webhook_signature(client.client_secret + ("?" if is_wrong else ""), job.job_id, timestamp, content)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": job.job_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature,
        }
        status = await self._send(client.callback_url, headers, content)
        if 200 <= status < 300:
            return []
        tries = call.tries + 1
        log.info("callback_failed", job=job.job_id, status=status, tries=tries)
        if tries >= MOST_TRIES:
            return []
        return [replace(call, tries=tries, due_at=wall + timedelta(seconds=WAITS_SECONDS[tries - 1]))]

    async def _send(self, url: str, headers: Mapping[str, str], content: bytes) -> int:
        parts = urlsplit(url)
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        wire = self._wire or Connections([f"{parts.scheme}://{parts.netloc}"])
        try:
            return (await wire.send("POST", path, headers, content)).status
        except WireSilent:
            return 0
        finally:
            if self._wire is None:
                await wire.close()


def _faulty(calls: list[Call], fault: Kind | None) -> list[Call]:
    first = calls[0]
    match fault:
        case Kind.CALLBACK_LATE:
            return [replace(call, due_at=call.due_at + timedelta(seconds=MUCH_LATER_SECONDS)) for call in calls]
        case Kind.CALLBACK_REPEATED:
            return [replace(first, number=number) for number in range(1, REPEATED_TIMES + 1)]
        case Kind.CALLBACK_FORGED:
            return [replace(first, number=0, is_forged=True), *calls]
        case _:
            return calls


def _forget_old(city: City, client_id: str, wall: datetime) -> None:
    for name, body in city.store.remembered(JOB, client_id).items():
        if _job(body).asked_at < wall - timedelta(days=KEPT_DAYS):
            city.store.forget(JOB, client_id, name)


def _keep(city: City, job: Job) -> None:
    body: dict[str, object] = {
        "job_id": job.job_id,
        "client_id": job.client_id,
        "credit_code": job.credit_code,
        "scope": job.scope,
        "known_by": job.known_by.isoformat(),
        "asked_at": job.asked_at.isoformat(),
        "ready_at": job.ready_at.isoformat(),
        "fault": job.fault.value if job.fault else "",
        "calls": [[one.number, one.due_at.isoformat(), one.tries, one.is_forged] for one in job.calls],
    }
    city.store.remember(JOB, job.client_id, job.job_id, body)


def _job(body: Mapping[str, object]) -> Job:
    calls = body["calls"]
    assert isinstance(calls, list), "written by _keep"
    return Job(
        job_id=str(body["job_id"]),
        client_id=str(body["client_id"]),
        credit_code=str(body["credit_code"]),
        scope=str(body["scope"]),
        known_by=date.fromisoformat(str(body["known_by"])),
        asked_at=datetime.fromisoformat(str(body["asked_at"])),
        ready_at=datetime.fromisoformat(str(body["ready_at"])),
        fault=Kind(str(body["fault"])) if body["fault"] else None,
        calls=tuple(Call(one[0], datetime.fromisoformat(one[1]), one[2], one[3]) for one in calls),
    )
