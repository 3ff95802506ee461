"""What may not be kept any more goes and leaves tombstones; what may be read stays, whatever happened before."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from builders_consents import a_consent
from builders_parties import a_credit_code, a_firm
from builders_sources import Row, a_csv, a_record, a_row, an_agency, rows_of
from conftest import Database
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import service as consents
from xinyidai.consents.rules import Purpose
from xinyidai.foundation import outbox
from xinyidai.foundation.database import in_transaction, lock_key
from xinyidai.foundation.sealing import seal, verify
from xinyidai.foundation.timetable import moment_of
from xinyidai.sources import service
from xinyidai.sources.models import SEALS, SUPERSESSIONS, TOMBSTONES
from xinyidai.sources.queries import purged as reads
from xinyidai.sources.rules import DeliveryKind, DeliveryReport
from xinyidai.sources.rules.keeping import Hold, KeptFor, PurgeReason
from xinyidai.sources.service import PurgeReport, purging
from xinyidai.worker import load_rooms

load_rooms()
LIFE, TERM = 30, 10
ITEMS = ("vat_invoice", "electricity")
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Place:
    """A firm whose consent to the platform ends after TERM days, with a life of LIFE days for what is read."""

    database: Database
    admin: asyncpg.Connection
    folder: Path
    agency: Viewer
    firm: Viewer
    code: str
    noon: datetime

    async def deliver(
        self, rows: Sequence[Row], kind: DeliveryKind = DeliveryKind.VAT_INVOICE, *, after: timedelta = DAY
    ) -> DeliveryReport:
        """Deliver invoices some time after noon, a file of its own."""
        path = a_csv(self.folder, rows, f"{len(list(self.folder.iterdir()))}.csv")
        return await service.receive_file(self.database.worker, self.agency, path, kind=kind, now=self.noon + after)

    async def deliver_records(self, item: str, rows: Sequence[Row], *, after: timedelta = DAY) -> DeliveryReport:
        """Deliver records of an item."""
        async with in_transaction(self.database.worker) as session:
            await act_as(session, self.agency, now=self.noon + after)
            return await service.receive_rows(
                session, self.agency, rows, kind=DeliveryKind(item), now=self.noon + after
            )

    async def seal(self) -> None:
        """Seal facts and the streams of their seals, supersessions and tombstones."""
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=self.noon)
            await service.seal_facts(session, now=self.noon)
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=self.noon)
            await seal(session, SEALS, SUPERSESSIONS, TOMBSTONES, now=self.noon)

    async def purge(self, *, after: timedelta) -> PurgeReport:
        """Purge a batch some time after noon."""
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=self.noon + after)
            return await service.purge_due(session, now=self.noon + after)

    async def finds(self, *, after: timedelta) -> bool:
        """Say whether the job finds work some time after noon."""
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=self.noon + after)
            return (await session.execute(service.past_keeping(moment_of(self.noon + after)))).first() is not None

    async def found(self) -> list[tuple[str, str]]:
        """Return what verify finds of facts and tombstones."""
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=self.noon)
            states = [await service.verify_facts(session)]
            states += [await verify(session, stream) for stream in (SEALS, SUPERSESSIONS, TOMBSTONES)]
        return [(one.ref.split(".")[-1], one.finding.value) for state in states for one in state.found]

    async def count(self, table: str = "invoice_fact") -> int:
        """Return how many rows there are."""
        found = await self.admin.fetchval(f"SELECT count(*) FROM sources.{table}")
        assert isinstance(found, int)
        return found

    async def consent(self, *, after: timedelta, days: int = TERM, items: Sequence[str] = ITEMS) -> UUID:
        """Let the firm consent anew."""
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=self.noon + after)
            given = await a_consent(
                session, self.firm, days=days, data_life_days=LIFE, item_codes=items, now=self.noon + after
            )
        return given.id


OVER = (TERM + LIFE) * DAY


@pytest.fixture
async def place(database: Database, admin: asyncpg.Connection, tmp_path: Path, noon: datetime) -> Place:
    code = a_credit_code()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        agency = await an_agency(session, now=noon)
        firm = await a_firm(session, credit_code=code, now=noon)
    here = Place(database, admin, tmp_path, agency, firm, code, noon)
    await here.consent(after=timedelta())
    await here.deliver(rows_of(code, 5))
    await here.seal()
    return here


async def test_facts_go_when_their_data_life_is_over_and_not_a_moment_before(place: Place) -> None:
    early = await place.purge(after=OVER - timedelta(seconds=1))
    rests = await place.finds(after=OVER - timedelta(seconds=1))
    wakes = await place.finds(after=OVER)
    due = await place.purge(after=OVER)

    assert (early.facts, rests, wakes, due.facts, due.firms) == (0, False, True, 5, 1)
    assert (await place.count(), await place.finds(after=OVER)) == (0, False)


async def test_a_purge_leaves_tombstones_an_audit_row_and_an_event(place: Place) -> None:
    await place.purge(after=OVER)

    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        (stone,) = await reads.purged(session, place.firm.organisation_id)
    told = await place.admin.fetchrow("SELECT subject_ids FROM audit.record WHERE action = 'sources.purged'")
    event = await place.admin.fetchval("SELECT count(*) FROM foundation.outbox_event WHERE name = 'FactsPurged'")
    proof = await place.admin.fetchval("SELECT sha256(leaves) FROM sources.fact_seal")
    assert (stone.item_code, stone.facts, stone.reason, stone.proof) == (
        "vat_invoice",
        5,
        PurgeReason.LIFE_OVER,
        proof,
    )
    assert (told["subject_ids"], event) == ([place.firm.organisation_id], 1)


async def test_verify_tells_a_purged_fact_apart_from_a_removed_one(place: Place) -> None:
    await place.purge(after=OVER)
    await place.consent(after=OVER)
    await place.deliver(rows_of(place.code, 3, first=100), after=OVER)
    await place.seal()
    purged = await place.found()

    await place.admin.execute("ALTER TABLE sources.invoice_fact DISABLE TRIGGER USER")
    await place.admin.execute("DELETE FROM sources.invoice_fact WHERE line_no = 2")

    assert (await place.count(), purged, await place.found()) == (2, [], [("2", "missing")])


async def test_what_was_altered_before_its_purge_is_still_named_after_it(place: Place) -> None:
    await place.admin.execute("ALTER TABLE sources.invoice_fact DISABLE TRIGGER USER")
    await place.admin.execute("UPDATE sources.invoice_fact SET net_fen = 1 WHERE line_no = 3")
    await place.admin.execute("ALTER TABLE sources.invoice_fact ENABLE ALWAYS TRIGGER invoice_fact_only_purge")

    await place.purge(after=OVER)
    await place.seal()

    assert (await place.count(), await place.found()) == (0, [("3", "changed")])


async def test_a_purged_fact_that_is_there_again_was_slipped_in(place: Place) -> None:
    await place.admin.execute("CREATE TABLE kept AS SELECT * FROM sources.invoice_fact")
    await place.purge(after=OVER)

    await place.admin.execute("INSERT INTO sources.invoice_fact SELECT * FROM public.kept WHERE line_no = 4")

    assert await place.found() == [("4", "inserted")]


async def test_no_role_of_the_platform_deletes_a_fact_without_a_tombstone(place: Place) -> None:
    with pytest.raises(asyncpg.RestrictViolationError, match="append_only"):
        await place.admin.execute("DELETE FROM sources.invoice_fact")

    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        refused = []
        for statement in ("DELETE FROM sources.invoice_fact", "DELETE FROM sources.rejected_row"):
            with pytest.raises(DBAPIError, match="permission denied"):
                async with session.begin_nested():
                    await session.execute(text(statement))
            refused.append(statement)
    assert (len(refused), await place.count()) == (2, 5)


async def test_the_database_itself_refuses_to_purge_what_a_consent_covers(place: Place) -> None:
    statement = text("SELECT sources.purge(:firm, 'vat_invoice', 1, '{}', 10, 'life_over', :now)")

    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        with pytest.raises(DBAPIError, match="a consent in force"):
            async with session.begin_nested():
                await session.execute(statement, {"firm": place.firm.organisation_id, "now": place.noon + DAY})

    assert await place.count() == 5


async def test_a_correction_and_what_it_replaced_go_together_and_their_line_is_still_told(place: Place) -> None:
    await place.deliver([a_row(place.code, net_yuan="1", gross_yuan="14")], DeliveryKind.CORRECTION)
    await place.seal()

    report = await place.purge(after=OVER)
    await place.seal()

    assert (report.facts, await place.count("supersession"), await place.found()) == (6, 1, [])


async def test_records_go_by_the_same_rule(place: Place) -> None:
    await place.deliver_records("electricity", [a_record("electricity", place.code)])
    await place.seal()

    report = await place.purge(after=OVER)
    await place.seal()

    assert (report.facts, await place.count("electricity_fact"), await place.found()) == (6, 0, [])


async def test_open_records_stay_as_long_as_the_catalogue_says_and_go_then(place: Place) -> None:
    await place.deliver_records("tax_grade", [a_record("tax_grade", place.code)])
    await place.seal()

    before = await place.purge(after=1830 * DAY)
    due = await place.purge(after=1831 * DAY)

    assert (before.facts, due.facts, await place.count("tax_grade_fact")) == (5, 1, 0)


async def test_a_running_loan_holds_what_it_was_lent_on_until_it_is_closed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.deliver(rows_of(place.code, 2, first=100), after=3 * DAY)
    await place.seal()
    loans = [Hold(place.firm.organisation_id, KeptFor.LOAN, UUID(int=7), known_at=place.noon + 2 * DAY)]

    async def held(_session: object, _firms: object) -> list[Hold]:
        return loans

    monkeypatch.setitem(purging._finders, KeptFor.LOAN, held)
    during = await place.purge(after=2 * OVER)
    loans.clear()
    ended = await place.purge(after=2 * OVER)

    assert (during.facts, during.stays, ended.facts) == (2, {KeptFor.LOAN: 5}, 5)


async def test_an_open_dispute_holds_its_own_line_and_no_other(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    number = await place.admin.fetchval("SELECT no FROM sources.delivery")
    dispute = Hold(place.firm.organisation_id, KeptFor.DISPUTE, UUID(int=7), item_code="vat_invoice", line=(number, 3))

    async def held(_session: object, _firms: object) -> list[Hold]:
        return [dispute]

    monkeypatch.setitem(purging._finders, KeptFor.DISPUTE, held)
    report = await place.purge(after=OVER)
    left = await place.admin.fetch("SELECT line_no FROM sources.invoice_fact")

    assert (report.facts, [row["line_no"] for row in left]) == (4, [3])


async def test_rows_kept_aside_go_with_their_firms_facts(place: Place) -> None:
    await place.deliver([a_row(place.code, net_yuan="x")])
    before = await place.count("rejected_row")

    report = await place.purge(after=OVER)

    assert (before, report.aside, await place.count("rejected_row")) == (1, 1, 0)


async def test_rows_kept_aside_of_nobody_go_after_the_longest_life_there_is(place: Place) -> None:
    await place.purge(after=OVER)
    await place.consent(after=OVER, days=700)
    await place.deliver([a_row("nobody"), a_row(place.code, invoice_no="777")], after=OVER)
    first = await place.purge(after=OVER + 366 * DAY)
    wakes = await place.finds(after=OVER + 367 * DAY)
    due = await place.purge(after=OVER + 367 * DAY)

    assert (first.aside, wakes, due.aside, due.facts, await place.count()) == (0, True, 1, 0, 1)


async def test_a_batch_is_bounded_and_the_next_goes_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "MAX_FACTS_A_BATCH", 3)
    monkeypatch.setattr(purging, "LINES_A_STONE", 2)

    reports = [await place.purge(after=OVER)]
    woken = await place.admin.fetchval("SELECT count(*) FROM foundation.outbox_event WHERE name = 'PurgeGoesOn'")
    reports += [await place.purge(after=OVER) for _batch in range(2)]
    await place.seal()

    assert [(one.facts, one.is_more) for one in reports] == [(3, True), (2, False), (0, False)]
    assert (woken, await place.count("tombstone"), await place.found()) == (1, 3, [])


async def test_an_event_wakes_the_next_batch_and_who_keeps_theirs_holds_up_nobody(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "MAX_FIRMS_A_BATCH", 1)
    others = [await another_firm(place) for _one in range(2)]
    firms = sorted([place.firm.organisation_id, *others])
    holds = [Hold(firms[0], KeptFor.LOAN, firms[0], known_at=place.noon + OVER)]

    async def keeps(_session: object, asked: Sequence[UUID]) -> list[Hold]:
        return [one for one in holds if one.firm_id in asked]

    monkeypatch.setitem(purging._finders, KeptFor.LOAN, keeps)
    await place.purge(after=OVER)
    await outbox.drain(place.database.worker, now=place.noon + OVER)

    left = await place.admin.fetch("SELECT DISTINCT firm_id FROM sources.invoice_fact")
    woken = await place.admin.fetchval("SELECT count(*) FROM foundation.outbox_event WHERE name = 'PurgeGoesOn'")
    assert ([row["firm_id"] for row in left], woken) == ([firms[0]], 2)


async def another_firm(place: Place) -> UUID:
    """Return one more firm with two invoices under a consent that ends as the first one's does."""
    code = a_credit_code()
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        firm = await a_firm(session, credit_code=code, now=place.noon)
        await a_consent(session, firm, days=TERM, data_life_days=LIFE, item_codes=ITEMS, now=place.noon)
    await place.deliver(rows_of(code, 2))
    await place.seal()
    return firm.organisation_id


