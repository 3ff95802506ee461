"""What happens to deliveries."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class DeliveryLoaded:
    """A delivery was taken in; its facts wait to be sealed."""

    delivery_id: UUID
    delivery_no: int

    @property
    def aggregate(self) -> str:
        """Return the delivery."""
        return f"delivery:{self.delivery_id}"


@dataclass(frozen=True)
class FactsPurged:
    """Facts of a firm that nothing let the platform keep are gone, but for tombstones; `record_id` is the audit row."""

    firm_id: UUID
    item_codes: tuple[str, ...]
    facts: int
    record_id: UUID

    @property
    def aggregate(self) -> str:
        """Return the firm: its grants, revocations and purges come in order."""
        return f"subject:{self.firm_id}"


@dataclass(frozen=True)
class PurgeGoesOn:
    """A batch of the purge ended at one of its bounds; the next is to look at the firms `after` this one.

    Empty where the next begins where this one did.
    """

    after: str

    @property
    def aggregate(self) -> str:
        """Return the purge: there is one."""
        return "purge"


@dataclass(frozen=True)
class PullAsked:
    """A firm let the platform fetch its facts; an outside system, `source`, is to be asked."""

    pull_id: UUID
    firm_id: UUID
    source: str

    @property
    def aggregate(self) -> str:
        """Return the pull."""
        return f"pull:{self.pull_id}"


@dataclass(frozen=True)
class PullEnded:
    """A pull is over; `state` says how."""

    pull_id: UUID
    firm_id: UUID
    state: str

    @property
    def aggregate(self) -> str:
        """Return the pull."""
        return f"pull:{self.pull_id}"


@dataclass(frozen=True)
class AnswerDue:
    """An answer that a pull waits for is there, or should be; it is to be fetched."""

    pull_id: UUID
    firm_id: UUID
    source: str

    @property
    def aggregate(self) -> str:
        """Return the pull."""
        return f"pull:{self.pull_id}"


@dataclass(frozen=True)
class DayFilesDue:
    """A day has begun on which a list is to be sent and daily files are to be fetched."""

    day: str

    @property
    def aggregate(self) -> str:
        """Return the office."""
        return "office:benefits"
