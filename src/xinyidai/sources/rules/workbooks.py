"""Cells of a workbook as fields of a delivery: what a person typed, not how Excel keeps it."""

from datetime import date, datetime, time, timedelta

Cell = int | float | str | bool | time | date | datetime | timedelta


def as_field(cell: Cell) -> str | None:
    """Return a cell as text: whole numbers without a point, midnight as its day, nothing for an empty one."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 10**15 else repr(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time.min else cell.isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell) or None
