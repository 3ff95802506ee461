"""From when to when a subject allowed an item, and how long what is read under it may be kept. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID


@dataclass(frozen=True)
class ReceiverTerms:
    """What a subject allowed one receiver of an item, and when it last took any of it back."""

    terms: tuple["Term", ...]
    taken_back_at: datetime | None


@dataclass(frozen=True)
class Term:
    """One consent, for one item: in force from `granted_at` until before `ended_at`, whatever ended it.

    `life_days` is the consent's own word on how long what is read under it may be kept, or that of its policy.
    """

    consent_id: UUID
    names_platform: bool
    granted_at: datetime
    ended_at: datetime
    life_days: int

    def is_in_force(self, at: datetime) -> bool:
        """Say whether the item may be read under it, as far as the subject's word goes."""
        return self.granted_at <= at < self.ended_at

    def keeps_until(self, learned_at: datetime) -> datetime | None:
        """Return until when the platform may keep what it learned then; None where it holds nothing under this consent.

        Life is counted from the consent's end, whatever ended it: up to then it may be read, and what is read last may
        be kept for as many days.
        """
        if not self.names_platform or learned_at >= self.ended_at:
            return None
        return self.ended_at + timedelta(days=self.life_days)
