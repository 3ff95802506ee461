"""How rows leave the city: months, dates and amounts as text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from city.providers.faults import Kind
from city.world.calendar import FIRST_MONTH, MONTHS, month_named, name_of

MOST_PAGE_SIZE = 500

Money = Callable[[int], str]


@dataclass(frozen=True)
class Asked:
    """Which months and which page of them."""

    first_month: int
    last_month: int
    page: int
    page_size: int


def asked_for(query: Mapping[str, object], page: int, page_size: int, *, until: int) -> Asked:
    """Read `from` and `to`, months such as 2025-03, and check the page; months after `until` are left out.

    Raises
    ------
    ValueError
        The sentence says what is wrong.
    """
    if page < 1 or not 1 <= page_size <= MOST_PAGE_SIZE:
        raise ValueError(f"page begins at 1, page_size is at most {MOST_PAGE_SIZE}")
    try:
        first, last = (month_named(str(query[name])) for name in ("from", "to"))
    except (KeyError, ValueError):
        raise ValueError("from and to are months such as 2025-03") from None
    if first > last:
        raise ValueError("from lies after to")
    return Asked(max(first, FIRST_MONTH), min(last, until, FIRST_MONTH + MONTHS - 1), page, page_size)


def yuan(fen: int) -> str:
    """Return an amount as yuan with two decimals."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def in_fen(fen: int) -> str:
    """Return an amount as fen: the mistake of an office that changes its unit and tells nobody."""
    return str(fen)


def written(row: object, money: Money = yuan) -> dict[str, object]:
    """Return a row by its fields' names; `_fen` becomes `_yuan`, a month its name, a day its ISO form."""
    named: dict[str, object] = {}
    for name, value in vars(row).items():
        if name == "month":
            named[name] = name_of(value)
        elif name.endswith("_fen"):
            named[f"{name.removesuffix('_fen')}_yuan"] = money(value)
        else:
            named[name] = value.isoformat() if isinstance(value, date) else value
    return named


def page_of(rows: list[dict[str, object]], asked: Asked, fault: Kind | None) -> dict[str, object]:
    """Return one page of rows with its number and how many there are.

    With faults a page repeats the one before it, or its rows have another name for an amount and a field more.
    """
    pages = max(1, -(-len(rows) // asked.page_size))
    number = asked.page
    if fault is Kind.DUPLICATE_PAGE:
        pages, number = max(2, pages), max(1, number - 1)
    begins = (number - 1) * asked.page_size
    page = rows[begins : begins + asked.page_size]
    if fault is Kind.SCHEMA_DRIFT:
        page = [drifted(row) for row in page]
    return {"rows": page, "page": asked.page, "pages": pages}


def drifted(row: dict[str, object]) -> dict[str, object]:
    """Return a row as an office writes it after a change of its system that it told nobody of."""
    renamed = next((name for name in reversed(row) if name.endswith("_yuan")), next(reversed(row)))
    return {f"{name}_v2" if name == renamed else name: value for name, value in row.items()} | {"extension": {}}
