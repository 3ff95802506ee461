"""Draws invoices and outcomes of made-up firms from a seed, for tests and benchmarks.

Synthetic: what is measured on them shows speed and sameness, never skill at judging real firms.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ml.boosting.calibration import probability
from ml.features.arrays import IntArray

CROWD_AS_OF = pd.Timestamp("2024-01-01", tz="Asia/Shanghai")
_DAYS = 1100
_DAY_US = 86_400_000_000
_PARTNERS = 60


@dataclass(frozen=True)
class Crowd:
    """Invoices as ``ml.features.invoices`` reads them, and ``defaulted`` (0 or 1) of each firm in sorted order."""

    invoices: pd.DataFrame
    defaulted: IntArray


def draw_crowd(firms: int, *, seed: int, mean_invoices: int = 300) -> Crowd:
    """Draw firms whose weakness makes them smaller, more broken in time, more concentrated, and likelier to default.

    Invoices lie in the 1,100 days before ``CROWD_AS_OF``; each firm has at least one. Strings are categories, as a
    reader of a large table would give them. About a fifth of the firms default.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    weakness = random.normal(size=firms)
    number = np.maximum(
        1, (mean_invoices * np.exp(-0.6 * weakness + random.normal(size=firms) - 0.68)).astype(np.int64)
    )
    firm = np.repeat(np.arange(firms), number)
    rows = firm.size
    first_day = (random.random(firms) * 700).astype(np.int64)
    silent = np.where(weakness > 1, (random.random(firms) * 250).astype(np.int64), 0)
    span = _DAYS - first_day - silent
    day = first_day[firm] + (random.random(rows) * span[firm]).astype(np.int64)
    issued_us = CROWD_AS_OF.value // 1000 - (_DAYS - day) * _DAY_US + random.integers(0, _DAY_US, rows)
    is_sale = random.random(rows) < 0.55
    reach = np.maximum(1, (_PARTNERS * probability(-weakness)).astype(np.int64))
    partner = (random.random(rows) ** 2 * reach[firm]).astype(np.int64) + (firm * 7919) % 5000
    net_fen = np.exp(random.normal(11.5 - 0.3 * weakness[firm], 1.5)).astype(np.int64) + 1
    net_fen = np.where(random.random(rows) < 0.02, -net_fen, net_fen)
    tax_fen = np.rint(net_fen * np.where(is_sale, 0.13, 0.09)).astype(np.int64)
    is_void = random.random(rows) < 0.03 + 0.05 * probability(weakness[firm])
    order = random.permutation(rows)
    invoices = pd.DataFrame(
        {
            "enterprise_id": _category(firm[order], prefix="F"),
            "issued_at": pd.to_datetime(issued_us[order], unit="us", utc=True),
            "direction": np.where(is_sale[order], "out", "in"),
            "counterparty_id": _category(partner[order], prefix="P"),
            "net_fen": net_fen[order],
            "tax_fen": tax_fen[order],
            "gross_fen": (net_fen + tax_fen)[order],
            "is_void": is_void[order],
        }
    )
    invoices["direction"] = invoices["direction"].astype("category")
    defaulted = (random.random(firms) < probability(1.8 * weakness - 2.0)).astype(np.int64)
    return Crowd(invoices, defaulted)


def _category(codes: IntArray, *, prefix: str) -> "pd.Categorical[str]":
    names = pd.Index([f"{prefix}{code:07d}" for code in range(int(codes.max()) + 1)])
    return pd.Categorical.from_codes(codes, names)
