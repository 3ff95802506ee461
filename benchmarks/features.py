"""Firms per second of all invoice indicators, beside plain pandas group-bys of half of them and a bare pass of numpy.

The claim is lopsided against us on purpose: we time all 45 indicators, the peer 22 of them. The same run checks that
those agree.
"""

import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmarks.measuring import Row, arguments, compare, finish, measure
from ml.datasets.crowds import CROWD_AS_OF, draw_crowd
from ml.features.invoices import INDICATORS, invoice_indicators

PEER = "pandas groupby, 22 of them"
NAMES = {"out": ("sales", "sales", "customer", "output"), "in": ("purchases", "purchase", "supplier", "input")}


def by_pandas(invoices: pd.DataFrame) -> pd.DataFrame:
    """Half of the indicators as one would write them at first."""
    start = CROWD_AS_OF - pd.DateOffset(months=36)
    window = invoices[(invoices.issued_at < CROWD_AS_OF) & (invoices.issued_at >= start)]
    result = pd.DataFrame(index=np.sort(window.enterprise_id.unique().astype(str)))
    for direction in ("out", "in"):
        for code, values in _one_side(window[window.direction == direction], direction).items():
            result[code] = values
    return result


def _one_side(rows: pd.DataFrame, direction: str) -> dict[str, pd.Series]:
    sales, sale, customer, output = NAMES[direction]
    one = {"out": "sale", "in": "purchase"}[direction]
    valid = rows[~rows.is_void]
    firm = valid.groupby("enterprise_id", observed=True)
    known = firm.size().index
    year = valid[valid.issued_at >= CROWD_AS_OF - pd.DateOffset(months=12)]
    of_year = year.groupby("enterprise_id", observed=True)
    net = of_year.net_fen.sum()
    red, blue = valid[valid.net_fen < 0], valid[valid.net_fen >= 0]
    blue_fen = blue.groupby("enterprise_id", observed=True).net_fen.sum()
    red_fen = red.groupby("enterprise_id", observed=True).net_fen.sum()
    partners = year.groupby(["enterprise_id", "counterparty_id"], observed=True).net_fen.sum()
    positive = partners[partners > 0]
    share = positive / positive.groupby(level=0, observed=True).transform("sum")
    last = firm.issued_at.max().dt.tz_convert("Asia/Shanghai").dt.normalize()
    return {
        f"{sales}_12m_fen": net.reindex(known, fill_value=0),
        f"{sale}_invoices_12m": of_year.size().reindex(known, fill_value=0),
        f"{output}_tax_rate": (of_year.tax_fen.sum() / net)[net > 0],
        f"void_rate_{sales}": rows.groupby("enterprise_id", observed=True).is_void.mean(),
        f"red_letter_rate_{sales}": red.groupby("enterprise_id", observed=True).size().reindex(known, fill_value=0)
        / firm.size(),
        f"red_letter_share_{sales}": -red_fen.reindex(known, fill_value=0) / blue_fen,
        f"average_{one}_fen": blue.groupby("enterprise_id", observed=True).net_fen.mean(),
        f"{customer}_count": partners.groupby(level=0, observed=True).size().reindex(known, fill_value=0),
        f"{customer}_hhi": (share**2).groupby(level=0, observed=True).sum(),
        f"{customer}_top_share": share.groupby(level=0, observed=True).max(),
        f"days_since_last_{one}": (CROWD_AS_OF.normalize() - last).dt.days,
    }


def bare_pass(invoices: pd.DataFrame) -> float:
    """Touch each column once, as anything must."""
    total = sum(float(invoices[column].to_numpy().sum()) for column in ("net_fen", "tax_fen", "is_void"))
    codes = sum(int(invoices[column].cat.codes.max()) for column in ("enterprise_id", "direction", "counterparty_id"))
    return total + codes + pd.DatetimeIndex(invoices.issued_at).asi8.max()


def main(argv: Sequence[str] | None = None) -> int:
    """Measure a crowd, and one firm of about 3,000 invoices."""
    args = arguments("features", argv)
    firms = 20_000 if args.full else 2_000
    crowd = draw_crowd(firms, seed=1, mean_invoices=500).invoices
    alone = draw_crowd(1, seed=9, mean_invoices=3_000).invoices
    ours, peer = invoice_indicators(crowd, as_of=CROWD_AS_OF), by_pandas(crowd)
    pd.testing.assert_frame_equal(ours[peer.columns], peer, check_dtype=False, check_names=False, rtol=1e-9)
    print(
        f"{firms:,} firms, {len(crowd):,} invoices; alone {len(alone):,}; {len(INDICATORS)} indicators", file=sys.stderr
    )
    timings = measure(
        {
            "crowd": lambda: invoice_indicators(crowd, as_of=CROWD_AS_OF),
            "crowd, pandas": lambda: by_pandas(crowd),
            "crowd, bare pass": lambda: bare_pass(crowd),
            "alone": lambda: invoice_indicators(alone, as_of=CROWD_AS_OF),
            "alone, pandas": lambda: by_pandas(alone),
            "alone, bare pass": lambda: bare_pass(alone),
        },
        args.rounds,
    )
    rows: list[Row] = [
        compare(
            "crowd",
            "firms/s",
            ours=timings["crowd"].per_second(firms),
            peer=PEER,
            peer_value=timings["crowd, pandas"].per_second(firms),
            limit=timings["crowd, bare pass"].per_second(firms),
            goal=1.25,
        ),
        compare(
            "one firm on demand",
            "ms",
            ours=timings["alone"].median_s * 1e3,
            peer="the budget",
            peer_value=10.0,
            limit=timings["alone, bare pass"].median_s * 1e3,
            goal=1.0,
            more_is_better=False,
        ),
        compare(
            "one firm on demand",
            "ms",
            ours=timings["alone"].median_s * 1e3,
            peer=PEER,
            peer_value=timings["alone, pandas"].median_s * 1e3,
            limit=timings["alone, bare pass"].median_s * 1e3,
            goal=2.0,
            more_is_better=False,
        ),
    ]
    return finish(rows, args)


if __name__ == "__main__":
    raise SystemExit(main())
