"""Calling every route as everybody: the routes as the application has them, their parameters filled with what exists.

The application is called without a client in between: thousands of calls, and streams that never end.
"""

import asyncio
import io
import json
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final, cast
from urllib.parse import quote, urlsplit
from uuid import uuid4

from builders_canaries import MARK, PASSWORD, Canaries, Person
from litestar import Litestar
from litestar.types import Message, Receive, Scope, Send

from xinyidai.app.describing import describe

HOST: Final = "platform.example"
ENDLESS_SECONDS: Final = 0.2
"""How long a stream is read before its reader goes away."""
MOST_PAGES: Final = 3
"""How many pages of a door are read for what they link to: reading one costs as much as making it."""
NOT_REACHED: Final = frozenset({400, 401, 403, 404, 405, 415, 500})
PARAMETER: Final = re.compile(r"\{(\w+)\}")
TURNED_AWAY: Final = frozenset(
    {"sign_in_needed", "not_allowed", "step_up_needed", "not_found", "input_refused", "request_refused"}
)
"""Refusals that say nothing of what a door does behind its guards; any other comes from the verb itself."""
TEXT: Final = re.compile(MARK + "[0-9A-F]{12}")
SPELT: Final = re.compile(MARK.encode().hex().upper() + "[0-9A-F]{24}")
NUMBER: Final = re.compile(r"\d[\d,]{6,}(?:\.\d\d)?")


@dataclass(frozen=True)
class Answer:
    """What came back; of a stream, what came until its reader went away."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """Return everything that can be read in it; packed files are unpacked."""
        head = " ".join(f"{name}: {value}" for name, value in self.headers.items())
        if not self.body.startswith(b"PK\x03\x04"):
            return head + self.body.decode(errors="replace")
        with zipfile.ZipFile(io.BytesIO(self.body)) as packed:
            parts = [packed.read(name).decode(errors="replace") for name in packed.namelist()]
        return " ".join([head, *packed.namelist(), *parts])

    @property
    def is_page(self) -> bool:
        """Say whether it is HTML."""
        return "html" in self.headers.get("content-type", "")

    @property
    def code(self) -> str:
        """Return the code of a refusal."""
        return str(json.loads(self.body).get("code")) if "problem" in self.headers.get("content-type", "") else ""


@dataclass(frozen=True)
class Door:
    """One method of one route; `operation` is its part of the API's description, empty for a page."""

    method: str
    path: str
    operation: Mapping[str, object] = field(default_factory=dict, hash=False, compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def pattern(self) -> re.Pattern[str]:
        """Return what its addresses look like."""
        return re.compile(PARAMETER.sub("[^/]+", self.path))


@dataclass(frozen=True)
class Sighting:
    """A canary that somebody saw somewhere."""

    person: str
    where: str
    label: str


def seen_in(text: str, canaries: Canaries) -> set[str]:
    """Return which canaries can be read in a text, also as PostgreSQL spells bytes."""
    found = set()
    upper = text.upper()
    if MARK in upper:
        found |= set(TEXT.findall(upper))
    found |= {bytes.fromhex(one).decode() for one in SPELT.findall(upper)}
    found |= {one.replace(",", "") for one in NUMBER.findall(text)}
    found |= {one for one in canaries.secrets if one in text}
    return found & canaries.readers.keys()


def doors_of(app: Litestar) -> list[Door]:
    """Return every method of every route; what the description has and the application has not is no door."""
    described = describe(app)["paths"]
    doors = [
        Door(method, path, cast("Mapping[str, object]", described.get(path, {}).get(method.lower(), {})))
        for route in app.routes
        for path in [getattr(route, "path_format", route.path)]
        for handler in getattr(route, "route_handlers", [])
        for method in sorted(handler.http_methods - {"HEAD", "OPTIONS"})
    ]
    missing = {(m.upper(), p) for p, item in described.items() for m in item} - {(d.method, d.path) for d in doors}
    assert missing == set()
    return doors


async def call(
    app: Litestar,
    method: str,
    address: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    kind: str = "",
) -> Answer:
    """Send one request and read the answer, of a stream only its beginning."""
    path, _, query = address.partition("?")
    sent = {"host": HOST, "accept-language": "zh-CN", "content-type": kind, "content-length": str(len(body))}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in (sent | dict(headers or {})).items() if value],
        "client": ("203.0.113.9", 1),
        "server": (HOST, 80),
    }
    given: list[Message] = []
    requests = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        request = next(requests, None)
        if request is None:
            await asyncio.sleep(3600)
        return cast(Message, request)

    async def send(message: Message) -> None:
        given.append(message)

    try:
        is_endless = path.endswith("/stream")
        async with asyncio.timeout(ENDLESS_SECONDS if is_endless else 60):
            await app(cast(Scope, scope), cast(Receive, receive), cast(Send, send))
    except TimeoutError:
        assert given, address
    start = cast("dict[str, object]", given[0])
    found = cast("Iterable[tuple[bytes, bytes]]", start["headers"])
    return Answer(
        status=cast(int, start["status"]),
        headers={name.decode().lower(): value.decode() for name, value in found},
        body=b"".join(cast(bytes, one.get("body", b"")) for one in given[1:]),
    )


