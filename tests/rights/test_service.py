"""A firm takes along all that is held of it, and what nothing holds is deleted when it asks."""

import io
import json
import zipfile
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from builders_consents import a_consent
from builders_demands import a_draft
from builders_documents import a_document
from builders_objections import a_disputed_firm, an_objection
from builders_parties import a_credit_code, a_firm
from builders_sources import a_csv, a_record, an_agency, rows_of
from conftest import Database
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.access.rules import PrincipalKind, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import service as consents
from xinyidai.foundation import outbox
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound
from xinyidai.rights import queries, service
from xinyidai.rights.rules import LINK_LASTS, ArchiveGone, AskedAlready, RequestKind, RequestState, RequestView, told
from xinyidai.rights.service import carrying_out
from xinyidai.sources import service as sources
from xinyidai.sources.rules import DeliveryKind
from xinyidai.sources.rules.keeping import KeptFor
from xinyidai.worker import load_rooms

load_rooms()


@dataclass(frozen=True)
class Place:
    """A firm with five invoices under a consent, and one open record."""

    database: Database
    firm: Viewer
    consent_id: object
    noon: datetime

    async def ask(self, kind: RequestKind, *, at: datetime | None = None) -> RequestView:
        """Let the firm ask, and the platform carry it out."""
        moment = at or self.noon
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.firm, now=moment)
            asked = await service.ask(session, self.firm, kind, now=moment)
        await outbox.drain(self.database.worker, now=moment)
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.firm, now=moment)
            return await queries.request(session, self.firm, asked.id)

    async def fetch(self, request: RequestView, *, at: datetime, by: Viewer | None = None) -> bytes:
        """Fetch an archive."""
        viewer = by or self.firm
        async with in_transaction(self.database.app) as session:
            await act_as(session, viewer, now=at)
            return await service.fetch(session, viewer, request.id, now=at)


@pytest.fixture
async def place(database: Database, tmp_path: Path, noon: datetime) -> Place:
    code = a_credit_code()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        agency, firm = await an_agency(session, now=noon), await a_firm(session, credit_code=code, now=noon)
        given = await a_consent(session, firm, now=noon)
    path = a_csv(tmp_path, rows_of(code, 5))
    await sources.receive_file(database.worker, agency, path, kind=DeliveryKind.VAT_INVOICE, now=noon)
    async with in_transaction(database.worker) as session:
        await act_as(session, agency, now=noon)
        record = a_record("tax_grade", code)
        await sources.receive_rows(session, agency, [record], kind=DeliveryKind("tax_grade"), now=noon)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await sources.seal_facts(session, now=noon)
    return Place(database, firm, given.id, noon)


async def test_an_export_holds_the_facts_their_sources_and_everything_about_them(place: Place) -> None:
    done = await place.ask(RequestKind.EXPORT)
    packed = zipfile.ZipFile(io.BytesIO(await place.fetch(done, at=place.noon)))

    manifest = json.loads(packed.read("manifest.json"))
    consent = json.loads(packed.read("consents.json"))[0]
    invoices = packed.read("facts_vat_invoice.csv").decode("utf-8-sig").splitlines()
    assert {one["name"]: one["rows"] for one in manifest["files"]} == {
        "facts_tax_grade.csv": 1,
        "facts_vat_invoice.csv": 5,
        "deliveries.csv": 2,
        "purged.csv": 0,
        "who_read.csv": len(packed.read("who_read.csv").decode().splitlines()) - 1,
        "consents.json": None,
        "decisions.json": None,
        "profile.json": None,
        "demands.json": None,
        "loans.json": None,
        "objections.json": None,
        "repairs.json": None,
        "documents.json": None,
        "derived_values.json": None,
    }
    assert (len(invoices), consent["id"], consent["state"]) == (6, str(place.consent_id), "active")
    assert "sources.delivered" in packed.read("who_read.csv").decode()
    assert json.loads(packed.read("profile.json"))["invoices"] == 5


