"""Facts of training, scoring, reasons, the registry and the card."""

import hashlib
import json
from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from ml.boosting.calibration import Calibration, fit_calibration, probability
from ml.boosting.tables import TreesNotAdditive, read_tables
from ml.cards.model_card import model_card
from ml.evaluation.cross_validation import cross_validate, fold_choices
from ml.explaining.reasons import Side, reasons
from ml.features.indicator import Risk
from ml.features.invoices import INDICATORS
from ml.registry import BundleUnreadable, DigestMismatch, FeaturesUnknown, load_bundle, read_bundle, save_bundle
from ml.serving import FeaturesMissing, Scorer
from ml.training.choices import CHOICES
from ml.training.default_model import FeatureUnknown, OutcomesInvalid, train
from ml.training.folds import TooFewEvents, stratified_folds

KNOWN = frozenset(indicator.code for indicator in INDICATORS)
DEEPER = replace(CHOICES, boosting=replace(CHOICES.boosting, leaves=4, rounds=60))


@pytest.fixture(scope="module")
def deeper(crowd, features):
    return train(features, crowd.defaulted, population="made-up", choices=DEEPER)


@pytest.fixture(scope="module", params=["one split a tree", "deeper trees"])
def any_bundle(request, bundle, deeper):
    return {"one split a tree": bundle, "deeper trees": deeper}[request.param]


def test_training_twice_gives_the_same_bytes(crowd, features, bundle):
    again = train(features, crowd.defaulted, population="120 made-up firms")

    assert again.canonical_bytes() == bundle.canonical_bytes()
    assert again.digest == bundle.digest


def test_probabilities_are_whole_ppm_and_never_certain(any_bundle, features):
    scores = Scorer(any_bundle).pd_ppm(features)

    assert scores.dtype == np.int64
    assert ((scores > 0) & (scores < 1_000_000)).all()


def test_a_row_alone_scores_as_in_the_crowd_whatever_the_column_order(any_bundle, features):
    scorer = Scorer(any_bundle)
    turned = features[features.columns[::-1]]

    alone = [scorer.pd_ppm(turned.iloc[[row]])[0] for row in range(len(features))]

    assert alone == scorer.pd_ppm(features).tolist()


def test_tables_score_and_explain_as_lightgbm_does(bundle, features):
    booster, tables = lgb.Booster(model_str=bundle.booster_text), read_tables(bundle.booster_text)
    values = features.to_numpy(copy=True)
    values[::3, ::2] = np.nan
    edges = tables.steps[0].edges
    values[: edges.size, tables.steps[0].place] = edges[: len(values)]

    theirs = booster.predict(values, pred_contrib=True)

    np.testing.assert_allclose(tables.margins(values), booster.predict(values, raw_score=True), rtol=0, atol=1e-9)
    np.testing.assert_allclose(tables.contributions(values), theirs[:, :-1], rtol=0, atol=1e-9)
    np.testing.assert_allclose(tables.bias, theirs[0, -1], rtol=0, atol=1e-9)


def test_tables_refuse_deeper_trees(deeper):
    with pytest.raises(TreesNotAdditive):
        read_tables(deeper.booster_text)


def test_contributions_and_bias_add_up_to_the_log_odds(any_bundle, features):
    scorer = Scorer(any_bundle)

    total = scorer.contributions(features).sum(axis=1) + scorer.bias

    np.testing.assert_allclose(total, scorer.log_odds(features), rtol=0, atol=1e-9)


def test_reasons_are_the_strongest_shares_of_their_side(bundle, features):
    scorer = Scorer(bundle)
    shares = scorer.contributions(features)

    raising, lowering = reasons(scorer, features), reasons(scorer, features, at_most=2, side=Side.LOWERS)

    assert [firm[0].contribution for firm in raising] == shares.max(axis=1).tolist()
    assert [firm[0].contribution for firm in lowering] == shares.min(axis=1).tolist()
    assert all(len(firm) <= 4 and all(reason.contribution > 0 for reason in firm) for firm in raising)
    assert all(len(firm) <= 2 and all(reason.contribution < 0 for reason in firm) for firm in lowering)


def test_reasons_carry_the_value_that_was_scored(bundle, features):
    first = reasons(Scorer(bundle), features.iloc[[3]])[0][0]

    assert first.side == "raises"
    assert np.array_equal(first.value, features.iloc[3][first.code], equal_nan=True)


@pytest.mark.parametrize(
    "indicator", [i for i in INDICATORS if i.direction_of_risk is not Risk.NONE], ids=lambda i: i.code
)
def test_risk_moves_only_to_the_side_its_indicator_says(bundle, features, indicator):
    grid = np.sort(features[indicator.code].dropna().unique())
    firm = pd.concat([features.iloc[[0]]] * len(grid), ignore_index=True)
    firm[indicator.code] = grid

    steps = np.diff(Scorer(bundle).log_odds(firm))

    assert ({Risk.UP: 1, Risk.DOWN: -1}[indicator.direction_of_risk] * steps >= -1e-12).all()


def test_a_frame_without_a_feature_is_refused(bundle, features):
    with pytest.raises(FeaturesMissing, match="sales_12m_fen"):
        Scorer(bundle).pd_ppm(features.drop(columns="sales_12m_fen"))


