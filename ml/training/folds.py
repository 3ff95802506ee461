"""Deals rows into folds that each hold their share of the defaults."""

import numpy as np

from ml.features.arrays import IntArray


class TooFewEvents(ValueError):
    """Fewer than two defaults, or fewer than two firms without: nothing can be held out."""


def stratified_folds(defaulted: IntArray, *, folds: int, seed: int) -> IntArray:
    """Give each row a fold in ``[0, folds)``, defaults and others dealt out evenly in an order drawn from the seed.

    Fewer folds are used where there are fewer defaults (or fewer others) than folds.

    Raises
    ------
    TooFewEvents
        See the class.
    """
    classes = [np.flatnonzero(defaulted == value) for value in (1, 0)]
    fewest = min(rows.size for rows in classes)
    if fewest < 2 or folds < 2:
        raise TooFewEvents(f"{classes[0].size} defaults among {defaulted.size} firms, {folds} folds")
    used = min(folds, fewest)
    random = np.random.Generator(np.random.PCG64(seed))
    fold = np.zeros(defaulted.size, dtype=np.int64)
    dealt = 0
    for rows in classes:
        fold[random.permutation(rows)] = (np.arange(rows.size) + dealt) % used
        dealt += rows.size
    return fold
