"""The city's clock as it is kept: one line in memory and on disk, so that a restart goes on where it was."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from city.clock import LIVE_AGE_MS, Line, Mode, a_new_line
from city.store import Store

Wall = Callable[[], datetime]
LIVED = "lived"
LIVED_MARGIN = timedelta(seconds=3)
"""Added to the last sign of life, so that the time does not go back behind what somebody may have seen after it."""


class Timekeeper:
    """The line of time; every change is kept before it is told.

    `stamp` is a file that grows by a byte with each change. Who has read the line sees at its size, without asking
    again, that the line still holds.
    """

    def __init__(self, store: Store, *, stamp: Path, mode: Mode, starts_at: datetime, wall: Wall) -> None:
        self._store = store
        self._stamp = stamp
        self._wall = wall
        kept = store.read_line()
        if kept is None or kept.mode is not mode:
            business = starts_at if kept is None else kept.at(wall())
            kept = a_new_line(wall(), business, mode)
            store.keep_line(kept)
        self.line: Line = kept

    def now(self) -> datetime:
        """Return the business time."""
        return self.line.at(self._wall())

    def reread(self) -> None:
        """Follow what another process of the city has done to the line."""
        self.line = self._store.read_line() or self.line

    def note_living(self) -> None:
        """Write down that the city lives at this wall moment."""
        self._store.remember(LIVED, "city", "at", {"wall": self._wall().isoformat()})

    def go_on(self) -> None:
        """Go on from where the city last lived: the wall time since, in which nobody acted, is left out."""
        kept = self._store.remembered(LIVED, "city").get("at")
        if kept is None or self.line.rate == 0:
            return
        wall = self._wall()
        lived_at = datetime.fromisoformat(str(kept["wall"])) + LIVED_MARGIN
        if lived_at < wall:
            self._keep(replace(self.line, wall_anchor=wall, business_anchor=self.line.at(lived_at)))

    def pause(self, *, waits_for: str | None = None) -> None:
        """Stop the time, and say whom it waits for."""
        self._keep(self.line.paused(self._wall(), waits_for=waits_for))

    def run(self, rate: float | None = None) -> None:
        """Let the time flow."""
        self._keep(self.line.running(self._wall(), rate=rate))

    def speed(self, rate: float) -> None:
        """Change the speed."""
        self._keep(self.line.at_speed(self._wall(), rate))

    def move_to(self, business: datetime) -> None:
        """Go forward."""
        self._keep(self.line.moved_to(self._wall(), business))

    def shown(self) -> dict[str, object]:
        """Return the line as everybody reads it."""
        line = self.line
        return {
            "wall_anchor": line.wall_anchor.astimezone(UTC).isoformat(),
            "business_anchor": line.business_anchor.astimezone(UTC).isoformat(),
            "rate": line.rate,
            "max_age_ms": 0 if line.mode is Mode.LOCKSTEP else LIVE_AGE_MS,
            "mode": line.mode.value,
            "is_paused": line.is_paused,
            "waits_for": line.waits_for,
        }

    def _keep(self, line: Line) -> None:
        self._store.keep_line(line)
        self.line = line
        with self._stamp.open("ab") as file:
            file.write(b".")
