"""The city's files: synthetic, complete, and the same bytes for the same seed."""

import csv
from datetime import date
from pathlib import Path

from city.__main__ import main
from city.files import write_files

UNTIL = date(2025, 6, 16)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_same_seed_writes_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    for seed, name in ((7, "a"), (7, "b"), (8, "c")):
        write_files(seed, 6, 4, UNTIL, tmp_path / name)

    first, second, other = ((tmp_path / name / "invoices.csv").read_bytes() for name in "abc")

    assert first == second
    assert first != other


def test_the_command_writes_what_is_asked_and_nothing_hidden(tmp_path: Path) -> None:
    asked = [
        "--seed",
        "3",
        "--firms",
        "20",
        "--with-outcome",
        "8",
        "--until",
        UNTIL.isoformat(),
        "--out",
        str(tmp_path),
    ]

    assert main(["files", *asked]) == 0

    firms, outcomes = rows_of(tmp_path / "firms.csv"), rows_of(tmp_path / "outcomes.csv")
    invoices = rows_of(tmp_path / "invoices.csv")
    assert (len(firms), len(outcomes)) == (20, 8)
    assert set(firms[0]) & {"quality", "is_hollow"} == set()
    assert {row["credit_code"] for row in invoices} <= {row["credit_code"] for row in firms}
    assert max(row["issued_on"] for row in invoices) < UNTIL.isoformat()
    assert "synthetic" in (tmp_path / "SYNTHETIC.txt").read_text(encoding="utf-8")
