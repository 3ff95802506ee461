"""The list for daily files: a firm subscribes with its number at the office, and is on the list while it consents."""

import hashlib
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import (
    OrganisationKind,
    PrincipalKind,
    Role,
    Viewer,
    requires_kind,
    requires_role,
    requires_scope,
)
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.audit.rules import MAX_SUBJECTS
from xinyidai.consents import queries as consents
from xinyidai.consents.rules import ConsentMissing, Purpose
from xinyidai.foundation.cipher import Cipher
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import lock_key
from xinyidai.foundation.errors import NotFound, ValueRefused
from xinyidai.foundation.settings import settings
from xinyidai.foundation.timetable import Moment
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PLATFORM_ID, PartyId
from xinyidai.sources.models.offices import SentList, Subscription
from xinyidai.sources.queries.day_files import subscription_view
from xinyidai.sources.rules.offices.day_files import MOST_FIRMS
from xinyidai.sources.rules.pulls import SourceNotConnected
from xinyidai.sources.rules.subscriptions import (
    ITEMS,
    MAX_REFERENCE,
    MAX_TRIES,
    OPEN_STATES,
    Listed,
    SubscriptionEnd,
    SubscriptionState,
    SubscriptionView,
    Trouble,
    wait_before,
)
from xinyidai.sources.service.connecting import benefits_connection
from xinyidai.sources.service.receiving import SCOPE

_OPEN = [state.value for state in OPEN_STATES]


async def subscribe(session: AsyncSession, viewer: Viewer, reference: str, *, now: datetime) -> SubscriptionView:
    """Put the viewer's firm on the list of who lets the platform have its contributions, with its number at the office.

    The same number again answers with the same place; a new one takes the place of the one before. The number is kept
    encrypted, for as long as it is on the list.

    Raises
    ------
    NotAllowed
        Nobody who acts for a firm.
    SourceNotConnected
        The platform has no access to the office, or has not pinned its key.
    ConsentMissing
        The firm has consented to neither item.
    """
    _requires_firm(viewer)
    if benefits_connection(settings()) is None:
        raise SourceNotConnected
    number = reference.strip()
    if not 0 < len(number) <= MAX_REFERENCE or not number.isascii():
        raise ValueRefused(field="reference", why=f"1..{MAX_REFERENCE} ASCII characters")
    firm_id = viewer.organisation_id
    if not await _consenting(session, [firm_id], now=now):
        raise ConsentMissing(purpose=Purpose.PRE_LOAN.value, missing=1, items=list(ITEMS))
    await lock_key(session, f"sources.subscription:{firm_id}")
    digest = hashlib.sha256(number.encode()).digest()
    before = await _open_of(session, firm_id)
    if before is not None and before.reference_digest == digest:
        return subscription_view(before)
    if before is not None:
        _end(before, SubscriptionEnd.REPLACED, now=now)
        await session.flush()
    row = Subscription(firm_id=firm_id, reference_digest=digest, asked_by=viewer.principal_id, asked_at=now)
    row.sealed_reference = _cipher().seal(number.encode(), bound_to=row.id.bytes)
    session.add(row)
    await session.flush()
    await _write_down(session, viewer, "sources.subscribed", [firm_id], str(row.id), now=now)
    return subscription_view(row)


async def consented_items(session: AsyncSession, viewer: Viewer, *, now: datetime) -> tuple[str, ...]:
    """Return the items of the daily files that the viewer's firm lets the platform use now."""
    allowed = await _consenting_by_item(session, [viewer.organisation_id], now=now)
    return tuple(item for item in ITEMS if allowed[item])


async def unsubscribe(session: AsyncSession, viewer: Viewer, *, now: datetime) -> SubscriptionView:
    """Take the viewer's firm off the list: the next list that is sent is without it.

    Raises
    ------
    NotFound
        It is on no list.
    """
    _requires_firm(viewer)
    await lock_key(session, f"sources.subscription:{viewer.organisation_id}")
    row = await _open_of(session, viewer.organisation_id)
    if row is None:
        raise NotFound
    _end(row, SubscriptionEnd.TAKEN_BACK, now=now)
    await session.flush()
    await _write_down(session, viewer, "sources.unsubscribed", [row.firm_id], str(row.id), now=now)
    return subscription_view(row)


