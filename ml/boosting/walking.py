"""Scores trees of any depth with LightGBM itself, for models that are no sum over features."""

import lightgbm as lgb
import numpy as np

from ml.boosting.fitting import raw_margins
from ml.features.arrays import FloatArray


class WalkedTrees:
    """A booster read from its text; ``bias`` is the mean margin of its training rows."""

    def __init__(self, text: str) -> None:
        self._booster = lgb.Booster(model_str=text)
        self.names = tuple(self._booster.feature_name())
        self.bias = float(self._contributions(np.zeros((1, len(self.names))))[0, -1])

    def margins(self, features: FloatArray) -> FloatArray:
        """Raw margin of each row."""
        return raw_margins(self._booster, features)

    def contributions(self, features: FloatArray) -> FloatArray:
        """Exact Shapley value of each feature in each raw margin, shape (n, n_features)."""
        return self._contributions(features)[:, :-1]

    def _contributions(self, features: FloatArray) -> FloatArray:
        return np.asarray(self._booster.predict(features, pred_contrib=True, num_threads=1), dtype=np.float64)
