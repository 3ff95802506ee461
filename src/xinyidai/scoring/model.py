"""The one door from scoring to `ml`: bundles in, integers and reasons out.

`ml` is imported when first used, and LightGBM by `ml` only where a model needs it, so a web process that never scores
stays small.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from xinyidai.profiles.model import indicator_texts, reading_value
from xinyidai.profiles.rules.readings import IndicatorText
from xinyidai.scoring.rules.reasons import MAX_REASONS, Share, Side
from xinyidai.scoring.rules.releases import BundleRefused

_MILLION = 1_000_000
_KEPT = 4


@dataclass(frozen=True)
class Scored:
    """What the model says of one firm; log-odds and baseline are in millionths, baseline is the training firms'."""

    pd_ppm: int
    log_odds_micro: int
    baseline_micro: int
    shares: tuple[Share, ...]


@dataclass(frozen=True)
class Checked:
    """What a bundle says of itself once its text was read and found whole."""

    digest: str
    card: str
    metrics: dict[str, int]


@dataclass(frozen=True)
class Fitted:
    """A trained model's text, and what it said of each firm when it had not seen it, in the order of the rows."""

    bundle_text: str
    checked: Checked
    folds: tuple[int, ...]
    held_out_ppm: tuple[int, ...]


class Ready:
    """A model ready to score; see `ready`."""

    def __init__(self, bundle_text: str, digest: str) -> None:
        from ml.registry import BundleUnreadable, DigestMismatch, FeaturesUnknown, read_bundle
        from ml.serving import Scorer

        texts = indicator_texts()
        try:
            bundle = read_bundle(bundle_text.encode(), digest=digest, known_features=[text.code for text in texts])
        except (BundleUnreadable, DigestMismatch, FeaturesUnknown) as error:
            raise BundleRefused(why=type(error).__name__) from error
        self._scorer = Scorer(bundle)
        self._texts: dict[str, IndicatorText] = {text.code: text for text in texts}
        self.digest = digest

    def score(self, frame: pd.DataFrame) -> list[Scored]:
        """Score each row of a frame of indicators: alone or in a crowd, the same integers.

        Reasons are what raises the risk most, at most four; where nothing raises it, what lowers it most.
        """
        from ml.explaining.reasons import Side as MlSide
        from ml.explaining.reasons import reasons

        # Picking 45 columns by name costs as much as scoring one row, and the scorer does it in each call.
        asked = frame[list(self._scorer.feature_names)]
        raising = reasons(self._scorer, asked, at_most=MAX_REASONS, side=MlSide.RAISES)
        told = raising
        if not all(raising):
            lowering = reasons(self._scorer, asked, at_most=MAX_REASONS, side=MlSide.LOWERS)
            told = [up or down for up, down in zip(raising, lowering, strict=True)]
        rows = zip(self._scorer.pd_ppm(asked), self._scorer.log_odds(asked), told, strict=True)
        return [
            Scored(
                pd_ppm=int(pd_ppm),
                log_odds_micro=_micro(float(log_odds)),
                baseline_micro=_micro(self._scorer.bias),
                shares=tuple(
                    Share(one.code, Side(one.side.value), _micro(one.contribution), self._value(one.code, one.value))
                    for one in given
                ),
            )
            for pd_ppm, log_odds, given in rows
        ]

    def _value(self, code: str, value: float) -> int | None:
        return reading_value(self._texts[code].measure, value)


_by_digest: dict[str, Ready] = {}


def known(digest: str) -> Ready | None:
    """Return the model of a digest where this process has read it before; its digest was checked then."""
    return _by_digest.get(digest)


def forget(digest: str) -> None:
    """Let go of a model that was kept, so that the next use reads and checks its text again."""
    _by_digest.pop(digest, None)


def ready(bundle_text: str, digest: str, *, is_kept: bool = True) -> Ready:
    """Read a bundle, check its digest and its indicators, and keep the last few.

    Raises
    ------
    BundleRefused
        The text is not what the digest was taken of, no bundle, or asks for indicators that nobody computes.
    """
    model = Ready(bundle_text, digest)
    if is_kept:
        while len(_by_digest) >= _KEPT:
            _by_digest.pop(next(iter(_by_digest)))
        _by_digest[digest] = model
    return model


def check(bundle_text: str) -> Checked:
    """Read a bundle as a stranger's: return its digest, card and measures, or refuse it.

    Raises
    ------
    BundleRefused
    """
    from ml.cards.model_card import model_card
    from ml.registry import read_bundle

    digest = hashlib.sha256(bundle_text.encode()).hexdigest()
    Ready(bundle_text, digest)
    bundle = read_bundle(bundle_text.encode(), digest=digest, known_features=[text.code for text in indicator_texts()])
    metrics = bundle.origin.metrics
    names = ("auc", "auc_low", "auc_high", "ks", "brier", "log_loss")
    measures = {} if metrics is None else {f"{name}_ppm": _ppm(getattr(metrics, name)) for name in names}
    counted = {"firms": bundle.origin.firms, "defaults": bundle.origin.defaults}
    return Checked(digest, model_card(bundle), counted | measures)


def fit(frame: pd.DataFrame, defaulted: Sequence[bool], *, population: str, seed: int) -> Fitted:
    """Cross-validate and train on every firm given; the same text for the same arguments.

    Loads LightGBM. Takes some ten seconds for a few hundred firms, so it is a command's work and never a request's.
    """
    from ml.evaluation.cross_validation import cross_validate
    from ml.training.default_model import train

    outcomes = [int(one) for one in defaulted]
    held_out = cross_validate(frame, outcomes, seed=seed)
    bundle = train(frame, outcomes, population=population, metrics=held_out.metrics)
    text = bundle.canonical_bytes().decode()
    return Fitted(
        bundle_text=text,
        checked=check(text),
        folds=tuple(int(fold) for fold in held_out.fold),
        held_out_ppm=tuple(_ppm(float(chance)) for chance in held_out.probability),
    )


def _ppm(value: float) -> int:
    return round(value * _MILLION)


def _micro(value: float) -> int:
    return round(value * _MILLION)
