"""Scores and reasons per second of the scorer, beside LightGBM's own prediction of the very same model.

The run checks that both give the same probabilities and the same contributions before it times either.
"""

from collections.abc import Sequence

import lightgbm as lgb
import numpy as np
import pandas as pd

from benchmarks.measuring import arguments, compare, finish, measure
from ml.datasets.crowds import CROWD_AS_OF, draw_crowd
from ml.explaining.reasons import reasons
from ml.features.invoices import invoice_indicators
from ml.serving import Scorer
from ml.training.default_model import train

SCORE_BUDGET_MS = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Measure batches of scores, batches of contributions, and one row with its reasons."""
    args = arguments("predict", argv)
    crowd = draw_crowd(500, seed=3, mean_invoices=100)
    features = invoice_indicators(crowd.invoices, as_of=CROWD_AS_OF)
    bundle = train(features, crowd.defaulted, population="synthetic")
    scorer, booster = Scorer(bundle), lgb.Booster(model_str=bundle.booster_text)
    many = pd.concat([features] * (400 if args.full else 40), ignore_index=True)
    few = features.iloc[:100]
    values, few_values, alone = many.to_numpy(), few.to_numpy(), features.iloc[[7]]
    ours, theirs = scorer.log_odds(many), bundle.calibration.log_odds(booster.predict(values, raw_score=True))
    np.testing.assert_allclose(ours, theirs, atol=1e-9)
    shares = booster.predict(few_values, pred_contrib=True)[:, :-1] * bundle.calibration.slope
    np.testing.assert_allclose(scorer.contributions(few), shares, atol=1e-9)
    timings = measure(
        {
            "scores": lambda: scorer.pd_ppm(many),
            "scores, LightGBM": lambda: booster.predict(values, num_threads=1),
            "scores, bare pass": lambda: 1 / (1 + np.exp(-values.sum(axis=1))),
            "contributions": lambda: scorer.contributions(many),
            "contributions, LightGBM": lambda: booster.predict(few_values, pred_contrib=True, num_threads=1),
            "contributions, bare copy": lambda: values.copy(),
            "alone": lambda: (scorer.pd_ppm(alone), reasons(scorer, alone)),
        },
        args.rounds,
    )
    rows = [
        compare(
            "scores",
            "rows/s",
            ours=timings["scores"].per_second(len(many)),
            peer="Booster.predict",
            peer_value=timings["scores, LightGBM"].per_second(len(many)),
            limit=timings["scores, bare pass"].per_second(len(many)),
            goal=1.0,
        ),
        compare(
            "exact contributions",
            "rows/s",
            ours=timings["contributions"].per_second(len(many)),
            peer="Booster.predict pred_contrib",
            peer_value=timings["contributions, LightGBM"].per_second(len(few)),
            limit=timings["contributions, bare copy"].per_second(len(many)),
            goal=10.0,
        ),
        compare(
            "one row with reasons",
            "ms",
            ours=timings["alone"].median_s * 1e3,
            peer="the budget",
            peer_value=SCORE_BUDGET_MS,
            goal=1.0,
            more_is_better=False,
        ),
    ]
    return finish(rows, args)


if __name__ == "__main__":
    raise SystemExit(main())
