"""Indicators from records on the profile: only of items a permission covers, signed values in place of records."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import pandas as pd
import pytest
from builders_consents import a_consent
from builders_derived import A_VALUE, Signer, a_signer, a_statement, in_domain
from builders_parties import a_credit_code, a_firm, a_lender, the_operator
from builders_sources import Row, a_record, an_agency, rows_of
from conftest import Database

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.profiles import model, service
from xinyidai.profiles.rules.record_readings import ProfileView, RecordReading, RecordSource
from xinyidai.sources import service as sources
from xinyidai.sources.rules import DeliveryKind
from xinyidai.sources.rules.derivable import DERIVABLE, Derivable
from xinyidai.sources.rules.records.kinds import KINDS

ALLOWED = ("vat_invoice", "social_insurance", "electricity")
MONTHS = [f"2024-{month:02d}" for month in range(3, 13)] + [f"2025-{month:02d}" for month in range(1, 6)]


@dataclass
class Place:
    """A firm with invoices that allows the platform three items and a bank two of them."""

    database: Database
    folder: Path
    agency: Viewer
    bank: Viewer
    firm: Viewer
    code: str
    consent_id: UUID
    signer: Signer
    noon: datetime

    async def deliver(self, item: str, rows: list[Row]) -> None:
        """Deliver records."""
        path = self.folder / f"{len(list(self.folder.iterdir()))}.csv"
        pd.DataFrame(rows, columns=list(KINDS[item].delivered)).to_csv(path, index=False, lineterminator="\n")
        await sources.receive_file(self.database.worker, self.agency, path, kind=DeliveryKind(item), now=self.noon)

    async def own(self) -> ProfileView:
        """Return the firm's own profile."""
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.firm, now=self.noon)
            return await service.own_profile(session, self.firm, now=self.noon)

    async def shown_to_bank(self) -> ProfileView:
        """Return the profile that the bank sees."""
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.bank, now=self.noon)
            return await service.profile_of(session, self.bank, self.firm.organisation_id, now=self.noon)

    async def state(self, value: int | None, *, days_ago: int = 0) -> None:
        """Deliver a signed headcount as of some days ago."""
        day = (self.noon - timedelta(days=days_ago)).date().isoformat()
        covered = (self.noon - timedelta(days=days_ago + 1)).date().isoformat()
        stated = {**A_VALUE, "value": value, "as_of": day, "covers_to": covered}
        told = a_statement(self.signer, self.code, self.consent_id, stated, made_at=self.noon)
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.signer.provider, now=self.noon)
            await sources.receive_statement(
                session,
                self.signer.provider,
                told,
                key_id=self.signer.key_id,
                signature=self.signer.sign(told),
                now=self.noon,
            )


@pytest.fixture
async def place(database: Database, tmp_path: Path, noon: datetime) -> Place:
    code = a_credit_code()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        agency, operator = await an_agency(session, now=noon), await the_operator(session, now=noon)
        bank = (await a_lender(session, now=noon)).maker
        firm = await a_firm(session, credit_code=code, now=noon)
        consent = await a_consent(session, firm, item_codes=ALLOWED, receiver_ids=[PLATFORM_ID], now=noon)
        await a_consent(session, firm, item_codes=ALLOWED[:2], receiver_ids=[bank.organisation_id], now=noon)
        signer = await a_signer(session, agency, operator, now=noon)
        await sources.receive_rows(session, agency, rows_of(code, 3), now=noon)
    return Place(database, tmp_path, agency, bank, firm, code, consent.id, signer, noon)


def by_code(shown: ProfileView) -> Mapping[str, RecordReading]:
    return {one.code: one for one in shown.records}


