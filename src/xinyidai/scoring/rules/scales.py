"""From a probability to points and a band: pure, exact on every machine."""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal

MILLION = 1_000_000
MOST_POINTS = 1_000
BANDS = 10

# Decimal's logarithm is correctly rounded at the given precision, so no machine's libm can move a point.
_EXACT = Context(prec=30, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True)
class Scale:
    """How log-odds become points, and points a band; data with an effective date.

    Parameters
    ----------
    base_points : int
        Points where the odds of paying against defaulting are `base_odds` to 1.
    points_to_double : int
        Points that double the odds; positive, so fewer defaults never score lower.
    cut_points : tuple of 9 ints, descending
        Least points of bands 1 to 9; below the last is band 10.
    """

    version: str
    valid_from: date
    base_points: int
    base_odds: int
    points_to_double: int
    cut_points: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse a scale that would not keep the order of risks."""
        if self.points_to_double <= 0 or self.base_odds <= 0:
            raise ValueError("points_to_double and base_odds must be positive")
        if len(self.cut_points) != BANDS - 1 or list(self.cut_points) != sorted(set(self.cut_points), reverse=True):
            raise ValueError("a scale has nine descending cut points")

    def points(self, pd_ppm: int) -> int:
        """Return points from 0 to 1,000: ``base_points + points_to_double x log2(odds / base_odds)``.

        Odds are ``(1,000,000 - pd_ppm) / pd_ppm``; rounded half to even, then held between 0 and 1,000. Falls, or
        stays, as the probability rises.
        """
        if not 0 < pd_ppm < MILLION:
            raise ValueError("a probability lies from 1 to 999,999 ppm")
        odds = _EXACT.divide(Decimal(MILLION - pd_ppm), Decimal(pd_ppm * self.base_odds))
        doublings = _EXACT.divide(_EXACT.ln(odds), _EXACT.ln(Decimal(2)))
        exact = _EXACT.fma(Decimal(self.points_to_double), doublings, Decimal(self.base_points))
        return max(0, min(MOST_POINTS, int(exact.to_integral_value(ROUND_HALF_EVEN))))

    def band(self, points: int) -> int:
        """Return the band of so many points, 1 for the least risk to 10 for the most."""
        return 1 + sum(points < cut for cut in self.cut_points)
