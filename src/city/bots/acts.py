"""An act: one call to the platform, named so that the same act is the same for ever."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Act:
    """What an actor does: `name` and `natural` make the idempotency key, `by_checker` says which of its two keys."""

    name: str
    method: str
    path: str
    body: object
    natural: tuple[str, ...]
    by_checker: bool = False
    rings: tuple[str, ...] = ()
    """Credit codes of whom it concerns: they look at once instead of at their next round."""
