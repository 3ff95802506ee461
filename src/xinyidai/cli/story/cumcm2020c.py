"""The script of the contest CUMCM 2020, problem C: 425 real firms, masked, and every invoice of theirs.

The invoices and the defaults are real. Credit codes are made up, since the contest masks the firms, and say so by the
flag `is_simulated`; regions and industries are unknown and stay unknown.
"""

from datetime import date, datetime, timedelta
from pathlib import Path

import click
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from stdnum.cn import uscc

from ml.allocation import LendingTerms
from ml.datasets.cumcm2020c import CUMCM_AS_OF, read_churn
from xinyidai.access.rules import OrganisationKind
from xinyidai.cli.story.script import FirmEntry, Script
from xinyidai.foundation.clock import start_of_day

BUDGET_FEN = 10**10
MIN_AMOUNT_FEN = 10**7
MAX_AMOUNT_FEN = 10**8
SOLE_TRADER_MARK = "个体"
FILES = ("firms.csv", "invoices.parquet", "rate_churn.csv")
DOOR_COLUMNS = {
    "invoice_no": "invoice_no",
    "direction": "direction",
    "issued_on": "issued_on",
    "counterparty": "counterparty",
    "amount_yuan": "net_yuan",
    "tax_yuan": "tax_yuan",
    "total_yuan": "gross_yuan",
    "status": "status",
}
"""The contest's column and what the file door calls it."""


def read_script(folder: Path, work_folder: Path, *, seed: int, lgd_ppm: int) -> Script:
    """Read the contest's files and write the invoice file that the door of `sources` takes, into `work_folder`."""
    absent = [name for name in FILES if not (folder / name).is_file()]
    if absent:
        raise click.ClickException(f"{folder} does not hold {', '.join(absent)}")
    today = CUMCM_AS_OF.date()
    table = pd.read_csv(folder / "firms.csv")
    firms = tuple(_entry(str(row.firm), str(row.name)) for row in table[["firm", "name"]].itertuples(index=False))
    known = table.dropna(subset=["defaulted"])
    return Script(
        title="CUMCM 2020 C",
        firms=firms,
        invoice_file=_write_invoice_file(folder, work_folder, firms),
        outcomes={str(row.firm): (bool(row.defaulted), today) for row in known.itertuples(index=False)},
        trained_as_of=start_of_day(today),
        starts_at=_nine_o_clock(today),
        churn=read_churn(folder / "rate_churn.csv"),
        terms=LendingTerms(
            total_budget_fen=BUDGET_FEN, min_amount_fen=MIN_AMOUNT_FEN, max_amount_fen=MAX_AMOUNT_FEN, lgd_ppm=lgd_ppm
        ),
        demanded_fen=MAX_AMOUNT_FEN,
        seed=seed,
        notes=(
            "invoices, ratings and defaults are the contest's real data; the rating is never a feature",
            "institutions, people, credit codes and consents are simulated",
            "churn is priced in expectation: every firm that gets an offer accepts",
        ),
    )


def _entry(label: str, name: str) -> FirmEntry:
    is_sole_trader = name.startswith(SOLE_TRADER_MARK)
    code = f"{'92' if is_sole_trader else '91'}500000{int(label[1:]):09d}"
    return FirmEntry(
        label=label,
        name=name.strip(),
        kind=OrganisationKind.SOLE_TRADER if is_sole_trader else OrganisationKind.FIRM,
        credit_code=code + uscc.calc_check_digit(code),
        region_code=None,
        industry_code=None,
        established_on=None,
        staff=None,
    )


def _write_invoice_file(folder: Path, work_folder: Path, firms: tuple[FirmEntry, ...]) -> Path:
    """Rename the columns and put credit codes for the labels; amounts and everything else stay as they are."""
    source = pq.read_table(folder / "invoices.parquet")
    labels = pa.array([firm.label for firm in firms])
    codes = pa.array([firm.credit_code for firm in firms])
    places = pc.index_in(source["firm"].cast(pa.string()), value_set=labels)
    columns = {"credit_code": pc.take(codes, places)}
    columns |= {door: source[name] for name, door in DOOR_COLUMNS.items()}
    columns["issued_on"] = columns["issued_on"].cast(pa.date32())
    path = work_folder / "vat_invoices.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def _nine_o_clock(day: date) -> datetime:
    return start_of_day(day) + timedelta(hours=9)
