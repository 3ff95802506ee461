"""Measures of a default model, from outcomes and probabilities alone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ml.features.arrays import FloatArray, IntArray

_TINY = 1e-15


class OneClassOnly(ValueError):
    """All rows defaulted or none did: order and discrimination mean nothing."""


@dataclass(frozen=True)
class Interval:
    """A two-sided interval ``[low, high]`` at ``level``."""

    low: float
    high: float
    level: float


@dataclass(frozen=True)
class Metrics:
    """The measures of one set of probabilities; ``auc_low`` to ``auc_high`` is the 95 % bootstrap interval."""

    firms: int
    defaults: int
    auc: float
    auc_low: float
    auc_high: float
    ks: float
    brier: float
    log_loss: float


def measure(defaulted: IntArray, probability: FloatArray, *, seed: int = 1) -> Metrics:
    """Take every measure; the seed draws the bootstrap."""
    interval = bootstrap_interval(defaulted, probability, metric=auc, seed=seed)
    return Metrics(
        firms=defaulted.size,
        defaults=int(defaulted.sum()),
        auc=auc(defaulted, probability),
        auc_low=interval.low,
        auc_high=interval.high,
        ks=ks(defaulted, probability),
        brier=brier(defaulted, probability),
        log_loss=log_loss(defaulted, probability),
    )


def auc(defaulted: IntArray, score: FloatArray) -> float:
    """Chance that a default scores above another firm, ties counting half (area under the ROC curve).

    Raises
    ------
    OneClassOnly
        See the class.
    """
    events, others = _classes(defaulted)
    _, inverse, count = np.unique(score, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(count) - (count - 1) / 2.0
    rank_sum = float(mean_rank[inverse][defaulted == 1].sum())
    return (rank_sum - events * (events + 1) / 2) / (events * others)


def ks(defaulted: IntArray, score: FloatArray) -> float:
    """Largest distance between the score distributions of defaults and others (Kolmogorov-Smirnov), 0 to 1."""
    events, others = _classes(defaulted)
    order = np.argsort(score, kind="stable")
    hit = np.cumsum(defaulted[order]) / events
    miss = np.cumsum(1 - defaulted[order]) / others
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    return float(np.abs(hit - miss)[last_of_tie].max())


def brier(defaulted: IntArray, probability: FloatArray) -> float:
    """Mean squared distance of probability and outcome."""
    return float(np.mean((probability - defaulted) ** 2))


def log_loss(defaulted: IntArray, probability: FloatArray) -> float:
    """Mean negative log-likelihood, in nats; probabilities are kept 1e-15 away from 0 and 1."""
    kept = np.clip(probability, _TINY, 1 - _TINY)
    return float(-np.mean(np.where(defaulted == 1, np.log(kept), np.log1p(-kept))))


def calibration_table(defaulted: IntArray, probability: FloatArray, *, bins: int = 5) -> pd.DataFrame:
    """Compare mean probability with the observed rate in bins of about equal size, lowest risk first.

    Returns
    -------
    DataFrame, shape (at most bins, 4)
        Columns ``firms`` and ``defaults`` (int64), ``mean_probability`` and ``observed_rate`` (float64).
    """
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, bins) if part.size]
    return pd.DataFrame(
        {
            "firms": [part.size for part in parts],
            "defaults": [int(defaulted[part].sum()) for part in parts],
            "mean_probability": [float(probability[part].mean()) for part in parts],
            "observed_rate": [float(defaulted[part].mean()) for part in parts],
        }
    )


def bootstrap_interval(
    defaulted: IntArray,
    score: FloatArray,
    *,
    metric: Callable[[IntArray, FloatArray], float],
    seed: int,
    draws: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Percentile interval over rows drawn with replacement within defaults and within others.

    Drawing within each class keeps both present in every draw, whatever the number of events.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    events, others = np.flatnonzero(defaulted == 1), np.flatnonzero(defaulted == 0)
    values = np.empty(draws)
    for draw in range(draws):
        rows = np.concatenate([random.choice(events, events.size), random.choice(others, others.size)])
        values[draw] = metric(defaulted[rows], score[rows])
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level)


def _classes(defaulted: IntArray) -> tuple[int, int]:
    events = int(defaulted.sum())
    others = defaulted.size - events
    if events == 0 or others == 0:
        raise OneClassOnly(f"{events} defaults among {defaulted.size} firms")
    return events, others
