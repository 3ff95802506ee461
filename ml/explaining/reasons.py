"""The few indicators that moved a firm's score most, with exact shares."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from ml.serving import Scorer


class Side(StrEnum):
    """Which way an indicator moved the risk, against the mean of the training firms."""

    RAISES = "raises"
    LOWERS = "lowers"


@dataclass(frozen=True)
class Reason:
    """One indicator's share in a score: ``contribution`` in calibrated log-odds, ``value`` as scored (NaN: no data)."""

    code: str
    contribution: float
    value: float
    side: Side


def reasons(
    scorer: Scorer, frame: pd.DataFrame, *, at_most: int = 4, side: Side = Side.RAISES
) -> list[tuple[Reason, ...]]:
    """Give each firm the indicators that move its risk most to the side asked, strongest first.

    Parameters
    ----------
    frame : DataFrame, shape (n, >= n_features)
        As for ``Scorer.pd_ppm``.

    Returns
    -------
    list of n tuples, each of at most ``at_most``
        Only indicators that do move it to that side; equal shares stand in the order of the model's features.

    Notes
    -----
    Shares are Shapley values of the trees (Lundberg et al. 2020, "From local explanations to global understanding with
    explainable AI for trees"); for one-split trees they are each feature's own term less its training mean.
    """
    sign = 1.0 if side is Side.RAISES else -1.0
    shares = scorer.contributions(frame)
    values = frame[list(scorer.feature_names)].to_numpy(dtype=np.float64)
    order = np.argsort(-sign * shares, axis=1, kind="stable")[:, :at_most]
    return [
        tuple(
            Reason(scorer.feature_names[place], float(shares[row, place]), float(values[row, place]), side)
            for place in order[row]
            if sign * shares[row, place] > 0
        )
        for row in range(len(shares))
    ]
