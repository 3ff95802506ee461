"""Keeps a trained model as canonical JSON text under its digest; never pickle, never a partial model."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from ml.boosting.calibration import Calibration
from ml.evaluation.metrics import Metrics

FORMAT = 1

_T = TypeVar("_T")


class BundleUnreadable(ValueError):
    """The bytes are no JSON of this format, or a part of the model is missing or of another type."""


class DigestMismatch(ValueError):
    """The bytes are not those the digest was taken of."""


class FeaturesUnknown(ValueError):
    """The model asks for indicators that nobody here computes, or its trees name others than its list."""


@dataclass(frozen=True)
class Origin:
    """Where a model comes from; the model card is written from it."""

    population: str
    firms: int
    defaults: int
    lightgbm_version: str
    metrics: Metrics | None


@dataclass(frozen=True)
class Bundle:
    """All that scoring needs: one LightGBM text, two numbers of calibration, the features in their order."""

    format: int
    feature_names: tuple[str, ...]
    calibration: Calibration
    booster_text: str
    origin: Origin

    def canonical_bytes(self) -> bytes:
        """UTF-8 JSON with sorted keys and no spaces; floats in the shortest form that reads back the same."""
        text = json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return text.encode()

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical bytes, 64 hexadecimal digits."""
        return hashlib.sha256(self.canonical_bytes()).hexdigest()


def save_bundle(bundle: Bundle, folder: Path) -> Path:
    """Write the bundle as ``<digest>.json`` and return its path; writing it again changes nothing."""
    path = folder / f"{bundle.digest}.json"
    path.write_bytes(bundle.canonical_bytes())
    return path


def load_bundle(folder: Path, digest: str, *, known_features: Collection[str]) -> Bundle:
    """Read ``<digest>.json``; see ``read_bundle``. A missing file stays ``FileNotFoundError``."""
    return read_bundle((folder / f"{digest}.json").read_bytes(), digest=digest, known_features=known_features)


def read_bundle(raw: bytes, *, digest: str, known_features: Collection[str]) -> Bundle:
    """Check the bytes against their digest, then the model against the indicators there are.

    Parameters
    ----------
    known_features : collection of str
        Codes of every indicator the caller computes.

    Raises
    ------
    DigestMismatch, BundleUnreadable, FeaturesUnknown
        In this order; see each class.
    """
    found = hashlib.sha256(raw).hexdigest()
    if found != digest:
        raise DigestMismatch(f"expected {digest}, found {found}")
    try:
        bundle = _bundle(json.loads(raw))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BundleUnreadable(f"{type(error).__name__}: {error}") from error
    if bundle.format != FORMAT:
        raise BundleUnreadable(f"format {bundle.format}, not {FORMAT}")
    unknown = sorted(set(bundle.feature_names) - set(known_features))
    if unknown:
        raise FeaturesUnknown(", ".join(unknown))
    line = "\nfeature_names=" + " ".join(bundle.feature_names) + "\n"
    if line not in bundle.booster_text:
        raise FeaturesUnknown("the trees name other features than the bundle's list")
    return bundle


def _bundle(parts: dict[str, object]) -> Bundle:
    calibration, origin = _part(parts, "calibration"), _part(parts, "origin")
    metrics = origin["metrics"]
    return Bundle(
        format=_as(parts["format"], int),
        feature_names=tuple(_as(name, str) for name in _as(parts["feature_names"], list)),
        calibration=Calibration(slope=_as(calibration["slope"], float), intercept=_as(calibration["intercept"], float)),
        booster_text=_as(parts["booster_text"], str),
        origin=Origin(
            population=_as(origin["population"], str),
            firms=_as(origin["firms"], int),
            defaults=_as(origin["defaults"], int),
            lightgbm_version=_as(origin["lightgbm_version"], str),
            metrics=None if metrics is None else _metrics(_part(origin, "metrics")),
        ),
    )


def _metrics(parts: dict[str, object]) -> Metrics:
    return Metrics(
        firms=_as(parts["firms"], int),
        defaults=_as(parts["defaults"], int),
        auc=_as(parts["auc"], float),
        auc_low=_as(parts["auc_low"], float),
        auc_high=_as(parts["auc_high"], float),
        ks=_as(parts["ks"], float),
        brier=_as(parts["brier"], float),
        log_loss=_as(parts["log_loss"], float),
    )


def _part(parts: dict[str, object], name: str) -> dict[str, object]:
    return _as(parts[name], dict)


def _as(value: object, kind: type[_T]) -> _T:
    if type(value) is not kind:
        raise TypeError(f"{kind.__name__} expected, {type(value).__name__} found")
    return value
