"""lineage, impact: from an indicator to its facts, and from a fact to all that it touched."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

import click

from xinyidai.access.service import act_as_platform
from xinyidai.cli.people import refusals_told
from xinyidai.cli.surroundings import Connected, surroundings
from xinyidai.consents.rules import ConsentView
from xinyidai.foundation.clock import SHANGHAI, start_of_day
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.paging import MAX_PAGE
from xinyidai.parties import queries as parties
from xinyidai.profiles import queries, service
from xinyidai.profiles.rules.lineage import Impact, IndicatorLineage, ItemLineage, Touched
from xinyidai.profiles.rules.readings import in_words_en
from xinyidai.profiles.schemas.lineage import ImpactOut, IndicatorLineageOut
from xinyidai.profiles.schemas.records import ItemLineageOut
from xinyidai.sources.rules.keeping import Purged
from xinyidai.sources.rules.origins import FactRef, Origin
from xinyidai.sources.rules.records.kinds import KINDS
from xinyidai.worker import load_rooms

DAY = click.DateTime(formats=["%Y-%m-%d"])
MOMENT = click.DateTime(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.command()
@click.argument("indicator")
@click.argument("firm")
@click.option("--as-of", type=DAY, help="As of the beginning of this Shanghai day; today when absent.")
@click.option("--known-at", type=MOMENT, help="As it was known at this Shanghai moment; now when absent.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, MAX_PAGE), help="How many facts to list."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def lineage(
    indicator: str, firm: str, as_of: datetime | None, known_at: datetime | None, limit: int, as_json: bool
) -> None:
    """List the facts that an INDICATOR of the FIRM with this credit code rests on, each with where it came from.

    In the place of an indicator may stand an item of which records are kept, such as penalty.
    """
    known = None if known_at is None else known_at.replace(tzinfo=SHANGHAI)

    async def act(connected: Connected) -> tuple[IndicatorLineage | ItemLineage, Mapping[UUID, str]]:
        async with in_transaction(connected.worker) as session:
            now = connected.clock.now()
            await act_as_platform(session, now=now)
            parties_found = await parties.parties_by_credit_code(session, [firm])
            if firm not in parties_found:
                raise NotFound
            firm_id = parties_found[firm].id
            found: IndicatorLineage | ItemLineage
            if indicator in KINDS:
                found = await service.show_item(
                    session, None, indicator, firm_id=firm_id, known_at=known, limit=limit, now=now
                )
                origins = [one.origin for one in found.facts]
            else:
                moment = None if as_of is None else start_of_day(as_of.date())
                found = await service.show_lineage(
                    session, None, indicator, firm_id=firm_id, as_of=moment, known_at=known, limit=limit, now=now
                )
                origins = [one.origin for one in found.facts.rows]
            senders = await parties.parties_by_id(session, {one.sender_id for one in origins})
            return found, {party_id: view.name for party_id, view in senders.items()}

    with surroundings() as around, refusals_told():
        found, names = around.run(act)
    if as_json:
        click.echo(_out_of(found, indicator).model_dump_json(indent=2))
        return
    for line in _item_told(found, names) if isinstance(found, ItemLineage) else _lineage_told(found, names):
        click.echo(line)


@click.command()
@click.argument("fact")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def impact(fact: str, as_json: bool) -> None:
    """Tell what a FACT (item:firm/delivery.line) touched: indicators, decisions, profiles, cases; its succession."""

    async def act(connected: Connected) -> Impact:
        async with in_transaction(connected.worker) as session:
            now = connected.clock.now()
            await act_as_platform(session, now=now)
            return await service.show_impact(session, None, FactRef.read(fact), now=now)

    load_rooms()
    with surroundings() as around, refusals_told():
        found = around.run(act)
    if as_json:
        click.echo(ImpactOut.of(found).model_dump_json(indent=2))
        return
    for line in _impact_told(found):
        click.echo(line)


def _out_of(found: IndicatorLineage | ItemLineage, indicator: str) -> IndicatorLineageOut | ItemLineageOut:
    if isinstance(found, ItemLineage):
        return ItemLineageOut.of(found)
    return IndicatorLineageOut.of(found, queries.indicator_text(indicator))


def _lineage_told(found: IndicatorLineage, names: Mapping[UUID, str]) -> Iterable[str]:
    reading = found.reading
    yield (
        f"{reading.code}: {in_words_en(reading.measure, reading.value)}, as of {_told(found.as_of)},"
        f" as known at {_told(found.known_at)}"
    )
    yield f"rests on {found.fact_rows} facts, {found.counted_rows} of them counted"
    for fact in found.facts.rows:
        side, void = ("sale" if fact.is_sale else "purchase"), (", void" if fact.is_void else "")
        counted = "" if fact.is_counted else ", history only"
        yield f"  {fact.ref} {fact.issued_on} {side}{void}{counted}; {_origin_told(fact.origin, names)}"
    if found.facts.next_cursor is not None:
        yield f"  and {found.fact_rows - len(found.facts.rows)} older"
    yield from (_purged_told(stone) for stone in found.purged)
    yield from _held_told(found.held_under)
    for consent_id in found.read_under:
        yield f"read under consent {consent_id}"


def _item_told(found: ItemLineage, names: Mapping[UUID, str]) -> Iterable[str]:
    yield f"{found.item_code}: {found.fact_rows} records, as known at {_told(found.known_at)}"
    yield f"{_reading_told(found.item_code, bool(found.indicators))}"
    for fact in found.facts:
        named = ", ".join(f"{name} {value}" for name, value in fact.named.items())
        marks = (", repaired" if fact.is_repaired else "") + (", disputed" if fact.is_disputed else "")
        yield f"  {fact.ref} {named}{marks}; {_origin_told(fact.origin, names)}"
    if found.fact_rows > len(found.facts):
        yield f"  and {found.fact_rows - len(found.facts)} older"
    yield from _held_told(found.held_under)
    yield from (f"read under consent {consent_id}" for consent_id in found.read_under)


def _held_told(held_under: Iterable[ConsentView]) -> Iterable[str]:
    told = [f"held under consent {one.id} of {_told(one.granted_at)}, {one.state}" for one in held_under]
    yield from told or ["held under no consent of the firm's"]


def _reading_told(item_code: str, is_read: bool) -> str:
    return f"indicators read {item_code}" if is_read else f"no indicator reads {item_code}: no score or match knows it"


def _impact_told(found: Impact) -> Iterable[str]:
    life = found.life
    ended = "current" if life.superseded_at is None else f"superseded {_told(life.superseded_at)}"
    yield f"{life.ref}: known since {_told(life.recorded_at)}, {ended}; {_origin_told(life.origin, {})}"
    if life.purged is not None:
        yield _purged_told(life.purged)
    yield from (f"replaced {ref}" for ref in life.replaced)
    yield from (f"replaced by {ref}" for ref in life.replaced_by)
    yield from _held_told(found.held_under)
    if found.is_read:
        yield f"feeds {len(found.indicators)} indicators today: {', '.join(found.indicators) or 'none'}"
    else:
        yield _reading_told(life.ref.item_code, is_read=False)
    marks = found.marks
    yield from (f"finding {one.id} by {one.rule_code}, {one.state}" for one in marks.findings)
    yield from (f"objection {one.id} of {_told(one.filed_at)}, {one.state}" for one in marks.objections)
    yield from (f"repair {one.id} of {_told(one.filed_at)}, {one.state}" for one in marks.repairs)
    yield from (_touched_told(one) for one in found.decisions)
    for look in found.looks:
        yield f"shown {_told(look.shown_at)} to {look.receiver_id} in profile {look.profile_id}"
    if found.is_cut:
        yield "there is more than is looked through"


def _touched_told(one: Touched) -> str:
    record = "" if one.recorded_as is None else f" ({one.recorded_as.kind} {one.recorded_as.id})"
    outcome = ", ".join(f"{name} {value}" for name, value in one.outcome.items() if isinstance(value, int))
    how = f"through {one.through}" if one.through else f"by {len(one.indicators)} indicators"
    if one.as_of is None:
        how = "inputs purged"
    return f"{one.kind} {one.id}{record} of {_told(one.made_at)}, {how}" + (f": {outcome}" if outcome else "")


def _purged_told(stone: Purged) -> str:
    return (
        f"lawfully purged {_told(stone.purged_at)} ({stone.reason}): {stone.facts} facts of delivery"
        f" {stone.delivery_no}, known since {_told(stone.recorded_at)}, seal sha256 {stone.proof.hex()}"
    )


def _origin_told(origin: Origin, names: Mapping[UUID, str]) -> str:
    pull = "" if origin.pull is None else f", pull {origin.pull.id} from {origin.pull.source}"
    return (
        f"delivery {origin.delivery_no} of {_told(origin.received_at)} from"
        f" {names.get(origin.sender_id, str(origin.sender_id))}, sha256 {origin.digest.hex()}{pull}"
    )


def _told(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
