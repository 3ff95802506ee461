"""Purging: what may not be kept any more goes, in bounded batches, and leaves tombstones.

A batch holds the doors of its items, so no delivery comes in meanwhile, and the consents of its firms, so none is given
meanwhile; then it judges by the rule. A door at which a delivery is being taken in is left for the next run.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Select, exists, func, literal, or_, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.audit import service as audit
from xinyidai.catalogue import queries as catalogue
from xinyidai.catalogue.rules import AccessClass
from xinyidai.consents import queries as consents
from xinyidai.consents.rules import Purpose
from xinyidai.foundation import outbox
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import driver, set_local, try_lock_key, type_of_moment
from xinyidai.foundation.timetable import Moment
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PartyId
from xinyidai.sources.events import FactsPurged, PurgeGoesOn
from xinyidai.sources.models import Delivery, RejectedRow
from xinyidai.sources.queries import purged as reads
from xinyidai.sources.rules.keeping import Held, Hold, ItemTerms, Keeping, KeptFor, PurgeReason, keeping, spared

MAX_FACTS_A_BATCH: Final = 20_000
MAX_FIRMS_A_BATCH: Final = 500
LINES_A_STONE: Final = 5_000
_TIME_OUT: Final = "10min"
"""The look goes over every consent that ever ended."""
ABOVE: Final = frozenset({KeptFor.LOAN, KeptFor.DISPUTE})
"""What only rooms above know of; without either of them nothing is purged."""

FindHolds = Callable[[AsyncSession, Sequence[UUID]], Awaitable[list[Hold]]]
"""Returns what holds facts of these firms, in platform scope."""

_finders: dict[KeptFor, FindHolds] = {}
_PURGE: Final = "SELECT sources.purge($1, $2, $3, $4, $5, $6, $7)"
_PURGE_ASIDE: Final = "SELECT sources.purge_aside($1, $2, $3, $4)"


@dataclass(frozen=True)
class Judged:
    """What is held of a firm from one delivery, and why it stays; None where it goes, but for the lines spared."""

    firm_id: UUID
    held: Held
    kept: Keeping | None
    spared: tuple[int, ...]

    @property
    def going(self) -> int:
        """Return how many facts go; of spared lines some may be gone already, so it may be a few more."""
        return 0 if self.kept is not None else max(self.held.facts - len(self.spared), 0)


@dataclass(frozen=True)
class PurgeReport:
    """What a batch did: facts and rows aside that went, what stays and why. `is_more` where its bound ended it."""

    facts: int
    aside: int
    firms: int
    stays: dict[KeptFor, int]
    is_more: bool


def register_hold(reason: KeptFor, find: FindHolds) -> None:
    """Say how what holds facts for a reason is found; once, by the room above that knows."""
    _finders[reason] = find


def past_keeping(at: Moment) -> Select[int]:
    """Return the statement of firms and rows aside that a purge has to look at."""
    past = func.sources.past_keeping(at.now).table_valued("firm_id", "item_code")
    return select(literal(1)).where(or_(exists(select(past.c.firm_id)), exists(_old_aside(at.now))))


def _old_aside(now: datetime) -> Select[int]:
    """Return rows kept aside for longer than anything taken in for the same purpose may be."""
    most = (
        select(func.max(consents.POLICY_ROWS.c.most_data_life_days))
        .where(consents.POLICY_ROWS.c.purpose == Purpose.PRE_LOAN.value)
        .scalar_subquery()
    )
    before = type_coerce(now, type_of_moment) - func.make_interval(0, 0, 0, most)
    return (
        select(col(RejectedRow.line_no))
        .join(Delivery, col(Delivery.no) == col(RejectedRow.delivery_no))
        .where(col(Delivery.received_at) < before)
    )


async def judge(
    session: AsyncSession, firm_ids: Sequence[UUID], *, now: datetime, is_asked: bool = False
) -> list[Judged]:
    """Judge all that is held of firms, by item and delivery; in platform scope. Reads counts, no fact."""
    found = await parties.parties_by_id(session, [PartyId(one) for one in firm_ids])
    holds = await _holds(session, firm_ids)
    judged: list[Judged] = []
    for firm_id in firm_ids:
        view = found.get(PartyId(firm_id))
        held = await reads.held(session, firm_id, credit_code=(view.credit_code or "") if view else "")
        told = await item_terms(session, firm_id, sorted({one.item_code for one in held}), now=now)
        theirs = [one for one in holds if one.firm_id == firm_id]
        judged += [
            Judged(
                firm_id,
                one,
                keeping(one, told[one.item_code], theirs, at=now, is_asked=is_asked),
                spared(one, theirs),
            )
            for one in held
        ]
    return judged


async def _holds(session: AsyncSession, firm_ids: Sequence[UUID]) -> list[Hold]:
    assert _finders.keys() >= ABOVE, "the rooms that hold facts are not loaded"
    return [hold for find in _finders.values() for hold in await find(session, firm_ids)]


async def item_terms(
    session: AsyncSession, firm_id: UUID, item_codes: Sequence[str], *, now: datetime
) -> dict[str, ItemTerms]:
    """Return what the keeping of a firm's items hangs on; one listed no more has no retention."""
    listed = await catalogue.listed(session, item_codes, business_date(now))
    terms = await consents.terms_of(session, firm_id, item_codes)
    return {
        code: ItemTerms(
            is_open=code in listed and listed[code].access_class is AccessClass.OPEN,
            retention_days=listed[code].retention_days if code in listed else 0,
            terms=terms[code],
        )
        for code in item_codes
    }


