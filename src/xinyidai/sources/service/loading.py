"""A delivery chunk by chunk: whose rows they are, what is wrong with each, what is new, what is stored."""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

import asyncpg
import numpy as np
import pandas as pd
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.catalogue.rules import Item
from xinyidai.consents import queries as consents
from xinyidai.consents.rules import Permission, Purpose
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PLATFORM_ID, CreditCodeRefused, normalised_credit_code
from xinyidai.sources.rules import FLAG_NAMES, ConsentTakenBack, DeliveryKind, Fault, Flag
from xinyidai.sources.rules.amounts import BoolArray
from xinyidai.sources.rules.checking import Facts, Rows, contents_of, faults_of_rows, judge
from xinyidai.sources.rules.delivery import UNREAD
from xinyidai.sources.rules.repeats import SeenNumbers, find_repeats, find_targets, frame_of, number_hashes
from xinyidai.sources.service import storing
from xinyidai.sources.service.files import Chunk
from xinyidai.sources.service.storing import INVOICE_FACTS


@dataclass
class Load:
    """One delivery under way."""

    session: AsyncSession
    connection: asyncpg.Connection
    viewer: Viewer
    kind: DeliveryKind
    delivery_no: int
    now: datetime
    today: date
    item: Item
    keeps_repeats: bool = True
    firm_ids: dict[str, UUID | None] = field(default_factory=dict)
    consenting: set[UUID] = field(default_factory=set)
    with_past: set[UUID] = field(default_factory=set)
    loaded_firms: set[UUID] = field(default_factory=set)
    seen: SeenNumbers = field(default_factory=SeenNumbers)
    received: int = 0
    loaded: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)


async def take_in(load: Load, chunk: Chunk) -> None:
    """Check a chunk, store its good rows, keep the others aside, and count both."""
    rows = chunk.rows
    assert isinstance(rows, Rows)
    load.received += len(rows.line_no) + len(chunk.broken)
    await look_up_firms(load, rows.firm.words)
    firm_ids = {word: firm for word in rows.firm.words if (firm := load.firm_ids[word]) is not None}
    judged = judge(rows, firm_ids=firm_ids, consenting=load.consenting, today=load.today)
    faults = faults_of_rows(judged.faults, len(judged.bad))
    await reject(load, rows.line_no[judged.bad].tolist(), faults, contents_of(rows.raw, judged.bad))
    await reject_broken(load, chunk)
    if load.kind is DeliveryKind.CORRECTION:
        kept, repeated = await _correct(load, judged.facts)
    else:
        kept, repeated = await _add(load, judged.facts)
    positions = np.searchsorted(rows.line_no, repeated.line_nos)
    await reject(load, repeated.line_nos, repeated.faults, contents_of(rows.raw, positions))
    load.loaded += len(kept)
    load.loaded_firms.update(kept.firms[place] for place in np.unique(kept.firm))
    for flag, name in FLAG_NAMES.items():
        load.flagged[name] += int((kept.flags & flag).astype(bool).sum())


async def look_up_firms(load: Load, words: Sequence[str], *, facts: str = INVOICE_FACTS) -> None:
    """Learn whose the codes are, which firms consent, which have facts; and present the consenting to the database."""
    new = [word for word in words if word not in load.firm_ids]
    load.firm_ids.update(await _firms_by_code(load.session, new))
    fresh = {firm for word in new if (firm := load.firm_ids[word]) is not None} - load.consenting
    allowed = await _allowed(load, fresh)
    load.consenting |= allowed
    present = load.consenting & {load.firm_ids[word] for word in words}
    await consents.present(
        load.session, Permission(frozenset(present), (), Purpose.PRE_LOAN, PLATFORM_ID, (load.item.code,), load.now)
    )
    # Asked before any row of theirs in this delivery is written, so it is about earlier deliveries alone.
    load.with_past |= await storing.firms_with_past(load.connection, sorted(allowed), facts=facts)


async def check_consents_once_more(load: Load) -> None:
    """Refuse the delivery when a firm took its consent back while the file was being read."""
    if load.loaded_firms - await _allowed(load, load.loaded_firms):
        raise ConsentTakenBack


async def _allowed(load: Load, firms: AbstractSet[UUID]) -> set[UUID]:
    """Return those of the firms whose rows of this item the platform may hold."""
    if not load.item.needs_consent:
        return set(firms)
    return await consents.subjects_allowed(
        load.session,
        sorted(firms),
        purpose=Purpose.PRE_LOAN,
        item_codes=[load.item.code],
        receiver_id=PLATFORM_ID,
        now=load.now,
    )


