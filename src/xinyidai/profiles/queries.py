"""Reads of indicators from records, and of lineage both ways, under a permission; the caller writes the audit row."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from uuid import UUID

import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.catalogue import queries as catalogue
from xinyidai.catalogue.rules import Topology, is_usable
from xinyidai.consents import queries as consents
from xinyidai.consents.rules import ConsentView, Permission, Purpose
from xinyidai.decisions import queries as decisions
from xinyidai.foundation.clock import business_date, start_of_day
from xinyidai.foundation.errors import ValueRefused
from xinyidai.foundation.paging import Page, before_id, limit_of, page_of
from xinyidai.foundation.settings import settings
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.profiles import model
from xinyidai.profiles.models import Profile
from xinyidai.profiles.rules.lineage import (
    MAX_LOOKS,
    FactBehind,
    Impact,
    IndicatorLineage,
    Look,
    decisions_touched,
    seen_as_of,
)
from xinyidai.profiles.rules.readings import INVOICES, IndicatorText
from xinyidai.profiles.rules.record_readings import MOST_AGE_DAYS, RecordReading, RecordSource, RecordText
from xinyidai.sources import queries as facts
from xinyidai.sources.queries import lineage as sources
from xinyidai.sources.queries.derived import derived_values
from xinyidai.sources.queries.records import records_of
from xinyidai.sources.rules.amounts import BoolArray, IntArray
from xinyidai.sources.rules.derived import DerivedValue
from xinyidai.sources.rules.origins import INVOICE_FACT, FactLife, FactRef, InvoiceLines, Origin

_NUMBER_BITS = 32
_LARGEST = (1 << _NUMBER_BITS) - 1
# Days are counted in numpy from 1970, where an older invoice would be below zero, which no cursor holds.
_FIRST_DAY, _EPOCH = date.min, date(1970, 1, 1)


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
    records = await records_of(session, permission, known_at=known_at)
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


def indicator_text(code: str) -> IndicatorText:
    """Return what an indicator is called; refuse with `ValueRefused` a code that names none."""
    found = next((text for text in model.indicator_texts() if text.code == code), None)
    if found is None:
        raise ValueRefused(field="indicator", why="no indicator of this code")
    return found


async def lineage(
    session: AsyncSession,
    permission: Permission,
    code: str,
    *,
    firm_id: UUID,
    as_of: datetime,
    known_at: datetime,
    cursor: str | None = None,
    limit: int = 50,
) -> IndicatorLineage:
    """Return an indicator of a permitted firm with every invoice that it rests on, a page of them, newest first.

    Raises
    ------
    NotFound
        The permission is not for this firm.
    ConsentMissing
        The permission does not cover the firm's invoices, or no longer does.
    ValueRefused
        No indicator has this code.
    """
    text, size = indicator_text(code), limit_of(limit)
    lines = await sources.invoice_lines(session, permission, firm_id, before=as_of, known_at=known_at)
    frame = model.compute(lines.invoices, as_of=as_of)
    vector = model.vector_of(frame, 0) if len(frame) else {}
    reading = next(one for one in model.readings_of(vector) if one.code == text.code)
    read, counted = model.looked_at(code, lines.invoices, as_of=as_of)
    origins = await sources.origins(session, set(lines.delivery_no[read].tolist()))
    return IndicatorLineage(
        firm_id=firm_id,
        reading=reading,
        as_of=as_of,
        known_at=known_at,
        fact_rows=int(read.sum()),
        counted_rows=int(counted.sum()),
        facts=_facts(firm_id, lines, read, counted, origins, cursor=cursor, size=size),
        held_under=await _held_under(session, firm_id, INVOICES, origins.values(), now=permission.at),
        read_under=permission.consent_ids,
    )


async def impact(session: AsyncSession, permission: Permission, ref: FactRef) -> Impact:
    """Return all that a fact of a permitted firm touched: indicators, scores and other decisions, profiles shown.

    Of decisions and profiles those that the transaction may see: a firm its own, platform scope all.

    Raises
    ------
    NotFound, ConsentMissing
        As of `sources.life_of`.
    """
    life = await sources.life_of(session, permission, ref)

    @cache
    def fed(as_of: datetime) -> tuple[str, ...]:
        return () if life.invoice is None else model.fed_by(life.invoice, as_of=as_of)

    decided = await decisions.inputs_since(session, ref.firm_id, since=life.recorded_at)
    touched = decisions_touched(life, decided, fed=fed)
    names = await decisions.recorded_as(session, {one.id: one.kind for one in touched})
    looks = await _looks(session, life)
    return Impact(
        life=life,
        indicators=fed(permission.at) if seen_as_of(life, as_of=permission.at, known_at=permission.at) else (),
        decisions=tuple(replace(one, recorded_as=names.get(one.id)) for one in reversed(touched)),
        looks=tuple(replace(one, indicators=fed(one.as_of)) for one in looks[:MAX_LOOKS]),
        is_cut=len(decided) == decisions.MAX_OPENED or len(looks) > MAX_LOOKS,
    )


def _facts(
    firm_id: UUID,
    lines: InvoiceLines,
    read: BoolArray,
    counted: BoolArray,
    origins: Mapping[int, Origin],
    *,
    cursor: str | None,
    size: int,
) -> Page[FactBehind]:
    """Return the page of the facts that were read, newest first: by day, then as they came."""
    invoices, days = lines.invoices, lines.invoices.issued_on.astype(np.int64)
    places = np.flatnonzero(read & _before(before_id(cursor), days, lines))
    order = np.lexsort((lines.line_no[places], lines.delivery_no[places], days[places]))[::-1]
    shown = places[order][: size + 1].tolist()
    facts = [
        FactBehind(
            ref=FactRef(INVOICE_FACT, firm_id, int(lines.delivery_no[place]), int(lines.line_no[place])),
            issued_on=invoices.issued_on[place].item(),
            is_sale=bool(invoices.is_sale[place]),
            is_void=bool(invoices.is_void[place]),
            net_fen=int(invoices.net_fen[place]),
            is_counted=bool(counted[place]),
            origin=origins[int(lines.delivery_no[place])],
        )
        for place in shown
    ]
    return page_of(facts, limit=size, id_of=_place_of)


def _place_of(fact: FactBehind) -> UUID:
    """Return day, delivery and line as one number that sorts as they do, for the cursor."""
    number = (fact.issued_on - _FIRST_DAY).days
    for part in (fact.ref.delivery_no, fact.ref.line_no):
        number = (number << _NUMBER_BITS) | part
    return UUID(int=number)


def _before(place: UUID, days: IntArray, lines: InvoiceLines) -> BoolArray:
    """Say of each invoice whether it stands before a place of `_place_of`."""
    line_no = place.int & _LARGEST
    delivery_no = (place.int >> _NUMBER_BITS) & _LARGEST
    day = min(place.int >> (2 * _NUMBER_BITS), _LARGEST) + _FIRST_DAY.toordinal() - _EPOCH.toordinal()
    in_delivery = (lines.delivery_no < delivery_no) | ((lines.delivery_no == delivery_no) & (lines.line_no < line_no))
    found: BoolArray = (days < day) | ((days == day) & in_delivery)
    return found


async def _held_under(
    session: AsyncSession, firm_id: UUID, item_code: str, origins: Collection[Origin], *, now: datetime
) -> tuple[ConsentView, ...]:
    """Return the consents to the platform that were in force when any of these deliveries came."""
    moments = {origin.received_at for origin in origins}
    given = await consents.consents_covering(session, firm_id, item_code, now=now)
    return tuple(
        one
        for one in given
        if one.purpose is Purpose.PRE_LOAN
        and PLATFORM_ID in one.receiver_ids
        and any(one.covered(item_code, moment) for moment in moments)
    )


async def _looks(session: AsyncSession, life: FactLife) -> list[Look]:
    """Return the profiles shown with the fact among what they were computed from, newest first, one over the most."""
    if life.invoice is None:
        return []
    issued_on = life.invoice.issued_on[0].item()
    statement = (
        select(Profile)
        .where(
            col(Profile.firm_id) == life.ref.firm_id,
            col(Profile.known_at) >= life.recorded_at,
            col(Profile.as_of) > start_of_day(issued_on),
        )
        .order_by(col(Profile.id).desc())
        .limit(MAX_LOOKS + 1)
    )
    if life.superseded_at is not None:
        statement = statement.where(col(Profile.known_at) < life.superseded_at)
    return [
        Look(row.id, row.receiver_id, row.shown_at, row.as_of, row.known_at, ())
        for row in (await session.execute(statement)).scalars()
    ]
