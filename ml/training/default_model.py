"""Trains the default model: trees on all firms, the calibration on margins of firms each tree did not see."""

from collections.abc import Sequence
from dataclasses import replace

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.boosting.calibration import Calibration, fit_calibration
from ml.boosting.fitting import fit_booster, raw_margins
from ml.evaluation.metrics import Metrics
from ml.features.arrays import FloatArray, IntArray
from ml.features.indicator import Indicator, Risk
from ml.features.invoices import INDICATORS
from ml.registry import FORMAT, Bundle, Origin
from ml.training.choices import CHOICES, TrainingChoices
from ml.training.folds import stratified_folds

_CONSTRAINT = {Risk.UP: 1, Risk.DOWN: -1, Risk.NONE: 0}


class FeatureUnknown(ValueError):
    """A column is no indicator, so nobody could say which way its risk goes or what it means."""


class OutcomesInvalid(ValueError):
    """Outcomes are not one 0 or 1 for each firm."""


def train(
    features: pd.DataFrame,
    defaulted: npt.ArrayLike,
    *,
    population: str,
    metrics: Metrics | None = None,
    indicators: Sequence[Indicator] = INDICATORS,
    choices: TrainingChoices = CHOICES,
) -> Bundle:
    """Train on every firm given and bundle what scoring needs.

    Parameters
    ----------
    features : DataFrame, shape (n_firms, n_features), float64
        Columns are codes of ``indicators``; any subset in any order.
    defaulted : array-like, shape (n_firms,)
        1 or True for a default, in the order of the rows.
    population : str
        What the firms are and as of when, for the model card. Never a path or a name of a firm.
    metrics : Metrics, optional
        Those of ``ml.evaluation.cross_validation.cross_validate`` on the same frame.

    Returns
    -------
    Bundle
        The same bytes for the same arguments.

    Raises
    ------
    FeatureUnknown, OutcomesInvalid, ml.training.folds.TooFewEvents
        See each class.
    """
    outcomes = read_outcomes(defaulted, firms=len(features))
    values = features.to_numpy(dtype=np.float64)
    names = [str(column) for column in features.columns]
    monotone = constraints(names, indicators=indicators, choices=choices)
    booster = fit_booster(values, outcomes, names=names, monotone=monotone, choices=choices.boosting)
    return Bundle(
        format=FORMAT,
        feature_names=tuple(names),
        calibration=calibrate(values, outcomes, names=names, monotone=monotone, choices=choices),
        booster_text=booster.model_to_string(),
        origin=Origin(
            population=population,
            firms=outcomes.size,
            defaults=int(outcomes.sum()),
            lightgbm_version=lgb.__version__,
            metrics=metrics,
        ),
    )


def read_outcomes(defaulted: npt.ArrayLike, *, firms: int) -> IntArray:
    """Take outcomes as int64 zeros and ones."""
    outcomes = np.asarray(defaulted)
    if outcomes.shape != (firms,) or not np.isin(outcomes, (0, 1)).all():
        raise OutcomesInvalid(f"outcomes of shape {outcomes.shape} for {firms} firms")
    return outcomes.astype(np.int64)


def constraints(names: Sequence[str], *, indicators: Sequence[Indicator], choices: TrainingChoices) -> list[int]:
    """Give each feature its monotone constraint."""
    risk = {indicator.code: indicator.direction_of_risk for indicator in indicators}
    unknown = [name for name in names if name not in risk]
    if unknown:
        raise FeatureUnknown(", ".join(unknown))
    return [_CONSTRAINT[risk[name]] if choices.is_monotone else 0 for name in names]


def calibrate(
    features: FloatArray,
    defaulted: IntArray,
    *,
    names: Sequence[str],
    monotone: Sequence[int],
    choices: TrainingChoices,
) -> Calibration:
    """Fit the calibration on out-of-fold margins of the rows given."""
    fold = stratified_folds(defaulted, folds=choices.calibration_folds, seed=choices.calibration_seed)
    margins = np.empty(defaulted.size)
    for number in range(int(fold.max()) + 1):
        held = fold == number
        # Another seed for each fold, so one unlucky draw of columns does not mark all of them.
        drawn = replace(choices.boosting, seed=choices.boosting.seed + 1 + number)
        booster = fit_booster(features[~held], defaulted[~held], names=names, monotone=monotone, choices=drawn)
        margins[held] = raw_margins(booster, features[held])
    return fit_calibration(margins, defaulted)
