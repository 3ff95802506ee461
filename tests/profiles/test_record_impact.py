"""What a fact's impact lists is all that it moves, and what an item's lineage lists is all that its indicators rest on:
facts of every kind that feeds an indicator, through the doors that everybody uses.
"""

import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import asyncpg
import pytest
from builders_consents import a_consent
from builders_examples import is_full_run
from builders_parties import a_credit_code, a_firm
from builders_scoring import yuan
from builders_sources import ON_CONSENT, Row, a_record, a_row, an_agency
from conftest import Database
from sqlalchemy import text

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation.clock import add_months
from xinyidai.foundation.database import in_transaction
from xinyidai.profiles import model, queries, service
from xinyidai.profiles.rules.lineage import Impact, ItemLineage
from xinyidai.sources import service as sources
from xinyidai.sources.rules import DeliveryKind
from xinyidai.sources.rules.origins import INVOICE_FACT, FactRef
from xinyidai.sources.rules.records.kinds import KINDS, Column, ColumnKind

INVOICES = "vat_invoice"
SUPERSEDED = {False: 20, True: 200}
"""How many facts are superseded, in the ordinary and in the long run: each kind comes up at least once."""
ITEMS = queries.record_items()
RECORDS = [item for item in ITEMS if item != INVOICES]
TEXTS = model.record_texts()
MONTHS = [add_months(date(2025, 5, 1), -back) for back in range(23, -1, -1)]
DAYS = [date(2025, 5, 1) - timedelta(days=150 * back) for back in range(6)]
FILED = ("vat", "income")
Values = dict[str, int | None]


def a_chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same facts in each run


def a_field(column: Column, chance: random.Random) -> str | None:
    """Return something that a column might say."""
    texts = {
        ColumnKind.COUNT: str(chance.randrange(1, 60)),
        ColumnKind.QUANTITY: str(chance.randrange(1, 9_000)),
        ColumnKind.AMOUNT: yuan(chance.randrange(0, 10**8)),
        ColumnKind.FLAG: chance.choice(["true", "false"]),
        ColumnKind.DAY: chance.choice([None, f"2025-05-{chance.randrange(10, 31)}"][column.is_required :]),
        ColumnKind.CODE: chance.choice(column.codes or ("C-1", "C-2")),
    }
    return texts.get(column.kind, f"说明{chance.randrange(10**6)}")


def some_rows(item: str, code: str, chance: random.Random) -> list[Row]:
    """Return two years of months, or six events, of an item."""
    kind = KINDS[item]
    names = [{"month": month.strftime("%Y-%m")} for month in MONTHS]
    if kind.dated_by != "month":
        named = next(name for name in kind.key if name != kind.dated_by)
        codes = kind.columns[[column.name for column in kind.columns].index(named)].codes
        names = [
            {kind.dated_by: day.isoformat(), named: (codes or ("A", "B"))[place % 2] if codes else f"N-{place}"}
            for place, day in enumerate(DAYS)
        ]
    if item == "tax_filing":
        names = [name | {"tax_kind": filed} for name in names for filed in FILED]
    return [told_anew(item, a_record(item, code) | name, chance) for name in names]


def told_anew(item: str, row: Row, chance: random.Random) -> Row:
    """Return a row of the same name that may say something else; what a record is told by stays."""
    kind = KINDS[item]
    free = [column for column in kind.columns if column.name not in {*kind.key, kind.dated_by}]
    return row | {column.delivered_as: a_field(column, chance) for column in free}


def an_invoice(code: str, number: int, chance: random.Random) -> Row:
    net_fen = chance.randrange(10_000, 10**8)
    return a_row(
        code,
        invoice_no=f"{number:08d}",
        issued_on=MONTHS[number].replace(day=9).isoformat(),
        net_yuan=yuan(net_fen),
        tax_yuan=yuan(net_fen // 10),
        gross_yuan=yuan(net_fen + net_fen // 10),
    )


@dataclass
class Held:
    """A firm of whom every item that feeds an indicator is held, as its owners told it and where each row stands."""

    database: Database
    firm: Viewer
    agency: Viewer
    code: str
    rows: dict[str, list[Row]] = field(default_factory=dict)
    refs: dict[str, list[FactRef]] = field(default_factory=dict)
    told: list[Row] = field(default_factory=list)
    """Rows that were told before: the same bytes again would be told as the delivery that they were then."""

    async def deliver(self, item: str, kind: DeliveryKind, rows: Sequence[Row], *, now: datetime) -> list[FactRef]:
        """Deliver rows and return the names of the facts that they became."""
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=now)
            report = await sources.receive_rows(session, self.agency, rows, kind=kind, now=now)
            assert report.loaded == len(rows), (item, report)
            found = await session.execute(
                text("SELECT no FROM sources.delivery WHERE id = :id"), {"id": report.delivery_id}
            )
            no = found.scalar_one()
        table = INVOICE_FACT if item == INVOICES else KINDS[item].table
        return [FactRef(table, self.firm.organisation_id, no, line) for line in range(1, len(rows) + 1)]

    async def supersede(self, item: str, place: int, chance: random.Random, *, now: datetime) -> FactRef:
        """Tell a row anew; return the fact that it was until now."""
        old, row = self.refs[item][place], self.rows[item][place]
        self.told.append(row)
        while row in self.told:
            row = an_invoice(self.code, place, chance) if item == INVOICES else told_anew(item, row, chance)
        kind = DeliveryKind.CORRECTION if item == INVOICES else DeliveryKind(item)
        self.rows[item][place] = row
        (self.refs[item][place],) = await self.deliver(item, kind, [row], now=now)
        return old

    async def values(self, *, now: datetime) -> Values:
        """Return every indicator that the firm sees of itself."""
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.firm, now=now)
            shown = await service.own_profile(session, self.firm, now=now)
        return {one.code: one.value for one in (*shown.readings, *shown.records)}

    async def impact(self, ref: FactRef, *, now: datetime) -> Impact:
        """Return what a fact touched, as the firm is told."""
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.firm, now=now)
            return await service.show_impact(session, self.firm, ref, now=now)

    async def lineage(self, item: str, *, now: datetime) -> ItemLineage:
        """Return what is held of an item, as the firm is told."""
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.firm, now=now)
            found = await service.show_item(
                session, self.firm, item, firm_id=self.firm.organisation_id, limit=200, now=now
            )
        assert len(found.facts) == found.fact_rows
        return found


