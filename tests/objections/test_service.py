"""A fact is disputed, marked, asked about at its source, corrected by the ordinary door or kept."""

import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta

import asyncpg
import pytest
from builders_consents import a_consent
from builders_documents import a_document
from builders_objections import SAID, Disputed, a_disputed_firm, an_asked_objection, an_objection, in_tx
from builders_parties import a_desk, a_firm, a_lender
from builders_sources import rows_of
from conftest import Database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import service as consents
from xinyidai.documents import service as documents
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound, Refusal
from xinyidai.foundation.ids import new_id
from xinyidai.objections import queries, service
from xinyidai.objections.rules import (
    AlreadyDisputed,
    CorrectionRefused,
    FactKind,
    FactRef,
    FactSuperseded,
    IllegalObjectionStep,
    InvoiceCorrection,
    NotDisputable,
    ObjectionReason,
    ObjectionRefusal,
    ObjectionState,
    Remedy,
    TooManyObjections,
)
from xinyidai.sources.queries import invoice_facts
from xinyidai.sources.rules import DeliveryKind
from xinyidai.sources.service import receive_rows

RIGHT = InvoiceCorrection(date(2025, 3, 5), "重庆买方有限公司", 100_000, 13_000, 113_000)


async def invoices_of(session: AsyncSession, told: Disputed, now: datetime) -> dict[str, invoice_facts.InvoiceRecord]:
    await act_as(session, told.firm, now=now)
    found = {one.invoice_no: one for one in await invoice_facts.own_invoices(session, told.firm)}
    await act_as_platform(session, now=now)
    return found


async def test_an_upheld_objection_corrects_the_fact_by_an_ordinary_delivery(
    session: AsyncSession, noon: datetime
) -> None:
    told = await a_disputed_firm(session, now=noon)
    asked = await an_asked_objection(session, told, now=noon)

    upheld = await service.uphold_objection(session, told.agency.maker, asked.id, correction=RIGHT, now=noon)
    closed = await service.close_objection(session, told.firm, asked.id, now=noon)

    after = await invoices_of(session, told, noon)
    delivery = (await session.execute(text("SELECT kind, sender_id FROM sources.delivery ORDER BY no DESC"))).first()
    assert (upheld.state, upheld.remedy, closed.state) == (
        ObjectionState.UPHELD,
        Remedy.CORRECTED,
        ObjectionState.CLOSED,
    )
    assert delivery is not None
    assert tuple(delivery) == ("correction", told.agency.id)
    assert after["00000001"].gross_fen == 113_000
    assert len(after) == 3


async def test_the_operator_answers_for_the_source_and_voids_the_fact(session: AsyncSession, noon: datetime) -> None:
    told = await a_disputed_firm(session, now=noon)
    asked = await an_asked_objection(session, told, now=noon)

    upheld = await service.uphold_objection(session, told.operator.maker, asked.id, correction=None, now=noon)

    after = await invoices_of(session, told, noon)
    sent_by = (await session.execute(text("SELECT sender_id, sent_by FROM sources.delivery ORDER BY no DESC"))).first()
    assert upheld.remedy is Remedy.VOIDED
    assert sent_by is not None
    assert tuple(sent_by) == (told.agency.id, told.operator.maker.principal_id)
    assert (after["00000001"].is_void, after["00000002"].is_void) == (True, False)


async def test_what_the_operator_itself_delivered_or_fetched_it_also_answers_for(
    session: AsyncSession, noon: datetime
) -> None:
    told = await a_disputed_firm(session, invoices=1, now=noon)
    await receive_rows(session, told.operator.maker, rows_of(told.code, 1, first=9), now=noon)
    dropped = (await invoices_of(session, told, noon))["00000009"]
    ref = FactRef(FactKind.VAT_INVOICE, told.firm.organisation_id, dropped.delivery_no, dropped.line_no)
    own = replace(told, refs=(ref,))
    asked = await an_asked_objection(session, own, now=noon)

    with pytest.raises(NotFound):
        await service.uphold_objection(session, told.agency.maker, asked.id, correction=None, now=noon)
    upheld = await service.uphold_objection(session, told.operator.maker, asked.id, correction=RIGHT, now=noon)

    assert (asked.sender_id, upheld.remedy) == (told.operator.id, Remedy.CORRECTED)
    assert (await invoices_of(session, told, noon))["00000009"].gross_fen == 113_000


