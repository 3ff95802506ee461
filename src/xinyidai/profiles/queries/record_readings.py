"""Reading the indicators that rest on records or on a provider's signed word, and the records that may be used."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pandas as pd
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.catalogue import queries as catalogue
from xinyidai.catalogue.rules import Topology, is_usable
from xinyidai.consents import queries as consents
from xinyidai.consents.rules import Permission, Purpose
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.settings import settings
from xinyidai.objections import queries as objections
from xinyidai.objections.rules import FactKind
from xinyidai.profiles import model
from xinyidai.profiles.rules.readings import INVOICES
from xinyidai.profiles.rules.record_readings import MOST_AGE_DAYS, RecordReading, RecordSource, RecordText
from xinyidai.sources import queries as facts
from xinyidai.sources.queries.derived import derived_values
from xinyidai.sources.queries.records import records_of
from xinyidai.sources.rules.derived import DerivedValue


def record_items() -> tuple[str, ...]:
    """Return the items that indicators from records are computed from, invoices among them."""
    return tuple(sorted({code for text in model.record_texts() for code in text.item_codes}))


async def items_covered(
    session: AsyncSession, firm_id: UUID, *, receiver_id: UUID, purpose: Purpose, now: datetime
) -> tuple[str, ...]:
    """Return those of `record_items` that the receiver may read of a firm now: open ones, and those it allows."""
    listed = await catalogue.listed(session, record_items(), business_date(now))
    usable = {code: one for code, one in listed.items() if is_usable(one)}
    asked = sorted(code for code, one in usable.items() if one.needs_consent)
    allowing = await consents.subjects_by_item(
        session, [firm_id], purpose=purpose, item_codes=asked, receiver_id=receiver_id, now=now
    )
    allowed = {code for code in asked if firm_id in allowing[code]}
    return tuple(sorted(allowed | (set(usable) - set(asked))))


async def record_readings(
    session: AsyncSession, permission: Permission, firm_id: UUID, *, as_of: datetime, known_at: datetime
) -> tuple[RecordReading, ...]:
    """Return the indicators from records of a permitted firm, for the items that the permission covers.

    Where an item is held here, from its records; where it stays in its owner's domain, the newest value that the owner
    signed, unless it is older than MOST_AGE_DAYS; where it passes by, none.

    Raises
    ------
    ConsentMissing
        The database no longer lets a covered item be read.
    """
    covered = set(permission.item_codes)
    texts = [text for text in model.record_texts() if text.item_codes[0] in covered]
    listed = await catalogue.listed(session, sorted(covered & set(record_items())), business_date(permission.at))
    where = await catalogue.topologies_in(session, listed.values(), settings().province_code)
    alone = replace(permission, subject_ids=frozenset({firm_id}))
    held = [code for code, topology in where.items() if topology is Topology.HELD_COPY]
    away = [code for code, topology in where.items() if topology is Topology.IN_DOMAIN]
    values = await _held_values(session, replace(alone, item_codes=tuple(sorted(held))), firm_id, as_of, known_at)
    stated = {
        one.stated.indicator: one
        for one in (await derived_values(session, alone, away, before=as_of, known_at=known_at) if away else ())
    }
    return tuple(
        _stated(text, stated.get(text.code), as_of)
        if where.get(text.item_codes[0]) is Topology.IN_DOMAIN
        else RecordReading(text.code, text.item_codes[0], text.measure, values.get(text.code), RecordSource.RECORDS)
        for text in texts
        if where.get(text.item_codes[0]) in (Topology.HELD_COPY, Topology.IN_DOMAIN)
    )


async def _held_values(
    session: AsyncSession, permission: Permission, firm_id: UUID, as_of: datetime, known_at: datetime
) -> Mapping[str, int | None]:
    records = await usable_records(session, permission, decided_at=permission.at, known_at=known_at)
    if not records:
        return {}
    beside = {code for text in model.record_texts() if text.item_codes[0] in records for code in text.item_codes[1:]}
    needs_sales = INVOICES in beside and INVOICES in permission.item_codes
    sales = await facts.invoices(session, permission, before=as_of, known_at=known_at) if needs_sales else None
    return model.compute_records(records, sales, as_of=as_of).get(str(firm_id), {})


def _stated(text: RecordText, found: DerivedValue | None, as_of: datetime) -> RecordReading:
    item_code = text.item_codes[0]
    oldest = business_date(as_of) - timedelta(days=MOST_AGE_DAYS)
    if found is None or found.item_code != item_code or found.stated.as_of_on < oldest:
        return RecordReading(text.code, item_code, text.measure, None, RecordSource.STATEMENT)
    return RecordReading(
        code=text.code,
        item_code=item_code,
        measure=text.measure,
        value=found.stated.value,
        source=RecordSource.STATEMENT,
        provider_id=found.provider_id,
        method_version=found.stated.method_version,
        as_of_on=found.stated.as_of_on,
        statement_id=found.statement_id,
    )


async def usable_records(
    session: AsyncSession, permission: Permission, *, decided_at: datetime, known_at: datetime
) -> Mapping[str, pd.DataFrame]:
    """Return the records that a decision of `decided_at` may use, by item: those of `sources.records_of` but repaired.

    The one door to records for whatever computes. Repairs count by the rule in force at `decided_at`, so that an old
    decision replays with a record that was repaired since, and a new one does without.

    Raises
    ------
    ConsentMissing
        As of `sources.records_of`.
    """
    frames = await records_of(session, permission, known_at=known_at)
    if not frames.keys() & set(FactKind):
        return frames
    ended = {
        (ref.kind.value, ref.firm_id, ref.delivery_no, ref.line_no)
        for ref in await objections.repaired_refs(session, sorted(permission.subject_ids), decided_at)
    }
    return {code: _without(frame, code, ended) for code, frame in frames.items()}


def _without(frame: pd.DataFrame, code: str, ended: Collection[tuple[str, UUID, int, int]]) -> pd.DataFrame:
    names = zip(frame["firm_id"], frame["delivery_no"], frame["line_no"], strict=True)
    return frame[[(code, *name) not in ended for name in names]].reset_index(drop=True)
