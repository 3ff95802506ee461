"""Earlier loans as a credit bureau knew them: what was observed, and when. Never the hidden quality.

Nobody looked at applicants as closely then, and the window is three years: defaults are more frequent than among loans
that today's lenders grant.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from city.world.calendar import next_working_day
from city.world.draws import normal, uniform, whole
from city.world.population import Firm

FIRST_OBSERVED = date(2023, 7, 3)
LAST_OBSERVED = date(2024, 12, 20)
USUAL_LOG_ODDS = -2.1
QUALITY_EFFECT = 1.7
UNSEEN = 0.5
"""Standard deviation of what the quality does not explain: illness, a fire, a divorce."""


@dataclass(frozen=True)
class Outcome:
    """What a lender reported of an earlier loan."""

    credit_code: str
    is_default: bool
    observed_on: date


def earlier_outcome(seed: int, firm: Firm) -> Outcome | None:
    """Return what became of a firm's earlier loan; None when it had none."""
    if not firm.has_earlier_loan:
        return None
    days = whole(seed, 0, (LAST_OBSERVED - FIRST_OBSERVED).days, firm.credit_code, "observed")
    return Outcome(firm.credit_code, has_defaulted(seed, firm), next_working_day(FIRST_OBSERVED + timedelta(days=days)))


def has_defaulted(seed: int, firm: Firm) -> bool:
    """Draw whether a firm's earlier loan was not paid."""
    odds = USUAL_LOG_ODDS - QUALITY_EFFECT * firm.quality + UNSEEN * normal(seed, firm.credit_code, "history")
    return uniform(seed, firm.credit_code, "earlier default") < 1 / (1 + float(np.exp(-odds)))


def outcomes_known_by(seed: int, firms: tuple[Firm, ...], known_by: date) -> list[Outcome]:
    """Return the outcomes that the bureau knew at the end of a day, by day and credit code."""
    found = (earlier_outcome(seed, firm) for firm in firms)
    known = [one for one in found if one is not None and one.observed_on <= known_by]
    return sorted(known, key=lambda one: (one.observed_on, one.credit_code))
