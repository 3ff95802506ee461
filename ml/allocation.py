"""Plans lending: whom, how much and at which rate, for the largest expected profit under a budget, with a proven bound.

All of it is integer arithmetic: probabilities in ppm, rates in basis points, money in fen, churn as the decimal it was
written as. The same inputs give the same fen anywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import accumulate
from math import lcm

import numpy as np

from ml.features.arrays import IntArray

MILLION = 1_000_000
# (1 - pd) x rate has the denominator 10^6 x 10^4, pd x lgd 10^6 x 10^6; both over 10^12.
_RATE_TO_LOSS = 100
_PROFIT_DENOMINATOR = 10**12
# The contest's bank rated its 123 firms so (CUMCM 2020 C): A 27, B 38, C 34, D 24.
RATING_SHARES = (27, 38, 34, 24)


class Band(StrEnum):
    """Risk bands by probability of default, best first; nothing is lent to D."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"


class PlanInvalid(ValueError):
    """The terms of a plan contradict each other, or a number lies outside its range."""


@dataclass(frozen=True)
class PdBands:
    """Thresholds between bands: a firm is in the first band whose threshold its probability lies below, else in D."""

    below_ppm: tuple[int, int, int]

    def band(self, pd_ppm: int) -> Band:
        """Same probability, same band, whoever asks."""
        for band, threshold_ppm in zip(Band, self.below_ppm, strict=False):
            if pd_ppm < threshold_ppm:
                return band
        return Band.D


@dataclass(frozen=True)
class ChurnTable:
    """Share of customers lost at each rate offered, by band; exact fractions of the decimals given."""

    rates_bp: tuple[int, ...]
    churn: Mapping[Band, tuple[Fraction, ...]]


@dataclass(frozen=True)
class PlannedLoan:
    """One firm's line: ``rate_bp`` is None and the amounts 0 where nothing is lent."""

    enterprise_id: str
    band: Band
    pd_ppm: int
    amount_fen: int
    rate_bp: int | None
    expected_profit_fen: int


@dataclass(frozen=True)
class LendingPlan:
    """A plan in the order of the firms given; ``expected_profit_fen`` is the exact sum of its lines.

    No plan whatever under the same terms earns more than ``upper_bound_fen``; ``relaxed_bound_fen`` is the weaker bound
    of the plain linear programme, which lets a loan be smaller than the minimum.
    """

    loans: tuple[PlannedLoan, ...]
    lent_fen: int
    expected_profit_fen: int
    upper_bound_fen: int
    relaxed_bound_fen: int


@dataclass(frozen=True)
class LendingTerms:
    """Bounds of a plan. Amounts are 0 or ``min_amount_fen`` plus whole steps, up to ``max_amount_fen``."""

    total_budget_fen: int
    min_amount_fen: int
    max_amount_fen: int
    step_fen: int = 1
    lgd_ppm: int = MILLION

    def __post_init__(self) -> None:
        """Refuse terms that contradict each other."""
        if not 0 < self.min_amount_fen <= self.max_amount_fen:
            raise PlanInvalid("amounts must satisfy 0 < min_amount_fen <= max_amount_fen")
        if self.total_budget_fen < 0 or self.step_fen < 1 or not 0 <= self.lgd_ppm <= MILLION:
            raise PlanInvalid("total_budget_fen, step_fen or lgd_ppm is out of range")


@dataclass(frozen=True)
class _Offer:
    """A firm's best rate; ``worth`` is the profit of one fen lent, over the common denominator."""

    place: int
    rate_bp: int
    worth: int


