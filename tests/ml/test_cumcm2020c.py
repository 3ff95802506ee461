"""Facts on real invoices of Chinese small firms; collected only where that data lies."""

import numpy as np
import pytest

from ml.allocation import LendingTerms, pd_bands, plan_lending
from ml.datasets.cumcm2020c import CUMCM_AS_OF, read_cumcm
from ml.evaluation.cross_validation import cross_validate
from ml.features.invoices import invoice_indicators
from ml.serving import Scorer
from ml.training.default_model import train

YUAN = 100


@pytest.fixture(scope="module")
def cumcm(cumcm_folder):
    return read_cumcm(cumcm_folder)


@pytest.fixture(scope="module")
def indicators(cumcm):
    return invoice_indicators(cumcm.invoices, as_of=CUMCM_AS_OF)


def test_every_firm_has_a_row_and_no_value_is_infinite(cumcm, indicators):
    everyone = set(cumcm.defaulted.index) | set(cumcm.unrated)

    assert set(indicators.index) == everyone
    assert not np.isinf(indicators.to_numpy()).any()


@pytest.mark.parametrize("firm", ["E1", "E42", "E123", "E200", "E425"])
def test_a_real_firm_alone_equals_itself_in_the_crowd(cumcm, indicators, firm):
    alone = invoice_indicators(cumcm.invoices[cumcm.invoices["enterprise_id"] == firm], as_of=CUMCM_AS_OF)

    assert alone.to_numpy().tobytes() == indicators.loc[[firm]].to_numpy().tobytes()


def test_unseen_firms_are_ordered_well_whatever_the_seed(cumcm, indicators):
    rated = indicators.loc[cumcm.defaulted.index]

    measured = [cross_validate(rated, cumcm.defaulted, seed=seed).metrics for seed in range(5)]

    assert min(metrics.auc for metrics in measured) >= 0.87
    assert max(metrics.brier for metrics in measured) <= 0.11
    assert max(metrics.log_loss for metrics in measured) <= 0.36


def test_shuffled_outcomes_teach_nothing(cumcm, indicators):
    rated = indicators.loc[cumcm.defaulted.index]
    shuffled = np.random.default_rng(3).permutation(cumcm.defaulted.to_numpy())

    assert cross_validate(rated, shuffled, seed=3).metrics.auc < 0.65


def test_the_plan_for_the_302_spends_100_million_yuan_within_a_fen_a_line_of_its_bound(cumcm, indicators):
    bundle = train(indicators.loc[cumcm.defaulted.index], cumcm.defaulted, population="CUMCM 2020 C")
    firms = list(cumcm.unrated)
    scores = Scorer(bundle).pd_ppm(indicators.loc[firms])
    terms = LendingTerms(100_000_000 * YUAN, 100_000 * YUAN, 1_000_000 * YUAN)

    plan = plan_lending(firms, scores.tolist(), bands=pd_bands(scores), churn=cumcm.churn, terms=terms)

    assert plan.lent_fen == terms.total_budget_fen
    assert 0 <= plan.upper_bound_fen - plan.expected_profit_fen <= 302
    assert plan.expected_profit_fen > 2_000_000 * YUAN
