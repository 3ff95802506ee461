"""Nothing of a firm's reaches anybody without an effective permission: every route, as everybody, looking for canaries.

Routes, their parameters and bodies come from the application itself, so a new route is covered without a word here; one
that nobody can be brought to reach is a failure.
"""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Generator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from zlib import crc32

import asyncpg
import pytest
import structlog
from builders_applications import an_application
from builders_callers import Answer, Door, Walk, doors_of, seen_in
from builders_canaries import FIRM, OPERATOR, SENDER, Canaries, Person, Planted, plant
from builders_derived import in_domain
from builders_documents import an_xlsx
from builders_filling import Filling
from celery.signals import before_task_publish
from conftest import Database

from xinyidai.app.describing import describe
from xinyidai.foundation import outbox
from xinyidai.foundation.clock import AnchoredClock, wall_now
from xinyidai.worker import connect_broker

UNREACHABLE = {
    "GET /openapi/{path}": "the framework's own: an empty root that answers 404 to everything",
    "GET /api/v1/sandbox/pending": "for simulated parties alone, and nobody here is one",
    "POST /sandbox/sign-in": "for simulated people alone, and nobody here is one",
    "POST /sandbox/proof": "for simulated people alone, and nobody here is one",
    "POST /sign-in/enrolment": "for who stands between password and authenticator: here nobody has one",
    "POST /api/v1/account-recoveries": "asks for somebody by an address, and the example's is nobody's",
}
"""Doors that nobody can be brought to pass, and why."""
KEYS = ("bank_with's key", "bank_without's key")
NEAREST = ("visitor", "other_firm", "bank_with", "bank_revoked", OPERATOR, FIRM)
"""Who reads every door in the ordinary run; of all others each door is read by one in four."""
RESTORED = (
    "UPDATE parties.credential c SET password_hash = k.password_hash, failures = 0, locked_until = NULL"
    " FROM public.credential k WHERE k.user_id = c.user_id;"
    " UPDATE parties.membership m SET ended_at = NULL WHERE NOT EXISTS (SELECT FROM parties.membership o"
    " WHERE o.user_id = m.user_id AND o.party_id = m.party_id AND (o.ended_at IS NULL OR o.id < m.id))"
)
STRANGERS = ("visitor", "other_firm", "bank_without", "bank_revoked", "bank_withdrawn", "bank_expired", "other_agency")
LIKELY = ("bank_with", "lender", "fund", SENDER, OPERATOR, FIRM)
"""Who is tried in turn at a door that changes something: who may lawfully open anything to others comes last."""
ENDS = ("sign-out", "/me/", "/leave", "/end", "revoke", "withdraw", "roles", "memberships")
"""What doors that end something are called: they come after all others."""
NEEDED = {FIRM: 200, SENDER: 15, OPERATOR: 60, "bank_with": 15}
"""How many canaries must at least be seen by those who may: a test that reads nothing finds nothing."""
HOMES = re.compile(
    r"sources\.(\w+_fact|rejected_row)|parties\.(platform_user|invitation)|matching\.(indication|offer)|scoring\.review_request"
)
"""Tables that hold canaries in the clear because that is what they are for."""


@dataclass
class Heard:
    """What was written to logs and sent to the broker."""

    lines: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def log(self, _logger: object, _method: str, event: MutableMapping[str, object]) -> str:
        """Keep a line of structlog, with its traceback."""
        self.lines.append(repr(structlog.processors.format_exc_info(_logger, _method, event)))
        raise structlog.DropEvent

    def publish(self, body: object = None, headers: object = None, **_more: object) -> None:
        """Keep a message."""
        self.messages.append(f"{headers} {body}")


class _Lines(logging.Handler):
    def __init__(self, heard: Heard) -> None:
        super().__init__()
        self.heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.lines.append(logging.Formatter().format(record))


@contextmanager
def listening() -> Generator[Heard]:
    """Hear every log line and every message to the broker."""
    heard, root = Heard(), logging.getLogger()
    before, handler = structlog.get_config(), _Lines(heard)
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, heard.log])
    root.addHandler(handler)
    connect_broker("memory://")
    before_task_publish.connect(heard.publish, weak=False)
    try:
        yield heard
    finally:
        before_task_publish.disconnect(heard.publish)
        outbox.send_with(None)
        root.removeHandler(handler)
        structlog.configure(**before)