async def test_an_ordinary_correction_that_came_before_is_the_remedy(session: AsyncSession, noon: datetime) -> None:
    told = await a_disputed_firm(session, now=noon)
    asked = await an_asked_objection(session, told, now=noon)
    before = await invoices_of(session, told, noon)
    row = dict(before["00000001"].texts()) | {"net_yuan": "1.00", "tax_yuan": "0.13", "gross_yuan": "1.13"}
    kept = {name: value for name, value in row.items() if not name.endswith("_fen")} | {"credit_code": told.code}
    await receive_rows(session, told.agency.maker, [kept], kind=DeliveryKind.CORRECTION, now=noon)

    upheld = await service.uphold_objection(session, told.agency.maker, asked.id, correction=RIGHT, now=noon)

    assert upheld.remedy is Remedy.CORRECTED_BEFORE
    assert (await invoices_of(session, told, noon))["00000001"].gross_fen == 113


async def test_the_same_answer_is_news_again_after_another_correction_came_between(
    session: AsyncSession, noon: datetime
) -> None:
    told = await a_disputed_firm(session, now=noon)
    first = await an_asked_objection(session, told, now=noon)
    await service.uphold_objection(session, told.agency.maker, first.id, correction=RIGHT, now=noon)
    await service.close_objection(session, told.firm, first.id, now=noon)
    wrong = dict((await invoices_of(session, told, noon))["00000001"].texts())
    wrong |= {"net_yuan": "1.00", "tax_yuan": "0.13", "gross_yuan": "1.13", "credit_code": told.code}
    row = {name: value for name, value in wrong.items() if not name.endswith("_fen")}
    await receive_rows(session, told.agency.maker, [row], kind=DeliveryKind.CORRECTION, now=noon)
    now_there = (await invoices_of(session, told, noon))["00000001"]
    ref = FactRef(FactKind.VAT_INVOICE, told.firm.organisation_id, now_there.delivery_no, now_there.line_no)

    second = await an_asked_objection(session, replace(told, refs=(ref,)), now=noon)
    upheld = await service.uphold_objection(session, told.agency.maker, second.id, correction=RIGHT, now=noon)

    assert now_there.gross_fen == 113
    assert upheld.remedy is Remedy.CORRECTED
    assert (await invoices_of(session, told, noon))["00000001"].gross_fen == 113_000


async def test_a_refused_objection_leaves_the_fact_and_says_why(session: AsyncSession, noon: datetime) -> None:
    told = await a_disputed_firm(session, now=noon)
    asked = await an_asked_objection(session, told, now=noon)
    before = await invoices_of(session, told, noon)

    refused = await service.refuse_objection(
        session, told.agency.maker, asked.id, code=ObjectionRefusal.RECORD_RIGHT, now=noon
    )

    assert (refused.state, refused.refusal_code) == (ObjectionState.REFUSED, ObjectionRefusal.RECORD_RIGHT)
    assert await invoices_of(session, told, noon) == before


async def test_a_correction_that_the_door_does_not_take_changes_nothing(database: Database, noon: datetime) -> None:
    told = await in_tx(database.worker, now=noon)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        asked = await an_asked_objection(session, told, now=noon)
        given = await session.execute(text("SELECT id FROM consents.consent"))
        for consent_id in given.scalars():
            await consents.revoke(session, told.firm, consent_id, now=noon)

    async def uphold() -> None:
        async with in_transaction(database.app) as session:
            await act_as(session, told.agency.maker, now=noon)
            await service.uphold_objection(session, told.agency.maker, asked.id, correction=RIGHT, now=noon)

    with pytest.raises(CorrectionRefused) as refused:
        await uphold()

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        after = await queries.objection(session, told.firm, asked.id)
    assert refused.value.facts == {"faults": "no_consent"}
    assert after == asked


