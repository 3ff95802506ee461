"""Sales by month: Shanghai's months, void invoices left out, months without sales kept as zero."""

from datetime import date

import pandas as pd

from xinyidai.profiles.rules.months import monthly_sales


def invoices(*rows: tuple[str, str, int, bool]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "issued_at": pd.to_datetime([at for at, _, _, _ in rows], utc=True),
            "direction": pd.Categorical([direction for _, direction, _, _ in rows], categories=["in", "out"]),
            "net_fen": pd.array([fen for _, _, fen, _ in rows], dtype="int64"),
            "is_void": [is_void for _, _, _, is_void in rows],
        }
    )


def test_a_month_is_shanghais_and_counts_sales_alone() -> None:
    frame = invoices(
        ("2025-04-30T16:00", "out", 100, False),  # the first of May in Shanghai
        ("2025-05-20T16:00", "out", -30, False),
        ("2025-05-21T16:00", "out", 500, True),
        ("2025-05-22T16:00", "in", 900, False),
        ("2025-06-01T16:00", "out", 7, False),
    )

    months = monthly_sales(frame, until=date(2025, 6, 16), months=3)

    assert [(one.month, one.net_fen) for one in months] == [
        (date(2025, 4, 1), 0),
        (date(2025, 5, 1), 70),
        (date(2025, 6, 1), 7),
    ]


def test_a_firm_without_sales_has_months_of_nothing() -> None:
    months = monthly_sales(invoices(), until=date(2025, 6, 16))

    assert len(months) == 24
    assert {one.net_fen for one in months} == {0}
