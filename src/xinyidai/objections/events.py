"""What happens to disputed facts and repaired records, for the rooms above."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ObjectionUpheld:
    """A disputed fact was wrong; a correction came, or had come before."""

    objection_id: str
    firm_id: str
    kind: str

    @property
    def aggregate(self) -> str:
        """Return the firm."""
        return f"firm:{self.firm_id}"


@dataclass(frozen=True)
class RecordRepaired:
    """A record against a firm was let go by two people."""

    repair_id: str
    firm_id: str
    kind: str

    @property
    def aggregate(self) -> str:
        """Return the firm."""
        return f"firm:{self.firm_id}"
