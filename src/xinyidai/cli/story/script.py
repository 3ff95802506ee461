"""What a story is given: firms, an invoice file, outcomes, and the terms of lending. Made by a case."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from ml.allocation import ChurnTable, LendingTerms
from xinyidai.access.rules import OrganisationKind


@dataclass(frozen=True)
class FirmEntry:
    """A firm as the registry would have it; `label` is what the input calls it."""

    label: str
    name: str
    kind: OrganisationKind
    credit_code: str
    region_code: str | None
    industry_code: str | None
    established_on: date | None
    staff: int | None


@dataclass(frozen=True)
class Script:
    """The input of a story."""

    title: str
    firms: tuple[FirmEntry, ...]
    invoice_file: Path
    outcomes: Mapping[str, tuple[bool, date]]
    """Whether the firm defaulted on an earlier loan, and when that was observed, by label."""
    trained_as_of: datetime
    starts_at: datetime
    churn: ChurnTable
    terms: LendingTerms
    demanded_fen: int
    seed: int
    notes: tuple[str, ...]

    @property
    def applicants(self) -> tuple[FirmEntry, ...]:
        """Return the firms without an earlier loan: those that ask for one."""
        return tuple(firm for firm in self.firms if firm.label not in self.outcomes)
