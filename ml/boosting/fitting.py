"""Fits LightGBM on one thread, the same text each time."""

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np

from ml.features.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class BoostingChoices:
    """How trees are grown; ``ml.training.choices`` says which values and why."""

    rounds: int
    learning_rate: float
    leaves: int
    least_rows_in_leaf: int
    feature_fraction: float
    bagging_fraction: float
    lambda_l2: float
    seed: int


def fit_booster(
    features: FloatArray,
    defaulted: IntArray,
    *,
    names: Sequence[str],
    monotone: Sequence[int],
    choices: BoostingChoices,
) -> lgb.Booster:
    """Grow trees for the log-odds of default.

    Parameters
    ----------
    features : ndarray, shape (n_firms, n_features), float64
        NaN is a value of its own and goes to the side that fits better.
    defaulted : ndarray, shape (n_firms,), int64
        1 for a default, else 0.
    monotone : sequence of n_features ints
        1 where risk may only rise with the value, -1 where it may only fall, 0 where both.

    Returns
    -------
    Booster
        Its raw score is a margin, not yet a probability to be believed: see ``ml.boosting.calibration``.
    """
    parameters = {
        "objective": "binary",
        "learning_rate": choices.learning_rate,
        "num_leaves": choices.leaves,
        "min_data_in_leaf": choices.least_rows_in_leaf,
        "feature_fraction": choices.feature_fraction,
        "bagging_fraction": choices.bagging_fraction,
        "bagging_freq": 1,
        "lambda_l2": choices.lambda_l2,
        "monotone_constraints": list(monotone),
        "seed": choices.seed,
        "num_threads": 1,
        "deterministic": True,
        "force_col_wise": True,
        "verbose": -1,
    }
    data = lgb.Dataset(np.ascontiguousarray(features), defaulted, feature_name=list(names), params=parameters)
    return lgb.train(parameters, data, choices.rounds)


def raw_margins(booster: lgb.Booster, features: FloatArray) -> FloatArray:
    """Give the booster's raw score (log-odds before calibration) of each row."""
    return np.asarray(booster.predict(features, raw_score=True, num_threads=1), dtype=np.float64)
