"""Facts of the measures, against scikit-learn where it has the same one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score, roc_curve
from sklearn.metrics import log_loss as sklearn_log_loss

from ml.evaluation.metrics import OneClassOnly, auc, bootstrap_interval, brier, calibration_table, ks, log_loss

scored = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9)), min_size=2, max_size=60).filter(
    lambda rows: len({outcome for outcome, _ in rows}) == 2
)


@given(rows=scored)
def test_measures_agree_with_scikit_learn_ties_and_all(rows):
    outcome, chance = np.array([row[0] for row in rows]), np.array([row[1] / 10 for row in rows])
    false_rate, true_rate, _ = roc_curve(outcome, chance, drop_intermediate=False)

    assert auc(outcome, chance) == pytest.approx(roc_auc_score(outcome, chance))
    assert ks(outcome, chance) == pytest.approx(np.abs(true_rate - false_rate).max(), abs=1e-12)
    assert brier(outcome, chance) == pytest.approx(brier_score_loss(outcome, chance))
    assert log_loss(outcome, chance) == pytest.approx(sklearn_log_loss(outcome, chance))


def test_one_class_alone_has_no_auc():
    with pytest.raises(OneClassOnly):
        auc(np.zeros(5, dtype=np.int64), np.arange(5.0))


def test_the_calibration_table_counts_every_firm_once():
    outcome, chance = np.array([0, 0, 1, 0, 1, 1, 1]), np.linspace(0.1, 0.7, 7)

    table = calibration_table(outcome, chance, bins=3)

    assert table["firms"].sum() == 7
    assert table["defaults"].sum() == 4
    assert table["mean_probability"].is_monotonic_increasing


def test_the_bootstrap_interval_holds_the_measure_and_repeats_itself():
    random = np.random.default_rng(1)
    outcome = np.repeat([0, 1], [96, 27])
    score = random.normal(size=123) + outcome

    first = bootstrap_interval(outcome, score, metric=auc, seed=3, draws=300)
    again = bootstrap_interval(outcome, score, metric=auc, seed=3, draws=300)

    assert first == again
    assert first.low < auc(outcome, score) < first.high