async def test_the_fact_is_marked_while_the_objection_is_open_and_then_was_marked(
    session: AsyncSession, noon: datetime
) -> None:
    told = await a_disputed_firm(session, now=noon)
    firm_ids = [told.firm.organisation_id]
    asked = await an_asked_objection(session, told, 1, now=noon)
    later, latest = noon + timedelta(days=1), noon + timedelta(days=2)

    open_now = await queries.disputed_refs(session, firm_ids, noon)
    before = await queries.disputed_refs(session, firm_ids, noon - timedelta(seconds=1))
    others = await queries.disputed_refs(session, [new_id()], noon)
    await service.refuse_objection(session, told.agency.maker, asked.id, code=ObjectionRefusal.RECORD_RIGHT, now=later)

    assert open_now == {told.refs[1]}
    assert before == others == frozenset()
    assert await queries.disputed_refs(session, firm_ids, noon) == {told.refs[1]}
    assert await queries.disputed_refs(session, firm_ids, latest) == frozenset()


async def test_a_withdrawn_objection_marks_nothing_and_the_fact_may_be_disputed_again(
    session: AsyncSession, noon: datetime
) -> None:
    told = await a_disputed_firm(session, now=noon)
    filed = await an_objection(session, told, now=noon)
    with pytest.raises(AlreadyDisputed):
        await an_objection(session, told, now=noon)
    await act_as_platform(session, now=noon)

    withdrawn = await service.withdraw_objection(session, told.firm, filed.id, now=noon)

    assert withdrawn.state is ObjectionState.WITHDRAWN
    assert await queries.disputed_refs(session, [told.firm.organisation_id], noon) == frozenset()
    assert (await an_objection(session, told, now=noon)).state is ObjectionState.FILED


async def test_what_cannot_be_disputed_is_refused(session: AsyncSession, noon: datetime) -> None:
    told, other = await a_disputed_firm(session, now=noon), await a_disputed_firm(session, now=noon)
    mine = told.refs[0]

    async def refusal_of(ref: FactRef, viewer: Viewer = told.firm) -> type[Refusal]:
        await act_as(session, viewer, now=noon)
        with pytest.raises(Refusal) as refused:
            await service.file_objection(session, viewer, ref, reason=ObjectionReason.NOT_OURS, text=SAID, now=noon)
        await act_as_platform(session, now=noon)
        return refused.type

    asked = await an_asked_objection(session, told, 2, now=noon)
    await service.uphold_objection(session, told.agency.maker, asked.id, correction=None, now=noon)

    assert await refusal_of(FactRef(FactKind.PENALTY, mine.firm_id, 1, 1)) is NotDisputable
    assert await refusal_of(FactRef(mine.kind, mine.firm_id, 9_999, 1)) is NotFound
    assert await refusal_of(other.refs[0]) is NotFound
    assert await refusal_of(told.refs[2]) is FactSuperseded
    assert await refusal_of(mine, told.agency.maker) is NotAllowed


async def test_evidence_goes_to_the_operator_then_to_the_source_and_back_to_the_firm_alone(
    session: AsyncSession, noon: datetime
) -> None:
    told = await a_disputed_firm(session, now=noon)
    kept = await a_document(session, told.firm, now=noon)
    readers = (told.firm, told.operator.maker, told.agency.maker, told.regulator.maker)

    async def seen() -> list[bool]:
        found = []
        for viewer in readers:
            await act_as(session, viewer, now=noon)
            try:
                await documents.read(session, viewer, kept.id, now=noon)
                found.append(True)
            except NotFound:
                found.append(False)
        await act_as_platform(session, now=noon)
        return found

    before = await seen()
    filed = await an_objection(session, told, document_ids=[kept.id], now=noon)
    when_filed = await seen()
    await service.accept_objection(session, told.operator.maker, filed.id, now=noon)
    await service.ask_source(session, told.operator.maker, filed.id, now=noon)
    when_asked = await seen()
    await service.refuse_objection(session, told.agency.maker, filed.id, code=ObjectionRefusal.RECORD_RIGHT, now=noon)
    await service.close_objection(session, told.operator.maker, filed.id, now=noon)

    assert before == await seen() == [True, False, False, False]
    assert when_filed == [True, True, False, False]
    assert when_asked == [True, True, True, False]


