"""Files such as registry, tax bureau and lenders would drop, for a platform that reads no HTTP."""

import csv
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from city.world.calendar import month_of
from city.world.draws import uniform, whole
from city.world.history import has_defaulted
from city.world.invoices import COLUMNS, invoice_rows
from city.world.population import Firm, make_firms

NOTICE = "All rows in this folder are synthetic: made by `python -m city files` from a seed. No real firm is meant.\n"
MONTHS = 30
OBSERVED_WITHIN_DAYS = 90
REGISTRY = ("credit_code", "name", "kind", "region_code", "industry_section", "established_on", "staff")


def write_files(seed: int, count: int, with_outcome: int, until: date, folder: Path) -> None:
    """Write firms.csv, invoices.csv, outcomes.csv and SYNTHETIC.txt; the same arguments give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    firms = make_firms(seed, count)
    _write(folder / "firms.csv", REGISTRY, [_registered(firm) for firm in firms])
    last = month_of(until)
    rows = [
        (firm.credit_code, *row) for firm in firms for row in invoice_rows(seed, firm, last - MONTHS, last, until=until)
    ]
    _write(folder / "invoices.csv", ("credit_code", *COLUMNS), rows)
    # Who had an earlier loan is drawn, since credit codes sort enterprises before sole traders.
    borrowers = sorted(firms, key=lambda firm: uniform(seed, "history", firm.credit_code))[:with_outcome]
    borrowers.sort(key=lambda firm: firm.credit_code)
    outcomes = [_observed(seed, firm, until) for firm in borrowers]
    _write(folder / "outcomes.csv", ("credit_code", "is_default", "observed_on"), outcomes)
    (folder / "SYNTHETIC.txt").write_text(NOTICE, encoding="utf-8")


def _registered(firm: Firm) -> tuple[str, ...]:
    place = (firm.region_code, firm.industry_code, firm.established_on.isoformat(), str(firm.staff))
    return (firm.credit_code, firm.name, firm.kind, *place)


def _observed(seed: int, firm: Firm, until: date) -> tuple[str, ...]:
    days = whole(seed, 0, OBSERVED_WITHIN_DAYS - 1, firm.credit_code, "reported")
    is_default = has_defaulted(seed, firm)
    return (firm.credit_code, str(int(is_default)), (until - timedelta(days=days)).isoformat())


def _write(path: Path, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
