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
        "ppm": "insured_trend",
        "months": "insurance_months_unbroken insurance_owed_months",
    },
    "housing_fund": {"count": "fund_depositors", "ppm": "fund_to_insured"},
    "electricity": {
        "ppm": "electricity_trend electricity_seasonal_drop",
        "months": "electricity_owed_months electricity_cut_off_months",
    },
    "water": {"ppm": "water_seasonal_drop"},
    "gas": {"ppm": "gas_seasonal_drop"},
    "tax_filing": {"ppm": "declared_sales_trend declared_to_invoiced", "fen": "tax_paid_fen"},
    "tax_arrears": {"days": "tax_arrears_days", "fen": "tax_arrears_owed_fen"},
    "judgment": {"count": "judgments_as_defendant", "fen": "claimed_against_fen"},
    "enforcement": {"fen": "enforcement_open_fen"},
    "penalty": {"count": "penalties_count"},
    "honour_list": {"count": "negative_lists"},
    "intellectual_property": {"count": "rights_valid inventions_valid"},
    "import_export": {"ppm": "export_share trade_to_sales"},
    "logistics": {"ppm": "freight_trend shipments_trend"},
    "tender": {"fen": "tenders_awarded_fen"},
}

DERIVABLE: Final[Mapping[str, Derivable]] = {
    code: Derivable(item_code, unit)
    for item_code, by_unit in _LISTED.items()
    for unit, codes in by_unit.items()
    for code in codes.split()
}
"""By the indicator's code."""
