"""What `doctor` looks at, each with a sentence that says what to do."""

import ctypes.util
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from xinyidai.access.service import act_as_platform
from xinyidai.cli.surroundings import Connected, home
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import Sessions, in_transaction
from xinyidai.foundation.heartbeats import Heartbeat, heartbeats
from xinyidai.foundation.migrating import newest_revision
from xinyidai.foundation.timetable import MAX_ATTEMPTS
from xinyidai.parties import queries as parties

ENOUGH_DISK_BYTES = 2 << 30
LONGEST_WAIT_SECONDS = 300
SHORTEST_SECRET = 32
MOST_NAMED = 10


@dataclass(frozen=True)
class Check:
    """One thing looked at."""

    name: str
    is_ok: bool
    says: str


async def diagnose(
    connected: Connected, *, production: bool, is_embedded: bool, expects_processes: bool
) -> list[Check]:
    """Run every check; none stops the others. `expects_processes`: beat and a worker should be running."""
    checks = [_python(), _libgomp(), _disk()]
    looks: list[tuple[str, str, Callable[[Sessions], Awaitable[Check]]]] = [
        ("role app", "app", partial(_role, "app")),
        ("role worker", "worker", partial(_role, "worker")),
        ("revision", "worker", _revision),
        ("outbox", "worker", _outbox),
        ("timetable", "worker", _jobs),
        ("desks", "worker", partial(_desks, is_binding=production)),
    ]
    checks.extend([await _looked_at(name, connected, role, look) for name, role, look in looks])
    checks.extend(await _broker(connected, expects_processes=expects_processes))
    if production:
        checks.extend(_production(connected, is_embedded=is_embedded))
    return checks


async def _looked_at(name: str, connected: Connected, role: str, look: Callable[[Sessions], Awaitable[Check]]) -> Check:
    """Look with a role's sessions; a role without a URL is a failed check, not the end of all."""
    try:
        sessions = connected.worker if role == "worker" else connected.app
    except ValueError as error:
        return Check(name, False, str(error))
    return await look(sessions)


def _python() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Check("python", sys.version_info >= (3, 11), f"{version}; 3.11 or newer is needed")


def _libgomp() -> Check:
    found = ctypes.util.find_library("gomp")
    return Check("libgomp", found is not None, found or "missing: install libgomp1 (Debian), libgomp (RPM, Alpine)")


def _disk() -> Check:
    folder = home()
    free = shutil.disk_usage(folder if folder.exists() else os.getcwd()).free
    return Check("disk", free > ENOUGH_DISK_BYTES, f"{free >> 20} MiB free; 2 GiB are wanted")