def subscriptions_to_tell(_at: Moment) -> Select[Subscription]:
    """Return the statement of who is on the list, or must be taken off it at the office."""
    return _to_tell()


async def compile_list(session: AsyncSession, *, now: datetime) -> list[Listed] | None:
    """Return whom today's list names: who subscribed and still consents to an item; who does not is ended here.

    None when today's list was tried too often. Needs platform scope. Locks the day's list, then the open
    subscriptions. Firms that rest today are left out for this once.
    """
    if not await _count_try(session, business_date(now)):
        return None
    statement = select(Subscription).where(col(Subscription.state).in_(_OPEN)).order_by(col(Subscription.id))
    rows = await _locked(session, statement.limit(MOST_FIRMS))
    allowed = await _consenting(session, [row.firm_id for row in rows], now=now)
    for row in rows:
        if row.firm_id not in allowed:
            _end(row, SubscriptionEnd.CONSENT_OVER, now=now)
    await session.flush()
    today = business_date(now)
    going = [row for row in rows if row.firm_id in allowed and row.rests_on != today]
    found = await parties.parties_by_id(session, [row.firm_id for row in going])
    for start in range(0, len(going), MAX_SUBJECTS):
        named = [row.firm_id for row in going[start : start + MAX_SUBJECTS]]
        await _write_down(session, None, "sources.listed", named, today.isoformat(), now=now)
    return [Listed(row.id, row.firm_id, found[PartyId(row.firm_id)].credit_code or "", _opened(row)) for row in going]


async def note_list(session: AsyncSession, sent: Sequence[Listed], refused: Collection[str], *, now: datetime) -> None:
    """Write down what the office did with the list: who is on it from tomorrow's file on, and whom it does not know.

    Needs platform scope. Whoever ended meanwhile stays ended, and counts as on the list until one without it is sent.
    """
    told = await session.get_one(SentList, business_date(now), with_for_update=True, populate_existing=True)
    told.named, told.refused, told.sent_at, told.reason = len(sent), len(refused), now, None
    told.digest = hashlib.sha256("\n".join(sorted(one.credit_code for one in sent)).encode()).digest()
    known = {one.subscription_id: one for one in sent}
    for row in await _locked(session, _to_tell()):
        one = known.get(row.id)
        row.is_on_list = one is not None and one.credit_code not in refused
        if row.state not in _OPEN:
            continue
        if one is None:
            row.state, row.listed_from = SubscriptionState.ASKED.value, None
        elif one.credit_code in refused:
            _end(row, SubscriptionEnd.OFFICE_REFUSED, now=now)
        elif row.state == SubscriptionState.ASKED:
            row.state, row.listed_from = SubscriptionState.LISTED.value, business_date(now) + timedelta(days=1)
    await session.flush()


async def put_off_list(
    session: AsyncSession, trouble: Trouble, *, retry_after: timedelta | None = None, now: datetime
) -> timedelta | None:
    """Write down why the list could not be sent and return in how long to try again; None when not today any more."""
    told = await session.get_one(SentList, business_date(now), with_for_update=True, populate_existing=True)
    told.reason = trouble.value
    await session.flush()
    return None if told.tries >= MAX_TRIES else wait_before(told.tries, trouble, retry_after)


async def _count_try(session: AsyncSession, today: date) -> bool:
    await lock_key(session, "sources.sent_list")
    told = await session.get(SentList, today, with_for_update=True, populate_existing=True)
    if told is None:
        told = SentList(day=today)
        session.add(told)
    if told.tries >= MAX_TRIES:
        return False
    told.tries += 1
    await session.flush()
    return True


