"""The city's way to the platform: its public API and nothing else, with keys, bounded retries and patience."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

from city.wire import Connections, Reply, Wire, WireSilent
from city.world.draws import uniform

TRIES = 5
FIRST_WAIT_SECONDS = 0.2
MOST_WAIT_SECONDS = 5.0
AGAIN = frozenset({429, 502, 503, 504})
BUSY = frozenset({"twin_in_flight", "busy", "ledger_busy"})
PAGE = 100
MOST_PAGES = 50


class PlatformAway(Exception):
    """The platform does not answer, or asks for patience for longer than one act may wait."""


@dataclass(frozen=True)
class Answer:
    """What the platform said: the status, the body, and the refusal's code where it refused."""

    status: int
    body: Mapping[str, object]

    @property
    def is_ok(self) -> bool:
        """Say whether it did what was asked."""
        return self.status < 400

    @property
    def code(self) -> str:
        """Return the refusal's stable code, empty where there is none."""
        return "" if self.is_ok else str(self.body.get("code", ""))

    def text(self, field: str) -> str:
        """Return a field as text, empty where it is missing or null."""
        found = self.body.get(field)
        return "" if found is None else str(found)

    def rows(self, field: str) -> list[dict[str, object]]:
        """Return a field that is a list of objects."""
        found = self.body.get(field)
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


class Platform:
    """One way for all the city's actors; `wire` in place of HTTP connections to the platform's addresses."""

    def __init__(self, urls: Sequence[str], *, seed: int, wire: Wire | None = None) -> None:
        self._seed = seed
        self._waited = 0
        self._wire = Connections(urls) if wire is None else wire
        self._is_closed = False

    async def __aenter__(self) -> "Platform":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_closed = True
        await self._wire.close()

    async def call(
        self,
        key: str,
        method: str,
        path: str,
        body: object = None,
        *,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Call as the owner of a key; try again where that is safe and may help.

        Raises
        ------
        PlatformAway
            After TRIES tries, or when asked to wait longer than MOST_WAIT_SECONDS.
        """
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            headers["Content-Type"] = "application/json"
        for number in range(TRIES):
            if self._is_closed:
                # The keys were read again: whoever is still in the middle of an act begins anew with the new ones.
                raise PlatformAway
            try:
                answer = await self._wire.send(method, path, headers, content)
            except WireSilent:
                await self._wait(number, None)
                continue
            said = Answer(answer.status, _body_of(answer))
            if answer.status not in AGAIN and said.code not in BUSY:
                return said
            await self._wait(number, answer.retry_after)
        raise PlatformAway

    async def pages(self, key: str, path: str, field: str) -> list[dict[str, object]]:
        """Return all rows of a list, page by page; empty where the list is refused.

        Raises
        ------
        PlatformAway
        """
        rows: list[dict[str, object]] = []
        joined, cursor = "&" if "?" in path else "?", ""
        for _ in range(MOST_PAGES):
            answer = await self.call(key, "GET", f"{path}{joined}limit={PAGE}{cursor}")
            rows += answer.rows(field)
            following = answer.text("next_cursor")
            if not following:
                return rows
            cursor = f"&cursor={following}"
        return rows

    async def _wait(self, number: int, asked: str | None) -> None:
        if number == TRIES - 1:
            raise PlatformAway
        self._waited += 1
        # Half to all of the wait, drawn: so many actors do not come back in one moment.
        part = 0.5 + 0.5 * uniform(self._seed, "wait", str(self._waited))
        seconds = FIRST_WAIT_SECONDS * 2**number * part
        if asked is not None and asked.isdigit():
            if int(asked) > MOST_WAIT_SECONDS:
                raise PlatformAway
            seconds = max(seconds, float(asked))
        await asyncio.sleep(min(seconds, MOST_WAIT_SECONDS))


def _body_of(answer: Reply) -> Mapping[str, object]:
    try:
        found = json.loads(answer.content) if answer.content else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
