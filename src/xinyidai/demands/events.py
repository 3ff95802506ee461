"""What happens to demands, for the rooms above."""

from dataclasses import dataclass


@dataclass(frozen=True)
class _DemandEvent:
    demand_id: str
    firm_id: str

    @property
    def aggregate(self) -> str:
        """Return the demand."""
        return f"demand:{self.demand_id}"


@dataclass(frozen=True)
class DemandSubmitted(_DemandEvent):
    """A firm put its demand before the lenders."""


@dataclass(frozen=True)
class DemandWithdrawn(_DemandEvent):
    """The firm no longer asks."""


@dataclass(frozen=True)
class DemandExpired(_DemandEvent):
    """The demand ended by time."""