def pd_bands(pd_ppm: IntArray, *, shares: Sequence[int] = RATING_SHARES) -> PdBands:
    """Cut a population's probabilities where the shares of its four bands say.

    Parameters
    ----------
    pd_ppm : ndarray, shape (n,), int64
        The population; n > 0.
    shares : sequence of 4 ints
        Relative sizes of A, B, C and D.

    Returns
    -------
    PdBands
        Firms tied across a cut all go to the worse band, so no band but D outgrows its share by a tie.

    Raises
    ------
    PlanInvalid
        No firm, or shares that are not four positive numbers.
    """
    if pd_ppm.size == 0 or len(shares) != len(Band) or min(shares) <= 0:
        raise PlanInvalid("bands need a population and four positive shares")
    ordered = np.sort(pd_ppm)
    first_a, first_b, first_c, _ = (part * pd_ppm.size // sum(shares) for part in accumulate(shares))
    return PdBands((int(ordered[first_a]), int(ordered[first_b]), int(ordered[first_c])))


def churn_table(rates_bp: Sequence[int], churn: Mapping[Band, Sequence[str | float | Decimal]]) -> ChurnTable:
    """Take churn as the decimals written: 0.1 is one tenth, not the float nearest to it.

    Raises
    ------
    PlanInvalid
        No rate, a rate not positive, a band without one churn for each rate, or a churn outside 0 to 1.
    """
    exact = {band: tuple(Fraction(str(value)) for value in values) for band, values in churn.items()}
    if not rates_bp or min(rates_bp) <= 0:
        raise PlanInvalid("rates must be positive")
    for band, values in exact.items():
        if len(values) != len(rates_bp) or not all(0 <= value <= 1 for value in values):
            raise PlanInvalid(f"band {band} needs one churn from 0 to 1 for each rate")
    return ChurnTable(tuple(rates_bp), exact)


def plan_lending(
    enterprise_ids: Sequence[str],
    pd_ppm: Sequence[int],
    *,
    bands: PdBands,
    churn: ChurnTable,
    terms: LendingTerms,
) -> LendingPlan:
    r"""Find the plan of the largest expected profit; it is optimal, not only near the bound.

    The profit of a loan is amount x (1 - churn(band, rate)) x ((1 - pd) x rate - pd x lgd), for one year. The budget
    counts amounts offered. Firms in D, in a band without churn, or without a profitable rate get nothing.

    Returns
    -------
    LendingPlan
        Each line's profit is the exact rational rounded down to the fen, so a plan never promises more than it
        expects; the total is the sum of the lines, and the bounds are rounded down as well.

    Raises
    ------
    PlanInvalid
        Lengths differ, or a probability lies outside 0 to 1,000,000.

    Notes
    -----
    *Rates.* Profit is linear in the amount and the budget does not see the rate, so each firm takes the rate with the
    largest profit a fen, :math:`w_i`; mixing rates, as a linear programme may, gives an average of them and no more.

    *Bound.* Order firms by :math:`w_1 \ge w_2 \ge \dots` and let any plan have s borrowers with amounts
    :math:`a_{(1)} \ge \dots \ge a_{(s)}`. By the rearrangement inequality its profit is at most
    :math:`\sum_{j \le s} w_j a_{(j)}`, so at most the linear programme: maximise that sum over
    :math:`m \le a_j \le M`, :math:`\sum a_j \le B`. Its optimum gives each of the first s the minimum and then fills
    them up in order: moving a fen to an earlier firm never loses. The largest of these over s is ``upper_bound_fen``.
    Dropping m as well gives the textbook bound, ``relaxed_bound_fen``: fill firms to M in order until B is spent.

    *Plan.* The same filling in whole steps is feasible for each s, so the best s is optimal; with a step of one fen it
    meets the bound but for the rounding of each line. A budget that is no multiple of M is no special case: s decides
    whether the rest is left, or the last borrower gets the minimum out of what the one before gives up.
    """
    if len(enterprise_ids) != len(pd_ppm) or not all(0 <= pd <= MILLION for pd in pd_ppm):
        raise PlanInvalid("one probability from 0 to 1,000,000 ppm is needed for each firm")
    band_of = [bands.band(pd) for pd in pd_ppm]
    kept_denominator = lcm(*(value.denominator for values in churn.churn.values() for value in values))
    denominator = kept_denominator * _PROFIT_DENOMINATOR
    offers = _offers(
        pd_ppm, band_of, names=enterprise_ids, churn=churn, lgd_ppm=terms.lgd_ppm, kept_denominator=kept_denominator
    )
    worths = [offer.worth for offer in offers]
    amounts = _fill(worths, terms, step_fen=terms.step_fen)
    chosen = {offer.place: (offer, amount) for offer, amount in zip(offers, amounts, strict=False)}
    loans = []
    for place, enterprise_id in enumerate(enterprise_ids):
        offer, amount_fen = chosen.get(place, (None, 0))
        rate_bp = None if offer is None else offer.rate_bp
        profit_fen = 0 if offer is None else amount_fen * offer.worth // denominator
        loans.append(PlannedLoan(enterprise_id, band_of[place], pd_ppm[place], amount_fen, rate_bp, profit_fen))
    best = _fill(worths, terms, step_fen=1)
    return LendingPlan(
        loans=tuple(loans),
        lent_fen=sum(amounts),
        expected_profit_fen=sum(loan.expected_profit_fen for loan in loans),
        upper_bound_fen=sum(a * w for a, w in zip(best, worths, strict=False)) // denominator,
        relaxed_bound_fen=_relaxed(worths, terms) // denominator,
    )


def _offers(
    pd_ppm: Sequence[int],
    band_of: Sequence[Band],
    *,
    names: Sequence[str],
    churn: ChurnTable,
    lgd_ppm: int,
    kept_denominator: int,
) -> list[_Offer]:
    """Give each firm that can be lent to at a profit its best rate, most profitable first.

    The lower rate wins a tie, then the lower probability, then the name.
    """
    kept: dict[Band, list[tuple[int, int]]] = {
        band: [(rate, int((1 - lost) * kept_denominator)) for rate, lost in zip(churn.rates_bp, values, strict=True)]
        for band, values in churn.churn.items()
        if band is not Band.D
    }
    offers = []
    for place, (pd, band) in enumerate(zip(pd_ppm, band_of, strict=True)):
        loss = pd * lgd_ppm
        earned = (MILLION - pd) * _RATE_TO_LOSS
        best = max(((share * (earned * rate - loss), -rate) for rate, share in kept.get(band, [])), default=(0, 0))
        if best[0] > 0:
            offers.append(_Offer(place, -best[1], best[0]))
    return sorted(offers, key=lambda offer: (-offer.worth, pd_ppm[offer.place], names[offer.place]))


def _fill(worths: Sequence[int], terms: LendingTerms, *, step_fen: int) -> list[int]:
    """Give the best amounts of the leading firms, in order: the best number of borrowers, each at least the minimum."""
    total = [0, *accumulate(worths)]
    room = (terms.max_amount_fen - terms.min_amount_fen) // step_fen

    def filled(borrowers: int) -> tuple[int, int]:
        """Count the borrowers filled up, and the steps the next one gets."""
        steps = (terms.total_budget_fen - borrowers * terms.min_amount_fen) // step_fen
        full = min(borrowers, steps // room) if room else borrowers
        return full, steps - full * room if full < borrowers else 0

    def worth(borrowers: int) -> int:
        full, rest = filled(borrowers)
        extra = room * total[full] + (rest * worths[full] if rest else 0)
        return terms.min_amount_fen * total[borrowers] + step_fen * extra

    most = min(len(worths), terms.total_budget_fen // terms.min_amount_fen)
    # Fewer borrowers win a tie.
    borrowers = max(range(most + 1), key=lambda number: (worth(number), -number))
    full, rest = filled(borrowers)
    steps = [room] * full + ([rest] + [0] * (borrowers - full - 1) if full < borrowers else [])
    return [terms.min_amount_fen + step_fen * count for count in steps]


def _relaxed(worths: Sequence[int], terms: LendingTerms) -> int:
    """Fill firms to the maximum in order until the budget is spent, whatever the minimum."""
    full = min(len(worths), terms.total_budget_fen // terms.max_amount_fen)
    rest_fen = terms.total_budget_fen - full * terms.max_amount_fen
    tail = rest_fen * worths[full] if full < len(worths) else 0
    return terms.max_amount_fen * sum(worths[:full]) + tail
