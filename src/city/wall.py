"""The one place where the city reads a clock."""

from datetime import UTC, datetime


def wall_now() -> datetime:
    """Return the wall time in UTC."""
    return datetime.now(UTC)
