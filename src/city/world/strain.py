"""How hard a month presses on a firm, and what it leaves unpaid then: arrears of all kinds come from one strain."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from city.world.calendar import FIRST_MONTH, MONTHS, month_of
from city.world.draws import draws
from city.world.population import Firm
from city.world.weather import Floats, shocks

PERSISTENCE = 0.8
NOISE = 0.95
QUALITY_EFFECT = 0.6
SHOCK_EFFECT = 2.0
MOST_PAID_PART = 0.6
SLIPS = 0.005
"""Share of months in which a bill is simply forgotten, by anybody."""
CUT_OFF_AFTER_MONTHS = 3
GIVES_WAY_AT = {
    "housing_fund": 1.9,
    "social_insurance": 2.1,
    "tax": 2.3,
    "water": 2.3,
    "gas": 2.4,
    "electricity": 2.5,
}
"""The strain from which an obligation is not met: deposits wait first, and what would be cut off is paid last."""

Wholes = NDArray[np.int64]


@dataclass(frozen=True)
class Monthly:
    """What an office knows of a firm for one month; each item adds its own figures."""

    month: int


@dataclass(frozen=True)
class Carried:
    """What became of monthly dues, each of shape (MONTHS,): fen paid in the month, fen still owed at its end."""

    paid_fen: Wholes
    owed_fen: Wholes
    is_cut_off: NDArray[np.bool_]


@lru_cache(maxsize=4096)
def strain(seed: int, firm: Firm) -> Floats:
    """Return how hard each month presses, shape (MONTHS,): about standard normal, more for poor firms in bad times.

    Hard months follow each other. The luck that decides on defaults is not in it: arrears tell of the hidden quality
    and of the industry's times, as far as those show, and of nothing else.
    """
    noise = draws(seed, "strain", firm.credit_code).normal(0.0, np.sqrt(1 - PERSISTENCE**2), MONTHS + 24)
    own = np.zeros(len(noise))
    for at in range(1, len(noise)):
        own[at] = PERSISTENCE * own[at - 1] + noise[at]
    quality = float(np.clip(firm.quality, -2.5, 2.5))
    pressed: Floats = NOISE * own[24:] - QUALITY_EFFECT * quality - SHOCK_EFFECT * shocks(seed, firm.industry_code)
    pressed.setflags(write=False)
    return pressed


def carry(seed: int, firm: Firm, obligation: str, due_fen: Wholes) -> Carried:
    """Return what a firm pays of its monthly dues and what it owes; it pays all that is old once the strain ends.

    From the CUT_OFF_AFTER_MONTHS-th pressed month on the door is shut, and half of what is owed is found to open it.
    """
    slips, parts = draws(seed, "arrears", obligation, firm.credit_code).random((2, MONTHS))
    is_pressed = (strain(seed, firm) > GIVES_WAY_AT[obligation]) | (slips < SLIPS)
    is_pressed_in, part_of, dues = is_pressed.tolist(), parts.tolist(), due_fen.tolist()
    paid, owed, cut_off = [0] * MONTHS, [0] * MONTHS, [False] * MONTHS
    behind = months = 0
    for at in range(months_before(firm), MONTHS):
        due = dues[at]
        if not is_pressed_in[at]:
            paid[at], behind, months = due + behind, 0, 0
            continue
        months += 1
        paid[at] = int(due * MOST_PAID_PART * part_of[at])
        behind += due - paid[at]
        if months >= CUT_OFF_AFTER_MONTHS and behind:
            cut_off[at] = True
            paid[at] += behind // 2
            behind -= behind // 2
        owed[at] = behind
    return Carried(np.array(paid, dtype=np.int64), np.array(owed, dtype=np.int64), np.array(cut_off, dtype=np.bool_))


def months_before(firm: Firm) -> int:
    """Return how many months of the world went by before the firm was there."""
    return min(MONTHS, max(0, month_of(firm.established_on) - FIRST_MONTH))