async def test_what_the_firm_said_is_for_the_firm_the_operator_and_the_asked_source(
    session: AsyncSession, noon: datetime
) -> None:
    told = await a_disputed_firm(session, now=noon)
    stranger = (await a_desk(session, OrganisationKind.AGENCY, now=noon)).maker
    filed = await an_objection(session, told, now=noon)
    for viewer in (told.agency.maker, stranger):
        with pytest.raises(NotFound):
            await service.read_objection(session, viewer, filed.id, now=noon)

    await service.accept_objection(session, told.operator.maker, filed.id, now=noon)
    await service.ask_source(session, told.operator.maker, filed.id, now=noon)
    said = {
        name: (await service.read_objection(session, viewer, filed.id, now=noon))[1]
        for name, viewer in (
            ("firm", told.firm),
            ("operator", told.operator.maker),
            ("source", told.agency.maker),
            ("regulator", told.regulator.maker),
        )
    }

    assert said["regulator"] is None
    assert said["firm"] == said["operator"] == said["source"]
    assert said["firm"] is not None
    assert said["firm"].text == SAID
    assert said["firm"].fact is not None
    assert said["firm"].fact["gross_fen"] == "11300"
    with pytest.raises(NotFound):
        await service.read_objection(session, stranger, filed.id, now=noon)


