"""Faults on request: what real offices do wrong, played on purpose, off by default, the same in every run."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import count

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from city.world.draws import uniform

MAGIC = "~"
"""A reference or code that ends with this sign and a kind plays that fault in its call, and is read without it."""
PLAYED = "fault"
"""Where the middleware finds what to do with an answer."""
HANG_SECONDS = 30.0
STALE_DAYS = 92
SKEW = timedelta(minutes=20)
MOST_SECONDS = 3_600
MOST_FAULTS = 100


class Kind(StrEnum):
    """What goes wrong."""

    TIME_OUT = "time_out"
    TOO_MANY = "429"
    BROKEN = "500"
    DROPPED_CONNECTION = "dropped_connection"
    TRUNCATED_BODY = "truncated_body"
    SCHEMA_DRIFT = "schema_drift"
    WRONG_UNIT = "wrong_unit"
    STALE = "stale"
    DUPLICATE_PAGE = "duplicate_page"
    CLOCK_SKEW = "clock_skew"
    WRONG_SIGNATURE = "wrong_signature"
    CALLBACK_FORGED = "callback_forged"
    CALLBACK_REPEATED = "callback_repeated"
    CALLBACK_LATE = "callback_late"
    FILE_CUT = "file_cut"
    FILE_OTHER_FIRM = "file_other_firm"
    FILE_REPEATED = "file_repeated"


OF_THE_WIRE = frozenset({Kind.TIME_OUT, Kind.TOO_MANY, Kind.BROKEN, Kind.DROPPED_CONNECTION, Kind.TRUNCATED_BODY})
_CONTENT = frozenset({Kind.SCHEMA_DRIFT, Kind.WRONG_UNIT, Kind.STALE})
_SIGNED = frozenset({Kind.CLOCK_SKEW, Kind.WRONG_SIGNATURE})
_CALLS = frozenset({Kind.CALLBACK_FORGED, Kind.CALLBACK_REPEATED, Kind.CALLBACK_LATE})
_FILES = frozenset({Kind.FILE_CUT, Kind.FILE_OTHER_FIRM, Kind.FILE_REPEATED})
KINDS: Mapping[str, frozenset[Kind]] = {
    "tax": OF_THE_WIRE | _CONTENT | {Kind.DUPLICATE_PAGE},
    "utilities": OF_THE_WIRE | _CONTENT | _SIGNED | {Kind.DUPLICATE_PAGE},
    "benefits": OF_THE_WIRE | _CONTENT | _FILES | _SIGNED,
    "courts": OF_THE_WIRE | _CONTENT | _CALLS | _SIGNED,
    "customs": OF_THE_WIRE | _CONTENT | {Kind.CLOCK_SKEW},
}
"""Which provider can do what wrong."""


@dataclass(frozen=True)
class Fault:
    """A fault that is asked for: how often, until when, and of which firms (none named: of all)."""

    provider: str
    kind: Kind
    probability: float
    seed: int
    ends_at: datetime
    credit_codes: frozenset[str] = frozenset()


class Faults:
    """The faults that are asked for. In memory: a restart ends them all, which is what one wants then."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, Kind], Fault] = {}
        self._numbers: dict[str, count[int]] = {}

    def ask(self, fault: Fault) -> None:
        """Play a fault from now on, in place of one of the same kind; the provider's requests are counted anew."""
        self._asked[fault.provider, fault.kind] = fault
        self._numbers[fault.provider] = count(1)

    def live(self, wall: datetime) -> list[Fault]:
        """Return the faults that are played at a wall moment; those that are over are forgotten."""
        self._asked = {key: one for key, one in self._asked.items() if wall < one.ends_at}
        return list(self._asked.values())

    def draw(
        self,
        provider: str,
        wall: datetime,
        *,
        credit_code: str,
        of: Collection[Kind] | None = None,
        number: int | None = None,
    ) -> Kind | None:
        """Return what goes wrong with a request, None for nothing.

        It is drawn from the fault's seed, the provider and the number of the request since the fault was asked for;
        `number` in place of it draws the same for all requests that belong together. `of` leaves out other kinds.
        """
        if not self._asked:
            return None
        asked = [one for one in self.live(wall) if one.provider == provider and (of is None or one.kind in of)]
        if not asked:
            return None
        drawn = next(self._numbers[provider]) if number is None else number
        for one in asked:
            is_hit = not one.credit_codes or credit_code in one.credit_codes
            if is_hit and uniform(one.seed, "fault", provider, one.kind, str(drawn)) < one.probability:
                return one.kind
        return None


def without_magic(provider: str, presented: str) -> tuple[str, Kind | None]:
    """Return a reference or code without its magic suffix, and the fault that the suffix asks for."""
    plain, sign, asked = presented.rpartition(MAGIC)
    kind = next((one for one in KINDS[provider] if one == asked), None)
    return (plain, kind) if sign and kind is not None else (presented, None)


def skewed(moment: datetime, kind: Kind | None) -> datetime:
    """Return what an office's clock says: with its fault, twenty minutes less."""
    return moment - SKEW if kind is Kind.CLOCK_SKEW else moment


class Mangling:
    """The middleware that plays what is wrong with the wire rather than with an answer."""

    def __init__(self, app: ASGIApp, hang_seconds: float = HANG_SECONDS) -> None:
        self._app = app
        self._hang_seconds = hang_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, but where it asks for something else."""
        held: list[Message] = []

        async def keep_or_send(message: Message) -> None:
            if scope["state"].get(PLAYED) is None:
                await send(message)
            else:
                held.append(message)

        await self._app(scope, receive, keep_or_send)
        if held:
            await _send_mangled(held, scope["state"][PLAYED], send, self._hang_seconds)


async def _send_mangled(held: list[Message], kind: Kind, send: Send, hang_seconds: float) -> None:
    body = b"".join(one["body"] for one in held if one["type"] == "http.response.body")
    start = held[0]
    assert start["type"] == "http.response.start"
    if kind is Kind.TIME_OUT:
        await asyncio.sleep(hang_seconds)
    half = body[: len(body) // 2]
    if kind is Kind.TRUNCATED_BODY:
        kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        start["headers"] = [*kept, (b"content-length", str(len(half)).encode())]
    await send(start)
    is_dropped = kind is Kind.DROPPED_CONNECTION
    is_short = is_dropped or kind is Kind.TRUNCATED_BODY
    # Half of what the header promised, and no end of it: the server then closes the connection.
    await send({"type": "http.response.body", "body": half if is_short else body, "more_body": is_dropped})
