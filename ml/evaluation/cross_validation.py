"""Scores every firm by a model and a calibration that never saw it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.boosting.calibration import probability
from ml.boosting.fitting import fit_booster, raw_margins
from ml.evaluation.metrics import Metrics, measure
from ml.features.arrays import FloatArray, IntArray
from ml.features.indicator import Indicator
from ml.features.invoices import INDICATORS
from ml.training.choices import CHOICES, TrainingChoices
from ml.training.default_model import calibrate, constraints, read_outcomes
from ml.training.folds import stratified_folds


@dataclass(frozen=True)
class CrossValidation:
    """Out-of-fold result: the fold and the calibrated probability of each row, in the rows' order."""

    fold: IntArray
    probability: FloatArray
    metrics: Metrics


def cross_validate(
    features: pd.DataFrame,
    defaulted: npt.ArrayLike,
    *,
    seed: int,
    folds: int = 5,
    indicators: Sequence[Indicator] = INDICATORS,
    choices: TrainingChoices = CHOICES,
) -> CrossValidation:
    """Hold out each stratified fold once; trees and calibration come from the other folds alone.

    The calibration of each fold is itself fitted on out-of-fold margins inside the other folds, so a held-out firm has
    touched neither: 5 folds train 30 boosters.

    Parameters
    ----------
    features, defaulted
        As for ``ml.training.default_model.train``.
    seed : int
        Deals the folds, draws the trees and the bootstrap.

    Raises
    ------
    ml.training.default_model.FeatureUnknown, ml.training.default_model.OutcomesInvalid, ml.training.folds.TooFewEvents
    """
    outcomes = read_outcomes(defaulted, firms=len(features))
    values = features.to_numpy(dtype=np.float64)
    names = [str(column) for column in features.columns]
    monotone = constraints(names, indicators=indicators, choices=choices)
    fold = stratified_folds(outcomes, folds=folds, seed=seed)
    chance = np.empty(outcomes.size)
    for number in range(int(fold.max()) + 1):
        held = fold == number
        drawn = fold_choices(choices, number, folds=folds, seed=seed)
        known, known_outcomes = values[~held], outcomes[~held]
        booster = fit_booster(known, known_outcomes, names=names, monotone=monotone, choices=drawn.boosting)
        curve = calibrate(known, known_outcomes, names=names, monotone=monotone, choices=drawn)
        chance[held] = probability(curve.log_odds(raw_margins(booster, values[held])))
    return CrossValidation(fold=fold, probability=chance, metrics=measure(outcomes, chance, seed=seed))


def fold_choices(choices: TrainingChoices, number: int, *, folds: int, seed: int) -> TrainingChoices:
    """Give the choices one fold is trained with: ``train`` on the other folds with them is the model that scores it."""
    draw = seed * folds + number
    return replace(
        choices,
        boosting=replace(choices.boosting, seed=choices.boosting.seed + 100 * draw),
        calibration_seed=choices.calibration_seed + draw,
    )
