"""Simulated time as a city serves it over HTTP, followed in a sandbox and told when to pause, run and skip.

The city answers ``GET /clock`` with one line: at `wall_anchor` it was `business_anchor`, and time runs `rate` business
seconds a wall second. A process keeps the line and reckons the time itself until the line is `max_age_ms` old.
"""

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import structlog

from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.errors import Refusal, ValueRefused

log = structlog.get_logger()

READ_SECONDS: Final = 0.3
"""The longest that a reading may take: the city is on the same machine, and the caller may be an event loop."""
LOCKSTEP_TRIES: Final = 10
"""In lock-step a line of yesterday is a wrong day, so a silent city is asked again; in life time flows on anyway."""
TELL_SECONDS: Final = 5.0
SPEED_ONE: Final = 1440.0
"""Business seconds a wall second at speed x1: a business day a wall minute."""
_BROKEN = (OSError, http.client.HTTPException, ValueError, KeyError, TypeError)


class ClockUnknown(Refusal):
    """The process follows the city's clock and has not heard it yet."""

    code = "clock_unknown"
    status = 503
    title_zh = "模拟城市的时钟尚未就绪，请稍后重试"
    title_en = "The simulated city's clock does not answer yet; try again shortly"


class ClockDoesNotObey(Refusal):
    """The city refused the act, or is away."""

    code = "clock_does_not_obey"
    status = 503
    title_zh = "模拟城市的时钟没有响应该操作：{why}"
    title_en = "The simulated city's clock did not do that: {why}"


class ClockAct(StrEnum):
    """What the clock can be told."""

    PAUSE = "pause"
    RUN = "run"
    SPEED = "speed"
    SKIP_MONTH = "skip_month"
    SET = "set"


@dataclass(frozen=True)
class ClockLine:
    """What the city last said of its time."""

    wall_anchor: datetime
    business_anchor: datetime
    rate: float
    max_age_ms: int
    mode: str
    is_paused: bool
    waits_for: str | None

    def at(self, wall_at: datetime) -> datetime:
        """Return the business time at a wall time."""
        return self.business_anchor + (wall_at - self.wall_anchor) * self.rate


def read_line(answer: Mapping[str, object]) -> ClockLine:
    """Return the line in an answer of the city.

    Raises
    ------
    KeyError, TypeError, ValueError
        It is not one.
    """
    rate, max_age_ms = answer["rate"], answer["max_age_ms"]
    if not isinstance(rate, int | float) or not isinstance(max_age_ms, int) or rate < 0 or max_age_ms < 0:
        raise TypeError("rate or max_age_ms")
    anchors = [datetime.fromisoformat(str(answer[name])) for name in ("wall_anchor", "business_anchor")]
    if any(anchor.tzinfo is None for anchor in anchors):
        raise ValueError("an anchor without a time zone")
    waits_for = answer.get("waits_for")
    return ClockLine(
        wall_anchor=anchors[0],
        business_anchor=anchors[1],
        rate=float(rate),
        max_age_ms=max_age_ms,
        mode=str(answer["mode"]),
        is_paused=bool(answer["is_paused"]),
        waits_for=None if waits_for is None else str(waits_for),
    )