async def test_nothing_that_was_said_can_be_read_in_the_table(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    told = await in_tx(database.worker, now=noon)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await an_objection(session, told, now=noon)

    (row,) = await admin.fetch("SELECT * FROM objections.objection")
    stored = "\x00".join(str(value) for value in row.values()).encode() + row["told_sealed"]

    assert SAID.encode() not in stored
    assert b"00000001" not in stored


async def test_row_level_security_shows_a_case_to_its_firm_and_to_the_asked_source(
    database: Database, noon: datetime
) -> None:
    told = await in_tx(database.worker, now=noon)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = (await a_lender(session, now=noon)).maker
        filed = await an_objection(session, told, now=noon)

    async def rows(viewer: Viewer) -> int:
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            return int((await session.execute(text("SELECT count(*) FROM objections.objection"))).scalar_one())

    before = [await rows(one) for one in (told.firm, told.agency.maker, bank)]
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await service.accept_objection(session, told.operator.maker, filed.id, now=noon)
        await service.ask_source(session, told.operator.maker, filed.id, now=noon)

    assert before == [1, 0, 0]
    assert [await rows(one) for one in (told.firm, told.agency.maker, bank)] == [1, 1, 0]


async def test_the_clock_counts_working_days_and_says_when_the_calendar_is_not_published(
    session: AsyncSession, noon: datetime
) -> None:
    told = await a_disputed_firm(session, now=noon)
    late_in_2026 = datetime(2026, 12, 29, 4, tzinfo=noon.tzinfo)

    filed = await an_objection(session, told, now=noon)
    await a_consent(session, told.firm, now=late_in_2026)
    provisional = await an_objection(session, told, 1, now=late_in_2026)

    assert (filed.due_on, filed.is_due_provisional) == (date(2025, 6, 23), False)
    assert provisional.is_due_provisional


async def test_who_is_late_is_noted_once_and_seen_by_the_regulator(session: AsyncSession, noon: datetime) -> None:
    told = await a_disputed_firm(session, now=noon)
    await an_objection(session, told, 0, now=noon)
    asked = await an_asked_objection(session, told, 1, now=noon)
    on_the_day, after = noon + timedelta(days=7), noon + timedelta(days=8)

    early = await service.note_overdue_objections(session, now=on_the_day)
    noted = await service.note_overdue_objections(session, now=after)
    again = await service.note_overdue_objections(session, now=after)
    await service.refuse_objection(session, told.agency.maker, asked.id, code=ObjectionRefusal.RECORD_RIGHT, now=after)
    seen = {one.party_id: one for one in await queries.lateness(session, told.regulator.maker, now=after)}

    assert (early, noted, again) == (0, 2, 0)
    operator, agency = seen[told.operator.id], seen[told.agency.id]
    assert (operator.open_count, operator.overdue_count, operator.late_count) == (1, 1, 1)
    assert (agency.open_count, agency.overdue_count, agency.late_count) == (0, 0, 1)
    with pytest.raises(NotAllowed):
        await queries.lateness(session, told.firm, now=after)


async def test_a_firm_has_no_more_open_cases_than_the_policy_lets_it(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    told = await in_tx(database.worker, now=noon)
    await admin.execute("INSERT INTO objections.clock VALUES ('2025-01-01', 5, 3, 2, 'a test')")

    async def file(number: int) -> str:
        try:
            async with in_transaction(database.app) as session:
                await act_as(session, told.firm, now=noon)
                await service.file_objection(
                    session, told.firm, told.refs[number], reason=ObjectionReason.TWICE, text=SAID, now=noon
                )
            return "filed"
        except Refusal as refusal:
            return refusal.code

    answers = await asyncio.gather(*[file(number) for number in range(3)])

    assert sorted(answers) == ["filed", "filed", TooManyObjections.code]


async def test_of_two_who_answer_at_once_one_wins_and_the_fact_is_corrected_at_most_once(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    told = await in_tx(database.worker, now=noon)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        asked = await an_asked_objection(session, told, now=noon)

    async def answer(viewer: Viewer, *, upholds: bool) -> str:
        try:
            async with in_transaction(database.app) as session:
                await act_as(session, viewer, now=noon)
                verb = service.uphold_objection(session, viewer, asked.id, correction=RIGHT, now=noon)
                other = service.refuse_objection(
                    session, viewer, asked.id, code=ObjectionRefusal.RECORD_RIGHT, now=noon
                )
                chosen, left = (verb, other) if upholds else (other, verb)
                left.close()
                return (await chosen).state.value
        except Refusal as refusal:
            return refusal.code

    answers = await asyncio.gather(
        answer(told.agency.maker, upholds=True),
        answer(told.operator.maker, upholds=False),
        answer(told.operator.maker, upholds=True),
    )

    superseded = await admin.fetchval("SELECT count(*) FROM sources.supersession")
    (row,) = await admin.fetch("SELECT state FROM objections.objection")
    won = [one for one in answers if one in ("upheld", "refused")]
    assert len(won) == 1
    assert won == [row["state"]]
    assert [one for one in answers if one not in won] == [IllegalObjectionStep.code] * 2
    assert superseded == (row["state"] == "upheld")


async def test_only_its_firm_withdraws_and_only_the_operator_accepts(session: AsyncSession, noon: datetime) -> None:
    told = await a_disputed_firm(session, now=noon)
    stranger = await a_firm(session, now=noon)
    filed = await an_objection(session, told, now=noon)

    with pytest.raises(NotFound):
        await service.withdraw_objection(session, stranger, filed.id, now=noon)
    for viewer in (told.firm, told.agency.maker, told.operator.checker):
        with pytest.raises(NotAllowed):
            await service.accept_objection(session, viewer, filed.id, now=noon)
    with pytest.raises(IllegalObjectionStep):
        await service.ask_source(session, told.operator.maker, filed.id, now=noon)

    assert (await queries.objection(session, told.firm, filed.id)).state is ObjectionState.FILED
