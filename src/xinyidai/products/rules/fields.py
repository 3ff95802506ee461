"""The fields that a condition may look at, and which values each can have. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from xinyidai.foundation.money import MAX_FEN, WHOLE_PPM

LARGEST = 2**63 - 1


class RepaymentKind(StrEnum):
    """How the money comes back (还款方式); the same values as a demand asks for, which lies above this room."""

    EQUAL_INSTALMENTS = "equal_instalments"
    INTEREST_FIRST = "interest_first"


class ApplicantKind(StrEnum):
    """Who may ask for finance."""

    FIRM = "firm"
    SOLE_TRADER = "sole_trader"


@dataclass(frozen=True)
class Whole:
    """Whole numbers from `least` to `most`, both included."""

    least: int
    most: int


@dataclass(frozen=True)
class Words:
    """Texts: one `among` a closed list (None: any), beginning with one of the prefixes (none: any)."""

    among: frozenset[str] | None = None
    prefixes: tuple[str, ...] = ()

    def has(self, text: str) -> bool:
        """Say whether a text is one of these."""
        return (self.among is None or text in self.among) and (not self.prefixes or text.startswith(self.prefixes))


Domain = Whole | Words

USES = frozenset(
    {
        "working_capital",
        "raw_materials",
        "wages",
        "premises",
        "equipment",
        "technology",
        "order_delivery",
        "export",
        "farming_season",
        "renewal",
    }
)
"""What the money may be for (贷款用途), as a demand says it."""

INDICATOR_DOMAIN = Whole(-LARGEST, LARGEST)
"""An indicator is a whole number of its measure: fen, months, days, a count, or parts per million for a ratio."""

FIELDS: Mapping[str, Domain] = {
    "amount_fen": Whole(1, MAX_FEN),
    "term_months": Whole(1, 120),
    "use": Words(USES),
    "repayment_kind": Words(frozenset(RepaymentKind)),
    "kind": Words(frozenset(ApplicantKind)),
    "region_code": Words(),
    "industry_code": Words(),
    "age_months": Whole(0, LARGEST),
    "staff": Whole(0, LARGEST),
    "known_exposure_fen": Whole(0, LARGEST),
    "exposure_with_demand_fen": Whole(1, LARGEST),
    "pd_ppm": Whole(0, WHOLE_PPM),
    "score_points": Whole(-LARGEST, LARGEST),
    "score_band": Whole(1, 10),
}
