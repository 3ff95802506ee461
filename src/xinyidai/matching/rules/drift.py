"""How far a binding offer lies from the range that its lender had indicated. Pure.

What drifts in the firm's favour, more money or a lower rate, does not count: the measure asks whether a firm could rely
on what it chose by.
"""

from dataclasses import dataclass

from xinyidai.foundation.money import WHOLE_PPM
from xinyidai.matching.rules.offers import Indicated, OfferTerms


@dataclass(frozen=True)
class Drift:
    """An offer beside its indication.

    Attributes
    ----------
    amount_below_fen, amount_below_ppm : int
        By how much the amount lies below the range, and that as a part of the range's lower end, rounded up: what
        drifted at all never reads as nothing.
    rate_above_bp : int
        By how much the rate lies above the range.
    is_inside : bool
        The amount not below, the rate not above, the term within, the repayment kind among what was indicated.
    """

    amount_below_fen: int
    amount_below_ppm: int
    rate_above_bp: int
    is_inside: bool


def drift_of(indicated: Indicated, offered: OfferTerms) -> Drift:
    """Return how far an offer lies from what was indicated, zero where it is as good or better."""
    below_fen = max(0, indicated.min_amount_fen - offered.amount_fen)
    above_bp = max(0, offered.rate_bp - indicated.max_rate_bp)
    is_term_inside = indicated.min_term_months <= offered.term_months <= indicated.max_term_months
    return Drift(
        amount_below_fen=below_fen,
        amount_below_ppm=-(-below_fen * WHOLE_PPM // indicated.min_amount_fen),
        rate_above_bp=above_bp,
        is_inside=not below_fen
        and not above_bp
        and is_term_inside
        and offered.repayment_kind in indicated.repayment_kinds,
    )
