"""Reading what an indicator rests on and what a fact touched."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from uuid import UUID

import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.consents import queries as consents
from xinyidai.consents.rules import ConsentView, Permission, Purpose
from xinyidai.decisions import queries as decisions
from xinyidai.foundation.clock import start_of_day
from xinyidai.foundation.errors import NotFound, ValueRefused
from xinyidai.foundation.paging import Page, before_id, limit_of, page_of
from xinyidai.objections import queries as objections
from xinyidai.objections.rules import FactKind
from xinyidai.objections.rules import FactRef as CaseRef
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.profiles import model
from xinyidai.profiles.models import Profile
from xinyidai.profiles.rules.lineage import (
    MAX_LOOKS,
    FactBehind,
    Impact,
    IndicatorLineage,
    ItemLineage,
    Look,
    Marks,
    RecordBehind,
    decisions_touched,
    seen_as_of,
)
from xinyidai.profiles.rules.readings import INVOICES, IndicatorText
from xinyidai.quality import queries as quality
from xinyidai.sources.queries import lineage as sources
from xinyidai.sources.queries import records
from xinyidai.sources.queries.purged import purged
from xinyidai.sources.rules.amounts import BoolArray, IntArray
from xinyidai.sources.rules.origins import INVOICE_FACT, FactLife, FactRef, InvoiceLines, Origin
from xinyidai.sources.rules.records.kinds import KINDS

_NUMBER_BITS = 32
_LARGEST = (1 << _NUMBER_BITS) - 1
# Days are counted in numpy from 1970, where an older invoice would be below zero, which no cursor holds.
_FIRST_DAY, _EPOCH = date.min, date(1970, 1, 1)


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
        purged=tuple(await purged(session, firm_id, item_code=INVOICES, known_at=known_at)),
    )


async def purged_lineage(
    session: AsyncSession, code: str, *, firm_id: UUID, as_of: datetime, known_at: datetime
) -> IndicatorLineage | None:
    """Return what can be told of an indicator whose facts nobody may read: that they were purged; None if none was.

    The caller has checked who asks.
    """
    stones = tuple(await purged(session, firm_id, item_code=INVOICES, known_at=known_at))
    if not stones:
        return None
    reading = next(one for one in model.readings_of({}) if one.code == indicator_text(code).code)
    return IndicatorLineage(firm_id, reading, as_of, known_at, 0, 0, Page((), None), (), (), stones)


async def purged_impact(session: AsyncSession, ref: FactRef) -> Impact:
    """Return what is left of a purged fact; which decisions it went into can no longer be told. As `purged_lineage`."""
    life = await sources.purged_life(session, ref)
    return Impact(life, (), (), (), is_cut=False, is_read=bool(_readers(ref.item_code)), held_under=(), marks=Marks())


async def item_lineage(
    session: AsyncSession,
    permission: Permission,
    code: str,
    *,
    firm_id: UUID,
    known_at: datetime,
    limit: int = 50,
) -> ItemLineage:
    """Return the records of one item of a permitted firm as known at a moment, newest first, at most `limit`.

    Raises
    ------
    NotFound
        The permission is not for this firm.
    ConsentMissing
        As of `sources.records`.
    ValueRefused
        Of this item no records are kept; of invoices the lineage of an indicator tells.
    """
    size, at = limit_of(limit), permission.at
    if code not in KINDS:
        raise ValueRefused(field="item", why="no records are kept of it")
    if firm_id not in permission.subject_ids:
        raise NotFound
    frame = await records.records(
        session, replace(permission, subject_ids=frozenset({firm_id})), code, known_at=known_at
    )
    shown = frame.sort_values(["recorded_at", "delivery_no", "line_no"], ascending=False).head(size)
    origins = await sources.origins(session, set(frame["delivery_no"].tolist()))
    repaired = await objections.repaired_refs(session, [firm_id], at)
    disputed = await objections.disputed_refs(session, [firm_id], at)
    facts = []
    for row in shown.to_dict("records"):
        ref = FactRef(KINDS[code].table, firm_id, row["delivery_no"], row["line_no"])
        case = _case_ref(ref)
        facts.append(
            RecordBehind(
                ref=ref,
                named={name: str(row[name]) for name in KINDS[code].key},
                is_repaired=case in repaired,
                is_disputed=case in disputed,
                origin=origins[ref.delivery_no],
            )
        )
    return ItemLineage(
        firm_id=firm_id,
        item_code=code,
        known_at=known_at,
        fact_rows=len(frame),
        facts=tuple(facts),
        indicators=_readers(code),
        held_under=await _held_under(session, firm_id, code, origins.values(), now=at),
        read_under=permission.consent_ids,
    )


def _readers(item_code: str) -> tuple[str, ...]:
    """Return the indicators that read an item: of records any of them may be fed by any record, by month and state."""
    if item_code == INVOICES:
        return tuple(one.code for one in model.readings_of({}))
    return tuple(text.code for text in model.record_texts() if item_code in text.item_codes)


async def marks_of(session: AsyncSession, ref: FactRef) -> Marks:
    """Return what was found in a fact and said of it; that the fact may be looked at, the caller has checked."""
    found = await quality.findings_of(session, firm_id=ref.firm_id, delivery_no=ref.delivery_no, line_no=ref.line_no)
    case = _case_ref(ref)
    disputed, asked = ((), ()) if case is None else await objections.cases_of(session, case)
    return Marks(found, disputed, asked)


def _case_ref(ref: FactRef) -> CaseRef | None:
    """Return how a case names the fact: by its item; None of an item that no case can be about."""
    if ref.item_code not in set(FactKind):
        return None
    return CaseRef(FactKind(ref.item_code), ref.firm_id, ref.delivery_no, ref.line_no)


async def impact(session: AsyncSession, permission: Permission, ref: FactRef) -> Impact:
    """Return all that a fact of a permitted firm touched: indicators, scores and other decisions, profiles shown.

    Of decisions and profiles those that the transaction may see: a firm its own, platform scope all. Findings and
    cases are told to the firm, and to the platform and its operator.

    Raises
    ------
    NotFound, ConsentMissing
        As of `sources.life_of`.
    """
    life = await sources.life_of(session, permission, ref)

    @cache
    def fed(as_of: datetime) -> tuple[str, ...]:
        return _readers(ref.item_code) if life.invoice is None else model.fed_by(life.invoice, as_of=as_of)

    decided = await decisions.inputs_since(session, ref.firm_id, since=life.recorded_at)
    touched = decisions_touched(life, decided, fed=fed)
    names = await decisions.recorded_as(session, {one.id: one.kind for one in touched})
    looks = await _looks(session, life)
    is_seen = seen_as_of(life, as_of=permission.at, known_at=permission.at)
    beside: tuple[str, ...] = ()
    if life.invoice is None:
        is_seen = life.is_known_at(permission.at)
    else:
        beside = model.records_fed_by(life.invoice, as_of=permission.at)
    return Impact(
        life=life,
        indicators=(*fed(permission.at), *beside) if is_seen else (),
        decisions=tuple(replace(one, recorded_as=names.get(one.id)) for one in reversed(touched)),
        looks=tuple(replace(one, indicators=fed(one.as_of)) for one in looks[:MAX_LOOKS]),
        is_cut=len(decided) == decisions.MAX_OPENED or len(looks) > MAX_LOOKS,
        is_read=bool(_readers(ref.item_code)),
        held_under=await _held_under(session, ref.firm_id, ref.item_code, [life.origin], now=permission.at),
        marks=await marks_of(session, ref) if permission.receiver_id in {PLATFORM_ID, ref.firm_id} else Marks(),
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