class CityClock:
    """A business clock that follows a city's; it never goes backwards within a process.

    A line of age 0 (lock-step) is read at every asking, about 1 ms on the loopback; with a `stamp`, the city's file
    that grows with every change of its clock, only when that has grown. Any other line is read anew by a thread when it
    is too old, while the caller goes on with the old one; so is a city that is away.
    """

    def __init__(self, url: str, *, stamp: Path | None = None) -> None:
        self._stamp = stamp
        self._stamp_read: int | None = None
        self._address = urlsplit(url).netloc
        self._connection: http.client.HTTPConnection | None = None
        self._reading = threading.Lock()
        self._line: ClockLine | None = None
        self._read_at = 0.0
        self._latest: datetime | None = None
        self._is_away = False

    def now(self) -> datetime:
        """Return the simulated time.

        Raises
        ------
        ClockUnknown
            The city has not answered this process yet.
        """
        line = self._line
        if line is None or (line.max_age_ms == 0 and self._has_changed()):
            for _try in range(1 if line is None else LOCKSTEP_TRIES):
                if self._refresh():
                    break
        elif self._is_too_old(line) and not self._reading.locked():
            threading.Thread(target=self._refresh, name="city clock", daemon=True).start()
        line = self._line
        if line is None:
            raise ClockUnknown
        told = line.at(wall_now())
        if self._latest is None or told > self._latest:
            self._latest = told
        return self._latest

    @property
    def line(self) -> ClockLine | None:
        """Return what the city last said of its time; None before it said anything."""
        return self._line

    @property
    def is_away(self) -> bool:
        """Say whether the city did not answer when it was last asked."""
        return self._is_away

    def follow(self, line: ClockLine) -> None:
        """Take a line that the city just answered, so that nobody sees the one before it."""
        with self._reading:
            self._line, self._read_at, self._is_away = line, time.monotonic(), False

    def close(self) -> None:
        """Let the connection go; the next asking opens another."""
        with self._reading:
            self._forget_connection()

    def _has_changed(self) -> bool:
        """Say whether a line that may not be kept may have changed since it was read: always, without a stamp."""
        return self._stamp_read is None or self._stamp_size() != self._stamp_read

    def _is_too_old(self, line: ClockLine) -> bool:
        return 0 < line.max_age_ms <= (time.monotonic() - self._read_at) * 1000

    def _stamp_size(self) -> int | None:
        try:
            return None if self._stamp is None else self._stamp.stat().st_size
        except OSError:
            return None

    def _refresh(self) -> bool:
        """Read the line and return True; keep the last one when the city does not answer, and say so once."""
        with self._reading:
            try:
                # Before the line: a change in between makes the next asking read once more, never once too few.
                stamp = self._stamp_size()
                line = self._read()
            except _BROKEN as error:
                self._forget_connection()
                self._read_at = time.monotonic()
                if not self._is_away:
                    log.warning("city_clock_away", error=type(error).__name__)
                self._is_away = True
                return False
            if self._is_away:
                log.warning("city_clock_back")
            self._is_away = False
            self._line, self._read_at, self._stamp_read = line, time.monotonic(), stamp
            return True

    def _read(self) -> ClockLine:
        try:
            return self._read_once()
        except (http.client.RemoteDisconnected, ConnectionError):
            # A connection that was kept may have been closed at the other end in the meantime: once more, on a new one.
            self._forget_connection()
            return self._read_once()

    def _read_once(self) -> ClockLine:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._address, timeout=READ_SECONDS)
        self._connection.request("GET", "/clock")
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise ValueError(answer.status)
        return read_line(json.loads(body))

    def _forget_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


@dataclass(frozen=True)
class CityControl:
    """The clock's buttons, for whoever holds the control token."""

    url: str
    token: str

    async def state(self) -> ClockLine:
        """Return what the clock says of itself.

        Raises
        ------
        ClockDoesNotObey
            The city is away.
        """
        text = await asyncio.to_thread(self._ask, "GET", None)
        try:
            return read_line(json.loads(text))
        except _BROKEN as error:
            raise ClockDoesNotObey(why=type(error).__name__) from error

    async def tell(self, act: ClockAct, *, rate: float | None = None, business_at: datetime | None = None) -> ClockLine:
        """Tell the clock to do something, and return what it says of itself afterwards.

        Raises
        ------
        ClockDoesNotObey
            The city refused or is away.
        ValueRefused
            A speed without a rate, or a time to set without the time.
        """
        if (act is ClockAct.SPEED) != (rate is not None):
            raise ValueRefused(field="rate", why="with speed, and only with it")
        if (act is ClockAct.SET) != (business_at is not None):
            raise ValueRefused(field="business_at", why="with set, and only with it")
        body: dict[str, str | float] = {"act": act.value}
        if rate is not None:
            body["rate"] = rate
        if business_at is not None:
            body["business_at"] = business_at.isoformat()
        await asyncio.to_thread(self._ask, "POST", body)
        return await self.state()

    def _ask(self, method: str, body: Mapping[str, str | float] | None) -> bytes:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=TELL_SECONDS)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            connection.request(method, "/clock", None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= 300:
                raise ClockDoesNotObey(why=f"HTTP {answer.status}")
            return text
        except (OSError, http.client.HTTPException) as error:
            raise ClockDoesNotObey(why=type(error).__name__) from error
        finally:
            connection.close()
