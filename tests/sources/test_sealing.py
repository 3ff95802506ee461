"""Facts are sealed by delivery, and every one that is not as it was sealed is named."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from builders_consents import a_consent
from builders_parties import a_credit_code, a_firm
from builders_sources import Row, a_csv, a_row, an_agency, rows_of
from conftest import Database
from sqlalchemy import text

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.foundation import outbox
from xinyidai.foundation.database import in_transaction, make_engine, make_sessions
from xinyidai.foundation.sealing import SealState, seal, verify
from xinyidai.foundation.settings import DatabaseRole, as_asyncpg
from xinyidai.sources import service, tasks
from xinyidai.sources.models import SEALS, SUPERSESSIONS
from xinyidai.sources.rules import DeliveryKind

UNLOCK = "ALTER TABLE sources.{table} DISABLE TRIGGER USER"


@dataclass(frozen=True)
class Sealed:
    """A firm with five invoices in a sealed delivery."""

    database: Database
    admin: asyncpg.Connection
    folder: Path
    agency: Viewer
    firm: Viewer
    code: str
    noon: datetime

    async def deliver(self, rows: Sequence[Row], kind: DeliveryKind = DeliveryKind.VAT_INVOICE) -> None:
        """Deliver rows an hour after noon."""
        path = a_csv(self.folder, rows, f"{len(list(self.folder.iterdir()))}.csv")
        await service.receive_file(
            self.database.worker, self.agency, path, kind=kind, now=self.noon + timedelta(hours=1)
        )

    async def seal(self) -> int:
        """Seal facts, then the streams of their seals; return how many facts."""
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=self.noon)
            sealed = await service.seal_facts(session, now=self.noon)
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=self.noon)
            await seal(session, SEALS, SUPERSESSIONS, now=self.noon)
        return sealed

    async def verify(self) -> SealState:
        """Verify the facts."""
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=self.noon)
            return await service.verify_facts(session)

    async def found(self) -> list[tuple[str, str]]:
        """Return what verify finds, the firm's id and the delivery's number left out."""
        state = await self.verify()
        return [(found.ref.split(".")[-1], found.finding.value) for found in state.found]

    async def tamper(self, statement: str, table: str = "invoice_fact") -> None:
        """Do as a superuser what no role of ours may."""
        await self.admin.execute(UNLOCK.format(table=table))
        await self.admin.execute(statement)


@pytest.fixture
async def sealed(database: Database, admin: asyncpg.Connection, tmp_path: Path, noon: datetime) -> Sealed:
    code = a_credit_code()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        agency = await an_agency(session, now=noon)
        firm = await a_firm(session, credit_code=code, now=noon)
        await a_consent(session, firm, now=noon)
    place = Sealed(database, admin, tmp_path, agency, firm, code, noon)
    await place.deliver(rows_of(code, 5))
    assert await place.seal() == 5
    return place


async def test_what_nobody_touched_is_as_it_was_sealed(sealed: Sealed) -> None:
    state = await sealed.verify()

    assert (state.sealed, state.unsealed, state.found) == (5, 0, ())


async def test_sealing_again_seals_nothing_twice(sealed: Sealed) -> None:
    assert await sealed.seal() == 0


TAMPERED: list[tuple[str, list[tuple[str, str]]]] = [
    ("UPDATE sources.invoice_fact SET net_fen = net_fen + 1 WHERE line_no = 3", [("3", "changed")]),
    (
        "UPDATE sources.invoice_fact SET is_void = true WHERE line_no IN (1, 5)",
        [("1", "changed"), ("5", "changed")],
    ),
    ("UPDATE sources.invoice_fact SET counterparty = 'x' WHERE line_no = 2", [("2", "changed")]),
    (
        "UPDATE sources.invoice_fact SET recorded_at = recorded_at - interval '1 day' WHERE line_no = 2",
        [("2", "changed")],
    ),
    ("UPDATE sources.invoice_fact SET line_no = 9 WHERE line_no = 4", [("4", "missing"), ("9", "inserted")]),
    ("DELETE FROM sources.invoice_fact WHERE line_no = 4", [("4", "missing")]),
    ("DELETE FROM sources.invoice_fact", [(str(line), "missing") for line in range(1, 6)]),
    (
        "INSERT INTO sources.invoice_fact SELECT firm_id, delivery_no, 70000, issued_on, net_fen, tax_fen,"
        " gross_fen, recorded_at, superseded_at, direction, flags, is_void, invoice_no, counterparty"
        " FROM sources.invoice_fact WHERE line_no = 1",
        [("70000", "inserted")],
    ),
    (
        "INSERT INTO sources.invoice_fact SELECT firm_id, 77, line_no, issued_on, net_fen, tax_fen, gross_fen,"
        " recorded_at, superseded_at, direction, flags, is_void, invoice_no, counterparty"
        " FROM sources.invoice_fact WHERE line_no = 1",
        [("1", "inserted")],
    ),
    (
        "UPDATE sources.invoice_fact SET superseded_at = recorded_at WHERE line_no = 2",
        [("2", "changed")],
    ),
]


async def test_exactly_what_was_tampered_with_is_named(sealed: Sealed) -> None:
    engine = make_engine(as_asyncpg(sealed.database.admin_dsn), pool_size=1)
    found = []

    async with make_sessions(engine)() as session:
        for change, _names in TAMPERED:
            await session.execute(text(UNLOCK.format(table="invoice_fact")))
            await session.execute(text(change))
            state = await service.verify_facts(session)
            found.append((change, [(one.ref.split(".")[-1], one.finding.value) for one in state.found]))
            await session.rollback()
    await engine.dispose()

    assert found == TAMPERED


async def test_the_name_says_firm_delivery_and_line(sealed: Sealed) -> None:
    await sealed.tamper("UPDATE sources.invoice_fact SET tax_fen = 0 WHERE line_no = 3")

    (found,) = (await sealed.verify()).found

    number = await sealed.admin.fetchval("SELECT no FROM sources.delivery")
    assert found.ref == f"invoice_fact:{sealed.firm.organisation_id}/{number}.3"


async def test_a_fact_moved_to_another_firm_is_missing_here_and_inserted_there(sealed: Sealed) -> None:
    await sealed.tamper("UPDATE sources.invoice_fact SET firm_id = uuidv7() WHERE line_no = 3")

    assert sorted(await sealed.found()) == [("3", "inserted"), ("3", "missing")]


async def test_an_edited_seal_is_found_in_its_own_stream(sealed: Sealed) -> None:
    await sealed.tamper("UPDATE sources.fact_seal SET leaves = sha256(leaves)", "fact_seal")

    async with in_transaction(sealed.database.worker) as session:
        await act_as_platform(session, now=sealed.noon)
        state = await verify(session, SEALS)

    assert [found.finding.value for found in state.found] == ["changed"]


async def test_a_correction_is_lawful_and_hiding_it_is_found(sealed: Sealed) -> None:
    await sealed.deliver([a_row(sealed.code, net_yuan="1", gross_yuan="14")], DeliveryKind.CORRECTION)
    await sealed.seal()
    before = await sealed.found()

    await sealed.tamper("UPDATE sources.invoice_fact SET superseded_at = NULL WHERE superseded_at IS NOT NULL")

    assert (before, await sealed.found()) == ([], [("1", "changed")])


async def test_a_removed_supersession_is_found_twice(sealed: Sealed) -> None:
    await sealed.deliver([a_row(sealed.code, net_yuan="1", gross_yuan="14")], DeliveryKind.CORRECTION)
    await sealed.seal()

    await sealed.tamper("DELETE FROM sources.supersession", "supersession")

    async with in_transaction(sealed.database.worker) as session:
        await act_as_platform(session, now=sealed.noon)
        state = await verify(session, SUPERSESSIONS)
    assert await sealed.found() == [("1", "changed")]
    assert [found.finding.value for found in state.found] == ["missing"]


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ("DELETE FROM sources.invoice_fact WHERE net_fen = 7700", "missing"),
        (
            "INSERT INTO sources.invoice_fact SELECT firm_id, delivery_no, 8, issued_on, net_fen, tax_fen, gross_fen,"
            " recorded_at, superseded_at, direction, flags, is_void, invoice_no, counterparty"
            " FROM sources.invoice_fact WHERE net_fen = 7700",
            "inserted",
        ),
    ],
)
async def test_a_delivery_tampered_with_before_it_was_sealed_is_never_sealed_but_named(
    sealed: Sealed, change: str, finding: str
) -> None:
    await sealed.deliver([a_row(sealed.code, invoice_no="later", net_yuan="77")])
    await sealed.tamper(change)

    newly_sealed = await sealed.seal()
    state = await sealed.verify()

    number = await sealed.admin.fetchval("SELECT max(no) FROM sources.delivery")
    assert newly_sealed == 0
    assert [(found.ref, found.finding.value) for found in state.found] == [(f"delivery:{number}", finding)]


async def test_a_delivery_wakes_its_own_sealing(sealed: Sealed, noon: datetime) -> None:
    await sealed.deliver(rows_of(sealed.code, 2, first=100))

    done = await outbox.drain(sealed.database.worker, now=noon)
    state = await sealed.verify()

    assert done >= 1
    assert (state.sealed, state.unsealed) == (7, 0)


async def test_the_hourly_job_seals_what_no_event_woke(sealed: Sealed) -> None:
    await sealed.deliver(rows_of(sealed.code, 2, first=100))
    async with in_transaction(sealed.database.worker) as session:
        await tasks.seal_what_is_left(session, sealed.noon)

    assert (await sealed.verify()).unsealed == 0


async def test_the_auditor_can_verify_and_sees_names_only(sealed: Sealed) -> None:
    await sealed.tamper("UPDATE sources.invoice_fact SET tax_fen = 0 WHERE line_no = 3")
    engine = make_engine(sealed.database.settings.dsn(DatabaseRole.AUDITOR), pool_size=1)

    async with in_transaction(make_sessions(engine)) as session:
        state = await service.verify_facts(session)
    await engine.dispose()

    assert len(state.found) == 1
