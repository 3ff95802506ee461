"""What there is of a firm, item by item, and where there is nothing, why: nothing known is never zero. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from xinyidai.consents.rules.terms import Term


class WhyNot(StrEnum):
    """Why nothing is there to be read of an item."""

    NOT_ASKED = "not_asked"
    REFUSED = "refused"
    TAKEN_BACK = "taken_back"
    EXPIRED = "expired"
    PURGED = "purged"
    NOT_CONNECTED = "not_connected"
    SILENT = "silent"
    NOTHING_THERE = "nothing_there"


@dataclass(frozen=True)
class Delivered:
    """What was delivered of an item and may be read: current facts, and the first and last period they speak of."""

    facts: int
    covers_from: str
    covers_to: str


@dataclass(frozen=True)
class Asking:
    """Everything that an item's coverage hangs on, for one receiver.

    `terms` are the consents for this receiver; an open item needs none. `taken_back_at` is when the subject itself
    ended one of them. `is_connected` says that somebody ever delivered the item here, `is_silent` that the last asking
    of its source ended without an answer or still waits for one, `purged` how many facts were lawfully deleted.
    """

    item_code: str
    is_asked: bool
    is_open: bool
    terms: tuple[Term, ...]
    taken_back_at: datetime | None
    delivered: Delivered | None
    is_connected: bool
    is_silent: bool
    purged: int


@dataclass(frozen=True)
class Coverage:
    """One item: whether it was asked and granted, what was delivered, and why not where nothing is there.

    `is_stale` says that what is there is from before: its source was asked for newer facts since and has not answered.
    """

    item_code: str
    is_asked: bool
    is_granted: bool
    delivered: Delivered | None
    why_not: WhyNot | None
    is_stale: bool


def coverage(asking: Asking, *, at: datetime) -> Coverage:
    """Say what there is of an item for a receiver at a moment; `delivered` is None wherever nothing may be read."""
    is_granted = asking.is_open or any(term.is_in_force(at) for term in asking.terms)
    delivered = asking.delivered if is_granted else None
    why_not = None
    if delivered is None:
        why_not = _why_nothing_there(asking) if is_granted else _why_not_granted(asking, at=at)
    is_stale = delivered is not None and asking.is_silent
    return Coverage(asking.item_code, asking.is_asked, is_granted, delivered, why_not, is_stale)


def coverages(askings: Sequence[Asking], *, at: datetime) -> list[Coverage]:
    """Answer several items: those asked for first, then by code."""
    found = [coverage(one, at=at) for one in askings]
    return sorted(found, key=lambda one: (not one.is_asked, not one.is_granted, one.item_code))


def _why_not_granted(asking: Asking, *, at: datetime) -> WhyNot:
    ended = [term.ended_at for term in asking.terms if term.ended_at <= at]
    if ended:
        return WhyNot.TAKEN_BACK if asking.taken_back_at == max(ended) else WhyNot.EXPIRED
    return WhyNot.REFUSED if asking.is_asked else WhyNot.NOT_ASKED


def _why_nothing_there(asking: Asking) -> WhyNot:
    if asking.purged:
        return WhyNot.PURGED
    if asking.is_silent:
        return WhyNot.SILENT
    return WhyNot.NOTHING_THERE if asking.is_connected else WhyNot.NOT_CONNECTED
