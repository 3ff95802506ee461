"""Demands: what a firm may do with its own, and who else may look."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from builders_demands import a_consent_to, a_demand, a_draft, a_firm_viewer, a_lender_viewer
from builders_parties import a_lender
from conftest import Database
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import service as consents
from xinyidai.demands import queries, service
from xinyidai.demands.queries import DemandView
from xinyidai.demands.rules import (
    DemandAmountRefused,
    DemandState,
    IllegalDemandStep,
    LawfulUseNotDeclared,
    LoanUse,
    RepaymentKind,
    TooManyOpenDemands,
)
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound
from xinyidai.foundation.ids import new_id


async def test_a_draft_is_submitted_and_announced(session: AsyncSession, noon: datetime) -> None:
    firm = a_firm_viewer()
    drafted = await a_draft(session, firm, now=noon)

    submitted = await service.submit_draft(session, firm, drafted.id, now=noon)

    announced = await session.execute(text("SELECT name, body FROM foundation.outbox_event WHERE name LIKE 'Demand%'"))
    assert (drafted.state, submitted.state) == (DemandState.DRAFT, DemandState.SUBMITTED)
    assert announced.one() == ("DemandSubmitted", {"demand_id": str(drafted.id), "firm_id": str(firm.organisation_id)})


@pytest.mark.parametrize("amount_fen", [0, -1, 10**18, 5_000_000_001])
async def test_an_amount_outside_the_policy_is_refused_and_nothing_is_written(
    session: AsyncSession, noon: datetime, amount_fen: int
) -> None:
    with pytest.raises(DemandAmountRefused):
        await a_draft(session, a_firm_viewer(), amount_fen=amount_fen, now=noon)

    written = await session.execute(text("SELECT count(*) FROM demands.demand"))
    assert written.scalar_one() == 0


async def test_the_use_must_be_declared_lawful(session: AsyncSession, noon: datetime) -> None:
    with pytest.raises(LawfulUseNotDeclared):
        await service.draft(
            session,
            a_firm_viewer(),
            amount_fen=1,
            term_months=1,
            use=LoanUse.WAGES,
            repayment_kind=RepaymentKind.INTEREST_FIRST,
            wanted_by=noon.date(),
            is_lawful_use_declared=False,
            now=noon,
        )


async def test_a_lender_does_not_ask_for_finance(session: AsyncSession, noon: datetime) -> None:
    with pytest.raises(NotAllowed):
        await a_draft(session, a_lender_viewer(), now=noon)


async def test_the_fourth_open_demand_is_refused_and_stays_a_draft(session: AsyncSession, noon: datetime) -> None:
    firm = a_firm_viewer()
    for _ in range(3):
        await a_demand(session, firm, now=noon)
    fourth = await a_draft(session, firm, now=noon)

    with pytest.raises(TooManyOpenDemands):
        await service.submit_draft(session, firm, fourth.id, now=noon)

    assert (await queries.demand(session, firm, fourth.id, now=noon)).state is DemandState.DRAFT


async def test_a_withdrawn_demand_makes_room_for_another(session: AsyncSession, noon: datetime) -> None:
    firm = a_firm_viewer()
    first, *_ = [await a_demand(session, firm, now=noon) for _ in range(3)]

    await service.withdraw(session, firm, first.id, now=noon)

    assert (await a_demand(session, firm, now=noon)).state is DemandState.SUBMITTED


async def test_two_submissions_at_once_do_not_pass_the_limit(database: Database, noon: datetime) -> None:
    firm = a_firm_viewer()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        for _ in range(2):
            await a_demand(session, firm, now=noon)
        drafts = [await a_draft(session, firm, now=noon) for _ in range(2)]

    async def submit(demand_id: UUID) -> DemandView:
        async with in_transaction(database.app) as rival:
            await act_as(rival, firm, now=noon)
            return await service.submit_draft(rival, firm, demand_id, now=noon)

    answers = await asyncio.gather(*[submit(draft.id) for draft in drafts], return_exceptions=True)

    assert sorted(type(answer).__name__ for answer in answers) == ["DemandView", "TooManyOpenDemands"]


async def test_a_demand_cannot_be_withdrawn_twice_nor_submitted_again(session: AsyncSession, noon: datetime) -> None:
    firm = a_firm_viewer()
    demand = await a_demand(session, firm, now=noon)
    ended = await service.withdraw(session, firm, demand.id, now=noon)

    with pytest.raises(IllegalDemandStep):
        await service.withdraw(session, firm, demand.id, now=noon)
    with pytest.raises(IllegalDemandStep):
        await service.submit_draft(session, firm, demand.id, now=noon)

    assert await queries.demand(session, firm, demand.id, now=noon) == ended


async def test_another_firm_finds_nothing(session: AsyncSession, noon: datetime) -> None:
    demand = await a_demand(session, a_firm_viewer(), now=noon)
    stranger = a_firm_viewer()

    for verb in (service.withdraw, service.submit_draft, service.read):
        with pytest.raises(NotFound):
            await verb(session, stranger, demand.id, now=noon)


async def _open(session: AsyncSession, firm: Viewer, lender: Viewer, *, now: datetime) -> tuple[DemandView, UUID]:
    demand = await a_demand(session, firm, now=now)
    consent = await a_consent_to(session, firm, lender.organisation_id, now=now)
    await service.open_to(session, demand.id, lender.organisation_id, until=consent.expires_at, now=now)
    return demand, consent.id


async def test_a_lender_reads_what_is_open_to_it_and_leaves_an_audit_row(session: AsyncSession, noon: datetime) -> None:
    firm, lender = a_firm_viewer(), (await a_lender(session, now=noon)).maker
    demand, _consent = await _open(session, firm, lender, now=noon)

    read = await service.read(session, lender, demand.id, now=noon)

    looks = await session.execute(text("SELECT organisation_id FROM audit.record WHERE action = 'demands.read'"))
    assert read.id == demand.id
    assert looks.scalar_one() == lender.organisation_id


async def test_a_lender_to_whom_it_is_not_open_finds_nothing(session: AsyncSession, noon: datetime) -> None:
    firm, lender = a_firm_viewer(), (await a_lender(session, now=noon)).maker
    demand, _consent = await _open(session, firm, lender, now=noon)

    with pytest.raises(NotFound):
        await service.read(session, a_lender_viewer(), demand.id, now=noon)


async def test_a_revoked_consent_shuts_the_door_at_once(session: AsyncSession, noon: datetime) -> None:
    firm, lender = a_firm_viewer(), (await a_lender(session, now=noon)).maker
    demand, consent_id = await _open(session, firm, lender, now=noon)

    await consents.revoke(session, firm, consent_id, now=noon)

    with pytest.raises(NotFound):
        await service.read(session, lender, demand.id, now=noon)


async def test_the_door_shuts_when_the_consent_ends_or_the_firm_withdraws(
    session: AsyncSession, noon: datetime
) -> None:
    firm, lender = a_firm_viewer(), (await a_lender(session, now=noon)).maker
    lasting, _ = await _open(session, firm, lender, now=noon)
    withdrawn, _ = await _open(session, firm, lender, now=noon)

    await service.withdraw(session, firm, withdrawn.id, now=noon)

    for demand_id, moment in ((lasting.id, noon + timedelta(days=60)), (withdrawn.id, noon)):
        with pytest.raises(NotFound):
            await service.read(session, lender, demand_id, now=moment)
    assert await queries.readers_of(session, lasting.id, now=noon) == {lender.organisation_id}
    assert await queries.readers_of(session, withdrawn.id, now=noon) == frozenset()


async def test_the_database_shows_a_row_to_the_firm_and_its_reader_only(database: Database, noon: datetime) -> None:
    firm, stranger = a_firm_viewer(), a_lender_viewer()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lender = (await a_lender(session, now=noon)).maker
        await _open(session, firm, lender, now=noon)

    seen = {}
    for name, viewer, moment in (
        ("firm", firm, noon),
        ("lender", lender, noon),
        ("stranger", stranger, noon),
        ("lender later", lender, noon + timedelta(days=60)),
    ):
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=moment)
            found = await session.execute(text("SELECT count(*) FROM demands.demand"))
            seen[name] = found.scalar_one()

    assert seen == {"firm": 1, "lender": 1, "stranger": 0, "lender later": 0}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE demands.demand SET firm_id = :me",
        "UPDATE demands.demand SET amount_fen = 1",
        "UPDATE demands.demand SET state = 'closed'",
        "UPDATE demands.demand_reader SET open_until = 'infinity'",
        "INSERT INTO demands.known_exposure VALUES (gen_random_uuid(), :me, :me, :me, 1, '2025-06-16')",
        "DELETE FROM demands.demand",
    ],
)
async def test_a_reader_can_change_nothing_by_sql(database: Database, noon: datetime, statement: str) -> None:
    firm = a_firm_viewer()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lender = (await a_lender(session, now=noon)).maker
        await _open(session, firm, lender, now=noon)

    async def change() -> None:
        async with in_transaction(database.app) as session:
            await act_as(session, lender, now=noon)
            await session.execute(text(statement.replace(":me", f"'{lender.organisation_id}'")))

    with pytest.raises(DBAPIError, match=r"permission denied|row-level security"):
        await change()


async def test_time_ends_a_demand_that_nobody_answered(session: AsyncSession, noon: datetime) -> None:
    firm = a_firm_viewer()
    demand = await a_demand(session, firm, now=noon)
    last_day, after = noon + timedelta(days=90), noon + timedelta(days=91)

    early = await service.expire_due(session, now=last_day)
    due = await service.expire_due(session, now=after)

    assert (early, due) == (0, 1)
    assert (await queries.demand(session, firm, demand.id, now=after)).state is DemandState.EXPIRED


async def test_the_newest_exposure_of_each_loan_counts(session: AsyncSession, noon: datetime) -> None:
    firm_id, lender_id, first, second = new_id(), new_id(), new_id(), new_id()
    for loan_id, outstanding_fen, days in ((first, 100, 0), (second, 50, 1), (first, 70, 2), (first, 0, 9)):
        await service.record_exposure(
            session,
            firm_id=firm_id,
            lender_id=lender_id,
            loan_id=loan_id,
            outstanding_fen=outstanding_fen,
            now=noon + timedelta(days=days),
        )

    known = [
        await queries.known_exposure_fen(session, firm_id, known_at=noon + timedelta(days=days))
        for days in (-1, 0, 1, 2, 9)
    ]

    assert known == [0, 100, 150, 120, 50]


async def test_a_list_is_paged_and_only_the_viewers_own(session: AsyncSession, noon: datetime) -> None:
    firm = a_firm_viewer()
    mine = [await a_draft(session, firm, now=noon) for _ in range(3)]
    await a_draft(session, a_firm_viewer(), now=noon)

    first = await queries.demands_of(session, firm, limit=2)
    rest = await queries.demands_of(session, firm, limit=2, cursor=first.next_cursor)

    assert [view.id for view in first.rows + rest.rows] == sorted(view.id for view in mine)
    assert rest.next_cursor is None
