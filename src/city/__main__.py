"""`python -m city files`: write the synthetic files that registry, tax bureau and lenders would drop."""

import argparse
import sys
from datetime import date
from pathlib import Path

import pandas as pd

from city.firms import draws, make_firms
from city.invoices import make_invoices, make_outcome

NOTICE = "All rows in this folder are synthetic: made by `python -m city files` from a seed. No real firm is meant.\n"


def main(argv: list[str]) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m city", description="The simulated outside world.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    files = verbs.add_parser("files", help="write firms.csv, invoices.csv, outcomes.csv and SYNTHETIC.txt")
    files.add_argument("--seed", type=int, required=True)
    files.add_argument("--firms", type=int, default=200, help="how many firms (default 200)")
    files.add_argument("--with-outcome", type=int, default=140, help="how many of them had an earlier loan")
    files.add_argument("--until", type=date.fromisoformat, required=True, help="the day after the last invoice")
    files.add_argument("--out", type=Path, required=True, help="folder to write into")
    asked = parser.parse_args(argv)
    if not 1 <= asked.firms <= 100_000 or not 0 <= asked.with_outcome <= asked.firms:
        parser.error("firms must be 1 to 100000, with-outcome 0 to firms")
    write_files(asked.seed, asked.firms, asked.with_outcome, asked.until, asked.out)
    return 0


def write_files(seed: int, count: int, with_outcome: int, until: date, folder: Path) -> None:
    """Write the four files; the same arguments give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    firms = make_firms(seed, count, as_of=until)
    registry = pd.DataFrame([vars(firm) for firm in firms]).drop(columns="quality")
    registry.to_csv(folder / "firms.csv", index=False)
    invoices = pd.concat([make_invoices(seed, firm, until=until) for firm in firms], ignore_index=True)
    invoices.to_csv(folder / "invoices.csv", index=False)
    # Who had an earlier loan is drawn, since credit codes sort enterprises before sole traders.
    borrowers = sorted(firms, key=lambda firm: draws(seed, "history", firm.credit_code).random())[:with_outcome]
    borrowers.sort(key=lambda firm: firm.credit_code)
    outcomes = [make_outcome(seed, firm, observed_on=until) for firm in borrowers]
    frame = pd.DataFrame([vars(outcome) for outcome in outcomes], columns=["credit_code", "is_default", "observed_on"])
    frame.astype({"is_default": int}).to_csv(folder / "outcomes.csv", index=False)
    (folder / "SYNTHETIC.txt").write_text(NOTICE, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