async def test_an_export_holds_what_the_firm_did_and_nothing_of_another(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        mine, anothers = await a_disputed_firm(session, now=noon), await a_disputed_firm(session, now=noon)
        evidence = await a_document(session, mine.firm, now=noon)
        await an_objection(session, mine, text="这张发票的金额少了一位", document_ids=[evidence.id], now=noon)
        await an_objection(session, anothers, text="别家的话别家的话", now=noon)
        for one in (mine, anothers):
            await act_as(session, one.firm, now=noon)
            await a_draft(session, one.firm, now=noon)

    place = Place(database, mine.firm, None, noon)
    done = await place.ask(RequestKind.EXPORT)

    packed = zipfile.ZipFile(io.BytesIO(await place.fetch(done, at=noon)))
    read = {name: json.loads(packed.read(f"{name}.json")) for name in ("demands", "objections", "documents", "loans")}
    (objection,) = read["objections"]
    assert [one["demand"]["amount_fen"] for one in read["demands"]] == [50_000_000]
    assert (objection["text"], objection["objection"]["document_ids"]) == ("这张发票的金额少了一位", [str(evidence.id)])
    assert [(one["name"], one["digest"]) for one in read["documents"]] == [("判决书.pdf", evidence.digest.hex())]
    assert read["loans"] == []
    everything = b"".join(packed.read(name) for name in packed.namelist()).decode()
    assert "别家的话" not in everything
    assert anothers.code not in everything


@given(st.floats(), st.sampled_from(["plain", "inside"]))
def test_a_float_is_not_told(value: float, where: str) -> None:
    with pytest.raises(TypeError):
        told({"plain": value, "inside": [{"a": (value,)}]}[where])


async def test_the_link_is_the_firms_owners_alone_and_ends(place: Place, admin: asyncpg.Connection) -> None:
    done = await place.ask(RequestKind.EXPORT)
    over = place.noon + LINK_LASTS
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        another = await a_firm(session, now=place.noon)

    with pytest.raises(NotFound):
        await place.fetch(done, at=place.noon, by=another)
    with pytest.raises(NotAllowed):
        await place.fetch(done, at=place.noon, by=replace(place.firm, principal_kind=PrincipalKind.CLIENT))
    with pytest.raises(ArchiveGone):
        await place.fetch(done, at=over)
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=over)
        ended = await service.end_archives(session, now=over)
    left = await admin.fetchrow("SELECT state, archive_sealed FROM rights.request")
    assert (ended, tuple(left)) == (1, (RequestState.EXPIRED.value, None))


async def test_what_a_consent_covers_and_what_is_open_stays_and_says_why(place: Place) -> None:
    done = await place.ask(RequestKind.DELETION)

    stays = {one.item_code: (one.facts, one.reason, one.until) for one in done.stays}
    assert (done.state, done.facts_deleted) == (RequestState.DONE, 0)
    assert stays == {
        "tax_grade": (1, KeptFor.PUBLIC, place.noon + timedelta(days=1830)),
        "vat_invoice": (5, KeptFor.CONSENT, place.noon + timedelta(days=90)),
    }


async def test_what_nothing_holds_any_more_goes_at_once_though_its_data_life_is_not_over(
    place: Place, admin: asyncpg.Connection
) -> None:
    async with in_transaction(place.database.app) as session:
        await act_as(session, place.firm, now=place.noon)
        await consents.revoke(session, place.firm, place.consent_id, now=place.noon)  # type: ignore[arg-type]
    later = place.noon + timedelta(hours=1)

    done = await place.ask(RequestKind.DELETION, at=later)

    reasons = await admin.fetch("SELECT DISTINCT reason FROM sources.tombstone")
    assert (done.facts_deleted, [one.item_code for one in done.stays]) == (5, ["tax_grade"])
    assert await admin.fetchval("SELECT count(*) FROM sources.invoice_fact") == 0
    assert [row["reason"] for row in reasons] == ["asked"]


async def test_one_request_that_fails_holds_up_nobody_elses(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        other = await a_firm(session, now=place.noon)
    for viewer, kind in ((place.firm, RequestKind.EXPORT), (other, RequestKind.DELETION)):
        async with in_transaction(place.database.app) as session:
            await act_as(session, viewer, now=place.noon)
            await service.ask(session, viewer, kind, now=place.noon)

    async def fails(*_asked: object, **_told: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(carrying_out, "gather", fails)
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        await service.carry_out_waiting(session, now=place.noon)

    connection = await asyncpg.connect(place.database.admin_dsn)
    states = await connection.fetch("SELECT kind, state FROM rights.request ORDER BY kind")
    await connection.close()
    assert [tuple(row) for row in states] == [("deletion", "done"), ("export", "asked")]


async def test_a_second_request_waits_until_the_first_is_carried_out(place: Place) -> None:
    async with in_transaction(place.database.app) as session:
        await act_as(session, place.firm, now=place.noon)
        await service.ask(session, place.firm, RequestKind.EXPORT, now=place.noon)
        with pytest.raises(AskedAlready):
            await service.ask(session, place.firm, RequestKind.EXPORT, now=place.noon)
