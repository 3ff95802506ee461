"""Reads the small firms' VAT invoices of the contest CUMCM 2020, problem C, from a folder; the project carries none.

123 firms have a bank's rating and a default flag, 302 have neither. The rating is nearly the flag (D defaulted 24 of 24
times) and therefore never a feature.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ml.allocation import Band, ChurnTable, churn_table

CUMCM_AS_OF = pd.Timestamp("2020-02-22", tz="Asia/Shanghai")
_FEN = 100
_BP = 10_000


@dataclass(frozen=True)
class Cumcm:
    """``invoices`` as ``ml.features.invoices`` reads them, ``defaulted`` (0, 1) of the 123, and the ``unrated`` 302."""

    invoices: pd.DataFrame
    defaulted: pd.Series
    unrated: tuple[str, ...]
    churn: ChurnTable


def read_cumcm(folder: Path) -> Cumcm:
    """Read ``invoices.parquet``, ``firms.csv`` and ``rate_churn.csv``.

    The day after the last invoice, ``CUMCM_AS_OF``, is the as-of date. Yuan become fen by rounding to the nearest.
    """
    raw = pd.read_parquet(folder / "invoices.parquet")
    firms = pd.read_csv(folder / "firms.csv").set_index("firm")
    defaulted = firms["defaulted"].dropna().astype(np.int64)
    issued_at = pd.DatetimeIndex(raw["issued_on"]).tz_localize("Asia/Shanghai").tz_convert("UTC")
    fen = {
        name: np.rint(raw[column].to_numpy() * _FEN).astype(np.int64)
        for name, column in {"net_fen": "amount_yuan", "tax_fen": "tax_yuan", "gross_fen": "total_yuan"}.items()
    }
    invoices = pd.DataFrame(
        {
            "enterprise_id": raw["firm"],
            "issued_at": issued_at,
            "direction": raw["direction"].cat.rename_categories({"进项": "in", "销项": "out"}),
            "counterparty_id": raw["counterparty"],
            **fen,
            "is_void": (raw["status"] == "作废发票").to_numpy(dtype=np.bool_),
        }
    )
    return Cumcm(
        invoices=invoices,
        defaulted=defaulted,
        unrated=tuple(firms.index[firms["defaulted"].isna()]),
        churn=read_churn(folder / "rate_churn.csv"),
    )


def read_churn(path: Path) -> ChurnTable:
    """Read the share of customers lost at each of the 29 rates, for bands A to C."""
    table = pd.read_csv(path, dtype=str)
    churn = {band: tuple(table[f"churn_rating_{band.lower()}"]) for band in (Band.A, Band.B, Band.C)}
    return churn_table([round(float(rate) * _BP) for rate in table["annual_rate"]], churn)