@dataclass(frozen=True)
class Walked:
    """Everything after everybody was everywhere."""

    planted: Planted
    walk: Walk
    doors: list[Door]
    heard: Heard


async def walk_everywhere(database: Database, admin: asyncpg.Connection, *, now: datetime, is_full: bool) -> Walked:
    """Plant, read as everybody, follow what pages link to, then send what changes something."""
    await in_domain(admin, "real_estate", "cash_flow", topology="held_copy")
    with listening() as heard:
        planted = await plant(database, now=now)
        await admin.execute("UPDATE parties.party SET is_simulated = false")
        settings = database.settings.model_copy(update={"sandbox": True, "requests_per_minute": 1_000_000})
        clock = AnchoredClock(wall_now(), planted.at, rate=0.0)
        app = an_application(settings, database.app, clock=clock)
        await admin.execute("CREATE TABLE public.credential AS TABLE parties.credential")
        doors, walk = doors_of(app), Walk(app, planted.canaries, restore=lambda: admin.execute(RESTORED))
        filling = Filling(admin, planted, describe(app)["components"]["schemas"])
        people = [one for one in planted.people if is_full or not one.key or one.name in KEYS]
        for person in people:
            await walk.comes(person)
        reading = [one for one in doors if one.method == "GET"]
        for door in reading:
            asked = people if is_full else _some_of(people, door)
            await _read(walk, filling, door, asked, is_full=is_full)
            if str(door) not in walk.reached:
                await _read(walk, filling, door, [one for one in people if one not in asked], is_full=is_full)
        await _follow(walk, reading, people, is_full=is_full)
        by_name = {one.name: one for one in people}
        for door in sorted((one for one in doors if one.method != "GET"), key=_ends_something):
            likely = people if is_full else [by_name[name] for name in LIKELY]
            await _change(walk, filling, door, [by_name[_stranger_at(door)], *likely], is_full=is_full)
    return Walked(planted, walk, doors, heard)


def _some_of(people: list[Person], door: Door) -> list[Person]:
    """Return who is nearest to the firm's data, and a quarter of all others, by turns; keys know no pages."""
    turn = crc32(str(door).encode())
    return [
        one
        for place, one in enumerate(people)
        if (not one.key or door.operation) and (one.name in NEAREST or (place + turn) % 4 == 0)
    ]


def _stranger_at(door: Door) -> str:
    """Return who, of those to whom the firm opened nothing or no longer does, tries a door first."""
    return STRANGERS[crc32(str(door).encode()) % len(STRANGERS)]


def _ends_something(door: Door) -> tuple[bool, str]:
    return any(word in door.path for word in ENDS), str(door)


async def _read(walk: Walk, filling: Filling, door: Door, people: list[Person], *, is_full: bool) -> None:
    """Call a door as everybody; whom it refuses whatever they ask for is asked once."""
    addresses = await filling.addresses(door)
    askers = people if "openapi" not in door.path and "static" not in door.path else people[:1]
    for person in askers:
        for address in addresses:
            answer = await walk.ask(door, address, person)
            if answer.status in {401, 403} and not is_full:
                break


async def _follow(walk: Walk, doors: list[Door], people: list[Person], *, is_full: bool) -> None:
    """Call what pages linked to with a query, at most twice a door, as everybody."""
    by_door = defaultdict(list)
    for link in sorted(walk.links):
        found = next((one for one in doors if one.pattern.fullmatch(link.partition("?")[0])), None)
        by_door[found].append(link.partition("#")[0])
    for door, links in by_door.items():
        assert door is not None, links
        for person in people:
            for link in links if is_full else links[:1]:
                answer = await walk.ask(door, link, person)
                if answer.status in {401, 403}:
                    break


async def _change(walk: Walk, filling: Filling, door: Door, people: list[Person], *, is_full: bool) -> None:
    """Send a door's example or its form as some, until one is let through; a form first where it was shown."""
    shown = [path for path in walk.forms if door.pattern.fullmatch(path)]
    is_api = bool(door.operation)
    body, kind = await filling.body(door)
    addresses = list(dict.fromkeys([*([] if is_api else shown[:2]), *await filling.addresses(door)]))
    for person in people:
        for address in addresses:
            if not is_api:
                fields = walk.forms.get(address) or walk.forms.get((*shown, "")[0], {})
                body, kind = filling.form(fields), "application/x-www-form-urlencoded"
            answer = await walk.ask(door, address, person, body=body, kind=kind)
            if answer.status in {401, 403} or (str(door) in walk.reached and not is_full):
                break
        if str(door) in walk.reached and not is_full:
            break


