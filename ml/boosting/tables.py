"""Reads a LightGBM text of one-split trees into one step function a feature.

Such a model is a sum over features, so its scores and its exact contributions are look-ups: no tree is walked, no
Shapley sum is taken, and LightGBM itself (160 MB resident) need not be loaded to serve it.
"""

from dataclasses import dataclass

import numpy as np

from ml.features.arrays import FloatArray

_DEFAULT_LEFT = 2
_MISSING_SHIFT = 2
_MISSING_NONE, _MISSING_NAN = 0, 2


class TreesNotAdditive(ValueError):
    """A tree has more than one split, or a split that is not a plain threshold: score it with LightGBM instead."""


@dataclass(frozen=True)
class FeatureSteps:
    """What one feature adds to the margin: ``values[i]`` from just above ``edges[i - 1]`` up to ``edges[i]``."""

    place: int
    edges: FloatArray
    values: FloatArray
    value_of_nan: float

    def look_up(self, features: FloatArray) -> FloatArray:
        """What the feature adds to each row."""
        column = np.ascontiguousarray(features[:, self.place])
        found = self.values[np.searchsorted(self.edges, column, side="left")]
        return np.where(np.isnan(column), self.value_of_nan, found)


@dataclass(frozen=True)
class AdditiveTables:
    """The margin of a row is ``bias`` plus what each feature adds, counted from that feature's training mean."""

    names: tuple[str, ...]
    bias: float
    steps: tuple[FeatureSteps, ...]

    def margins(self, features: FloatArray) -> FloatArray:
        """Raw margin of each row, features added in their order."""
        total = np.zeros(features.shape[0])
        for step in self.steps:
            total += step.look_up(features)
        return total + self.bias

    def contributions(self, features: FloatArray) -> FloatArray:
        """Give what each feature adds to the raw margin of each row, as LightGBM's ``pred_contrib`` without its bias.

        Parameters
        ----------
        features : ndarray, shape (n, n_features), float64

        Returns
        -------
        ndarray, shape (n, n_features), float64
        """
        result = np.zeros((len(self.names), features.shape[0]))
        for step in self.steps:
            result[step.place] = step.look_up(features)
        return result.T


@dataclass(frozen=True)
class _Split:
    feature: int
    threshold: float
    left: float
    right: float
    at_nan: float
    mean: float


def read_tables(text: str) -> AdditiveTables:
    """Read the text that ``Booster.model_to_string`` writes.

    Raises
    ------
    TreesNotAdditive
        See the class.
    """
    head, *trees = text.split("end of trees", maxsplit=1)[0].split("\nTree=")
    names = tuple(_fields(head)["feature_names"].split())
    bias = 0.0
    splits: dict[int, list[_Split]] = {}
    for tree in trees:
        fields = _fields(tree)
        if fields["num_leaves"] == "1":
            bias += float(fields["leaf_value"])
            continue
        split = _read_split(fields)
        bias += split.mean
        splits.setdefault(split.feature, []).append(split)
    return AdditiveTables(names, bias, tuple(_steps(place, found) for place, found in sorted(splits.items())))


def _fields(block: str) -> dict[str, str]:
    return dict(line.split("=", maxsplit=1) for line in block.splitlines() if "=" in line)


def _read_split(fields: dict[str, str]) -> _Split:
    if fields["num_leaves"] != "2" or fields["num_cat"] != "0" or fields.get("is_linear", "0") != "0":
        raise TreesNotAdditive("a tree has more than one plain split")
    decision = int(fields["decision_type"])
    missing = decision >> _MISSING_SHIFT
    left, right = map(float, fields["leaf_value"].split())
    left_rows, right_rows = map(int, fields["leaf_count"].split())
    threshold = float(fields["threshold"])
    if missing == _MISSING_NAN:
        nan_goes_left = bool(decision & _DEFAULT_LEFT)
    elif missing == _MISSING_NONE:
        # A feature that never missed in training: LightGBM then reads NaN as 0.
        nan_goes_left = threshold >= 0
    else:
        raise TreesNotAdditive("a split takes zero for missing")
    return _Split(
        feature=int(fields["split_feature"]),
        threshold=threshold,
        left=left,
        right=right,
        at_nan=left if nan_goes_left else right,
        mean=(left * left_rows + right * right_rows) / (left_rows + right_rows),
    )


def _steps(place: int, splits: list[_Split]) -> FeatureSteps:
    """Add up the splits of one feature; a value is left of every threshold it does not exceed."""
    edges = np.unique(np.array([split.threshold for split in splits]))
    jumps = np.zeros(edges.size)
    for split in splits:
        jumps[np.searchsorted(edges, split.threshold)] += split.right - split.left
    lowest = sum(split.left - split.mean for split in splits)
    return FeatureSteps(
        place=place,
        edges=edges,
        values=lowest + np.concatenate([[0.0], np.cumsum(jumps)]),
        value_of_nan=sum(split.at_nan - split.mean for split in splits),
    )
