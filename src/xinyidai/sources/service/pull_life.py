"""What every step of a pull needs: its locked rows, what the firm still allows, its totals, and its end."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, PrincipalKind, Viewer
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.catalogue import queries as catalogue
from xinyidai.catalogue.rules import Topology, is_usable
from xinyidai.consents import queries as consents
from xinyidai.consents.rules import Purpose
from xinyidai.foundation import outbox
from xinyidai.foundation.clock import business_date, wall_now
from xinyidai.foundation.settings import settings
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.sources.events import PullEnded
from xinyidai.sources.models import Pull, PullPart
from xinyidai.sources.queries.pulled import part_view
from xinyidai.sources.rules.pull_parts import OPEN_PARTS, PartState, PullReason
from xinyidai.sources.rules.pulls import (
    ITEMS_OF,
    UNASKED,
    Going,
    PullSource,
    PullState,
    PullStopped,
    concluded,
)

THE_PLATFORM = Viewer(
    principal_id=PLATFORM_ID,
    principal_kind=PrincipalKind.SYSTEM,
    organisation_id=PLATFORM_ID,
    organisation_kind=OrganisationKind.OPERATOR,
    roles=frozenset(),
)


@dataclass(frozen=True)
class Askable:
    """Which items of a source may not be asked for and why; `missing` are those that need a consent, if none has it."""

    refused: Mapping[str, PullReason]
    missing: list[str]


async def askable(session: AsyncSession, firm_id: UUID, source: PullSource, *, now: datetime) -> Askable:
    """Return what the catalogue and the firm's consent to the platform let be asked of a source today."""
    held = set()
    for code, item in (await catalogue.listed(session, ITEMS_OF[source], business_date(now))).items():
        topology = await catalogue.topology_in(session, item, settings().province_code)
        if is_usable(item) and topology is Topology.HELD_COPY:
            held.add(code)
    lacking = await without_consent(session, firm_id, held, now=now)
    refused = {code: PullReason.NOT_HELD_HERE for code in ITEMS_OF[source] if code not in held}
    refused |= dict.fromkeys(sorted(lacking.items), PullReason.NOT_CONSENTED)
    return Askable(refused, [one for one in ITEMS_OF[source] if one in lacking.items] if lacking.is_all else [])


@dataclass(frozen=True)
class Lacking:
    """Items that need the firm's consent and have none, and whether that is every one that needs it."""

    items: frozenset[str]
    is_all: bool


async def without_consent(
    session: AsyncSession, firm_id: UUID, item_codes: Collection[str], *, now: datetime
) -> Lacking:
    """Return which of the items the firm does not let the platform use; open items need nobody's leave."""
    listed = await catalogue.listed(session, sorted(item_codes), business_date(now))
    on_consent = [code for code in sorted(item_codes) if code not in listed or listed[code].needs_consent]
    allowed = await consents.subjects_by_item(
        session, [firm_id], purpose=Purpose.PRE_LOAN, item_codes=on_consent, receiver_id=PLATFORM_ID, now=now
    )
    lacking = frozenset(code for code in on_consent if firm_id not in allowed[code])
    return Lacking(lacking, bool(on_consent) and len(lacking) == len(on_consent))


async def locked(session: AsyncSession, pull_id: UUID) -> Pull:
    """Return a pull, locked."""
    return await session.get_one(Pull, pull_id, with_for_update=True, populate_existing=True)


async def running(session: AsyncSession, pull_id: UUID) -> Pull:
    """Return a pull, locked; it stops who works on one that is not running any more."""
    row = await locked(session, pull_id)
    if row.state != PullState.RUNNING:
        raise PullStopped
    return row


async def parts_of(session: AsyncSession, row: Pull) -> list[PullPart]:
    """Return the parts of a locked pull, which locks them too, in the order of its source's items."""
    statement = select(PullPart).where(col(PullPart.firm_id) == row.firm_id, col(PullPart.pull_id) == row.id)
    found = await session.execute(
        statement.order_by(col(PullPart.place)), execution_options={"populate_existing": True}
    )
    return list(found.scalars())


def is_open(part: PullPart) -> bool:
    """Say whether a part has not ended."""
    return part.state in OPEN_PARTS


async def may_go_on(
    session: AsyncSession, row: Pull, parts: Sequence[PullPart], item_code: str | None, *, now: datetime
) -> Going:
    """Look at the firm's consent: items without it are refused, a pull without any is ended."""
    asked = [part.item_code for part in parts if part.reason not in UNASKED]
    lacking = await without_consent(session, row.firm_id, asked, now=now)
    if lacking.is_all:
        await end(session, row, PartState.REFUSED, PullReason.CONSENT_TAKEN_BACK, now=now)
        return Going.PULL_OVER
    for part in parts:
        if part.item_code in lacking.items and is_open(part):
            end_part(part, PartState.REFUSED, PullReason.CONSENT_TAKEN_BACK, now=now)
    await session.flush()
    return Going.ITEM_OVER if item_code in lacking.items else Going.ON


def end_part(part: PullPart, state: PartState, reason: PullReason | None, *, now: datetime) -> None:
    """End a part."""
    part.state, part.reason, part.ended_at = state.value, reason and reason.value, now


def retotal(row: Pull, parts: Sequence[PullPart]) -> None:
    """Sum the parts up; what months are covered is told by the first part that knows."""
    told = [part.pages for part in parts if part.pages is not None]
    row.pages_done, row.pages = sum(part.pages_done for part in parts), sum(told) if told else None
    covering = next((part for part in parts if part.covers_to is not None), None)
    row.covers_from, row.covers_to = (None, None) if covering is None else (covering.covers_from, covering.covers_to)
    got = [part for part in parts if part.state == PartState.GOT]
    row.received = sum(part.received or 0 for part in got) if got else None
    row.loaded = sum(part.loaded or 0 for part in got) if got else None
    row.delivery_id = got[0].delivery_id if got else None


async def end(session: AsyncSession, row: Pull, left: PartState, reason: PullReason | None, *, now: datetime) -> None:
    """End a locked pull: parts that are open are left in a state, and all of them say how the whole of it ended."""
    parts = await parts_of(session, row)
    for part in parts:
        if is_open(part):
            own = part.reason if left is PartState.FAILED else None
            end_part(part, left, PullReason(own) if own else reason, now=now)
    state, why = concluded([part_view(part) for part in parts])
    retotal(row, parts)
    if state is PullState.READY and row.received is None:
        row.received = row.loaded = 0
    row.state, row.reason, row.ended_at = state.value, why and why.value, now
    row.sealed_code = row.sealed_token = row.leased_until = row.retries_at = None
    row.touched_at = wall_now()
    await session.flush()
    await write_down(session, THE_PLATFORM, row, "sources.pull_ended", now=now)
    await outbox.announce(session, PullEnded(row.id, row.firm_id, state.value), occurred_at=now)


async def write_down(session: AsyncSession, viewer: Viewer, row: Pull, action: str, *, now: datetime) -> None:
    """Leave the audit row of a pull's step."""
    async with platform_scope(session):
        await audit.write_down(
            session,
            viewer,
            action=action,
            subject_ids=[row.firm_id],
            object_kind="pull",
            object_id=str(row.id),
            now=now,
            purpose=Purpose.PRE_LOAN,
        )
