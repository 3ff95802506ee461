"""Deliveries for tests: agencies that send, rows and files as they send them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from builders_parties import a_desk
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.sources.rules import COLUMNS
from xinyidai.sources.rules.invoices import Invoices, coded
from xinyidai.sources.rules.records.kinds import KINDS, Column, ColumnKind

Row = dict[str, str | None]


async def an_agency(session: AsyncSession, *, now: datetime) -> Viewer:
    """Return an officer of a new tax agency."""
    return (await a_desk(session, OrganisationKind.AGENCY, now=now)).maker


def a_row(credit_code: str, **fields: str | None) -> Row:
    """Return one good row, with some fields replaced."""
    row: Row = {
        "credit_code": credit_code,
        "invoice_no": "00000001",
        "direction": "销项",
        "issued_on": "2025-03-05",
        "counterparty": "重庆买方有限公司",
        "net_yuan": "100.00",
        "tax_yuan": "13.00",
        "gross_yuan": "113.00",
        "status": "有效发票",
    }
    return row | fields


def rows_of(credit_code: str, count: int, *, first: int = 1) -> list[Row]:
    """Return good rows with numbers of their own."""
    return [a_row(credit_code, invoice_no=f"{number:08d}") for number in range(first, first + count)]


ON_CONSENT = (
    *("tax_filing", "social_insurance", "housing_fund", "water", "electricity", "gas", "import_export", "logistics"),
    *("annual_report", "self_declared", "science_technology", "real_estate", "farm_entity", "cash_flow"),
)
"""Items with records that nobody reads without a consent; the others are open, and no consent names them."""
GOOD_FIELDS: Mapping[ColumnKind, str] = {
    ColumnKind.MONTH: "2025-03",
    ColumnKind.YEAR: "2024",
    ColumnKind.DAY: "2025-03-05",
    ColumnKind.COUNT: "7",
    ColumnKind.QUANTITY: "1200",
    ColumnKind.AMOUNT: "100.50",
    ColumnKind.FLAG: "false",
    ColumnKind.TEXT: "说明",
}


def good_field(column: Column) -> str:
    """Return what a column of a good record says."""
    return (column.codes or ("C-1",))[0] if column.kind is ColumnKind.CODE else GOOD_FIELDS[column.kind]


def a_record(item: str, credit_code: str, **fields: str | None) -> Row:
    """Return one good record of an item, with some fields replaced."""
    row: Row = {"credit_code": credit_code}
    return row | {column.delivered_as: good_field(column) for column in KINDS[item].columns} | fields


def a_csv(folder: Path, rows: Sequence[Mapping[str, str | None]], name: str = "invoices.csv") -> Path:
    """Write rows as a CSV file."""
    path = folder / name
    pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(path, index=False, lineterminator="\n")
    return path


def a_parquet(folder: Path, frame: pd.DataFrame, name: str = "invoices.parquet") -> Path:
    """Write a frame as a Parquet file."""
    path = folder / name
    frame.to_parquet(path, index=False)
    return path


def as_invoices(frame: pd.DataFrame) -> Invoices:
    """Return a frame of a crowd's columns as it would be read back: firm by firm, days instead of moments."""
    ordered = frame.assign(firm=frame["enterprise_id"].astype(str)).sort_values("firm", kind="stable")
    counts = ordered["firm"].value_counts(sort=False)
    counterparty, counterparties = coded(ordered["counterparty_id"].astype(str).tolist())
    days = ordered["issued_at"].dt.tz_convert("Asia/Shanghai").dt.tz_localize(None).to_numpy()
    return Invoices(
        firms=counts.index.tolist(),
        counts=counts.to_numpy(dtype=np.int64),
        issued_on=days.astype("datetime64[D]"),
        is_sale=(ordered["direction"] == "out").to_numpy(dtype=np.bool_),
        counterparty=counterparty,
        counterparties=counterparties,
        net_fen=ordered["net_fen"].to_numpy(),
        tax_fen=ordered["tax_fen"].to_numpy(),
        gross_fen=ordered["gross_fen"].to_numpy(),
        is_void=ordered["is_void"].to_numpy(),
    )
