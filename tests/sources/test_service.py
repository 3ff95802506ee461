"""Taking deliveries in: what is loaded, what is kept aside, what is never overwritten."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import numpy as np
import pandas as pd
import pytest
from builders_consents import a_consent
from builders_parties import a_credit_code, a_firm, a_lender, a_sole_trader
from builders_sources import Row, a_csv, a_parquet, a_row, an_agency, rows_of
from conftest import Database
from sqlalchemy import text

from xinyidai.access.rules import OrganisationKind, PrincipalKind, Role, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.catalogue.rules import ItemNotHeldHere
from xinyidai.consents import queries as consent_queries
from xinyidai.consents import service as consents
from xinyidai.consents.rules import Purpose
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.sources import queries, service
from xinyidai.sources.rules import ConsentTakenBack, DeliveryInProgress, DeliveryKind, DeliveryReport, FileTooLarge
from xinyidai.sources.service import files, loading, receiving


@dataclass(frozen=True)
class Place:
    """A tax agency, and a firm that consented; deliveries go in as the agency sends them."""

    database: Database
    folder: Path
    agency: Viewer
    firm: Viewer
    code: str
    noon: datetime

    async def deliver(
        self,
        rows: Sequence[Row],
        *,
        kind: DeliveryKind = DeliveryKind.VAT_INVOICE,
        after: timedelta = timedelta(0),
        sender: Viewer | None = None,
    ) -> DeliveryReport:
        """Deliver rows as a CSV file, some time after noon."""
        path = a_csv(self.folder, rows, f"{len(list(self.folder.iterdir()))}.csv")
        return await service.receive_file(
            self.database.worker, sender or self.agency, path, kind=kind, now=self.noon + after
        )

    async def correct(self, rows: Sequence[Row], *, after: timedelta = timedelta(hours=1)) -> DeliveryReport:
        """Deliver corrections."""
        return await self.deliver(rows, kind=DeliveryKind.CORRECTION, after=after)

    async def net_fen(self, *, known_after: timedelta = timedelta(days=1)) -> list[int]:
        """Return the amounts as known some time after noon, in the order they came."""
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=self.noon)
            permission = await consents.require(
                session,
                receiver_id=PLATFORM_ID,
                subject_ids=[self.firm.organisation_id],
                purpose=Purpose.PRE_LOAN,
                item_codes=["vat_invoice"],
                now=self.noon,
            )
            read = await queries.invoices(session, permission, before=self.noon, known_at=self.noon + known_after)
        return read.net_fen.tolist()


@pytest.fixture
async def place(database: Database, tmp_path: Path, noon: datetime) -> Place:
    code = a_credit_code()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        agency = await an_agency(session, now=noon)
        firm = await a_firm(session, credit_code=code, now=noon)
        await a_consent(session, firm, now=noon)
    return Place(database, tmp_path, agency, firm, code, noon)


async def test_good_rows_become_facts_and_bad_ones_are_kept_aside_with_every_fault(place: Place) -> None:
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        silent = a_credit_code()
        await a_firm(session, credit_code=silent, now=place.noon)
        bank_code = a_credit_code(OrganisationKind.LENDER)
        await a_lender(session, now=place.noon)
    rows = [
        a_row(place.code),
        a_row(silent, net_yuan="NaN"),
        a_row(bank_code),
        a_row("not a code", issued_on="2025-06-17", tax_yuan="9223372036854775808"),
        a_row(place.code, invoice_no="2", net_yuan="1e400"),
        a_row(place.code, invoice_no="3", gross_yuan="1.005", direction="?"),
        a_row(place.code, invoice_no="4", status="作废发票"),
        a_row(place.code, invoice_no="5", net_yuan="-100", tax_yuan="-13", gross_yuan="-113"),
        a_row(place.code, invoice_no="6", gross_yuan="113.01"),
        a_row(place.code),
        a_row(place.code, net_yuan="90", gross_yuan="103"),
    ]

    report = await place.deliver(rows)

    async with in_transaction(place.database.app) as session:
        await act_as(session, place.agency, now=place.noon)
        aside = await queries.rejected_rows(session, place.agency, report.delivery_id)
    assert (report.received, report.loaded, report.rejected_rows) == (11, 5, 6)
    assert report.rejected == {
        "no_consent": 1,
        "bad_amount": 2,
        "unknown_firm": 2,
        "invoice_in_future": 1,
        "amount_out_of_range": 1,
        "more_than_two_decimals": 1,
        "bad_direction": 1,
        "duplicate_row": 1,
    }
    assert report.flagged == {"total_mismatch": 1, "number_reused": 1}
    assert [(row.line_no, row.faults) for row in aside.rows] == [
        (2, ("no_consent", "bad_amount")),
        (3, ("unknown_firm",)),
        (4, ("unknown_firm", "invoice_in_future", "amount_out_of_range")),
        (5, ("bad_amount",)),
        (6, ("bad_direction", "more_than_two_decimals")),
        (10, ("duplicate_row",)),
    ]
    assert await place.net_fen() == [10000, 10000, -10000, 10000, 9000]


async def test_what_is_read_back_is_what_was_delivered(place: Place) -> None:
    await place.deliver(
        [a_row(place.code, issued_on="2025-03-05"), a_row(place.code, invoice_no="2", direction="进项", status="void")]
    )

    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        permission = await consents.require_own(session, place.firm, item_codes=["vat_invoice"], now=place.noon)
        await act_as(session, place.firm, now=place.noon)
        read = await queries.invoices(session, permission, before=place.noon, known_at=place.noon)

    assert (read.firms, read.counts.tolist()) == ([str(place.firm.organisation_id)], [2])
    assert read.issued_on.tolist() == [date(2025, 3, 5)] * 2
    assert pd.to_datetime(read.issued_at_us, unit="us", utc=True)[0] == pd.Timestamp("2025-03-04 16:00", tz="UTC")
    assert (read.is_sale.tolist(), read.is_void.tolist()) == ([True, False], [False, True])
    assert (read.counterparty.tolist(), read.counterparties) == ([0, 0], ["重庆买方有限公司"])
    assert [read.net_fen[0], read.tax_fen[0], read.gross_fen[0]] == [10000, 1300, 11300]
    assert {column.dtype for column in (read.net_fen, read.tax_fen, read.gross_fen)} == {np.dtype(np.int64)}


@pytest.mark.parametrize(
    ("before", "count"),
    [("2025-03-04T16:00:00+00:00", 0), ("2025-03-04T16:00:00.000001+00:00", 1), ("2025-06-16T04:00:00+00:00", 1)],
)
async def test_only_days_that_began_before_the_moment_count(place: Place, before: str, count: int) -> None:
    await place.deliver([a_row(place.code, issued_on="2025-03-05")])

    async with in_transaction(place.database.worker) as session:
        await act_as(session, place.firm, now=place.noon)
        permission = await consents.require_own(session, place.firm, item_codes=["vat_invoice"], now=place.noon)
        read = await queries.invoices(session, permission, before=datetime.fromisoformat(before), known_at=place.noon)

    assert len(read) == count


async def test_the_same_file_twice_is_one_delivery_with_one_report(place: Place) -> None:
    path = a_csv(place.folder, rows_of(place.code, 2))

    first = await service.receive_file(place.database.worker, place.agency, path, now=place.noon)
    again = await service.receive_file(place.database.worker, place.agency, path, now=place.noon + timedelta(days=1))

    assert (again.delivery_id, again.loaded, again.received_at) == (first.delivery_id, 2, first.received_at)
    assert (first.is_repeat, again.is_repeat) == (False, True)
    assert await place.net_fen() == [10000, 10000]


async def test_rows_that_came_in_an_earlier_delivery_are_duplicates(place: Place) -> None:
    await place.deliver(rows_of(place.code, 3))

    later = await place.deliver(rows_of(place.code, 5), after=timedelta(hours=1))

    assert (later.loaded, later.rejected) == (2, {"duplicate_row": 3})


async def test_chunks_of_any_size_give_the_same_report(
    place: Place, monkeypatch: pytest.MonkeyPatch, noon: datetime
) -> None:
    rows = [*rows_of(place.code, 7), *rows_of(place.code, 3), a_row(place.code, net_yuan="1"), *rows_of(place.code, 1)]
    monkeypatch.setattr(files, "CHUNK_ROWS", 2)
    path = a_parquet(place.folder, pd.DataFrame(rows))

    report = await service.receive_file(place.database.worker, place.agency, path, now=noon)

    assert (report.received, report.loaded) == (12, 8)
    assert report.rejected == {"duplicate_row": 4}
    assert report.flagged == {"total_mismatch": 1, "number_reused": 1}


async def test_a_broken_line_is_kept_aside_and_the_rest_is_loaded(place: Place) -> None:
    path = a_csv(place.folder, rows_of(place.code, 2))
    path.write_text(path.read_text(encoding="utf-8") + "only,three,fields\n", encoding="utf-8")

    report = await service.receive_file(place.database.worker, place.agency, path, now=place.noon)

    assert (report.received, report.loaded, report.rejected) == (3, 2, {"wrong_column_count": 1})


async def test_a_forgotten_quote_costs_its_own_line_alone(place: Place) -> None:
    path = a_csv(place.folder, rows_of(place.code, 6))
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[2] = lines[2].replace("重庆买方有限公司", '"ab')
    lines[4] = lines[4].replace("重庆买方有限公司", '"重庆, ""买方"" 有限公司"')
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    report = await service.receive_file(place.database.worker, place.agency, path, now=place.noon)

    async with in_transaction(place.database.app) as session:
        await act_as(session, place.agency, now=place.noon)
        aside = await queries.rejected_rows(session, place.agency, report.delivery_id)
    assert (report.received, report.loaded, report.rejected) == (6, 5, {"unclosed_quote": 1})
    assert [(row.line_no, row.faults, row.content) for row in aside.rows] == [(2, ("unclosed_quote",), lines[2])]


async def test_a_broken_line_with_nul_is_kept_aside_with_the_nul_written_out(place: Place) -> None:
    path = a_csv(place.folder, rows_of(place.code, 2))
    path.write_text(path.read_text(encoding="utf-8") + 'a\0b,c\n"d\0\n', encoding="utf-8")

    report = await service.receive_file(place.database.worker, place.agency, path, now=place.noon)

    async with in_transaction(place.database.app) as session:
        await act_as(session, place.agency, now=place.noon)
        aside = await queries.rejected_rows(session, place.agency, report.delivery_id)
    assert (report.received, report.loaded) == (4, 2)
    assert [(row.faults, row.content) for row in aside.rows] == [
        (("wrong_column_count",), "a\\u0000b,c"),
        (("unclosed_quote",), '"d\\u0000'),
    ]


async def test_another_agencys_facts_are_not_ones_own_to_correct(place: Place) -> None:
    await place.deliver([a_row(place.code)])
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        other = await an_agency(session, now=place.noon)
    row = a_row(place.code, net_yuan="1", gross_yuan="14")

    report = await place.deliver([row], kind=DeliveryKind.CORRECTION, after=timedelta(hours=1), sender=other)
    own = await place.correct([row], after=timedelta(hours=2))

    assert (report.loaded, report.rejected) == (0, {"delivered_by_another": 1})
    assert own.loaded == 1
    assert await place.net_fen(known_after=timedelta(hours=1)) == [10000]
    assert await place.net_fen() == [100]


async def test_a_sole_traders_invoices_are_taken_in_like_a_firms(place: Place) -> None:
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        trader = await a_sole_trader(session, now=place.noon)
        await a_consent(session, trader, now=place.noon)
        found = await session.execute(
            text("SELECT credit_code FROM parties.party WHERE id = :id"), {"id": trader.organisation_id}
        )
        code = found.scalar_one()

    report = await place.deliver([a_row(code)])

    assert report.loaded == 1


async def test_a_correction_supersedes_and_both_times_stay_known(place: Place) -> None:
    await place.deliver([a_row(place.code)])

    report = await place.correct([a_row(place.code, net_yuan="80", gross_yuan="93")])
    back = await place.correct([a_row(place.code)], after=timedelta(hours=2))

    assert (report.loaded, back.loaded) == (1, 1)
    assert await place.net_fen(known_after=timedelta(0)) == [10000]
    assert await place.net_fen(known_after=timedelta(minutes=59)) == [10000]
    assert await place.net_fen(known_after=timedelta(hours=1)) == [8000]
    assert await place.net_fen(known_after=timedelta(hours=2)) == [10000]
    assert await place.net_fen(known_after=-timedelta(microseconds=1)) == []


async def test_a_file_delivered_again_does_not_bring_back_what_a_correction_replaced(place: Place) -> None:
    await place.deliver([a_row(place.code)])
    await place.correct([a_row(place.code, net_yuan="80", gross_yuan="93")])

    report = await place.deliver([a_row(place.code), a_row(place.code, invoice_no="2")], after=timedelta(hours=3))

    assert report.rejected == {"duplicate_row": 1}
    assert await place.net_fen() == [8000, 10000]


async def test_corrections_without_one_clear_target_are_kept_aside(place: Place) -> None:
    await place.deliver([a_row(place.code), a_row(place.code, net_yuan="50", gross_yuan="63")])

    report = await place.correct(
        [a_row(place.code, net_yuan="1"), a_row(place.code, invoice_no="404"), a_row(place.code)]
    )

    assert report.loaded == 0
    assert report.rejected == {"ambiguous_correction": 1, "nothing_to_correct": 1, "duplicate_row": 1}
    assert await place.net_fen() == [10000, 5000]


async def test_a_file_of_corrections_has_a_smaller_bound(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "MAX_CORRECTIONS", 1)
    await place.deliver(rows_of(place.code, 2))

    with pytest.raises(FileTooLarge):
        await place.correct([a_row(place.code, invoice_no=f"{number:08d}", net_yuan="1") for number in (1, 2)])

    assert await place.net_fen() == [10000, 10000]


async def test_rival_corrections_are_ambiguous_however_far_apart_they_stand(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_CSV_BLOCK", 400)
    await place.deliver(rows_of(place.code, 9))
    rivals = [a_row(place.code, invoice_no="00000001", net_yuan=amount) for amount in ("1", "2")]
    between = [a_row(place.code, invoice_no=f"{number:08d}", net_yuan="3") for number in range(2, 10)]

    report = await place.correct([rivals[0], *between, rivals[1]])

    assert (report.loaded, report.rejected) == (8, {"ambiguous_correction": 2})


async def test_a_file_of_nothing_but_broken_lines_is_kept_aside_whole(place: Place) -> None:
    reports = []
    for kind in (DeliveryKind.VAT_INVOICE, DeliveryKind.CORRECTION):
        path = a_csv(place.folder, [], f"{kind}.csv")
        path.write_text(path.read_text(encoding="utf-8") + "a,b\nc,d,e\n", encoding="utf-8")
        reports.append(await service.receive_file(place.database.worker, place.agency, path, kind=kind, now=place.noon))

    assert [(report.received, report.rejected) for report in reports] == [(2, {"wrong_column_count": 2})] * 2


async def test_a_consent_taken_back_while_the_file_is_read_keeps_nothing_of_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in = loading.take_in

    async def take_in_while_the_firm_revokes(load: loading.Load, chunk: files.Chunk) -> None:
        await take_in(load, chunk)
        async with in_transaction(place.database.app) as session:
            await act_as(session, place.firm, now=place.noon)
            (view,) = (await consent_queries.consents_of(session, place.firm, now=place.noon)).rows
            await consents.revoke(session, place.firm, view.id, now=place.noon)

    monkeypatch.setattr(receiving, "take_in", take_in_while_the_firm_revokes)

    with pytest.raises(ConsentTakenBack):
        await place.deliver(rows_of(place.code, 2))

    async with in_transaction(place.database.app) as session:
        await act_as(session, place.firm, now=place.noon)
        assert (await session.execute(text("SELECT count(*) FROM sources.invoice_fact"))).scalar_one() == 0


async def test_invoices_of_a_firm_that_took_its_consent_back_are_not_taken_in(place: Place) -> None:
    await place.deliver([a_row(place.code)])
    async with in_transaction(place.database.app) as session:
        await act_as(session, place.firm, now=place.noon)
        (view,) = (await consent_queries.consents_of(session, place.firm, now=place.noon)).rows
        await consents.revoke(session, place.firm, view.id, now=place.noon)

    report = await place.deliver([a_row(place.code, invoice_no="2")], after=timedelta(hours=1))

    assert (report.loaded, report.rejected) == (0, {"no_consent": 1})


async def test_two_deliveries_at_once_do_not_both_load_the_same_row(place: Place) -> None:
    shared = rows_of(place.code, 50)
    paths = [
        a_csv(place.folder, [*shared, a_row(place.code, invoice_no=f"9{number}")], f"{number}.csv")
        for number in range(4)
    ]

    reports = await asyncio.gather(
        *(service.receive_file(place.database.worker, place.agency, path, now=place.noon) for path in paths)
    )

    assert sum(report.loaded for report in reports) == 54
    assert len(await place.net_fen()) == 54


async def test_the_same_file_at_the_same_moment_is_one_delivery(place: Place) -> None:
    path = a_csv(place.folder, rows_of(place.code, 20))

    reports = await asyncio.gather(
        *(service.receive_file(place.database.worker, place.agency, path, now=place.noon) for _ in range(4))
    )

    assert len({report.delivery_id for report in reports}) == 1
    assert sorted(report.is_repeat for report in reports) == [False, True, True, True]


async def test_a_call_does_not_wait_long_behind_a_large_file(place: Place) -> None:
    async with in_transaction(place.database.worker) as holding:
        await holding.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('sources:vat_invoice', 0))"))

        async def call() -> None:
            async with in_transaction(place.database.app) as session:
                await act_as(session, place.agency, now=place.noon)
                await session.execute(text("SET LOCAL lock_timeout = '100ms'"))
                await service.receive_rows(session, place.agency, rows_of(place.code, 1), now=place.noon)

        with pytest.raises(DeliveryInProgress):
            await call()

    assert await place.net_fen() == []


async def test_rows_and_csv_bodies_are_checked_as_files_are(place: Place) -> None:
    rows = [a_row(place.code), a_row(place.code, invoice_no=None, net_yuan="x")]
    body = a_csv(place.folder, rows_of(place.code, 2)).read_bytes()

    async with in_transaction(place.database.app) as session:
        await act_as(session, place.agency, now=place.noon)
        of_rows = await service.receive_rows(session, place.agency, rows, now=place.noon)
        of_body = await service.receive_csv(session, place.agency, body, now=place.noon)
        again = await service.receive_rows(session, place.agency, rows, now=place.noon)

    assert (of_rows.loaded, of_rows.rejected) == (1, {"missing_field": 1, "bad_amount": 1})
    assert (of_body.loaded, of_body.rejected) == (1, {"duplicate_row": 1})
    assert (again.delivery_id, again.is_repeat) == (of_rows.delivery_id, True)


async def test_an_item_that_is_not_a_held_copy_is_not_collected(place: Place, admin: asyncpg.Connection) -> None:
    await admin.execute("UPDATE catalogue.item SET topology = 'pass_through' WHERE code = 'vat_invoice'")

    with pytest.raises(ItemNotHeldHere):
        await place.deliver(rows_of(place.code, 1))

    assert await place.net_fen() == []


async def test_only_agencies_and_the_operator_deliver(place: Place) -> None:
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        lender = await a_lender(session, now=place.noon)
    key = Viewer(
        UUID(int=3),
        PrincipalKind.CLIENT,
        place.agency.organisation_id,
        OrganisationKind.AGENCY,
        frozenset({Role.OFFICER}),
    )

    for sender in (place.firm, lender.maker, key):
        with pytest.raises(NotAllowed):
            await place.deliver(rows_of(place.code, 1), sender=sender)


async def test_a_delivery_and_its_rejected_rows_are_its_senders_alone(place: Place) -> None:
    report = await place.deliver([a_row(place.code, net_yuan="x")])
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        other = await an_agency(session, now=place.noon)

    async with in_transaction(place.database.app) as session:
        await act_as(session, other, now=place.noon)
        counts = [
            (await session.execute(text(f"SELECT count(*) FROM sources.{table}"))).scalar_one()
            for table in ("delivery", "rejected_row")
        ]
        with pytest.raises(NotFound):
            await queries.delivery(session, other, report.delivery_id)
        with pytest.raises(NotFound):
            await queries.rejected_rows(session, other, report.delivery_id)

    assert counts == [0, 0]


async def test_deliveries_and_rejected_rows_are_paged(place: Place) -> None:
    reports = [
        await place.deliver([a_row(place.code, invoice_no=str(number), net_yuan="x") for number in range(3 + extra)])
        for extra in range(3)
    ]

    async with in_transaction(place.database.app) as session:
        await act_as(session, place.agency, now=place.noon)
        first = await queries.deliveries(session, place.agency, limit=2)
        rest = await queries.deliveries(session, place.agency, limit=2, cursor=first.next_cursor)
        rows = await queries.rejected_rows(session, place.agency, reports[0].delivery_id, limit=2)
        last = await queries.rejected_rows(
            session, place.agency, reports[0].delivery_id, limit=2, cursor=rows.next_cursor
        )

    assert [len(first.rows), len(rest.rows)] == [2, 1]
    assert [row.line_no for row in (*rows.rows, *last.rows)] == [1, 2, 3]


async def test_a_delivery_is_written_down_with_the_firms_it_was_about(place: Place, admin: asyncpg.Connection) -> None:
    report = await place.deliver(rows_of(place.code, 2))

    row = await admin.fetchrow("SELECT * FROM audit.record WHERE action = 'sources.delivered'")

    assert row["subject_ids"] == [place.firm.organisation_id]
    assert row["object_id"] == str(report.delivery_id)
