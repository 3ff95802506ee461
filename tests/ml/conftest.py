"""Ground of the ml tests: where public data lies, if it does, and a made-up crowd with its model."""

import os
from pathlib import Path

import pandas as pd
import pytest

from ml.datasets.crowds import CROWD_AS_OF, Crowd, draw_crowd
from ml.features.invoices import invoice_indicators
from ml.registry import Bundle
from ml.training.default_model import train

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
CUMCM_FOLDER = Path(os.environ.get("XINYIDAI_SHARED_DATA", _BESIDE)) / "cumcm2020c"
# The data is no part of the project: without it the tests on it do not exist, rather than being skipped.
collect_ignore = [] if CUMCM_FOLDER.is_dir() else ["test_cumcm2020c.py"]


@pytest.fixture(scope="session")
def cumcm_folder() -> Path:
    return CUMCM_FOLDER


@pytest.fixture(scope="session")
def crowd() -> Crowd:
    return draw_crowd(120, seed=5, mean_invoices=80)


@pytest.fixture(scope="session")
def features(crowd: Crowd) -> pd.DataFrame:
    return invoice_indicators(crowd.invoices, as_of=CROWD_AS_OF)


@pytest.fixture(scope="session")
def bundle(crowd: Crowd, features: pd.DataFrame) -> Bundle:
    return train(features, crowd.defaulted, population="120 made-up firms")
