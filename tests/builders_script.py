"""A script of the first loan for tests: a small synthetic set that the city writes as files, from a seed."""

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import click
import pandas as pd

from ml.allocation import Band, ChurnTable, LendingTerms, churn_table
from xinyidai.access.rules import OrganisationKind
from xinyidai.cli.story.script import FirmEntry, Script
from xinyidai.foundation.clock import start_of_day

TODAY = date(2025, 6, 16)
TRAINED_DAYS_BEFORE = 120
FIRMS = 200
WITH_OUTCOME = 140
BUDGET_FEN = 10**9
LGD_PPM = 450_000
RATES_BP = tuple(range(400, 1501, 50))
CITY_SECONDS = 300


def make_script(work_folder: Path, *, seed: int, firms: int = FIRMS, with_outcome: int = WITH_OUTCOME) -> Script:
    """Let the city write its files and read them; the same seed gives the same script."""
    folder = work_folder / "city"
    command = [sys.executable, "-m", "city", "files", "--seed", str(seed), "--until", TODAY.isoformat()]
    command += ["--firms", str(firms), "--with-outcome", str(with_outcome), "--out", str(folder)]
    finished = subprocess.run(command, check=False, timeout=CITY_SECONDS)
    if finished.returncode:
        raise click.ClickException("the simulated city could not write its files")
    registry = pd.read_csv(folder / "firms.csv", dtype=str)
    outcomes = pd.read_csv(folder / "outcomes.csv", dtype=str)
    return Script(
        title=f"synthetic city, seed {seed}",
        firms=tuple(
            _entry({str(key): str(value) for key, value in row.items()}) for row in registry.to_dict("records")
        ),
        invoice_file=folder / "invoices.csv",
        outcomes={
            row["credit_code"]: (row["is_default"] == "1", date.fromisoformat(row["observed_on"]))
            for row in outcomes.to_dict("records")
        },
        trained_as_of=start_of_day(TODAY - timedelta(days=TRAINED_DAYS_BEFORE)),
        starts_at=start_of_day(TODAY) + timedelta(hours=9),
        churn=_synthetic_churn(),
        terms=LendingTerms(
            total_budget_fen=BUDGET_FEN, min_amount_fen=10**7, max_amount_fen=5 * 10**7, lgd_ppm=LGD_PPM
        ),
        demanded_fen=5 * 10**7,
        seed=seed,
        notes=("everything here is synthetic: firms, invoices, outcomes, institutions and people",),
    )


def _entry(row: dict[str, str]) -> FirmEntry:
    return FirmEntry(
        label=row["credit_code"],
        name=row["name"],
        kind=OrganisationKind(row["kind"]),
        credit_code=row["credit_code"],
        region_code=row["region_code"],
        industry_code=row["industry_section"],
        established_on=date.fromisoformat(row["established_on"]),
        staff=int(row["staff"]),
    )


def _synthetic_churn() -> ChurnTable:
    """Customers leave in a straight line from 4 % to 15 %, the better bands sooner."""
    steps = len(RATES_BP) - 1
    most = {Band.A: 92, Band.B: 88, Band.C: 86}
    return churn_table(
        RATES_BP,
        {
            band: [f"{place * percent / steps / 100:.4f}" for place in range(steps + 1)]
            for band, percent in most.items()
        },
    )
