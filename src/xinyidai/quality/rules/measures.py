"""The named measures: what a condition may ask beside its own row, and what must be read to answer.

A measure is written as a call, ``previous(used_kwh)``, and becomes a column of its own name before the condition is
judged. This file says which there are; `weighing` computes them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from xinyidai.quality.rules import Scope
from xinyidai.quality.rules.columns import ValueKind


class Measure(StrEnum):
    """What can be asked.

    Of the firm's other rows of the item: the month or year before, the median of all (of six or more), and how many
    of the firms read bear the same word. Of another item: the sum of the same month, of the whole year (of monthly
    items only where all twelve months are there), and the year's December. Of a delivery: mean, share of zeros, share
    missing, rows, the median of the same in the sender's deliveries before (of three or more), and how many days the
    sender's newest row lies back.
    """

    PREVIOUS = "previous"
    USUAL = "usual"
    FIRMS_WITH = "firms_with"
    SAME_MONTH = "same_month"
    SAME_YEAR = "same_year"
    LAST_IN_YEAR = "last_in_year"
    MEAN = "mean"
    ZEROS = "zeros"
    BLANKS = "blanks"
    ROWS = "rows"
    USUAL_MEAN = "usual_mean"
    USUAL_ZEROS = "usual_zeros"
    USUAL_BLANKS = "usual_blanks"
    USUAL_ROWS = "usual_rows"
    SILENT_DAYS = "silent_days"


OF_OTHER_ITEM: Final = frozenset({Measure.SAME_MONTH, Measure.SAME_YEAR, Measure.LAST_IN_YEAR})
OF_BATCH: Final = frozenset(
    {
        Measure.MEAN,
        Measure.ZEROS,
        Measure.BLANKS,
        Measure.ROWS,
        Measure.USUAL_MEAN,
        Measure.USUAL_ZEROS,
        Measure.USUAL_BLANKS,
        Measure.USUAL_ROWS,
        Measure.SILENT_DAYS,
    }
)
WITHOUT_COLUMN: Final = frozenset({Measure.ROWS, Measure.USUAL_ROWS, Measure.SILENT_DAYS})
OF_ANY_COLUMN: Final = frozenset({Measure.FIRMS_WITH, Measure.BLANKS, Measure.USUAL_BLANKS})
"""All others are of numbers."""


@dataclass(frozen=True)
class Asked:
    """One measure as a condition asks for it; `text` is the name of its column.

    `only` keeps rows of the other item whose column has that word: ``same_month(tax_filing.paid_fen, tax_kind='vat')``.
    """

    text: str
    measure: Measure
    item_code: str
    column: str | None
    only: tuple[tuple[str, str], ...] = ()
    kind: ValueKind = ValueKind.NUMBER

    @property
    def scope(self) -> Scope:
        """Return what must be read for it."""
        return Scope.BATCH if self.measure in OF_BATCH else Scope.FIRM
