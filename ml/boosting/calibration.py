"""Turns margins into probabilities of default by a logistic curve with two numbers."""

from dataclasses import dataclass

import numpy as np

from ml.features.arrays import FloatArray, IntArray

# A slope of zero would give every firm the same probability; this one keeps their order and changes none by a basis
# point. It is met only where the margins order firms no better than chance.
_LEAST_SLOPE = 1e-4
_STEPS = 100


@dataclass(frozen=True)
class Calibration:
    """Log-odds of default = ``slope`` * margin + ``intercept``; the slope is positive, so order is never lost."""

    slope: float
    intercept: float

    def log_odds(self, margins: FloatArray) -> FloatArray:
        """Calibrated log-odds of each margin."""
        return self.slope * margins + self.intercept


def probability(log_odds: FloatArray) -> FloatArray:
    """Turn log-odds into probabilities without overflow."""
    tail = np.exp(-np.abs(log_odds))
    return np.where(log_odds >= 0, 1.0, tail) / (1.0 + tail)


def fit_calibration(margins: FloatArray, defaulted: IntArray) -> Calibration:
    """Fit the curve by Newton's method on margins of rows the trees did not see.

    Parameters
    ----------
    margins : ndarray, shape (n,), float64
        Out-of-fold raw margins.
    defaulted : ndarray, shape (n,), int64
        0 or 1, both present.

    Notes
    -----
    Targets are drawn in to (events + 1) / (events + 2) and 1 / (others + 2), so that separable margins do not run to
    infinity: Platt 1999, "Probabilistic outputs for support vector machines", section 2.2; the steps are halved as in
    Lin, Lin and Weng 2007, "A note on Platt's probabilistic outputs for support vector machines".
    """
    events = int(defaulted.sum())
    target = np.where(defaulted == 1, (events + 1.0) / (events + 2.0), 1.0 / (defaulted.size - events + 2.0))
    centre, scale = float(margins.mean()), float(margins.std()) or 1.0
    standard = (margins - centre) / scale
    slope, intercept = _newton(standard, target)
    if slope < _LEAST_SLOPE:
        slope, intercept = _LEAST_SLOPE, float(np.log(target.mean() / (1 - target.mean())))
    return Calibration(slope=slope / scale, intercept=intercept - slope * centre / scale)


def _newton(margin: FloatArray, target: FloatArray) -> tuple[float, float]:
    slope, intercept = 0.0, float(np.log(target.mean() / (1 - target.mean())))
    loss = _loss(margin, target, slope=slope, intercept=intercept)
    for _ in range(_STEPS):
        fitted = probability(slope * margin + intercept)
        weight = fitted * (1 - fitted)
        miss = fitted - target
        down_slope, down_intercept = float((miss * margin).sum()), float(miss.sum())
        aa, ab, bb = float((weight * margin * margin).sum()), float((weight * margin).sum()), float(weight.sum())
        determinant = aa * bb - ab * ab
        if determinant <= 1e-12 * max(aa * bb, 1e-300):
            break
        step_slope = (bb * down_slope - ab * down_intercept) / determinant
        step_intercept = (aa * down_intercept - ab * down_slope) / determinant
        share = 1.0
        while share > 1e-10:
            trial = slope - share * step_slope, intercept - share * step_intercept
            trial_loss = _loss(margin, target, slope=trial[0], intercept=trial[1])
            if trial_loss < loss:
                break
            share /= 2
        else:
            break
        slope, intercept, loss = *trial, trial_loss
    return slope, intercept


def _loss(margin: FloatArray, target: FloatArray, *, slope: float, intercept: float) -> float:
    log_odds = slope * margin + intercept
    return float((np.logaddexp(0.0, log_odds) - target * log_odds).sum())
