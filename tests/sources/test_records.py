"""Records of every item: what a delivery must hold, merging, two times, consent, seals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from builders_consents import a_consent
from builders_derived import in_domain
from builders_parties import a_credit_code, a_firm
from builders_sources import ON_CONSENT, Row, a_record, an_agency, good_field
from conftest import Database
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.catalogue import queries as catalogue
from xinyidai.catalogue.rules import AccessClass, FieldKind, ItemNotHeldHere, Topology
from xinyidai.consents import queries as consent_queries
from xinyidai.consents import service as consents
from xinyidai.consents.rules import ConsentMissing, Purpose
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.sealing import seal, verify
from xinyidai.foundation.settings import settings as known_settings
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.sources import service
from xinyidai.sources.models import RECORD_SUPERSESSIONS, SEALS, SUPERSESSIONS
from xinyidai.sources.queries.records import records, records_of
from xinyidai.sources.rules import DeliveryKind, DeliveryReport
from xinyidai.sources.rules.records.checking import Records as Rows
from xinyidai.sources.rules.records.checking import key_hashes, read_records, same_twice
from xinyidai.sources.rules.records.kinds import KINDS, ColumnKind

MONTHLY = ("electricity", "social_insurance")
AS_FIELD = {
    ColumnKind.MONTH: {FieldKind.MONTH},
    ColumnKind.YEAR: {FieldKind.COUNT},
    ColumnKind.DAY: {FieldKind.DATE},
    ColumnKind.COUNT: {FieldKind.COUNT},
    ColumnKind.QUANTITY: {FieldKind.QUANTITY},
    ColumnKind.AMOUNT: {FieldKind.AMOUNT},
    ColumnKind.FLAG: {FieldKind.FLAG},
    ColumnKind.CODE: {FieldKind.CODE},
    ColumnKind.TEXT: {FieldKind.TEXT},
}


@dataclass
class Place:
    """A firm that consented to every item, and an agency that delivers."""

    database: Database
    folder: Path
    agency: Viewer
    firm: Viewer
    code: str
    noon: datetime

    async def deliver(
        self, item: str, rows: Sequence[Row], *, after_hours: int = 0, sender: Viewer | None = None
    ) -> DeliveryReport:
        """Deliver rows as a CSV file some hours after noon."""
        path = self.folder / f"{len(list(self.folder.iterdir()))}.csv"
        pd.DataFrame(rows, columns=list(KINDS[item].delivered)).to_csv(path, index=False, lineterminator="\n")
        at = self.noon + timedelta(hours=after_hours)
        return await service.receive_file(
            self.database.worker, sender or self.agency, path, kind=DeliveryKind(item), now=at
        )

    async def known(self, item: str, *, after_hours: int = 99) -> pd.DataFrame:
        """Return what is known of the firm some hours after noon."""
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=self.noon)
            permission = await consents.require(
                session,
                receiver_id=PLATFORM_ID,
                subject_ids=[self.firm.organisation_id],
                purpose=Purpose.PRE_LOAN,
                item_codes=[item],
                now=self.noon,
            )
            return await records(session, permission, item, known_at=self.noon + timedelta(hours=after_hours))


@pytest.fixture
async def place(database: Database, admin: asyncpg.Connection, tmp_path: Path, noon: datetime) -> Place:
    await in_domain(admin, "real_estate", "cash_flow", topology="held_copy")
    code = a_credit_code()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        agency = await an_agency(session, now=noon)
        firm = await a_firm(session, credit_code=code, now=noon)
        await a_consent(session, firm, item_codes=ON_CONSENT, now=noon)
    return Place(database, tmp_path, agency, firm, code, noon)


async def test_columns_are_the_catalogues_fields(session: AsyncSession, noon: datetime) -> None:
    standards = {one.item.code: one for one in await catalogue.standards(session, noon.date())}

    for code, kind in KINDS.items():
        fields = {field.code: field.kind for field in standards[code].fields}
        assert fields.keys() == {column.name for column in kind.columns}, code
        assert [c.name for c in kind.columns if fields[c.name] not in AS_FIELD[c.kind]] == [], code
        assert {kind.dated_by, *kind.key} <= fields.keys()
        assert [column.name for column in kind.columns if column.name in kind.key and not column.is_required] == []
        assert DeliveryKind(code).item_code == code


async def test_an_item_is_as_strict_as_the_strictest_of_its_fields(session: AsyncSession, noon: datetime) -> None:
    order = [AccessClass.OPEN, AccessClass.ON_CONSENT, AccessClass.SENSITIVE, AccessClass.FORBIDDEN]
    standards = await catalogue.standards(session, noon.date())
    listed = {one.item.code: one.item for one in standards}
    loose = [
        one.item.code
        for one in standards
        if any(order.index(field.access_class) > order.index(one.item.access_class) for field in one.fields)
    ]

    assert loose == []
    assert {code for code in KINDS if listed[code].needs_consent} == set(ON_CONSENT)


async def test_a_row_of_every_item_is_read_back_as_it_was_delivered(place: Place) -> None:
    expected = {
        ColumnKind.MONTH: date(2025, 3, 1),
        ColumnKind.YEAR: 2024,
        ColumnKind.DAY: date(2025, 3, 5),
        ColumnKind.COUNT: 7,
        ColumnKind.QUANTITY: 1200,
        ColumnKind.AMOUNT: 10_050,
        ColumnKind.FLAG: False,
        ColumnKind.TEXT: "说明",
    }
    for code, kind in KINDS.items():
        report = await place.deliver(code, [a_record(code, place.code)])
        (row,) = (await place.known(code)).to_dict("records")

        assert (code, report.received, report.loaded) == (code, 1, 1)
        assert {c.name: row[c.name] for c in kind.columns} == {
            c.name: good_field(c) if c.kind is ColumnKind.CODE else expected[c.kind] for c in kind.columns
        }


async def test_every_fault_of_every_row_is_named_and_nothing_of_strangers_is_kept(place: Place) -> None:
    silent = a_credit_code()
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        await a_firm(session, credit_code=silent, now=place.noon)
    rows = [
        a_record("electricity", place.code),
        a_record("electricity", silent),
        a_record("electricity", "nobody", used_kwh="1.5"),
        a_record("electricity", place.code, month="2025-13"),
        a_record("electricity", place.code, month="2025-07", used_kwh="-1", is_cut_off="perhaps"),
        a_record("electricity", place.code, month=None, charged_yuan="1.005", owed_yuan="abc"),
    ]

    report = await place.deliver("electricity", rows)

    async with in_transaction(place.database.app) as session:
        await act_as(session, place.agency, now=place.noon)
        found = await session.execute(text("SELECT line_no, faults, content FROM sources.rejected_row ORDER BY 1"))
        aside = {row.line_no: (set(row.faults), row.content) for row in found}
    assert (report.loaded, report.rejected_rows) == (1, 5)
    assert [aside[line][0] for line in range(2, 7)] == [
        {"no_consent"},
        {"unknown_firm", "bad_number"},
        {"bad_date"},
        {"period_in_future", "bad_number", "bad_flag"},
        {"missing_field", "more_than_two_decimals", "bad_amount"},
    ]
    assert (aside[2][1], aside[3][1]) == ("", "")
    assert place.code in aside[4][1]


async def test_a_value_that_may_be_missing_is_nothing_and_not_zero(place: Place) -> None:
    await place.deliver("annual_report", [a_record("annual_report", place.code, revenue_yuan=None)])
    (row,) = (await place.known("annual_report")).to_dict("records")

    assert pd.isna(row["revenue_fen"])
    assert row["assets_fen"] == 10_050


async def test_a_correction_supersedes_and_both_times_are_kept(place: Place) -> None:
    months = [a_record("electricity", place.code, month=f"2025-0{month}") for month in range(1, 5)]
    first = await place.deliver("electricity", months)
    again = await place.deliver("electricity", [*months, a_record("electricity", place.code, month="2025-05")])
    changed = await place.deliver("electricity", [months[0] | {"used_kwh": "900"}], after_hours=5)

    before, after = await place.known("electricity", after_hours=4), await place.known("electricity")
    assert (first.loaded, again.loaded, again.rejected) == (4, 1, {"duplicate_row": 4})
    assert (changed.loaded, changed.rejected_rows) == (1, 0)
    assert before["used_kwh"].tolist() == [1200] * 5
    assert after["used_kwh"].tolist() == [900, 1200, 1200, 1200, 1200]


async def test_what_a_delivery_says_twice_is_loaded_once_and_contradictions_are_kept_aside(place: Place) -> None:
    row = a_record("tax_filing", place.code)
    rows = [row, row, row | {"paid_yuan": "3"}, row | {"tax_kind": "income"}]

    report = await place.deliver("tax_filing", rows)

    assert (report.loaded, report.rejected) == (2, {"duplicate_row": 1, "conflicting_row": 1})
    assert (await place.known("tax_filing"))["paid_fen"].tolist() == [10_050, 10_050]


async def test_only_its_own_sender_corrects_a_record(place: Place) -> None:
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        other = await an_agency(session, now=place.noon)
    await place.deliver("water", [a_record("water", place.code)])

    report = await place.deliver("water", [a_record("water", place.code, used_m3="1")], sender=other)

    assert (report.loaded, report.rejected) == (0, {"delivered_by_another": 1})
    assert (await place.known("water"))["used_m3"].tolist() == [1200]


async def test_an_item_is_collected_only_where_the_provinces_platform_may_hold_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.deliver("tax_filing", [a_record("tax_filing", place.code)])
    monkeypatch.setenv("PROVINCE_CODE", "51")
    known_settings.cache_clear()

    with pytest.raises(ItemNotHeldHere) as refused:
        await place.deliver("tax_filing", [a_record("tax_filing", place.code, month="2025-04")])

    monkeypatch.undo()
    known_settings.cache_clear()
    assert refused.value.facts["topology"] == Topology.PASS_THROUGH.value
    assert len(await place.known("tax_filing")) == 1


async def test_nobody_reads_a_record_without_a_consent_nor_an_open_one_unannounced(place: Place) -> None:
    await place.deliver("electricity", [a_record("electricity", place.code)])
    await place.deliver("judgment", [a_record("judgment", place.code)])
    statement = text(
        "SELECT (SELECT count(*) FROM sources.electricity_fact) AS private,"
        " (SELECT count(*) FROM sources.judgment_fact) AS public"
    )
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        unannounced = tuple((await session.execute(statement)).one())
    async with in_transaction(place.database.app) as session:
        await act_as(session, place.agency, now=place.noon)
        with pytest.raises(ConsentMissing):
            await consents.require(
                session,
                receiver_id=place.agency.organisation_id,
                subject_ids=[place.firm.organisation_id],
                purpose=Purpose.PRE_LOAN,
                item_codes=["electricity"],
                now=place.noon,
            )
        await consents.require(
            session,
            receiver_id=place.agency.organisation_id,
            subject_ids=[place.firm.organisation_id],
            purpose=Purpose.PRE_LOAN,
            item_codes=["judgment"],
            now=place.noon,
        )
        announced = tuple((await session.execute(statement)).one())
    async with in_transaction(place.database.app) as session:
        await act_as(session, place.firm, now=place.noon)
        own = tuple((await session.execute(statement)).one())

    assert (unannounced, announced, own) == ((0, 0), (0, 1), (1, 1))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sources.electricity_fact SET used_kwh = 1",
        "UPDATE sources.electricity_fact SET superseded_at = NULL",
        "DELETE FROM sources.electricity_fact",
        "TRUNCATE sources.electricity_fact",
    ],
)
async def test_a_record_is_never_overwritten(place: Place, admin: asyncpg.Connection, statement: str) -> None:
    await place.deliver("electricity", [a_record("electricity", place.code)])

    with pytest.raises(asyncpg.RestrictViolationError):
        await admin.execute(statement)


async def test_two_current_records_never_bear_one_name(place: Place, admin: asyncpg.Connection) -> None:
    await place.deliver("electricity", [a_record("electricity", place.code)])
    columns = "firm_id, recorded_at, month, used_kwh, charged_fen, owed_fen, is_cut_off"

    with pytest.raises(asyncpg.UniqueViolationError):
        await admin.execute(
            f"INSERT INTO sources.electricity_fact (delivery_no, line_no, {columns})"
            f" SELECT delivery_no, line_no + 1, {columns} FROM sources.electricity_fact"
        )


async def test_records_are_sealed_by_delivery_and_every_altered_one_is_named(
    place: Place, admin: asyncpg.Connection
) -> None:
    months = [a_record("electricity", place.code, month=f"2025-0{month}") for month in range(1, 5)]
    await place.deliver("electricity", months)
    await place.deliver("electricity", [months[3] | {"used_kwh": "900"}], after_hours=1)
    await place.deliver("judgment", [a_record("judgment", place.code)], after_hours=1)
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        sealed = await service.seal_facts(session, now=place.noon)
        await seal(session, SEALS, SUPERSESSIONS, RECORD_SUPERSESSIONS, now=place.noon)
    whole = await _verified(place)
    for table in ("electricity_fact", "judgment_fact"):
        await admin.execute(f"ALTER TABLE sources.{table} DISABLE TRIGGER USER")
    await admin.execute("UPDATE sources.electricity_fact SET used_kwh = 7 WHERE line_no = 2")
    await admin.execute("UPDATE sources.electricity_fact SET superseded_at = recorded_at WHERE line_no = 3")
    await admin.execute("DELETE FROM sources.judgment_fact")
    found = await _verified(place)
    await admin.execute("ALTER TABLE sources.record_supersession DISABLE TRIGGER USER")
    await admin.execute("UPDATE sources.record_supersession SET by_line_no = 9")
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        stream = await verify(session, RECORD_SUPERSESSIONS)

    assert (sealed, whole) == (6, [])
    assert sorted(found) == [
        ("electricity_fact", "2", "changed"),
        ("electricity_fact", "3", "changed"),
        ("judgment_fact", "1", "missing"),
    ]
    assert [one.finding.value for one in stream.found] == ["changed"]


async def _verified(place: Place) -> list[tuple[str, str, str]]:
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        state = await service.verify_facts(session)
    return [(one.ref.split(":")[0], one.ref.split(".")[-1], one.finding.value) for one in state.found]


async def test_a_reader_without_the_item_in_its_permission_gets_nothing(place: Place) -> None:
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        permission = await consents.require(
            session,
            receiver_id=PLATFORM_ID,
            subject_ids=[place.firm.organisation_id],
            purpose=Purpose.PRE_LOAN,
            item_codes=["water"],
            now=place.noon,
        )
        with pytest.raises(ConsentMissing):
            await records(session, permission, "gas", known_at=place.noon)


async def test_all_of_a_firm_is_read_at_once_and_what_was_taken_back_stops_it(place: Place) -> None:
    for item in ("electricity", "judgment", "gas"):
        await place.deliver(item, [a_record(item, place.code)], after_hours=1)
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        permission = await consents.require(
            session,
            receiver_id=PLATFORM_ID,
            subject_ids=[place.firm.organisation_id],
            purpose=Purpose.PRE_LOAN,
            item_codes=["electricity", "judgment", "water"],
            now=place.noon,
        )
        found = await records_of(session, permission, known_at=place.noon + timedelta(hours=2))
        early = await records_of(session, permission, known_at=place.noon)
    async with in_transaction(place.database.app) as session:
        await act_as(session, place.firm, now=place.noon)
        (given,) = (await consent_queries.consents_of(session, place.firm, now=place.noon)).rows
        await consents.revoke(session, place.firm, given.id, now=place.noon)
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        with pytest.raises(ConsentMissing):
            await records_of(session, permission, known_at=place.noon)

    assert {item: len(frame) for item, frame in found.items()} == {"electricity": 1, "judgment": 1}
    assert early == {}


async def test_a_stolen_right_to_write_opens_no_platform(place: Place) -> None:
    async with in_transaction(place.database.app) as session:
        await act_as(session, place.agency, now=place.noon)
        with pytest.raises(DBAPIError, match="row-level security"):
            await session.execute(
                text(
                    "INSERT INTO sources.tax_grade_fact (firm_id, delivery_no, line_no, recorded_at, year, grade)"
                    " VALUES (:firm, 1, 1, now(), 2024, 'A')"
                ),
                {"firm": place.firm.organisation_id},
            )


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["2025-01", "2025-02"]), st.sampled_from(["vat", "income"])),
        max_size=12,
    )
)
def test_equal_names_have_equal_hashes_and_the_first_of_a_name_stays(drawn: list[tuple[int, str, str]]) -> None:
    kind = KINDS["tax_filing"]
    rows = [a_record("tax_filing", f"F{firm}", month=month, tax_kind=tax) for firm, month, tax in drawn]
    batch = pa.RecordBatch.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in kind.delivered]))
    read = read_records(kind, batch, np.arange(1, len(rows) + 1))
    firms = [UUID(int=number << 70 | 1) for number in range(3)]
    found = Rows(kind, firms, np.array([firm for firm, _, _ in drawn], dtype=np.int32), read.line_no, read.values)

    hashes = key_hashes(found).tolist()
    repeated, conflicting = same_twice(found)

    assert len(set(hashes)) == len(set(drawn))
    assert (~repeated & ~conflicting).sum() == len(set(drawn))