def test_training_refuses_unknown_columns_and_outcomes_that_are_none(crowd, features):
    with pytest.raises(FeatureUnknown, match="rating"):
        train(features.assign(rating=1.0), crowd.defaulted, population="made-up")
    with pytest.raises(OutcomesInvalid):
        train(features, crowd.defaulted + 1, population="made-up")
    with pytest.raises(OutcomesInvalid):
        train(features, crowd.defaulted[:-1], population="made-up")
    with pytest.raises(TooFewEvents):
        train(features, np.zeros(len(features)), population="made-up")


def test_a_saved_bundle_comes_back_whole(any_bundle, crowd, features, tmp_path):
    metrics = cross_validate(features, crowd.defaulted, seed=1, choices=DEEPER).metrics
    carried = replace(any_bundle, origin=replace(any_bundle.origin, metrics=metrics))

    save_bundle(carried, tmp_path)

    assert load_bundle(tmp_path, carried.digest, known_features=KNOWN) == carried


def test_changed_bytes_are_refused(bundle):
    changed = bundle.canonical_bytes().replace(b'"slope":', b'"slope": ')

    with pytest.raises(DigestMismatch):
        read_bundle(changed, digest=bundle.digest, known_features=KNOWN)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": "1"},
        {"calibration": {"slope": "1", "intercept": 0.0}},
        {"calibration": None},
        {"feature_names": [1]},
        {"booster_text": None},
    ],
)
def test_a_bundle_of_another_shape_is_unreadable(bundle, change):
    raw = json.dumps({**json.loads(bundle.canonical_bytes()), **change}).encode()

    with pytest.raises(BundleUnreadable):
        read_bundle(raw, digest=digest_of(raw), known_features=KNOWN)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"{}", b"\xff", b"null"])
def test_what_is_no_json_object_is_unreadable(raw):
    with pytest.raises(BundleUnreadable):
        read_bundle(raw, digest=digest_of(raw), known_features=KNOWN)


def test_features_nobody_computes_are_refused(bundle):
    raw = bundle.canonical_bytes()
    renamed = replace(bundle, feature_names=bundle.feature_names[::-1])

    with pytest.raises(FeaturesUnknown, match="sales_12m_fen"):
        read_bundle(raw, digest=bundle.digest, known_features=KNOWN - {"sales_12m_fen"})
    with pytest.raises(FeaturesUnknown, match="trees"):
        read_bundle(renamed.canonical_bytes(), digest=renamed.digest, known_features=KNOWN)


def test_out_of_fold_probabilities_order_made_up_firms(crowd, features):
    result = cross_validate(features, crowd.defaulted, seed=4)

    assert result.metrics.auc > 0.65
    assert result.metrics.auc_low < result.metrics.auc < result.metrics.auc_high
    assert sorted(set(result.fold)) == [0, 1, 2, 3, 4]


def test_each_fold_is_scored_by_a_model_trained_on_the_others_alone(crowd, features):
    result = cross_validate(features, crowd.defaulted, seed=4, choices=DEEPER)
    held = result.fold == 2
    choices = fold_choices(DEEPER, 2, folds=5, seed=4)

    others = train(features[~held], crowd.defaulted[~held], population="the other folds", choices=choices)
    log_odds = Scorer(others).log_odds(features[held])

    np.testing.assert_allclose(result.probability[held], probability(log_odds), rtol=1e-12)


def test_folds_share_the_defaults_evenly():
    defaulted = np.repeat([1, 0], [27, 96])

    fold = stratified_folds(defaulted, folds=5, seed=9)

    assert np.ptp(np.bincount(fold)) <= 1
    assert np.ptp(np.bincount(fold[defaulted == 1])) <= 1


def test_calibration_meets_the_curve_the_outcomes_were_drawn_from():
    random = np.random.default_rng(2)
    margins = random.normal(size=40_000)
    defaulted = (random.random(40_000) < probability(0.5 * margins - 1.0)).astype(np.int64)

    curve = fit_calibration(margins, defaulted)

    assert curve.slope == pytest.approx(0.5, abs=0.05)
    assert curve.intercept == pytest.approx(-1.0, abs=0.05)


@pytest.mark.parametrize("direction", [1.0, -1.0, 0.0])
def test_calibration_keeps_the_order_even_of_margins_that_tell_nothing_or_everything(direction):
    defaulted = np.repeat([0, 1], 10)
    margins = direction * np.arange(20.0)

    curve = fit_calibration(margins, defaulted)

    assert 0 < curve.slope < 100
    assert np.isfinite(curve.intercept)


def test_calibrated_probabilities_have_no_ties_where_margins_differ():
    margins = np.linspace(-8, 8, 1001)

    chances = probability(Calibration(0.4, -0.2).log_odds(margins))

    assert (np.diff(chances) > 0).all()


def test_the_card_says_what_the_model_was_trained_on_and_how_little_that_is(crowd, features, bundle):
    metrics = cross_validate(features, crowd.defaulted, seed=1, choices=DEEPER).metrics
    defaults = bundle.origin.defaults

    bare = model_card(bundle)
    measured = model_card(replace(bundle, origin=replace(bundle.origin, metrics=metrics)))

    assert "Not measured" in bare
    assert f"{metrics.auc:.3f}" in measured
    assert f"Only {defaults} defaults" in measured
    assert all(name in measured for name in bundle.feature_names)


def digest_of(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