async def tables_that_hold(admin: asyncpg.Connection, canaries: Canaries) -> dict[str, set[str]]:
    """Return which tables hold which canaries in the clear, in any column."""
    tables = await admin.fetch(
        "SELECT schemaname || '.' || tablename AS name FROM pg_tables"
        " WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema'"
    )
    found = {}
    for table in tables:
        rows = await admin.fetch(f"SELECT t::text FROM {table['name']} t")
        seen = seen_in("\n".join(row[0] for row in rows), canaries)
        found[table["name"]] = {canaries.labels[one] for one in seen}
    return {name: labels for name, labels in found.items() if labels}


def leaks_of(walked: Walked) -> list[str]:
    """Return what was seen by whom it is not for, and where."""
    parties = {one.name: one.party for one in walked.planted.people}
    canaries = walked.planted.canaries
    return sorted(
        f"{one.person} sees {canaries.labels[one.label]} in {one.where}"
        for one in walked.walk.sightings
        if parties[one.person] not in canaries.readers[one.label]
    )


def faults_of(walked: Walked, tables: dict[str, set[str]]) -> list[str]:
    """Return everything that is not as it should be, a sentence each."""
    canaries, walk, heard = walked.planted.canaries, walked.walk, walked.heard
    doors = {str(door) for door in walked.doors}
    found = leaks_of(walked) + sorted(walk.failed)
    found += [f"nobody reaches {one}: {walk.answers[one]}" for one in doors - walk.reached - UNREACHABLE.keys()]
    found += [f"{one} is reached, or no door" for one in UNREACHABLE.keys() - doors | UNREACHABLE.keys() & walk.reached]
    found += [
        f"{what} tells {canaries.labels[one]}"
        for what, lines in (("a log line", heard.lines), ("a message", heard.messages))
        for one in seen_in("\n".join(lines), canaries)
    ]
    found += [
        f"{table} holds {label} in the clear"
        for table, labels in tables.items()
        for label in sorted(labels)[:3]
        if not HOMES.fullmatch(table)
    ]
    return found


def seen_by_party(walked: Walked) -> Counter[str]:
    """Return how many canaries the people of each party saw."""
    parties = {one.name: one.party for one in walked.planted.people}
    return Counter(party for party, _ in {(parties[one.person], one.label) for one in walked.walk.sightings})


async def nothing_leaks(database: Database, admin: asyncpg.Connection, *, now: datetime, is_full: bool) -> None:
    """Walk everywhere and see that nothing reached anybody whom it is not for, and all others what is for them."""
    walked = await walk_everywhere(database, admin, now=now, is_full=is_full)

    seen, tables = seen_by_party(walked), await tables_that_hold(admin, walked.planted.canaries)
    assert faults_of(walked, tables) == []
    assert {party: least for party, least in NEEDED.items() if seen[party] < least} == {}
    assert walked.heard.messages
    assert seen["nobody"] == 0


def test_a_canary_is_found_however_it_is_written() -> None:
    canaries = Canaries()
    word, fen = canaries.text("a word"), canaries.fen("an amount")
    yuan = f"{fen // 100:,}.{fen % 100:02d}"
    written = [
        f"<p>{word}</p>",
        word.lower(),
        word.encode().hex(),
        f"{yuan} 元",
        f'{{"net_fen": {fen}}}',
        Answer(200, {}, an_xlsx(word)).text,
        Answer(303, {"location": f"/x?{word}"}, b"").text,
    ]

    assert [len(seen_in(one, canaries)) for one in written] == [1] * len(written)
    assert seen_in(f"{fen}0 {word[:-1]}", canaries) == set()


async def test_nothing_reaches_anybody_without_a_permission(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    await nothing_leaks(database, admin, now=noon, is_full=False)


@pytest.mark.long
async def test_nothing_reaches_anybody_at_any_address_by_any_key(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    await nothing_leaks(database, admin, now=noon, is_full=True)