async def credentials(app: Litestar, person: Person) -> dict[str, str]:
    """Return the headers that a person or a machine comes with; a person signs in for them."""
    if person.key:
        return {"authorization": f"Bearer {person.key}"}
    if not person.email:
        return {}
    body = json.dumps({"email": person.email, "password": PASSWORD}).encode()
    answer = await call(app, "POST", "/api/v1/sign-in", body=body, kind="application/json")
    assert answer.status == 200, answer.body
    return {"cookie": answer.headers["set-cookie"].partition(";")[0]}


class _Reading(HTMLParser):
    """Reads the links and forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[tuple[str, dict[str, list[str]]]] = []
        self._choice = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(told.get("href", ""))
        if tag == "form":
            self.forms.append((told.get("action", ""), {}))
        if tag in {"input", "textarea", "button", "select"} and self.forms and told.get("name"):
            self.forms[-1][1].setdefault(told["name"], []).append(told.get("value", ""))
            self._choice = told["name"]
        if tag == "option" and self.forms and self._choice and told.get("value"):
            self.forms[-1][1][self._choice] = [told["value"]]


@dataclass
class Walk:
    """Everybody at every door: what was seen, what was reached, what failed."""

    app: Litestar
    canaries: Canaries
    sightings: set[Sighting] = field(default_factory=set)
    reached: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    answers: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    links: set[str] = field(default_factory=set)
    forms: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    restore: Callable[[], Awaitable[object]] = lambda: asyncio.sleep(0)
    """Gives people back what earlier calls took from them, so that they can sign in again."""
    heads: dict[str, dict[str, str]] = field(default_factory=dict)
    pages: Counter[str] = field(default_factory=Counter)
    calls: int = 0

    async def comes(self, person: Person) -> None:
        """Let somebody sign in, where they do."""
        self.heads[person.name] = await credentials(self.app, person)

    async def ask(self, door: Door, address: str, person: Person, *, body: bytes = b"", kind: str = "") -> Answer:
        """Send one request, and note what is in the answer; who was signed out by an earlier one signs in again."""
        headers = {"idempotency-key": str(uuid4())} if door.method != "GET" else {}
        answer = await call(
            self.app, door.method, address, headers=headers | self.heads[person.name], body=body, kind=kind
        )
        is_away = answer.headers.get("location", "").startswith(("/sign-in", "/me/proof"))
        if person.email and (answer.status == 401 or is_away):
            await self.restore()
            await self.comes(person)
            answer = await call(
                self.app, door.method, address, headers=headers | self.heads[person.name], body=body, kind=kind
            )
            is_away = answer.headers.get("location", "").startswith(("/sign-in", "/me/proof"))
        self.calls += 1
        text = answer.text
        self.sightings |= {Sighting(person.name, str(door), one) for one in seen_in(text, self.canaries)}
        if answer.status >= 500 and answer.code != "source_not_connected":
            self.failed.add(f"{door} answered {answer.status} to {person.name} at {address}")
        if not is_away and (answer.code not in TURNED_AWAY if answer.code else answer.status not in NOT_REACHED):
            self.reached.add(str(door))
        self.answers[str(door)].add(f"{answer.status} {answer.code} {person.name}")
        if answer.is_page and answer.status == 200 and self.pages[str(door)] < MOST_PAGES:
            self.pages[str(door)] += 1
            self._read(text)
        return answer

    def _read(self, text: str) -> None:
        reading = _Reading()
        reading.feed(text)
        self.links |= {one for one in reading.links if one.startswith("/") and "?" in one}
        for action, fields in reading.forms:
            self.forms.setdefault(urlsplit(action).path, fields)
