"""The only way out for hidden truth: a file for benchmarks, which ask how much of it a model has found."""

import csv
from datetime import date
from pathlib import Path

from city.world.calendar import first_day, month_of, name_of
from city.world.hazard import Terms, monthly_hazard
from city.world.plans import yearly_sales_yuan
from city.world.population import Firm, make_firms

NOTICE = "hidden truth of a simulated city: for benchmarks only"
COLUMNS = ("credit_code", "quality_micro", "is_hollow", "month", "monthly_pd_ppm", "notice")
FIRST_MONTH = month_of(date(2025, 1, 1))
MONTHS = 24
USUAL_RATE_BP = 500
USUAL_TERM_MONTHS = 12
USUAL_PART_OF_SALES = 0.15
MILLION = 1_000_000


def write_truth(seed: int, count: int, file: Path) -> None:
    """Write each firm's quality and, for a usual loan paid out the month before, its true monthly PD over two years."""
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(COLUMNS)
        for firm in make_firms(seed, count):
            for month in range(FIRST_MONTH, FIRST_MONTH + MONTHS):
                pd_ppm = round(MILLION * monthly_hazard(seed, firm, _usual_terms(seed, firm, month), month))
                hidden = (round(MILLION * firm.quality), int(firm.is_hollow))
                writer.writerow((firm.credit_code, *hidden, name_of(month), pd_ppm, NOTICE))


def _usual_terms(seed: int, firm: Firm, month: int) -> Terms:
    day = first_day(month - 1)
    amount_fen = int(100 * USUAL_PART_OF_SALES * yearly_sales_yuan(seed, firm, day))
    return Terms(max(1, amount_fen), USUAL_RATE_BP, USUAL_TERM_MONTHS, day)
