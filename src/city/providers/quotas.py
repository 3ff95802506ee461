"""How often a client may ask: so many calls in each wall minute."""

import math
from dataclasses import dataclass
from datetime import datetime

WINDOW_SECONDS = 60
CALLS_A_WINDOW = 1_200
MOST_CLIENTS = 1_000


@dataclass(frozen=True)
class Allowance:
    """What is left of a client's calls, and in how many seconds they begin anew."""

    limit: int
    remaining: int
    reset_seconds: int

    @property
    def is_over(self) -> bool:
        """Say whether this call is one too many."""
        return self.remaining < 0

    def headers(self) -> dict[str, str]:
        """Return what is told with every answer."""
        told = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(max(0, self.remaining)),
            "RateLimit-Reset": str(self.reset_seconds),
        }
        return told | ({"Retry-After": str(self.reset_seconds)} if self.is_over else {})


class Quotas:
    """Calls counted by client in memory: a restart forgives, which is harmless."""

    def __init__(self, limit: int = CALLS_A_WINDOW) -> None:
        self._limit = limit
        self._counted: dict[str, tuple[int, int]] = {}

    def take(self, client_id: str, wall: datetime) -> Allowance:
        """Count one call of a client."""
        seconds = wall.timestamp()
        window = int(seconds // WINDOW_SECONDS)
        if len(self._counted) >= MOST_CLIENTS and client_id not in self._counted:
            self._counted.clear()
        begun, count = self._counted.get(client_id, (window, 0))
        count = count + 1 if begun == window else 1
        self._counted[client_id] = (window, count)
        reset = math.ceil((window + 1) * WINDOW_SECONDS - seconds)
        return Allowance(self._limit, self._limit - count, max(1, reset))