async def list_anew(session: AsyncSession, lost_day: date, *, now: datetime) -> None:
    """Let who was to be in a lost file rest on the next list, so that the one after brings the whole history."""
    for row in await _locked(session, _to_tell().where(col(Subscription.listed_from) <= lost_day)):
        row.rests_on = business_date(now) + timedelta(days=1)
    await session.flush()


async def first_listed(session: AsyncSession) -> date | None:
    """Return the day of the earliest file that a firm on the list is in; None where none is."""
    statement = select(col(Subscription.listed_from)).where(
        col(Subscription.state) == SubscriptionState.LISTED.value, col(Subscription.listed_from).is_not(None)
    )
    days = (await session.execute(statement.order_by(col(Subscription.listed_from)).limit(1))).scalars().all()
    return days[0] if days else None


async def codes_subscribed(session: AsyncSession, item_code: str, *, now: datetime) -> frozenset[str]:
    """Return the credit codes of who is on the list and consents to the item now. Needs platform scope."""
    statement = select(col(Subscription.firm_id)).where(col(Subscription.state) == SubscriptionState.LISTED.value)
    firm_ids = list((await session.execute(statement)).scalars())
    allowed = await consents.subjects_allowed(
        session, firm_ids, purpose=Purpose.PRE_LOAN, item_codes=[item_code], receiver_id=PLATFORM_ID, now=now
    )
    found = await parties.parties_by_id(session, sorted(allowed))
    return frozenset(view.credit_code for view in found.values() if view.credit_code)


async def _consenting(session: AsyncSession, firm_ids: Sequence[UUID], *, now: datetime) -> set[UUID]:
    return set().union(*(await _consenting_by_item(session, firm_ids, now=now)).values())


async def _consenting_by_item(
    session: AsyncSession, firm_ids: Sequence[UUID], *, now: datetime
) -> dict[str, set[UUID]]:
    return await consents.subjects_by_item(
        session, firm_ids, purpose=Purpose.PRE_LOAN, item_codes=ITEMS, receiver_id=PLATFORM_ID, now=now
    )


def _to_tell() -> Select[Subscription]:
    told = or_(col(Subscription.is_on_list), col(Subscription.state).in_(_OPEN))
    return select(Subscription).where(told).order_by(col(Subscription.id))


async def _open_of(session: AsyncSession, firm_id: UUID) -> Subscription | None:
    own = select(Subscription).where(col(Subscription.firm_id) == firm_id, col(Subscription.state).in_(_OPEN))
    return next(iter(await _locked(session, own)), None)


async def _locked(session: AsyncSession, statement: Select[Subscription]) -> list[Subscription]:
    locked = statement.with_for_update().execution_options(populate_existing=True)
    return list((await session.execute(locked)).scalars())


def _end(row: Subscription, reason: SubscriptionEnd, *, now: datetime) -> None:
    is_refused = reason is SubscriptionEnd.OFFICE_REFUSED
    row.state = (SubscriptionState.REFUSED if is_refused else SubscriptionState.ENDED).value
    row.reason, row.ended_at, row.sealed_reference = reason.value, now, None


def _requires_firm(viewer: Viewer) -> None:
    requires_kind(viewer, OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)
    requires_scope(viewer, SCOPE)
    if viewer.principal_kind is not PrincipalKind.CLIENT:
        requires_role(viewer, Role.OWNER, Role.OFFICER)


async def _write_down(
    session: AsyncSession, viewer: Viewer | None, action: str, firm_ids: Sequence[UUID], about: str, *, now: datetime
) -> None:
    async with platform_scope(session):
        await audit.write_down(
            session,
            viewer,
            action=action,
            subject_ids=firm_ids,
            object_kind="subscription",
            object_id=about,
            now=now,
            purpose=Purpose.PRE_LOAN,
        )


def _opened(row: Subscription) -> str:
    assert row.sealed_reference is not None, "kept while open"
    return _cipher().open(row.sealed_reference, bound_to=row.id.bytes).decode()


def _cipher() -> Cipher:
    return Cipher(settings().secret("subscription references"))
