"""The simulated time that everybody follows: one line through a wall moment and a business moment."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

DAY_A_MINUTE = 1440.0
"""Business seconds a wall second at speed x1: a business day a wall minute."""
MOST_RATE = 864_000.0
LIVE_AGE_MS = 500


class Mode(StrEnum):
    """Live: time flows and everybody acts by himself. Lock-step: time stands and a driver moves it."""

    LIVE = "live"
    LOCKSTEP = "lockstep"


class ClockRefused(ValueError):
    """The clock cannot be moved like that; the argument says why."""


@dataclass(frozen=True)
class Line:
    """Business time as a function of wall time.

    `resume_rate` is what a pause interrupted (0 where nothing is paused); `waits_for` names who the time waits for.
    """

    wall_anchor: datetime
    business_anchor: datetime
    rate: float
    mode: Mode
    resume_rate: float
    waits_for: str | None

    def at(self, wall: datetime) -> datetime:
        """Return the business time at a wall moment; before the anchor time stands."""
        passed = max(timedelta(0), wall - self.wall_anchor)
        return self.business_anchor + passed * self.rate

    @property
    def is_paused(self) -> bool:
        """Say whether time was stopped by somebody. In lock-step it stands still by nature."""
        return self.mode is Mode.LIVE and self.rate == 0

    def paused(self, wall: datetime, *, waits_for: str | None = None) -> "Line":
        """Stop the time; stopping what stands keeps the speed to go on with."""
        keep = self.rate or self.resume_rate
        return replace(self._from(wall), rate=0.0, resume_rate=keep, waits_for=waits_for)

    def running(self, wall: datetime, *, rate: float | None = None) -> "Line":
        """Let the time flow again, at a new speed where one is given.

        Raises
        ------
        ClockRefused
            In lock-step, or the rate is out of bounds.
        """
        if self.mode is not Mode.LIVE:
            raise ClockRefused("time flows in live mode only")
        wanted = rate if rate is not None else self.rate or self.resume_rate or DAY_A_MINUTE
        if not 0 < wanted <= MOST_RATE:
            raise ClockRefused(f"the rate must lie above 0 and at most {MOST_RATE:.0f}")
        return replace(self._from(wall), rate=wanted, resume_rate=0.0, waits_for=None)

    def at_speed(self, wall: datetime, rate: float) -> "Line":
        """Change the speed; a stopped time stays stopped and goes on at the new speed later.

        Raises
        ------
        ClockRefused
        """
        if not self.is_paused:
            return self.running(wall, rate=rate)
        if not 0 < rate <= MOST_RATE:
            raise ClockRefused(f"the rate must lie above 0 and at most {MOST_RATE:.0f}")
        return replace(self, resume_rate=rate)

    def moved_to(self, wall: datetime, business: datetime) -> "Line":
        """Go forward to a business moment.

        Raises
        ------
        ClockRefused
            It lies behind: time never goes back.
        """
        if business < self.at(wall):
            raise ClockRefused("business time never goes back")
        return replace(self, wall_anchor=wall, business_anchor=business)

    def _from(self, wall: datetime) -> "Line":
        return replace(self, wall_anchor=max(wall, self.wall_anchor), business_anchor=self.at(wall))


def a_new_line(wall: datetime, business: datetime, mode: Mode) -> Line:
    """Return the line of a city that begins: standing, until somebody lets it run."""
    return Line(wall, business, 0.0, mode, DAY_A_MINUTE if mode is Mode.LIVE else 0.0, None)
