"""Synthetic VAT invoices and outcomes of earlier loans.

Monthly sales follow size, season (a dip at the spring festival), a slow trend with the hidden quality, and noise; a
firm of low quality has fewer customers, more void and red-letter invoices, and gaps. Default on an earlier loan is a
draw with a probability that falls with quality: what a model can learn is real inside this world and only there.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from city.firms import Firm, draws

MONTHS = 30
SPRING_DIP = {1: 0.75, 2: 0.55}
VAT_RATE = {"C": 0.13, "E": 0.09, "F": 0.13, "G": 0.09, "H": 0.06, "I": 0.06, "L": 0.06, "M": 0.06}
COLUMNS = (
    "credit_code",
    "invoice_no",
    "direction",
    "issued_on",
    "counterparty",
    "net_yuan",
    "tax_yuan",
    "gross_yuan",
    "status",
)


@dataclass(frozen=True)
class Outcome:
    """What a lender reported of an earlier loan."""

    credit_code: str
    is_default: bool
    observed_on: date


def make_invoices(seed: int, firm: Firm, *, until: date) -> pd.DataFrame:
    """Return a firm's invoices of the MONTHS before `until`, amounts as yuan text with two decimals."""
    chance = draws(seed, "invoices", firm.credit_code)
    months = pd.date_range(end=pd.Timestamp(until) - pd.offsets.MonthBegin(1), periods=MONTHS, freq="MS")
    sales = _monthly_sales(firm, months, chance)
    parts = [_month(firm, month, amount, "out", chance) for month, amount in zip(months, sales, strict=True)]
    costs = sales * chance.uniform(0.55, 0.9 - 0.08 * np.tanh(firm.quality), size=MONTHS)
    parts += [_month(firm, month, amount, "in", chance) for month, amount in zip(months, costs, strict=True)]
    frame = pd.concat(parts, ignore_index=True).sort_values(["direction", "issued_on"], kind="stable")
    frame = frame[frame["issued_on"] < until.isoformat()]
    frame["invoice_no"] = [f"{number:08d}" for number in range(10_000_001, 10_000_001 + len(frame))]
    return frame[list(COLUMNS)].reset_index(drop=True)


def make_outcome(seed: int, firm: Firm, *, observed_on: date) -> Outcome:
    """Draw whether an earlier loan of the firm was paid."""
    chance = draws(seed, "outcome", firm.credit_code)
    probability = 1 / (1 + np.exp(2.4 + 2.0 * firm.quality))
    observed = observed_on - timedelta(days=int(chance.integers(0, 90)))
    return Outcome(firm.credit_code, bool(chance.random() < probability), observed)


def _monthly_sales(firm: Firm, months: pd.DatetimeIndex, chance: np.random.Generator) -> np.ndarray:
    size = np.exp(chance.normal(11.2 if firm.kind == "firm" else 10.0, 0.7)) * (1 + firm.staff / 60)
    trend = np.exp(np.arange(len(months)) * (0.012 * firm.quality))
    season = np.array([SPRING_DIP.get(month.month, 1.05) for month in months])
    noise = np.exp(chance.normal(0, 0.18 + 0.12 * max(0.0, -firm.quality), size=len(months)))
    is_idle = chance.random(len(months)) < 0.03 + 0.10 * max(0.0, -firm.quality)
    return size * trend * season * noise * ~is_idle


def _month(
    firm: Firm, month: pd.Timestamp, amount_yuan: float, direction: str, chance: np.random.Generator
) -> pd.DataFrame:
    count = int(chance.poisson(5 if firm.kind == "firm" else 3)) + 1 if amount_yuan > 0 else 0
    weights = chance.dirichlet(np.full(count, 1.5)) if count else np.array([])
    is_red = chance.random(count) < 0.01 + 0.03 * max(0.0, -firm.quality)
    net_fen = np.rint(amount_yuan * weights * 100).astype(np.int64) * np.where(is_red, -1, 1)
    tax_fen = np.rint(net_fen * VAT_RATE[firm.industry_section]).astype(np.int64)
    partners = max(2, int(6 + 4 * firm.quality)) if direction == "out" else 6
    return pd.DataFrame(
        {
            "credit_code": firm.credit_code,
            "direction": direction,
            "issued_on": [
                (month + pd.Timedelta(days=int(day))).date().isoformat() for day in chance.integers(0, 28, count)
            ],
            "counterparty": [
                f"合成对手{firm.credit_code[-4:]}{number:03d}" for number in chance.integers(0, partners, count)
            ],
            "net_yuan": [_yuan(fen) for fen in net_fen],
            "tax_yuan": [_yuan(fen) for fen in tax_fen],
            "gross_yuan": [_yuan(fen) for fen in net_fen + tax_fen],
            "status": np.where(chance.random(count) < 0.03 + 0.05 * max(0.0, -firm.quality), "void", "valid"),
        }
    )


def _yuan(fen: int) -> str:
    return f"{'-' if fen < 0 else ''}{abs(int(fen)) // 100}.{abs(int(fen)) % 100:02d}"
