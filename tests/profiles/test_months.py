"""Sales by month: Shanghai's months, void invoices left out, months without sales kept as zero."""

from datetime import date

import numpy as np
import pandas as pd
from builders_sources import as_invoices

from xinyidai.profiles.rules.months import monthly_sales
from xinyidai.sources.rules.invoices import Invoices

FEN = ("net_fen", "tax_fen", "gross_fen")


def invoices(*rows: tuple[str, str, int, bool]) -> Invoices:
    return as_invoices(
        pd.DataFrame(
            {
                "enterprise_id": ["a firm" for _ in rows],
                "issued_at": pd.to_datetime([at for at, _, _, _ in rows], utc=True),
                "direction": [direction for _, direction, _, _ in rows],
                "counterparty_id": ["a partner" for _ in rows],
                **{name: np.array([fen for _, _, fen, _ in rows], dtype=np.int64) for name in FEN},
                "is_void": np.array([is_void for _, _, _, is_void in rows], dtype=np.bool_),
            }
        )
    )


def test_a_month_is_shanghais_and_counts_sales_alone() -> None:
    sold = invoices(
        ("2025-04-30T16:00", "out", 100, False),  # the first of May in Shanghai
        ("2025-05-20T16:00", "out", -30, False),
        ("2025-05-21T16:00", "out", 500, True),
        ("2025-05-22T16:00", "in", 900, False),
        ("2025-06-01T16:00", "out", 7, False),
        ("2025-06-30T16:00", "out", 4, False),  # and the first of July, which is not asked for
        ("2025-03-31T15:59", "out", 3, False),
    )

    months = monthly_sales(sold, until=date(2025, 6, 16), months=3)

    assert [(one.month, one.net_fen) for one in months] == [
        (date(2025, 4, 1), 0),
        (date(2025, 5, 1), 70),
        (date(2025, 6, 1), 7),
    ]


def test_a_firm_without_sales_has_months_of_nothing() -> None:
    months = monthly_sales(invoices(), until=date(2025, 6, 16))

    assert len(months) == 24
    assert {one.net_fen for one in months} == {0}