async def _revision(sessions: Sessions) -> Check:
    try:
        async with in_transaction(sessions) as session:
            current = (await session.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
    except (SQLAlchemyError, OSError) as error:
        return Check("revision", False, f"{type(error).__name__}: run `xinyidai migrate --bootstrap`")
    newest = newest_revision()
    return Check("revision", current == newest, f"at {current}, newest is {newest}; `xinyidai migrate` brings it there")


async def _role(name: str, sessions: Sessions) -> Check:
    question = text(
        "SELECT rolsuper OR rolbypassrls OR rolcreaterole AS is_mighty,"
        " EXISTS (SELECT 1 FROM pg_class c WHERE c.relowner = r.oid) AS owns"
        " FROM pg_roles r WHERE rolname = current_user"
    )
    try:
        async with in_transaction(sessions) as session:
            found = (await session.execute(question)).one()
    except (SQLAlchemyError, OSError) as error:
        return Check(f"role {name}", False, f"cannot sign in: {type(error).__name__}")
    is_ok = not (found.is_mighty or found.owns)
    return Check(
        f"role {name}", is_ok, "owns nothing, cannot pass row-level security" if is_ok else "has too many rights"
    )


async def _outbox(sessions: Sessions) -> Check:
    question = text(
        "SELECT count(*) FILTER (WHERE state = 'parked') AS parked,"
        " coalesce(extract(epoch FROM CAST(:wall AS timestamptz) - min(due_at) FILTER (WHERE state = 'waiting')), 0)"
        "::int AS age"
        " FROM foundation.outbox_delivery"
    )
    try:
        async with in_transaction(sessions) as session:
            found = (await session.execute(question, {"wall": wall_now()})).one()
    except (SQLAlchemyError, OSError) as error:
        return Check("outbox", False, type(error).__name__)
    is_ok = found.parked == 0 and found.age < LONGEST_WAIT_SECONDS
    return Check(
        "outbox", is_ok, f"{found.parked} parked, the oldest waits {found.age} s; `xinyidai work` must be running"
    )


async def _jobs(sessions: Sessions) -> Check:
    question = text("SELECT count(*) FROM foundation.job_due WHERE done_at IS NULL AND attempts >= :most")
    try:
        async with in_transaction(sessions) as session:
            failed = (await session.execute(question, {"most": MAX_ATTEMPTS})).scalar_one()
    except (SQLAlchemyError, OSError) as error:
        return Check("timetable", False, type(error).__name__)
    return Check("timetable", failed == 0, f"{failed} job periods gave up")


async def _desks(sessions: Sessions, *, is_binding: bool) -> Check:
    """Name institutions where nobody could approve what another made; a fault in production only: people come later."""
    try:
        async with in_transaction(sessions) as session:
            await act_as_platform(session, now=wall_now())
            short = await parties.incomplete_desks(session, limit=MOST_NAMED + 1)
    except (SQLAlchemyError, OSError) as error:
        return Check("desks", False, type(error).__name__)
    named = [f"{party.name} ({party.id}) lacks {', '.join(desk.missing)}" for party, desk in short[:MOST_NAMED]]
    more = ["and more"] if len(short) > MOST_NAMED else []
    return Check(
        "desks", not (short and is_binding), "; ".join(named + more) or "every institution can work under four eyes"
    )


async def _broker(connected: Connected, *, expects_processes: bool) -> list[Check]:
    if connected.settings.broker_url is None:
        return [Check("broker", False, "BROKER_URL is not set")]
    client = Redis.from_url(connected.settings.broker_url.get_secret_value(), socket_connect_timeout=2)
    try:
        heard = await heartbeats(client)
    except (RedisError, OSError) as error:
        return [Check("broker", False, f"no answer: {type(error).__name__}")]
    finally:
        await client.aclose()
    checks = [Check("broker", True, "answers")]
    if expects_processes:
        checks += [_processes(kind, verb, heard) for kind, verb in (("beat", "beat"), ("worker", "work"))]
    return checks


def _processes(kind: str, verb: str, heard: list[Heartbeat]) -> Check:
    """Name each process of a kind that fell silent; at least one must be there."""
    wall = wall_now()
    ours = [one for one in heard if one.name.startswith(f"{kind}@")]
    told = [f"{one.name} was last heard {(wall - one.heard_at).total_seconds():.0f} s ago" for one in ours]
    if not ours:
        return Check(kind, False, f"none was heard within the hour; `xinyidai {verb}` must be running")
    is_ok = not any(one.is_late(wall_at=wall) for one in ours)
    return Check(kind, is_ok, ", ".join(told) + ("" if is_ok else f"; `xinyidai {verb}` must be running"))


def _production(connected: Connected, *, is_embedded: bool) -> list[Check]:
    known = connected.settings
    urls = (known.app_database_url, known.worker_database_url, known.auditor_database_url)
    secret_length = len(known.secret_key.get_secret_value())
    return [
        Check(
            "database server",
            not is_embedded,
            "the embedded server is for demo, tests and development: set the roles' URLs"
            if is_embedded
            else "external",
        ),
        Check("sandbox", not known.sandbox, "SANDBOX must not be set" if known.sandbox else "off"),
        Check(
            "second factor",
            known.staff_second_factor,
            "demanded of staff" if known.staff_second_factor else "STAFF_SECOND_FACTOR must not be off",
        ),
        Check("role URLs", all(urls), "each process needs its own URL" if not all(urls) else "each set"),
        Check("secret key", secret_length >= SHORTEST_SECRET, f"{secret_length} characters; at least 32 are needed"),
    ]