@pytest.fixture
async def held(database: Database, noon: datetime) -> Held:
    code, chance = a_credit_code(), a_chance(7)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm, agency = await a_firm(session, credit_code=code, now=noon), await an_agency(session, now=noon)
        await a_consent(session, firm, item_codes=[*ON_CONSENT, INVOICES], now=noon)
    held = Held(database, firm, agency, code)
    for item in ITEMS:
        is_invoices = item == INVOICES
        held.rows[item] = (
            [an_invoice(code, number, chance) for number in range(len(MONTHS))]
            if is_invoices
            else some_rows(item, code, chance)
        )
        held.refs[item] = await held.deliver(item, DeliveryKind(item), held.rows[item], now=noon)
    return held


async def test_superseding_a_fact_of_any_kind_moves_only_indicators_that_its_impact_lists(
    held: Held, noon: datetime
) -> None:
    chance, moved_by = a_chance(11), {item: set[str]() for item in ITEMS}

    for number in range(SUPERSEDED[is_full_run()]):
        item, now = ITEMS[number % len(ITEMS)], noon + timedelta(minutes=number + 1)
        # The newest months and days: what lies further back than an indicator looks moves none.
        place = (
            len(held.rows[item]) - 1 - chance.randrange(3) if item in {INVOICES, *monthly()} else chance.randrange(3)
        )
        before = await held.values(now=now)
        told = (await held.impact(held.refs[item][place], now=now)).indicators
        old = await held.supersede(item, place, chance, now=now)
        after = await held.values(now=now)
        gone = await held.impact(old, now=now)
        (successor,) = gone.life.replaced_by
        moved = {code for code in before if before[code] != after[code]}
        assert moved <= {*told, *(await held.impact(successor, now=now)).indicators}, item
        assert gone.indicators == ()
        moved_by[item] |= moved

    records = {one.code for one in TEXTS}
    assert successor == held.refs[item][place]
    assert moved_by[INVOICES] & records
    assert len(set().union(*moved_by.values()) & records) > len(records) // 2


def monthly() -> set[str]:
    return {item for item in RECORDS if KINDS[item].dated_by == "month"}


@asynccontextmanager
async def without(admin: asyncpg.Connection, held: Held, listed: Sequence[FactRef]) -> AsyncGenerator[None]:
    """Take facts away, and put them back."""
    places = {(ref.kind, ref.delivery_no, ref.line_no) for ref in listed}
    tables = sorted({table for table, _no, _line in places})
    for table in tables:
        lines = [(no, line) for name, no, line in places if name == table]
        await admin.execute(f"ALTER TABLE sources.{table} DISABLE TRIGGER ALL")
        await admin.execute(f"CREATE TEMP TABLE aside_{table} AS SELECT * FROM sources.{table} LIMIT 0")
        await admin.execute(
            f"WITH gone AS (DELETE FROM sources.{table} WHERE firm_id = $1 AND (delivery_no, line_no) IN"
            f" (SELECT * FROM unnest($2::int[], $3::int[])) RETURNING *) INSERT INTO aside_{table} SELECT * FROM gone",
            held.firm.organisation_id,
            [no for no, _line in lines],
            [line for _no, line in lines],
        )
    yield
    for table in tables:
        await admin.execute(f"INSERT INTO sources.{table} SELECT * FROM aside_{table}")
        await admin.execute(f"DROP TABLE aside_{table}")


async def test_without_the_records_that_its_item_lists_an_indicator_has_no_data_and_others_change_nothing(
    held: Held, admin: asyncpg.Connection, noon: datetime
) -> None:
    whole = await held.values(now=noon)
    listed = {item: await held.lineage(item, now=noon) for item in RECORDS}
    refs = {item: [fact.ref for fact in one.facts] for item, one in listed.items()}

    for item in RECORDS:
        own = {one.code for one in TEXTS if one.item_codes[0] == item}
        beside = {code for one in TEXTS if one.code in own for code in one.item_codes}
        async with without(admin, held, refs[item]):
            gone = await held.values(now=noon)
        async with without(admin, held, [ref for other in RECORDS if other not in beside for ref in refs[other]]):
            alone = await held.values(now=noon)
        assert {code: gone[code] for code in own} == dict.fromkeys(own), item
        assert {code for code in whole if gone[code] != whole[code]} <= set(listed[item].indicators), item
        assert {code: alone[code] for code in own} == {code: whole[code] for code in own}, item

    assert {code for code in whole if whole[code] is None} & {one.code for one in TEXTS} == set()
    assert await held.values(now=noon) == whole
