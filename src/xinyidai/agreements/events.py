"""What happens to lines, for the rooms above."""

from dataclasses import dataclass


@dataclass(frozen=True)
class _LineEvent:
    agreement_id: str
    lender_id: str
    reason: str

    @property
    def aggregate(self) -> str:
        """Return the agreement."""
        return f"agreement:{self.agreement_id}"


@dataclass(frozen=True)
class LineOpened(_LineEvent):
    """A line takes new loans, for the first time or again."""


@dataclass(frozen=True)
class LinePaused(_LineEvent):
    """A line takes no new loans until two people open it again; loans under it stay covered."""
