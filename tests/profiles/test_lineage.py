"""Lineage both ways on a real database: what an indicator rests on, what a fact touched, and who may ask."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from builders_consents import a_consent
from builders_examples import is_full_run
from builders_parties import a_credit_code, a_firm, a_lender, a_regulator, the_operator
from builders_scoring import Town, a_permission, a_released_model, a_town, yuan
from builders_sources import a_row, an_agency
from conftest import Database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import service as consents
from xinyidai.consents.rules import ConsentMissing
from xinyidai.decisions import service as decisions
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound, ValueRefused
from xinyidai.profiles import model, queries, service
from xinyidai.profiles.rules.lineage import Impact, IndicatorLineage
from xinyidai.profiles.schemas.lineage import ImpactOut, IndicatorLineageOut
from xinyidai.scoring import service as scoring
from xinyidai.scoring.rules.scores import ScoreView
from xinyidai.sources import service as sources
from xinyidai.sources.queries import purged as purged_reads
from xinyidai.sources.rules import DeliveryKind
from xinyidai.sources.rules.origins import INVOICE_FACT, FactRef
from xinyidai.sources.rules.pulls import PullSource
from xinyidai.worker import load_rooms

SUPERSEDED = {False: 20, True: 200}
"""How many facts are superseded, in the ordinary and in the long run."""
CODES = [one.code for one in model.indicator_texts()]
FACTS = (
    "SELECT delivery_no, line_no, invoice_no, direction, issued_on, counterparty, net_fen, tax_fen, gross_fen, is_void"
    " FROM sources.invoice_fact WHERE firm_id = $1 AND superseded_at IS NULL ORDER BY delivery_no, line_no"
)


@pytest.fixture
async def town(database: Database, noon: datetime) -> Town:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await a_released_model(session, now=noon)
        return await a_town(session, firms=2, invoices=250, now=noon)


def a_chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same facts in each run


def correction_of(row: asyncpg.Record, code: str, chance: random.Random) -> dict[str, str | None]:
    """Return a row of a correction that says something else of a stored fact."""
    net_fen = chance.choice(sorted({row["net_fen"] + 100, -row["net_fen"] - 1, 0} - {row["net_fen"]}))
    partner = chance.choice(["P1", "又一家"])
    changes = [("is_void", not row["is_void"]), ("net_fen", net_fen), ("counterparty", partner)]
    told = dict(row) | dict(chance.sample(changes, 2))
    # Never the same amount of tax twice: the same bytes again would be told as the delivery that they were before.
    tax_fen = chance.randrange(1, 10**9) * (1, -1)[told["net_fen"] < 0]
    told["issued_on"] += timedelta(days=chance.choice([0, 0, -40, -400]))
    return a_row(
        code,
        invoice_no=row["invoice_no"],
        direction=("in", "out")[row["direction"]],
        issued_on=told["issued_on"].isoformat(),
        counterparty=told["counterparty"],
        net_yuan=yuan(told["net_fen"]),
        tax_yuan=yuan(tax_fen),
        gross_yuan=yuan(told["net_fen"] + tax_fen),
        status=("valid", "void")[told["is_void"]],
    )


async def corrected(session: AsyncSession, town: Town, rows: Sequence[dict[str, str | None]], *, now: datetime) -> None:
    report = await sources.receive_rows(session, town.agency.maker, rows, kind=DeliveryKind.CORRECTION, now=now)
    assert report.loaded == len(rows), report


async def values_of(session: AsyncSession, firm_id: UUID, *, as_of: datetime, now: datetime) -> dict[str, str | None]:
    drawn = await service.draw(session, await a_permission(session, [firm_id], now=now), as_of=as_of, known_at=now)
    return dict.fromkeys(CODES) | dict(drawn.vector_of(firm_id))


async def lineage_of(
    session: AsyncSession, firm_id: UUID, code: str, *, as_of: datetime, known_at: datetime, now: datetime
) -> IndicatorLineage:
    permission = await a_permission(session, [firm_id], now=now)
    return await queries.lineage(session, permission, code, firm_id=firm_id, as_of=as_of, known_at=known_at, limit=200)


async def impact_of(session: AsyncSession, ref: FactRef, *, now: datetime) -> Impact:
    return await queries.impact(session, await a_permission(session, [ref.firm_id], now=now), ref)


async def test_superseding_a_fact_moves_only_indicators_that_its_impact_lists(
    database: Database, town: Town, admin: asyncpg.Connection, noon: datetime
) -> None:
    firm_id, chance = town.firms[0].organisation_id, a_chance(11)
    moved_in_all: set[str] = set()

    for number in range(1, SUPERSEDED[is_full_run()] + 1):
        now = noon + timedelta(minutes=number)
        row = chance.choice(await admin.fetch(FACTS, firm_id))
        old = FactRef(INVOICE_FACT, firm_id, row["delivery_no"], row["line_no"])
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=now)
            before = await values_of(session, firm_id, as_of=noon, now=now - timedelta(seconds=1))
            told = (await impact_of(session, old, now=now)).indicators
            await corrected(session, town, [correction_of(row, town.codes[0], chance)], now=now)
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=now)
            after = await values_of(session, firm_id, as_of=noon, now=now)
            gone = await impact_of(session, old, now=now)
            successor = await impact_of(session, gone.life.replaced_by[0], now=now)
        moved = {code for code in CODES if before[code] != after[code]}
        assert moved <= set(told) | set(successor.indicators)
        assert gone.indicators == ()
        assert successor.life.replaced[0] == old
        moved_in_all |= moved

    assert len(await admin.fetch(FACTS, firm_id)) > 50
    assert len(moved_in_all) > len(CODES) // 2


@pytest.mark.parametrize("moments", [(0, 2), (0, 0), (-200, 2), (-200, 0)], ids=str)
async def test_lineage_at_any_two_moments_has_the_value_and_the_facts_of_a_drawing(
    database: Database, town: Town, admin: asyncpg.Connection, noon: datetime, moments: tuple[int, int]
) -> None:
    firm_id, later = town.firms[0].organisation_id, noon + timedelta(days=1)
    chance = a_chance(3)
    rows = chance.sample(await admin.fetch(FACTS, firm_id), 8)
    as_of, known_at = (noon + timedelta(days=days) for days in moments)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=later)
        await corrected(session, town, [correction_of(row, town.codes[0], chance) for row in rows], now=later)

    async with in_transaction(database.worker) as session:
        now = noon + timedelta(days=2)
        await act_as_platform(session, now=now)
        permission = await a_permission(session, [firm_id], now=now)
        drawn = await service.draw(session, permission, as_of=as_of, known_at=known_at)
        readings = {one.code: one for one in model.readings_of(drawn.vector_of(firm_id))}
        traced = {
            code: await lineage_of(session, firm_id, code, as_of=as_of, known_at=known_at, now=now) for code in CODES
        }

    known = {
        (row["delivery_no"], row["line_no"])
        for row in await admin.fetch(
            "SELECT delivery_no, line_no FROM sources.invoice_fact WHERE firm_id = $1 AND issued_on < $2"
            " AND recorded_at <= $3 AND (superseded_at IS NULL OR superseded_at > $3)",
            firm_id,
            as_of.date() + timedelta(days=1),
            known_at,
        )
    }
    assert {code: one.reading for code, one in traced.items()} == readings
    for one in traced.values():
        listed = {(fact.ref.delivery_no, fact.ref.line_no) for fact in one.facts.rows}
        assert listed <= known
        assert len(listed) == len(one.facts.rows) == one.fact_rows
        assert sum(fact.is_counted for fact in one.facts.rows) == one.counted_rows


@pytest.mark.parametrize(
    "code", ["void_rate_sales", "average_purchase_fen", "sales_12m_fen", "customer_kept_share", "tax_burden"]
)
async def test_without_the_facts_of_its_lineage_an_indicator_has_no_data_and_without_others_nothing_changes(
    database: Database, town: Town, admin: asyncpg.Connection, noon: datetime, code: str
) -> None:
    firm_id, now = town.firms[0].organisation_id, noon + timedelta(days=1)
    chance = a_chance(5)
    rows = chance.sample(await admin.fetch(FACTS, firm_id), 6)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        await corrected(session, town, [correction_of(row, town.codes[0], chance) for row in rows], now=now)
        traced = await lineage_of(session, firm_id, code, as_of=noon, known_at=now, now=now)
    listed = [(fact.ref.delivery_no, fact.ref.line_no) for fact in traced.facts.rows]
    numbers, lines = [one[0] for one in listed], [one[1] for one in listed]
    is_listed = "(delivery_no, line_no) IN (SELECT * FROM unnest($2::int[], $3::int[]))"

    await admin.execute("ALTER TABLE sources.invoice_fact DISABLE TRIGGER ALL")
    found = []
    for which in (f"NOT {is_listed}", is_listed):
        await admin.execute(f"DELETE FROM sources.invoice_fact WHERE firm_id = $1 AND {which}", firm_id, numbers, lines)
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=now)
            found.append((await lineage_of(session, firm_id, code, as_of=noon, known_at=now, now=now)).reading.value)

    assert traced.reading.value is not None
    assert found == [traced.reading.value, None]


async def test_lineage_is_paged_newest_first_and_names_delivery_line_and_consents(
    database: Database, town: Town, admin: asyncpg.Connection, noon: datetime
) -> None:
    firm = town.firms[0]
    asked = {"firm_id": firm.organisation_id, "limit": 7, "now": noon}

    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        pages = [await service.show_lineage(session, firm, "sales_total_fen", **asked)]
        while (cursor := pages[-1].facts.next_cursor) is not None:
            pages.append(await service.show_lineage(session, firm, "sales_total_fen", cursor=cursor, **asked))

    facts = [fact for page in pages for fact in page.facts.rows]
    delivery = await admin.fetchrow("SELECT * FROM sources.delivery")
    consent_id = await admin.fetchval("SELECT id FROM consents.consent WHERE subject_id = $1", firm.organisation_id)
    assert len(facts) == len({fact.ref for fact in facts}) == pages[0].fact_rows > 7
    assert facts == sorted(facts, key=lambda fact: (fact.issued_on, fact.ref), reverse=True)
    assert {(fact.origin.delivery_id, fact.origin.sender_id, fact.origin.digest) for fact in facts} == {
        (delivery["id"], town.agency.id, delivery["digest"])
    }
    assert [one.id for one in pages[0].held_under] == [consent_id]
    assert pages[0].read_under == ()


async def test_a_permission_for_several_firms_is_for_their_facts_and_no_others(
    database: Database, town: Town, admin: asyncpg.Connection, noon: datetime
) -> None:
    firm_id = town.firms[1].organisation_id
    row = (await admin.fetch(FACTS, firm_id))[0]
    ref = FactRef(INVOICE_FACT, firm_id, row["delivery_no"], row["line_no"])
    stranger = uuid4()

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        permission = await a_permission(session, town.firm_ids, now=noon)
        traced = await queries.lineage(
            session, permission, "active_months", firm_id=firm_id, as_of=noon, known_at=noon, limit=200
        )
        fact = await queries.impact(session, permission, ref)
        with pytest.raises(NotFound):
            await queries.lineage(
                session, permission, "active_months", firm_id=stranger, as_of=noon, known_at=noon, limit=200
            )
        with pytest.raises(NotFound):
            await queries.impact(session, permission, FactRef(INVOICE_FACT, stranger, 1, 1))

    assert {one.ref.firm_id for one in traced.facts.rows} == {fact.life.ref.firm_id} == {firm_id}


async def test_facts_that_the_platform_fetched_name_the_pull(
    database: Database, town: Town, admin: asyncpg.Connection, noon: datetime
) -> None:
    firm_id, pull_id = town.firms[0].organisation_id, uuid4()
    await admin.execute(
        "INSERT INTO sources.pull (id, firm_id, source, state, asked_by, asked_at, months_from, months_to, code_digest,"
        " attempts, put_offs, touched_at, pages_done, received, loaded, delivery_id, ended_at)"
        " SELECT $1, $2, 'tax', 'ready', $2, $3, '2023-06-01', '2025-05-01', '', 1, 0, $3, 1, received, loaded, id, $3"
        " FROM sources.delivery",
        pull_id,
        firm_id,
        noon,
    )
    await admin.execute(
        "INSERT INTO sources.pull_part (firm_id, pull_id, item_code, place, state, pages_done, received, loaded,"
        " delivery_id, ended_at)"
        " SELECT $2, $1, 'vat_invoice', 0, 'got', 1, received, loaded, id, $3 FROM sources.delivery",
        pull_id,
        firm_id,
        noon,
    )

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        found = await service.show_lineage(session, None, "active_months", firm_id=firm_id, limit=1, now=noon)
        behind = IndicatorLineageOut.of(found, queries.indicator_text("active_months")).facts[0]

    pull = behind.origin.pull
    assert pull is not None
    assert (pull.id, pull.source, pull.asked_at) == (pull_id, PullSource.TAX, noon)


async def test_a_fact_tells_the_scores_and_looks_that_saw_it_before_and_after_it_was_replaced(
    database: Database, town: Town, admin: asyncpg.Connection, noon: datetime
) -> None:
    firm, later = town.firms[0], noon + timedelta(days=1)
    row = (await admin.fetch(FACTS, firm.organisation_id))[0]
    old = FactRef(INVOICE_FACT, firm.organisation_id, row["delivery_no"], row["line_no"])

    async def looked_at_and_scored(now: datetime) -> ScoreView:
        async with in_transaction(database.app) as session:
            await act_as(session, firm, now=now)
            await service.own_profile(session, firm, now=now)
            return await scoring.score_own(session, firm, now=now)

    scores = [await looked_at_and_scored(noon)]
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=later)
        await corrected(session, town, [correction_of(row, town.codes[0], a_chance(1))], now=later)
    scores.append(await looked_at_and_scored(later))

    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=later)
        before = await service.show_impact(session, firm, old, now=later)
        after = await service.show_impact(session, firm, before.life.replaced_by[0], now=later)

    for found, score in zip((before, after), scores, strict=True):
        (decision,) = found.decisions
        assert (decision.id, decision.kind, decision.through) == (score.decision_id, "score", None)
        assert decision.recorded_as is not None
        assert (decision.recorded_as.kind, decision.recorded_as.id) == ("score", score.id)
        assert decision.outcome["pd_ppm"] == score.pd_ppm
        assert (decision.as_of, decision.known_at) == (score.as_of, score.known_at)
        assert [look.shown_at for look in found.looks] == [score.scored_at]
    assert before.indicators == ()
    assert before.decisions[0].indicators == before.looks[0].indicators != ()
    assert after.life.replaced == (old,)


async def test_a_record_of_another_kind_tells_its_succession_and_what_it_feeds(
    session: AsyncSession, noon: datetime
) -> None:
    code, agency = a_credit_code(), await an_agency(session, now=noon)
    firm = await a_firm(session, credit_code=code, now=noon)
    await a_consent(session, firm, item_codes=("electricity",), now=noon)
    for number in range(3):
        row = {"credit_code": code, "month": "2025-03", "used_kwh": f"{number}", "charged_yuan": "1.00"}
        rows = [row | {"owed_yuan": "0.00", "is_cut_off": "false"}]
        at = noon + timedelta(hours=number)
        await sources.receive_rows(session, agency, rows, kind=DeliveryKind.ELECTRICITY, now=at)
    (no,) = (await session.execute(text("SELECT max(delivery_no) FROM sources.electricity_fact"))).one()
    line_no = (await session.execute(text("SELECT max(line_no) FROM sources.electricity_fact"))).scalar_one()
    refs = [FactRef("electricity_fact", firm.organisation_id, no - before, line_no) for before in (2, 1, 0)]

    found = [await service.show_impact(session, None, ref, now=noon) for ref in refs]

    assert [one.life.replaced for one in found] == [(), (refs[0],), (refs[1], refs[0])]
    assert [one.life.replaced_by for one in found] == [(refs[1], refs[2]), (refs[2],), ()]
    assert [one.life.superseded_at is None for one in found] == [False, False, True]
    assert [len(one.indicators) for one in found] == [4, 0, 0]
    assert {(one.decisions, one.looks) for one in found} == {((), ())}
    with pytest.raises(ConsentMissing):
        await service.show_impact(session, None, FactRef("water_fact", firm.organisation_id, 1, 1), now=noon)


async def test_a_score_whose_inputs_were_purged_is_still_told(
    database: Database, town: Town, admin: asyncpg.Connection, noon: datetime
) -> None:
    firm = town.firms[0]
    row = (await admin.fetch(FACTS, firm.organisation_id))[0]
    ref = FactRef(INVOICE_FACT, firm.organisation_id, row["delivery_no"], row["line_no"])
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        permission = await a_permission(session, [firm.organisation_id], now=noon)
        score = await scoring.score_firm(session, permission, firm_id=firm.organisation_id, as_of=noon, now=noon)
        await decisions.destroy_key(session, None, firm.organisation_id, now=noon)

        found = await queries.impact(session, permission, ref)

    assert [(one.id, one.as_of, one.indicators) for one in found.decisions] == [(score.decision_id, None, ())]


async def test_who_may_trace_a_firms_data_and_what_a_lender_sees_of_it(
    database: Database, town: Town, admin: asyncpg.Connection, noon: datetime
) -> None:
    firm, neighbour = town.firms
    firm_id = firm.organisation_id
    row = (await admin.fetch(FACTS, firm_id))[0]
    ref = FactRef(INVOICE_FACT, firm_id, row["delivery_no"], row["line_no"])
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        named, stranger = await a_lender(session, now=noon), await a_lender(session, now=noon)
        operator, regulator = await the_operator(session, now=noon), await a_regulator(session, now=noon)
        await a_consent(session, firm, receiver_ids=[named.id], now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        await scoring.score_own(session, firm, now=noon)
        await service.own_profile(session, firm, now=noon)

    async def traced_by(viewer: Viewer) -> tuple[IndicatorLineage, Impact]:
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            return (
                await service.show_lineage(session, viewer, "history_months", firm_id=firm_id, now=noon),
                await service.show_impact(session, viewer, ref, now=noon),
            )

    own, of_operator, of_bank = [await traced_by(one) for one in (firm, operator.maker, named.maker)]
    for viewer, refusal in ((stranger.maker, ConsentMissing), (neighbour, NotFound), (regulator.maker, NotAllowed)):
        with pytest.raises(refusal):
            await traced_by(viewer)

    assert own[0].facts == of_operator[0].facts == of_bank[0].facts
    assert [len(one[1].decisions) for one in (own, of_operator, of_bank)] == [1, 1, 0]
    assert [len(one[1].looks) for one in (own, of_operator, of_bank)] == [1, 1, 0]
    assert len(of_bank[0].read_under) == len(of_operator[0].read_under) == 1
    assert of_bank[0].held_under == ()
    audited = await admin.fetch(
        "SELECT action, organisation_id, subject_ids FROM audit.record WHERE action LIKE $1", "%\\_shown"
    )
    for viewer in (firm, operator.maker, named.maker):
        for action in ("profiles.lineage_shown", "profiles.impact_shown"):
            assert (action, viewer.organisation_id, [firm_id]) in [tuple(one) for one in audited]


async def test_operator_and_lender_trace_nothing_once_the_consent_is_taken_back(
    database: Database, town: Town, admin: asyncpg.Connection, noon: datetime
) -> None:
    firm = town.firms[0]
    consent_id = await admin.fetchval("SELECT id FROM consents.consent WHERE subject_id = $1", firm.organisation_id)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        operator = await the_operator(session, now=noon)
    later = noon + timedelta(hours=1)
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=later)
        await consents.revoke(session, firm, consent_id, now=later)

    async with in_transaction(database.app) as session:
        await act_as(session, operator.maker, now=later)
        with pytest.raises(ConsentMissing):
            await service.show_lineage(
                session, operator.maker, "history_months", firm_id=firm.organisation_id, now=later
            )
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=later)
        own = await service.show_lineage(session, firm, "history_months", firm_id=firm.organisation_id, now=later)

    assert own.fact_rows > 0
    assert [(one.id, one.revoked_at) for one in own.held_under] == [(consent_id, later)]


async def test_what_nobody_computes_what_is_to_come_and_what_nobody_wrote_is_refused(
    database: Database, town: Town, noon: datetime
) -> None:
    firm = town.firms[0]
    absent = FactRef(INVOICE_FACT, firm.organisation_id, 999, 1)

    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        for refused in ({"as_of": noon + timedelta(days=1)}, {"known_at": noon + timedelta(days=1)}):
            with pytest.raises(ValueRefused, match="future"):
                await service.show_lineage(
                    session, firm, "history_months", firm_id=firm.organisation_id, now=noon, **refused
                )
        with pytest.raises(ValueRefused, match="indicator"):
            await service.show_lineage(session, firm, "luck", firm_id=firm.organisation_id, now=noon)
        with pytest.raises(NotFound):
            await service.show_impact(session, firm, absent, now=noon)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "invoice_fact",
        "luck_fact:{firm}/1.1",
        "invoice_fact:{firm}/1",
        "invoice_fact:{firm}/1.1 ",
        "invoice_fact:" + "-" * 36 + "/1.1",
    ],
)
def test_what_is_no_name_of_a_fact_is_refused(written: str) -> None:
    with pytest.raises(ValueRefused):
        FactRef.read(written.format(firm=uuid4()))


def test_a_facts_name_is_read_as_it_is_written() -> None:
    for kind in (INVOICE_FACT, "electricity_fact"):
        ref = FactRef(kind, uuid4(), 17, 204)

        assert FactRef.read(str(ref)) == ref


async def test_after_a_purge_lineage_and_impact_say_so_with_the_tombstone(
    database: Database, town: Town, noon: datetime
) -> None:
    load_rooms()
    firm_id, later = town.firm_ids[0], noon + timedelta(days=500)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await sources.seal_facts(session, now=noon)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=later)
        with pytest.raises(ConsentMissing):
            await service.show_lineage(session, None, CODES[0], firm_id=firm_id, now=later)
        held = sum(one.facts for one in await purged_reads.held(session, firm_id))
        await sources.purge_due(session, now=later)
        stones = text("SELECT delivery_no, line_nos[1] AS line_no FROM sources.tombstone WHERE firm_id = :firm")
        line = (await session.execute(stones, {"firm": firm_id})).first()
    assert line is not None
    ref = FactRef(INVOICE_FACT, firm_id, line.delivery_no, line.line_no)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=later)
        found = await service.show_lineage(session, None, CODES[0], firm_id=firm_id, now=later)
        touched = await service.show_impact(session, None, ref, now=later)
        with pytest.raises(ConsentMissing):
            await service.show_impact(session, None, FactRef(INVOICE_FACT, firm_id, 99, 1), now=later)
    async with in_transaction(database.app) as session:
        await act_as(session, town.firms[0], now=later)
        own = await service.show_lineage(session, town.firms[0], CODES[0], firm_id=firm_id, now=later)

    assert (found.reading.value, found.fact_rows, sum(stone.facts for stone in found.purged)) == (None, 0, held)
    assert touched.life.purged == found.purged[0] == own.purged[0]
    assert ImpactOut.of(touched).purged is not None
