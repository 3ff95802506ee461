"""Which indicators may come as derived values, of which item and in which unit. Pure.

The indicators themselves are defined above this room; a test there holds this list and their catalogue together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Derivable:
    """The item that an indicator is computed from, and the unit of its value."""

    item_code: str
    unit: str


_LISTED: Final[Mapping[str, Mapping[str, str]]] = {
    "social_insurance": {
        "count": "insured_headcount",
        "ppm": "insured_trend insured_wage_trend",
        "months": "insurance_months_unbroken insurance_owed_months",
    },
}

DERIVABLE: Final[Mapping[str, Derivable]] = {
    code: Derivable(item_code, unit)
    for item_code, by_unit in _LISTED.items()
    for unit, codes in by_unit.items()
    for code in codes.split()
}
"""By the indicator's code."""
