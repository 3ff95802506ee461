"""What the regulator's pages share: who may read, the filters in the address, names of keys in both languages."""

import re
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final
from urllib.parse import urlencode

from litestar import Request
from litestar.datastructures import State
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.desks.sheets import Names, lending_sheet
from xinyidai.foundation.clock import add_months, business_date
from xinyidai.foundation.pages.tables import Sheet
from xinyidai.foundation.pages.words import Both, Said
from xinyidai.parties import queries as parties
from xinyidai.reporting import queries
from xinyidai.reporting.rules import MAX_DAYS, Dimension, LendingRow, SpanRefused

AnyRequest = Request[object, object, State]

BY_REGULATOR: Final = requires(OrganisationKind.REGULATOR)
FILTERS: Final = (Dimension.LENDER, Dimension.REGION, Dimension.INDUSTRY)
MONTHS_SHOWN: Final = 12
LONGEST_KEY: Final = 64
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class Filters:
    """What a page counts: whole months from the first to the last, and one key of each dimension that is kept."""

    first_month: date
    last_month: date
    only: dict[Dimension, str] = field(default_factory=dict)

    @property
    def to_on(self) -> date:
        """Return the day after the last month."""
        return add_months(self.last_month, 1)

    def address(self, **more: str) -> str:
        """Return the filters as a query, `more` added or in their place; empty ones are left out."""
        said = {"from_month": f"{self.first_month:%Y-%m}", "to_month": f"{self.last_month:%Y-%m}"}
        said |= {by.value: key for by, key in self.only.items()} | more
        return urlencode({name: value for name, value in said.items() if value})


def filters_of(request: AnyRequest, now: datetime) -> Filters:
    """Read the filters of an address; without a month the last twelve.

    Raises
    ------
    SpanRefused
        A month is none, or the first lies behind the last.
    """
    this_month = business_date(now).replace(day=1)
    last = _month_of(request.query_params.get("to_month", ""), this_month)
    first = _month_of(request.query_params.get("from_month", ""), add_months(last, 1 - MONTHS_SHOWN))
    if first > last:
        raise SpanRefused(most_days=MAX_DAYS)
    kept = {by: request.query_params.get(by.value, "")[:LONGEST_KEY] for by in FILTERS}
    return Filters(first, last, {by: key for by, key in kept.items() if key and "\0" not in key})


async def lending_of(
    session: AsyncSession, viewer: Viewer, filters: Filters, by: Dimension
) -> tuple[list[LendingRow], Sheet]:
    """Return lending under the filters, and the sheet of it."""
    span = {"from_on": filters.first_month, "to_on": filters.to_on}
    rows = await queries.lending(session, viewer, by=by, only=filters.only, **span)
    total = await queries.totals(session, viewer, only=filters.only, **span)
    return rows, lending_sheet(by, rows, total, await names_of(session, filters.last_month))


async def names_of(session: AsyncSession, day: date) -> Names:
    """Return the names of districts and industries of a day by their codes."""
    regions = await parties.regions_on(session, day, with_zones=True)
    industries = await parties.industries_on(session, day)
    names: dict[str, Said] = {one.code: Both(one.name_zh, one.name_en) for one in regions}
    return names | {one.code: Both(one.name_zh, one.name_en) for one in industries}


async def choices(session: AsyncSession, viewer: Viewer, filters: Filters) -> dict[str, list[tuple[str, object]]]:
    """Return what each filter may be set to: the keys that the span has, each with its name."""
    whole, names = replace(filters, only={}), await names_of(session, filters.last_month)
    found: dict[str, list[tuple[str, object]]] = {}
    for by in FILTERS:
        rows = await queries.lending(session, viewer, by=by, from_on=whole.first_month, to_on=whole.to_on)
        found[by.value] = [(row.key, names.get(row.key, row.name or row.key)) for row in rows]
    return found


def _month_of(typed: str, other_month: date) -> date:
    if not typed:
        return other_month
    if not _MONTH.fullmatch(typed) or typed.startswith("0000"):
        raise SpanRefused(most_days=MAX_DAYS)
    return date.fromisoformat(f"{typed}-01")
