"""What may be kept, why and until when; what may not, goes (数据保存期限; 个人信息保护法 articles 19 and 47). Pure.

The database's `sources.past_keeping` finds firms by the same rule; a property holds the two together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from xinyidai.consents.rules.terms import Term


class PurgeReason(StrEnum):
    """Why facts went: nothing let the platform keep them any longer, or their firm asked and nothing held them."""

    LIFE_OVER = "life_over"
    ASKED = "asked"


class KeptFor(StrEnum):
    """Why something stays."""

    CONSENT = "consent"
    DATA_LIFE = "data_life"
    PUBLIC = "public"
    LOAN = "loan"
    DISPUTE = "dispute"


@dataclass(frozen=True)
class Hold:
    """Something above that lawfully needs a firm's facts: a running loan, an open dispute.

    Of every item, those learned by `known_at`; or one line of one delivery of an item.
    """

    firm_id: UUID
    reason: KeptFor
    object_id: UUID
    known_at: datetime | None = None
    item_code: str | None = None
    line: tuple[int, int] | None = None

    def covers(self, held: "Held") -> bool:
        """Say whether it holds everything of a delivery; what holds a line only is told by `spared`."""
        return self.line is None and self.known_at is not None and held.recorded_at <= self.known_at


@dataclass(frozen=True)
class Held:
    """What is held of a firm from one delivery of an item: facts, and rows kept aside. Learned at one moment."""

    item_code: str
    delivery_no: int
    recorded_at: datetime
    facts: int
    aside: int


@dataclass(frozen=True)
class Purged:
    """Facts of a firm from one delivery that were lawfully purged: how many, when, why, and what proves them.

    `proof` is the hash of the seal in which the facts' leaves stand.
    """

    item_code: str
    delivery_no: int
    facts: int
    recorded_at: datetime
    purged_at: datetime
    reason: PurgeReason
    proof: bytes


@dataclass(frozen=True)
class ItemTerms:
    """What an item's keeping hangs on: whether it is open, the catalogue's retention, and the firm's consents."""

    is_open: bool
    retention_days: int
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Keeping:
    """Why something stays, and until when; None where nobody can say yet, as of a loan."""

    reason: KeptFor
    until: datetime | None
    object_id: UUID | None = None


def keeping(
    held: Held, told: ItemTerms, holds: Sequence[Hold], *, at: datetime, is_asked: bool = False
) -> Keeping | None:
    """Return why what is held may stay at `at`, or None where it must go.

    A consent in force comes first: what may still be read is never purged. Then, unless its firm asks that it go, the
    data life of the consents it was held under, at most the catalogue's retention; of open items that retention alone,
    also where the firm asks, since nobody's consent put them there. What a loan or dispute holds is held to its end.

    Parameters
    ----------
    is_asked : bool
        Whether the firm asks that it go. Data life is the longest time, and no right to keep against the firm's word.
    """
    in_force = [one for one in told.terms if one.is_in_force(at)]
    if in_force:
        last = max(in_force, key=lambda one: (one.ended_at, one.consent_id))
        return Keeping(KeptFor.CONSENT, last.ended_at, last.consent_id)
    retained_until = held.recorded_at + timedelta(days=told.retention_days)
    if told.is_open:
        if at < retained_until:
            return Keeping(KeptFor.PUBLIC, retained_until)
    elif not is_asked:
        lives = [until for one in told.terms if (until := one.keeps_until(held.recorded_at)) is not None]
        until = min(max(lives, default=at), retained_until)
        if at < until:
            return Keeping(KeptFor.DATA_LIFE, until)
    holding = next((one for one in holds if one.covers(held)), None)
    return None if holding is None else Keeping(holding.reason, None, holding.object_id)


def spared(held: Held, holds: Sequence[Hold]) -> tuple[int, ...]:
    """Return the lines of a delivery that a dispute about them holds although the rest goes."""
    return tuple(
        sorted(
            {
                one.line[1]
                for one in holds
                if one.line is not None and one.item_code == held.item_code and one.line[0] == held.delivery_no
            }
        )
    )