async def test_a_profile_shows_what_records_say_and_no_data_where_there_is_none(place: Place) -> None:
    insured = [a_record("social_insurance", place.code, month=month, insured="9", owed_yuan="0.00") for month in MONTHS]
    await place.deliver("social_insurance", insured)
    await place.deliver("judgment", [a_record("judgment", place.code, role="defendant")])

    found = by_code(await place.own())

    assert (found["insured_headcount"].value, found["insured_trend"].value) == (9, 0)
    assert found["insurance_months_unbroken"].value == len(MONTHS)
    assert found["judgments_as_defendant"].value == 1
    assert found["electricity_trend"].value is None
    assert {one.source for one in found.values()} == {RecordSource.RECORDS}


async def test_a_lender_sees_the_items_it_was_allowed_and_open_ones_and_no_other(place: Place) -> None:
    await place.deliver("social_insurance", [a_record("social_insurance", place.code, month="2025-05", insured="9")])
    await place.deliver("electricity", [a_record("electricity", place.code, month=month) for month in MONTHS])
    await place.deliver("judgment", [a_record("judgment", place.code, role="defendant")])

    shown, own = by_code(await place.shown_to_bank()), by_code(await place.own())

    assert (shown["insured_headcount"].value, shown["judgments_as_defendant"].value) == (9, 1)
    assert "electricity_trend" not in shown
    assert own["electricity_trend"].value == 0


async def test_a_signed_value_stands_in_where_the_item_stays_in_its_owners_domain(
    place: Place, admin: asyncpg.Connection
) -> None:
    await place.deliver("social_insurance", [a_record("social_insurance", place.code, month="2025-05", insured="9")])
    await in_domain(admin, "social_insurance")
    before = by_code(await place.own())["insured_headcount"]

    await place.state(12)

    own, shown = by_code(await place.own()), by_code(await place.shown_to_bank())
    assert (before.value, before.source) == (None, RecordSource.STATEMENT)
    assert own["insured_headcount"] == shown["insured_headcount"]
    assert own["insured_headcount"].value == 12
    assert own["insured_headcount"].method_version == "hrss-2025.1"
    assert own["insured_headcount"].provider_id == place.signer.provider.organisation_id
    assert own["insured_trend"].value is None


async def test_a_signed_value_that_is_too_old_is_no_data(place: Place, admin: asyncpg.Connection) -> None:
    await in_domain(admin, "social_insurance")
    await place.state(12, days_ago=93)
    old = by_code(await place.own())["insured_headcount"]

    await place.state(11, days_ago=92)

    assert old.value is None
    assert by_code(await place.own())["insured_headcount"].value == 11


async def test_an_item_that_passes_by_has_no_indicator_here(place: Place, admin: asyncpg.Connection) -> None:
    await in_domain(admin, "social_insurance", topology="pass_through")

    assert "insured_headcount" not in by_code(await place.own())


async def test_records_move_nothing_of_what_is_computed_from_invoices(place: Place) -> None:
    before = await place.own()
    await place.deliver("judgment", [a_record("judgment", place.code, role="defendant")])

    after = await place.own()

    assert (before.readings, before.feature_version) == (after.readings, after.feature_version)
    assert model.feature_version().startswith("invoices-")
    assert not {text.code for text in model.record_texts()} & {text.code for text in model.indicator_texts()}


async def test_what_was_shown_is_kept_with_the_profile(place: Place, admin: asyncpg.Connection) -> None:
    await place.deliver("judgment", [a_record("judgment", place.code, role="defendant")])
    shown = await place.shown_to_bank()

    audit = await admin.fetchrow("SELECT * FROM audit.record WHERE object_id = $1", str(shown.id))
    kept = await admin.fetchrow("SELECT * FROM profiles.profile WHERE id = $1", shown.id)

    assert audit["consent_ids"] == kept["consent_ids"] != []
    assert b"judgments_as_defendant" not in kept["values_sealed"]


def test_what_providers_may_derive_are_the_indicators_from_records() -> None:
    told = {text.code: Derivable(text.item_codes[0], text.measure.value) for text in model.record_texts()}

    assert dict(DERIVABLE) == told