async def _firms_by_code(session: AsyncSession, words: Sequence[str]) -> dict[str, UUID | None]:
    codes: dict[str, str] = {}
    for word in words:
        try:
            codes[word] = normalised_credit_code(word)
        except CreditCodeRefused:
            continue
    found = await parties.firms_by_credit_code(session, sorted(set(codes.values())))
    return {word: found.get(codes[word]) if word in codes else None for word in words}


@dataclass(frozen=True)
class _Repeated:
    """Good rows that nevertheless are not taken in."""

    line_nos: list[int]
    faults: list[str]


async def _add(load: Load, facts: Facts) -> tuple[Facts, _Repeated]:
    """Store what is new, and return it with the rows that are not."""
    hashes = number_hashes(facts)
    with_past = np.array([*(firm in load.with_past for firm in facts.firms), False], dtype=np.bool_)
    look = load.seen.candidates(hashes) | with_past[facts.firm]
    load.seen.add(hashes)
    is_duplicate = np.zeros(len(facts), dtype=np.bool_)
    if look.any():
        looked_at = facts.take(look)
        stored = await storing.stored_like(load.connection, looked_at)
        repeats = find_repeats(frame_of(looked_at), stored)
        is_duplicate[look] = repeats.is_duplicate
        facts.flags[np.flatnonzero(look)[repeats.is_reused]] |= Flag.NUMBER_REUSED
    kept = facts.take(~is_duplicate)
    await storing.store(load.connection, kept, delivery_no=load.delivery_no, now=load.now)
    return kept, _repeated(facts, {Fault.DUPLICATE_ROW: is_duplicate})


async def _correct(load: Load, facts: Facts) -> tuple[Facts, _Repeated]:
    """Store corrections and close what they replace, among the facts that the same organisation delivered.

    The catalogue names an item's owner in words and not as an organisation here, so who delivered a fact is the only
    thing that says whose it is to correct. What the operator dropped in for an agency is the operator's to correct.
    """
    stored = await storing.stored_like(load.connection, facts)
    current: pd.DataFrame = stored[stored["is_current"]].reset_index(drop=True)
    own = await storing.delivered_by(
        load.connection, load.viewer.organisation_id, current["delivery_no"].unique().tolist()
    )
    current = current.assign(is_own=current["delivery_no"].isin(own))
    found = find_targets(frame_of(facts), current)
    replaces = found.target >= 0
    kept = facts.take(replaces)
    await storing.store(load.connection, kept, delivery_no=load.delivery_no, now=load.now)
    await storing.supersede(
        load.connection, kept, current, found.target[replaces], delivery_no=load.delivery_no, now=load.now
    )
    faults = {
        Fault.DUPLICATE_ROW: found.is_duplicate,
        Fault.NOTHING_TO_CORRECT: found.has_no_target,
        Fault.DELIVERED_BY_ANOTHER: found.is_anothers,
        Fault.AMBIGUOUS_CORRECTION: found.is_ambiguous,
    }
    return kept, _repeated(facts, faults)


def _repeated(facts: Facts, faults: Mapping[Fault, BoolArray]) -> _Repeated:
    any_fault = np.logical_or.reduce(list(faults.values()))
    chosen = {fault: mask[any_fault] for fault, mask in faults.items()}
    return _Repeated(facts.line_no[any_fault].tolist(), faults_of_rows(chosen, int(any_fault.sum())))


async def reject_broken(load: Load, chunk: Chunk) -> None:
    """Keep lines aside that could not be read as rows."""
    await reject(
        load,
        [line.line_no for line in chunk.broken],
        [line.fault.value for line in chunk.broken],
        [line.content for line in chunk.broken],
    )


async def reject(load: Load, line_nos: Sequence[int], faults: Sequence[str], contents: Sequence[str]) -> None:
    """Count rows by fault and keep them aside; of a firm that allowed nothing no word is kept."""
    for joined in faults:
        load.rejected.update(joined.split(","))
    if not load.keeps_repeats:
        kept = [place for place, joined in enumerate(faults) if joined != Fault.DUPLICATE_ROW]
        line_nos = [line_nos[place] for place in kept]
        faults, contents = ([texts[place] for place in kept] for texts in (faults, contents))
    await storing.reject(
        load.connection,
        delivery_no=load.delivery_no,
        sender_id=load.viewer.organisation_id,
        line_nos=line_nos,
        faults=faults,
        contents=[
            "" if UNREAD.intersection(joined.split(",")) else content
            for joined, content in zip(faults, contents, strict=True)
        ],
    )