async def look_ahead(session: AsyncSession, *, now: datetime) -> list[Judged]:
    """Judge the firms that a batch would look at, and delete nothing; needs platform scope and the worker's role."""
    firms, items, _ = await _past_keeping(session, after=None, now=now)
    return [one for one in await judge(session, firms, now=now) if one.held.item_code in items]


async def _past_keeping(
    session: AsyncSession, *, after: UUID | None, now: datetime
) -> tuple[list[UUID], list[str], bool]:
    """Return the next firms of whom something may go, by id, their items, and whether there are more."""
    past = func.sources.past_keeping(type_coerce(now, type_of_moment)).table_valued("firm_id", "item_code")
    rows = (await session.execute(select(past.c.firm_id, past.c.item_code))).all()
    found = sorted({row.firm_id for row in rows if after is None or row.firm_id > after})
    firms = found[:MAX_FIRMS_A_BATCH]
    looked_at = set(firms)
    return firms, sorted({row.item_code for row in rows if row.firm_id in looked_at}), len(found) > len(firms)


async def purge_due(session: AsyncSession, *, after: UUID | None = None, now: datetime) -> PurgeReport:
    """Purge one batch of what may not be kept any more: at most MAX_FACTS_A_BATCH facts of MAX_FIRMS_A_BATCH firms.

    Firms are gone through by id, from `after` on, so that who lawfully keeps theirs holds up nobody else. Where a bound
    ended the batch, an event wakes the next. Needs platform scope and the worker's role. One audit row a batch, one
    event a firm.
    """
    await set_local(session, "statement_timeout", _TIME_OUT)
    firms, items, has_others = await _past_keeping(session, after=after, now=now)
    report = await purge(session, firms, items, reason=PurgeReason.LIFE_OVER, now=now)
    aside = await _purge_old_aside(session, now=now)
    is_same_again = report.is_more or aside == MAX_FACTS_A_BATCH
    if is_same_again or has_others:
        begins = after if is_same_again else firms[-1]
        await outbox.announce(session, PurgeGoesOn("" if begins is None else str(begins)), occurred_at=now)
    is_more = is_same_again or has_others
    return PurgeReport(report.facts, report.aside + aside, report.firms, report.stays, is_more)


async def purge(
    session: AsyncSession, firm_ids: Sequence[UUID], item_codes: Sequence[str], *, reason: PurgeReason, now: datetime
) -> PurgeReport:
    """Purge of these firms and items what nothing holds, up to the batch's bound; needs what `purge_due` needs."""
    open_doors = {code for code in sorted(item_codes) if await try_lock_key(session, f"sources:{code}")}
    still = [firm_id for firm_id in sorted(firm_ids) if await consents.hold_still(session, firm_id)]
    judged = await judge(session, still, now=now, is_asked=reason is PurgeReason.ASKED)
    stays: Counter[KeptFor] = Counter()
    gone: Counter[UUID] = Counter()
    items: dict[UUID, set[str]] = {}
    facts = aside = 0
    codes = {one.id: one.credit_code for one in (await parties.parties_by_id(session, _ids(still))).values()}
    for one in judged:
        if one.held.item_code not in open_doors:
            continue
        if one.kept is not None:
            stays[one.kept.reason] += one.held.facts
            continue
        if facts >= MAX_FACTS_A_BATCH:
            break
        went = await _purge_one(session, one, reason=reason, most=MAX_FACTS_A_BATCH - facts, now=now)
        facts += went
        gone[one.firm_id] += went
        items.setdefault(one.firm_id, set()).add(one.held.item_code)
        if one.held.aside and not one.spared:
            aside += await _purge_aside(session, one.held.delivery_no, codes.get(PartyId(one.firm_id)) or "", now=now)
    await _tell(session, {firm: sorted(items[firm]) for firm, went in gone.items() if went}, gone, now=now)
    return PurgeReport(facts, aside, sum(went > 0 for went in gone.values()), dict(stays), facts >= MAX_FACTS_A_BATCH)


def _ids(firm_ids: Sequence[UUID]) -> list[PartyId]:
    return [PartyId(one) for one in firm_ids]


async def _purge_one(session: AsyncSession, one: Judged, *, reason: PurgeReason, most: int, now: datetime) -> int:
    connection = await driver(session)
    went = 0
    while went < most:
        part = await connection.fetchval(
            _PURGE,
            one.firm_id,
            one.held.item_code,
            one.held.delivery_no,
            list(one.spared),
            min(LINES_A_STONE, most - went),
            reason.value,
            now,
        )
        went += part
        if part < LINES_A_STONE:
            break
    return went


async def _purge_aside(session: AsyncSession, delivery_no: int, credit_code: str, *, now: datetime) -> int:
    if not credit_code:
        return 0
    connection = await driver(session)
    return int(await connection.fetchval(_PURGE_ASIDE, delivery_no, credit_code, now, MAX_FACTS_A_BATCH))


async def _purge_old_aside(session: AsyncSession, *, now: datetime) -> int:
    policy = (await consents.policies(session, business_date(now))).get(Purpose.PRE_LOAN)
    if policy is None or policy.most_data_life_days is None:
        return 0
    before = now - timedelta(days=policy.most_data_life_days)
    connection = await driver(session)
    return int(await connection.fetchval(_PURGE_ASIDE, None, None, before, MAX_FACTS_A_BATCH))


async def _tell(session: AsyncSession, items: dict[UUID, list[str]], gone: Counter[UUID], *, now: datetime) -> None:
    if not items:
        return
    record_id = await audit.write_down(
        session,
        None,
        action="sources.purged",
        subject_ids=sorted(items),
        object_kind="purge",
        object_id=now.isoformat(),
        now=now,
    )
    for firm_id, codes in sorted(items.items()):
        await outbox.announce(session, FactsPurged(firm_id, tuple(codes), gone[firm_id], record_id), occurred_at=now)
