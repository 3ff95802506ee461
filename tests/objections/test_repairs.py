"""A record is let go by two people; from then on no new use of it, and old decisions still know it."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest
from builders_consents import a_consent
from builders_documents import a_document
from builders_objections import a_repair
from builders_parties import a_firm, the_operator
from builders_scoring import a_released_model, a_town
from conftest import Database
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import SamePersonTwice, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import service as consents
from xinyidai.consents.rules import Purpose
from xinyidai.documents import service as documents
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, Refusal
from xinyidai.objections import queries, service
from xinyidai.objections.rules import FactKind, FactRef
from xinyidai.objections.rules.repairs import (
    NotRepairable,
    RepairAlreadyFiled,
    RepairNotDeclared,
    RepairRefusal,
    RepairState,
    RepairStepRefused,
    RepairTooEarly,
    Severity,
)
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.scoring import queries as scoring
from xinyidai.scoring import service as scores

SPRING = datetime(2026, 5, 11, 4, tzinfo=UTC)
"""After the order of 2026-04-01 came into force."""


async def test_two_people_let_a_record_go_and_it_is_told(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm, operator = await a_firm(session, now=noon), await the_operator(session, now=noon)
        filed = await a_repair(session, firm, now=noon)

        first = await service.approve_repair(session, operator.maker, filed.id, now=noon)
        second = await service.approve_repair(session, operator.checker, filed.id, now=noon)

    events = await admin.fetch("SELECT name, aggregate FROM foundation.outbox_event WHERE name = 'RecordRepaired'")
    actions = await admin.fetch("SELECT action FROM audit.record WHERE object_kind = 'repair' ORDER BY id")
    assert [one.state for one in (filed, first, second)] == [
        RepairState.FILED,
        RepairState.SECOND_REVIEW,
        RepairState.REPAIRED,
    ]
    assert filed.due_on == date(2025, 6, 19)
    assert [tuple(row) for row in events] == [("RecordRepaired", f"firm:{firm.organisation_id}")]
    assert [row["action"] for row in actions] == ["objections.repair_filed"] + ["objections.repair_reviewed"] * 2


async def test_one_person_alone_or_an_officer_last_lets_nothing_go(session: AsyncSession, noon: datetime) -> None:
    firm, operator = await a_firm(session, now=noon), await the_operator(session, now=noon)
    filed = await a_repair(session, firm, now=noon)
    other = (await the_operator(session, now=noon)).maker

    await service.approve_repair(session, operator.checker, filed.id, now=noon)

    with pytest.raises(SamePersonTwice):
        await service.approve_repair(session, operator.checker, filed.id, now=noon)
    for viewer in (operator.maker, other):
        with pytest.raises(NotAllowed):
            await service.approve_repair(session, viewer, filed.id, now=noon)
    with pytest.raises(NotAllowed):
        await service.approve_repair(session, firm, filed.id, now=noon)
    assert (await queries.repair(session, firm, filed.id)).state is RepairState.SECOND_REVIEW


async def test_of_two_who_decide_at_once_one_wins(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm = await a_firm(session, now=noon)
        desks = [await the_operator(session, now=noon) for _number in range(2)]
        filed = await a_repair(session, firm, now=noon)
        await service.approve_repair(session, desks[0].maker, filed.id, now=noon)

    async def approve(viewer: Viewer) -> str:
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            return (await service.approve_repair(session, viewer, filed.id, now=noon)).state.value

    async def refuse(viewer: Viewer) -> str:
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            code = RepairRefusal.NOT_MADE_GOOD
            return (await service.refuse_repair(session, viewer, filed.id, code=code, now=noon)).state.value

    answers = await asyncio.gather(approve(desks[0].checker), refuse(desks[1].checker), return_exceptions=True)

    won = [one for one in answers if isinstance(one, str)]
    assert len(won) == 1
    assert [type(one) for one in answers if not isinstance(one, str)] == [RepairStepRefused]
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        assert (await queries.repair(session, firm, filed.id)).state.value == won[0]


async def test_what_the_rule_does_not_let_be_asked_is_refused(session: AsyncSession, noon: datetime) -> None:
    firm = await a_firm(session, now=noon)
    await act_as(session, firm, now=noon)

    async def refusal_of(**changed: object) -> type[Refusal]:
        asked: dict[str, object] = {
            "severity": Severity.ORDINARY,
            "listed_on": date(2025, 1, 10),
            "text": "罚款已缴清，问题已整改",
            "is_declared": True,
        }
        ref = FactRef(changed.pop("kind", FactKind.PENALTY), firm.organisation_id, 1, 1)  # type: ignore[arg-type]
        with pytest.raises(Refusal) as refused:
            await service.file_repair(session, firm, ref, **(asked | changed), now=noon)  # type: ignore[arg-type]
        return refused.type

    assert await refusal_of(kind=FactKind.VAT_INVOICE) is NotRepairable
    assert await refusal_of(is_declared=False) is RepairNotDeclared
    assert await refusal_of(listed_on=date(2025, 3, 17)) is RepairTooEarly
    assert await refusal_of(severity=Severity.SERIOUS) is RepairTooEarly
    await a_repair(session, firm, now=noon)
    await act_as(session, firm, now=noon)
    assert await refusal_of() is RepairAlreadyFiled


async def test_a_refused_or_withdrawn_repair_may_be_asked_for_again(session: AsyncSession, noon: datetime) -> None:
    firm, operator = await a_firm(session, now=noon), await the_operator(session, now=noon)

    first = await a_repair(session, firm, now=noon)
    refused = await service.refuse_repair(
        session, operator.maker, first.id, code=RepairRefusal.EVIDENCE_MISSING, now=noon
    )
    second = await a_repair(session, firm, now=noon)
    withdrawn = await service.withdraw_repair(session, firm, second.id, now=noon)
    third = await a_repair(session, firm, now=noon)

    assert (refused.refusal_code, withdrawn.state) == (RepairRefusal.EVIDENCE_MISSING, RepairState.WITHDRAWN)
    assert third.state is RepairState.FILED


async def test_evidence_of_a_repair_is_open_to_the_operator_until_it_is_decided(
    session: AsyncSession, noon: datetime
) -> None:
    firm, operator = await a_firm(session, now=noon), await the_operator(session, now=noon)
    kept = await a_document(session, firm, now=noon)
    await act_as(session, firm, now=noon)
    filed = await service.file_repair(
        session,
        firm,
        FactRef(FactKind.ENFORCEMENT, firm.organisation_id, 4, 2),
        severity=Severity.MINOR,
        listed_on=date(2025, 6, 16),
        text="已履行完毕，见结案证明",
        document_ids=[kept.id],
        is_declared=True,
        now=noon,
    )
    await act_as(session, operator.maker, now=noon)
    seen = await documents.read(session, operator.maker, kept.id, now=noon)
    await service.refuse_repair(session, operator.maker, filed.id, code=RepairRefusal.WRONG_SEVERITY, now=noon)

    assert seen.view.id == kept.id
    with pytest.raises(Refusal):
        await documents.read(session, operator.maker, kept.id, now=noon)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lives=st.lists(st.tuples(st.integers(0, 400), st.sampled_from(["let go", "refused", "left"])), max_size=4),
    looks=st.lists(st.integers(0, 700), min_size=1, max_size=4),
)
async def test_from_the_repair_on_no_new_use_and_earlier_moments_still_know_the_record(
    session: AsyncSession, noon: datetime, lives: list[tuple[int, str]], looks: list[int]
) -> None:
    firm, operator = await a_firm(session, now=noon), await the_operator(session, now=noon)
    let_go: dict[FactRef, datetime] = {}
    for number, (day, end) in enumerate(lives, 1):
        at = noon + timedelta(days=day)
        filed = await a_repair(session, firm, line_no=number, now=at)
        acts = {"let go": (operator.maker, operator.checker), "refused": (operator.maker,), "left": ()}[end]
        for viewer in acts:
            await service.approve_repair(session, viewer, filed.id, now=at)
        let_go |= {filed.ref: at} if end == "let go" else {}

    for day in looks:
        at = noon + timedelta(days=day)
        found = await queries.repaired_refs(session, [firm.organisation_id], at)
        is_ended = at.astimezone(UTC) >= datetime(2026, 3, 31, 16, tzinfo=UTC)
        assert found == {ref for ref, moment in let_go.items() if is_ended and moment <= at}


async def test_a_score_does_not_serve_once_a_record_was_let_go_and_the_next_is_computed_afresh(
    session: AsyncSession, noon: datetime
) -> None:
    firm = (await a_town(session, firms=1, invoices=40, now=SPRING)).firms[0]
    await a_released_model(session, now=SPRING)
    operator = await the_operator(session, now=SPRING)
    await a_consent(session, firm, now=SPRING)
    await act_as_platform(session, now=SPRING)
    later = SPRING + timedelta(hours=1)

    async def serving(at: datetime) -> bool:
        permission = await consents.require(
            session,
            receiver_id=PLATFORM_ID,
            subject_ids=[firm.organisation_id],
            purpose=Purpose.PRE_LOAN,
            item_codes=["vat_invoice"],
            now=at,
        )
        found = await scoring.serving_score(
            session, permission, firm.organisation_id, max_age=timedelta(days=30), now=at
        )
        return found is not None

    await act_as(session, firm, now=SPRING)
    await scores.score_own(session, firm, now=SPRING)
    await act_as_platform(session, now=SPRING)
    before = await serving(later)
    filed = await a_repair(session, firm, now=later)
    while_open = await serving(later)
    for viewer in (operator.maker, operator.checker):
        await service.approve_repair(session, viewer, filed.id, now=later)
    after = await serving(later + timedelta(seconds=1))
    again_at = later + timedelta(seconds=2)
    await act_as(session, firm, now=again_at)
    await scores.score_own(session, firm, now=again_at)
    await act_as_platform(session, now=again_at)

    assert (before, while_open, after) == (True, True, False)
    assert await serving(again_at + timedelta(seconds=1))


async def test_an_overdue_repair_is_noted_once(session: AsyncSession, noon: datetime) -> None:
    firm = await a_firm(session, now=noon)
    filed = await a_repair(session, firm, now=noon)

    noted = [await service.note_overdue_repairs(session, now=noon + timedelta(days=days)) for days in (3, 4, 4)]

    assert noted == [0, 1, 0]
    assert (await queries.repair(session, firm, filed.id)).overdue_at == noon + timedelta(days=4)
