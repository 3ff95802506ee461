"""Verbs on demands: draft, submit, withdraw, expire; open to a lender and close again; write down an exposure."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, func, select, text, update
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
from xinyidai.demands import queries
from xinyidai.demands.events import DemandExpired, DemandSubmitted, DemandWithdrawn
from xinyidai.demands.models import Demand, DemandReader
from xinyidai.demands.queries import DemandView, view_of
from xinyidai.demands.rules import (
    ASKING,
    FOLLOWS,
    UNFINISHED,
    DemandState,
    DemandTerms,
    LawfulUseNotDeclared,
    LoanUse,
    RepaymentKind,
    TooManyOpenDemands,
    check_terms,
    moved,
)
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import driver, lock_key
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.ids import new_id
from xinyidai.foundation.outbox import announce
from xinyidai.foundation.timetable import Moment, moment_of

WRITES = "demands:write"
EXPIRE_BATCH = 500
_OPEN = text(
    "INSERT INTO demands.demand_reader AS r (demand_id, organisation_id, firm_id, opened_at, open_until)"
    " SELECT id, :organisation_id, firm_id, :now, :until FROM demands.demand WHERE id = :demand_id"
    " ON CONFLICT (demand_id, organisation_id) DO UPDATE SET open_until = excluded.open_until, closed_at = NULL"
    " RETURNING r.demand_id"
)
_EXPOSE = (
    "INSERT INTO demands.known_exposure (id, firm_id, lender_id, loan_id, outstanding_fen, recorded_at)"
    " VALUES ($1, $2, $3, $4, $5, $6)"
)


async def draft(
    session: AsyncSession,
    viewer: Viewer,
    *,
    amount_fen: int,
    term_months: int,
    use: LoanUse,
    repayment_kind: RepaymentKind,
    wanted_by: date,
    is_lawful_use_declared: bool,
    now: datetime,
) -> DemandView:
    """Write a demand that nobody but the firm sees.

    Raises
    ------
    NotAllowed
        The viewer does not act for a firm or sole trader, or holds no fitting role or scope.
    DemandAmountRefused, DemandTermRefused, DemandDateRefused, LawfulUseNotDeclared, TooManyOpenDemands
    """
    _requires_firm(viewer)
    terms = DemandTerms(amount_fen, term_months, use, repayment_kind, wanted_by)
    today = business_date(now)
    limits = await queries.limits_on(session, today)
    check_terms(terms, limits, today=today)
    if not is_lawful_use_declared:
        raise LawfulUseNotDeclared
    await lock_key(session, f"demands:{viewer.organisation_id}")
    if await _count(session, viewer.organisation_id, [DemandState.DRAFT]) >= limits.max_drafts:
        raise TooManyOpenDemands(most=limits.max_drafts)
    row = Demand(
        firm_id=viewer.organisation_id,
        amount_fen=amount_fen,
        term_months=term_months,
        use_code=use.value,
        repayment_kind=repayment_kind.value,
        wanted_by=wanted_by,
        created_by=viewer.principal_id,
        created_at=now,
        changed_at=now,
        expires_on=today + timedelta(days=limits.lives_days),
    )
    session.add(row)
    await session.flush()
    await _write_down(session, viewer, row, "demands.drafted", now=now)
    return view_of(row)


async def submit_draft(session: AsyncSession, viewer: Viewer, demand_id: UUID, *, now: datetime) -> DemandView:
    """Put a draft before the lenders; its clock starts now and `DemandSubmitted` wakes the matching.

    The draft is checked again: limits and dates may have moved since. Locks the firm's demands, then the demand.

    Raises
    ------
    NotFound, NotAllowed, IllegalDemandStep, TooManyOpenDemands
        As for `draft`; a demand that was submitted before is an illegal step.
    """
    _requires_firm(viewer)
    await lock_key(session, f"demands:{viewer.organisation_id}")
    row = await _own_locked(session, viewer, demand_id)
    today = business_date(now)
    limits = await queries.limits_on(session, today)
    moved(DemandState(row.state), DemandState.SUBMITTED)
    check_terms(_terms_of(row), limits, today=today)
    if await _count(session, viewer.organisation_id, ASKING) >= limits.max_open_demands:
        raise TooManyOpenDemands(most=limits.max_open_demands)
    row.submitted_at = now
    row.expires_on = today + timedelta(days=limits.lives_days)
    await _move(session, row, DemandState.SUBMITTED, now=now)
    await _write_down(session, viewer, row, "demands.submitted", now=now)
    await announce(session, DemandSubmitted(str(row.id), str(row.firm_id)), occurred_at=now)
    return view_of(row)


async def submit(
    session: AsyncSession,
    viewer: Viewer,
    *,
    amount_fen: int,
    term_months: int,
    use: LoanUse,
    repayment_kind: RepaymentKind,
    wanted_by: date,
    is_lawful_use_declared: bool,
    now: datetime,
) -> DemandView:
    """Draft and submit in one step; refusals as for `draft` and `submit_draft`."""
    drafted = await draft(
        session,
        viewer,
        amount_fen=amount_fen,
        term_months=term_months,
        use=use,
        repayment_kind=repayment_kind,
        wanted_by=wanted_by,
        is_lawful_use_declared=is_lawful_use_declared,
        now=now,
    )
    return await submit_draft(session, viewer, drafted.id, now=now)


async def withdraw(session: AsyncSession, viewer: Viewer, demand_id: UUID, *, now: datetime) -> DemandView:
    """End the demand by the firm's wish and close it to every lender in the same transaction.

    Raises
    ------
    NotFound, NotAllowed
    IllegalDemandStep
        An offer was accepted, or the demand has ended already.
    """
    _requires_firm(viewer)
    row = await _own_locked(session, viewer, demand_id)
    await _move(session, row, DemandState.WITHDRAWN, now=now)
    await _close_to_all(session, row.id, now=now)
    await _write_down(session, viewer, row, "demands.withdrawn", now=now)
    await announce(session, DemandWithdrawn(str(row.id), str(row.firm_id)), occurred_at=now)
    return view_of(row)


async def read(session: AsyncSession, viewer: Viewer, demand_id: UUID, *, now: datetime) -> DemandView:
    """Return a demand to its firm, or to a lender it is open to; a lender's look leaves an audit row.

    Raises
    ------
    NotFound
    """
    found = await queries.demand(session, viewer, demand_id, now=now)
    if found.firm_id != viewer.organisation_id:
        await _write_down(session, viewer, found, "demands.read", now=now)
    return found


def overdue(at: Moment) -> Select[Demand]:
    """Return the statement of demands whose last day is past."""
    return (
        select(Demand)
        .where(col(Demand.state).in_(list(UNFINISHED)), col(Demand.expires_on) < at.today)
        .order_by(col(Demand.expires_on), col(Demand.id))
    )


async def expire_due(session: AsyncSession, *, now: datetime, limit: int = EXPIRE_BATCH) -> int:
    """End, as the platform, demands whose last day is past; skip those that someone holds; return how many ended."""
    statement = overdue(moment_of(now)).limit(limit).with_for_update(skip_locked=True)
    due = (await session.execute(statement)).scalars().all()
    for row in due:
        await _move(session, row, DemandState.EXPIRED, now=now)
        await _close_to_all(session, row.id, now=now)
        await announce(session, DemandExpired(str(row.id), str(row.firm_id)), occurred_at=now)
    return len(due)


async def lock(session: AsyncSession, demand_id: UUID) -> DemandView:
    """Lock the demand until the transaction ends and return it as it is now, never from this session's memory.

    Every verb that moves a demand, or an offer or dispatch of it, takes this lock first.

    Raises
    ------
    NotFound
    """
    return view_of(await _locked(session, demand_id))


async def lock_own(session: AsyncSession, viewer: Viewer, demand_id: UUID) -> DemandView:
    """Lock a demand of the viewer's own firm as `lock` does; somebody else's is not there (`NotFound`)."""
    return view_of(await _own_locked(session, viewer, demand_id))


async def lock_all(session: AsyncSession, demand_ids: Iterable[UUID]) -> None:
    """Lock many demands in the order of their ids, so that two jobs that meet the same ones never wait in a circle."""
    for demand_id in sorted(set(demand_ids)):
        await _locked(session, demand_id)


async def mark(session: AsyncSession, demand_id: UUID, state: DemandState, *, now: datetime) -> DemandView:
    """Move a demand by what matching or loans did; a demand that ends is closed to every lender.

    Raises
    ------
    NotFound, IllegalDemandStep
    """
    async with platform_scope(session):
        row = await _moved_at_once(session, demand_id, state, now=now)
        if row is None:
            row = await _locked(session, demand_id)
            await _move(session, row, state, now=now)
        if not FOLLOWS[state] and state is not DemandState.CLOSED:
            await _close_to_all(session, demand_id, now=now)
    return view_of(row)


async def open_to(
    session: AsyncSession, demand_id: UUID, organisation_id: UUID, *, until: datetime, now: datetime
) -> None:
    """Let an organisation read the demand until `until`, when its consent ends. The caller has checked the consent."""
    async with platform_scope(session):
        told = {"demand_id": demand_id, "organisation_id": organisation_id, "until": until, "now": now}
        opened = await session.execute(_OPEN, told)
        if opened.one_or_none() is None:
            raise NotFound


async def close_to(session: AsyncSession, demand_id: UUID, organisation_ids: Sequence[UUID], *, now: datetime) -> None:
    """Stop organisations from reading the demand; who could not read it anyway is passed over."""
    statement = (
        update(DemandReader)
        .where(
            col(DemandReader.demand_id) == demand_id,
            col(DemandReader.organisation_id).in_(list(organisation_ids)),
            col(DemandReader.closed_at).is_(None),
        )
        .values(closed_at=now)
    )
    async with platform_scope(session):
        await session.execute(statement)


async def record_exposure(
    session: AsyncSession, *, firm_id: UUID, lender_id: UUID, loan_id: UUID, outstanding_fen: int, now: datetime
) -> None:
    """Write down what is outstanding on a loan now; the newest row of a loan counts, zero when it is repaid."""
    async with platform_scope(session):
        told = await driver(session)
        await told.execute(_EXPOSE, new_id(), firm_id, lender_id, loan_id, outstanding_fen, now)


def _requires_firm(viewer: Viewer) -> None:
    requires_kind(viewer, OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)
    requires_scope(viewer, WRITES)
    if viewer.principal_kind is not PrincipalKind.CLIENT:
        requires_role(viewer, Role.OWNER, Role.OFFICER)


async def _locked(session: AsyncSession, demand_id: UUID) -> Demand:
    row = await session.get(Demand, demand_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    return row


async def _own_locked(session: AsyncSession, viewer: Viewer, demand_id: UUID) -> Demand:
    row = await _locked(session, demand_id)
    if row.firm_id != viewer.organisation_id:
        raise NotFound
    return row


async def _count(session: AsyncSession, firm_id: UUID, states: Sequence[DemandState]) -> int:
    statement = (
        select(func.count())
        .select_from(Demand)
        .where(col(Demand.firm_id) == firm_id, col(Demand.state).in_(list(states)))
    )
    return int((await session.execute(statement)).scalar_one())


async def _move(session: AsyncSession, row: Demand, state: DemandState, *, now: datetime) -> None:
    row.state = moved(DemandState(row.state), state).value
    row.changed_at = now
    if not FOLLOWS[state]:
        row.closed_at = now
    session.add(row)
    await session.flush()


async def _moved_at_once(session: AsyncSession, demand_id: UUID, state: DemandState, *, now: datetime) -> Demand | None:
    """Lock and move a demand in one round trip; None where it is not there, or where the step is not its next."""
    statement = (
        update(Demand)
        .where(
            col(Demand.id) == demand_id,
            col(Demand.state).in_([before.value for before, follows in FOLLOWS.items() if state in follows]),
        )
        .values(state=state.value, changed_at=now, **({} if FOLLOWS[state] else {"closed_at": now}))
        .returning(Demand)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def _close_to_all(session: AsyncSession, demand_id: UUID, *, now: datetime) -> None:
    readers = await session.execute(
        select(col(DemandReader.organisation_id)).where(
            col(DemandReader.demand_id) == demand_id, col(DemandReader.closed_at).is_(None)
        )
    )
    await close_to(session, demand_id, list(readers.scalars()), now=now)


async def _write_down(
    session: AsyncSession, viewer: Viewer, row: Demand | DemandView, action: str, *, now: datetime
) -> None:
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[row.firm_id],
        object_kind="demand",
        object_id=str(row.id),
        now=now,
    )


def _terms_of(row: Demand) -> DemandTerms:
    return DemandTerms(
        row.amount_fen, row.term_months, LoanUse(row.use_code), RepaymentKind(row.repayment_kind), row.wanted_by
    )
