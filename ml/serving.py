"""Scores frames with a bundle: the same integers for the same row, alone or in a crowd, on any day."""

from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.boosting.calibration import probability
from ml.boosting.tables import TreesNotAdditive, read_tables
from ml.features.arrays import FloatArray, IntArray
from ml.registry import Bundle

MILLION = 1_000_000


class FeaturesMissing(ValueError):
    """The frame lacks columns the model was trained on."""


class _Margins(Protocol):
    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def bias(self) -> float: ...

    def margins(self, features: FloatArray) -> FloatArray: ...

    def contributions(self, features: FloatArray) -> FloatArray: ...


class Scorer:
    """A bundle made ready to score. Holds no state but the model: one may serve all threads.

    Parameters
    ----------
    bundle : Bundle
        From ``ml.registry.load_bundle``, which has checked it, or from ``ml.training.default_model.train``.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.feature_names = bundle.feature_names
        self.digest = bundle.digest
        self._calibration = bundle.calibration
        self._model = _ready(bundle.booster_text)
        self.bias = self._calibration.slope * self._model.bias + self._calibration.intercept

    def pd_ppm(self, frame: pd.DataFrame) -> IntArray:
        """Give the probability of default of each row, in parts per million.

        Parameters
        ----------
        frame : DataFrame, shape (n, >= n_features)
            Holds the columns ``feature_names``, in any order; others are left alone. NaN is no data.

        Returns
        -------
        ndarray, shape (n,), int64
            From 1 to 999,999: no firm is certain. Rounded half to even.

        Raises
        ------
        FeaturesMissing
            See the class.
        """
        chance = probability(self.log_odds(frame))
        return np.clip(np.rint(chance * MILLION), 1, MILLION - 1).astype(np.int64)

    def log_odds(self, frame: pd.DataFrame) -> FloatArray:
        """Calibrated log-odds of default of each row, shape (n,)."""
        return self._calibration.log_odds(self._model.margins(self._values(frame)))

    def contributions(self, frame: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Give the exact share of each feature in the calibrated log-odds.

        Returns
        -------
        ndarray, shape (n, n_features), float64
            In the order of ``feature_names``. Each row and ``bias`` add up to ``log_odds`` within 1e-9.
        """
        return self._calibration.slope * self._model.contributions(self._values(frame))

    def _values(self, frame: pd.DataFrame) -> FloatArray:
        missing = [name for name in self.feature_names if name not in frame.columns]
        if missing:
            raise FeaturesMissing(", ".join(missing))
        return frame[list(self.feature_names)].to_numpy(dtype=np.float64)


def _ready(text: str) -> _Margins:
    try:
        return read_tables(text)
    except TreesNotAdditive:
        # LightGBM takes 160 MB resident: only a model that needs it loads it.
        from ml.boosting.walking import WalkedTrees

        return WalkedTrees(text)