async def test_an_open_item_under_a_consent_in_force_is_not_looked_at(place: Place) -> None:
    old = timedelta(days=1831)
    await place.deliver_records("tax_grade", [a_record("tax_grade", place.code)])
    await place.seal()
    await place.purge(after=OVER)
    found = await place.finds(after=old)

    await place.consent(after=old, items=("vat_invoice", "tax_grade"))

    assert (found, await place.finds(after=old)) == (True, False)


async def test_what_was_purged_is_taken_in_again_when_the_firm_consents_again(place: Place) -> None:
    await place.purge(after=OVER)
    await place.consent(after=OVER)

    again = await place.deliver(rows_of(place.code, 5), after=OVER)
    await place.seal()

    assert (again.loaded, again.is_repeat, await place.count(), await place.found()) == (5, False, 5, [])


async def test_a_door_with_a_delivery_in_it_is_left_for_the_next_run(place: Place) -> None:
    async with in_transaction(place.database.worker) as loading:
        await lock_key(loading, "sources:vat_invoice")
        meanwhile = await place.purge(after=OVER)

    assert (meanwhile.facts, (await place.purge(after=OVER)).facts) == (0, 5)


async def test_a_consent_given_while_a_purge_runs_waits_for_it_or_wins(place: Place) -> None:
    async with in_transaction(place.database.worker) as granting:
        await act_as_platform(granting, now=place.noon + OVER)
        await a_consent(granting, place.firm, data_life_days=LIFE, now=place.noon + OVER)
        meanwhile = await place.purge(after=OVER)
    after = await place.purge(after=OVER)

    assert (meanwhile.facts, after.facts, await place.count()) == (0, 0, 5)


async def test_purges_grants_and_loads_at_once_never_take_what_may_be_read(place: Place) -> None:
    async def purges(after: timedelta) -> int:
        return (await place.purge(after=after)).facts

    for after in (OVER, 2 * OVER, 3 * OVER, 4 * OVER):
        consent_id, *_purged = await asyncio.gather(place.consent(after=after), *(purges(after) for _one in range(3)))
        before = await place.count()
        later = await purges(after)
        assert (later, await place.count()) == (0, before)
        await asyncio.gather(place.deliver(rows_of(place.code, 5), after=after), purges(after))
        await place.seal()
        assert await place.count() == 5
        async with in_transaction(place.database.worker) as session:
            await act_as(session, place.firm, now=place.noon + after)
            await consents.revoke(session, place.firm, consent_id, now=place.noon + after)

    assert await place.found() == []


async def test_the_purpose_of_a_loan_keeps_the_items_readable_and_so_held(place: Place) -> None:
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        await a_consent(session, place.firm, purpose=Purpose.POST_LOAN, days=300, data_life_days=LIFE, now=place.noon)

    report = await place.purge(after=200 * DAY)

    assert (report.facts, await place.count()) == (0, 5)
