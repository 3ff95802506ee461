"""Records traced both ways: every kind to its delivery and consents, each record to what was found and said of it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pytest
from builders_consents import a_consent
from builders_parties import a_credit_code, a_firm, a_lender, the_operator
from builders_sources import ON_CONSENT, a_record, a_row, an_agency
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import service as consents
from xinyidai.consents.rules import ConsentMissing, ConsentView
from xinyidai.foundation.errors import NotFound, ValueRefused
from xinyidai.objections import service as objections
from xinyidai.objections.rules import FactKind, ObjectionReason
from xinyidai.objections.rules import FactRef as CaseRef
from xinyidai.objections.rules.repairs import RepairState, Severity
from xinyidai.profiles import model, queries, service
from xinyidai.profiles.rules.lineage import Impact, Marks
from xinyidai.quality import service as quality
from xinyidai.sources import service as sources
from xinyidai.sources.rules import DeliveryKind
from xinyidai.sources.rules.origins import FactRef
from xinyidai.sources.rules.records.kinds import KINDS

HELD_HERE = [item for item in KINDS if item not in {"real_estate", "cash_flow"}]
"""The others pass by in this province."""
READ = {
    item: tuple(text.code for text in model.record_texts() if item in text.item_codes)
    for item in queries.record_items()
    if item in HELD_HERE
}


@dataclass(frozen=True)
class Held:
    """A firm with a record of every kind and one invoice, and the delivery of each."""

    firm: Viewer
    code: str
    agency: Viewer
    consent: ConsentView
    delivery_nos: dict[str, int]

    def ref(self, item: str) -> FactRef:
        """Return the name of the one fact of an item."""
        return FactRef.read(f"{item}:{self.firm.organisation_id}/{self.delivery_nos[item]}.1")


@pytest.fixture
async def held(session: AsyncSession, noon: datetime) -> Held:
    code = a_credit_code()
    firm, agency = await a_firm(session, credit_code=code, now=noon), await an_agency(session, now=noon)
    consent = await a_consent(session, firm, item_codes=[*ON_CONSENT, "vat_invoice"], now=noon)
    rows = {item: a_record(item, code) for item in HELD_HERE} | {"vat_invoice": a_row(code)}
    owed = {"charged_yuan": "100.00", "owed_yuan": "5000.00"}
    rows["electricity"] |= owed
    nos = {}
    for item, row in rows.items():
        report = await sources.receive_rows(session, agency, [row], kind=DeliveryKind(item), now=noon)
        assert report.loaded == 1, (item, report)
        asked = {"id": report.delivery_id}
        nos[item] = (await session.execute(text("SELECT no FROM sources.delivery WHERE id = :id"), asked)).scalar_one()
        await quality.judge_delivery(session, report.delivery_id, now=noon)
    return Held(firm, code, agency, consent, nos)


async def impact_of(session: AsyncSession, viewer: Viewer | None, ref: FactRef, *, now: datetime) -> Impact:
    if viewer is not None:
        await act_as(session, viewer, now=now)
    found = await service.show_impact(session, viewer, ref, now=now)
    await act_as_platform(session, now=now)
    return found


async def test_every_kind_of_record_is_traced_to_its_delivery_its_line_and_the_consent_it_came_under(
    session: AsyncSession, held: Held, noon: datetime
) -> None:
    firm_id = held.firm.organisation_id

    found = {item: await service.show_item(session, None, item, firm_id=firm_id, now=noon) for item in HELD_HERE}
    touched = {item: await impact_of(session, None, held.ref(item), now=noon) for item in HELD_HERE}

    records = {item: one.facts[0] for item, one in found.items()}
    assert {item: one.ref for item, one in records.items()} == {item: held.ref(item) for item in HELD_HERE}
    assert {item: one.origin.delivery_no for item, one in records.items()} | {
        "vat_invoice": held.delivery_nos["vat_invoice"]
    } == held.delivery_nos
    assert {one.origin.sender_id for one in records.values()} == {held.agency.organisation_id}
    assert {item: set(one.named) for item, one in records.items()} == {item: set(KINDS[item].key) for item in HELD_HERE}
    under = {item: [held.consent.id] * (item in ON_CONSENT) for item in HELD_HERE}
    assert {item: [view.id for view in one.held_under] for item, one in found.items()} == under
    assert {item: [view.id for view in one.held_under] for item, one in touched.items()} == under
    assert {item: one.is_read for item, one in touched.items()} == {item: item in READ for item in HELD_HERE}
    assert {item: found[item].indicators for item in HELD_HERE} == {item: READ.get(item, ()) for item in HELD_HERE}
    assert {one.decisions for one in touched.values()} == {()}


async def test_a_fact_tells_what_was_found_in_it_and_said_of_it(
    session: AsyncSession, held: Held, noon: datetime
) -> None:
    firm, operator = held.firm, await the_operator(session, now=noon)
    invoice, penalty = (held.ref(item) for item in ("vat_invoice", "penalty"))
    await act_as(session, firm, now=noon)
    disputed = await objections.file_objection(
        session,
        firm,
        CaseRef(FactKind.VAT_INVOICE, firm.organisation_id, invoice.delivery_no, 1),
        reason=ObjectionReason.AMOUNT_WRONG,
        text="金额不是这个数",
        now=noon,
    )
    repair = await a_repair_of(session, held, now=noon)

    of_invoice = await impact_of(session, firm, invoice, now=noon)
    of_penalty = await impact_of(session, operator.maker, penalty, now=noon)
    of_power = await impact_of(session, None, held.ref("electricity"), now=noon)

    assert [one.id for one in of_invoice.marks.objections] == [disputed.id]
    assert of_invoice.is_read
    assert [one.id for one in of_penalty.marks.repairs] == [repair]
    assert {one.line_no for one in of_power.marks.findings} == {1}
    assert {one.delivery_no for one in of_power.marks.findings} == {held.delivery_nos["electricity"]}


async def a_repair_of(session: AsyncSession, held: Held, *, now: datetime) -> object:
    await act_as(session, held.firm, now=now)
    filed = await objections.file_repair(
        session,
        held.firm,
        CaseRef(FactKind.PENALTY, held.firm.organisation_id, held.delivery_nos["penalty"], 1),
        severity=Severity.ORDINARY,
        listed_on=date(2025, 1, 10),
        text="罚款已缴清，问题已整改",
        is_declared=True,
        now=now,
    )
    await session.flush()
    await act_as_platform(session, now=now)
    return filed.id


async def test_a_lender_is_told_neither_findings_nor_cases(session: AsyncSession, held: Held, noon: datetime) -> None:
    lender = await a_lender(session, now=noon)
    await a_consent(session, held.firm, item_codes=["electricity"], receiver_ids=[lender.id], now=noon)

    found = await impact_of(session, lender.maker, held.ref("electricity"), now=noon)

    assert found.marks == Marks()


async def test_records_are_traced_by_those_alone_who_may_see_the_item(
    session: AsyncSession, held: Held, noon: datetime
) -> None:
    lender, other = await a_lender(session, now=noon), await a_firm(session, now=noon)
    await a_consent(session, held.firm, item_codes=["water"], receiver_ids=[lender.id], now=noon)
    firm_id = held.firm.organisation_id

    await act_as(session, lender.maker, now=noon)
    water = await service.show_item(session, lender.maker, "water", firm_id=firm_id, now=noon)
    with pytest.raises(ConsentMissing):
        await service.show_item(session, lender.maker, "electricity", firm_id=firm_id, now=noon)
    await act_as(session, other, now=noon)
    with pytest.raises(NotFound):
        await service.show_item(session, other, "water", firm_id=firm_id, now=noon)
    await act_as_platform(session, now=noon)
    for item, moment in (("vat_invoice", noon), ("luck", noon), ("water", noon + timedelta(days=1))):
        with pytest.raises(ValueRefused):
            await service.show_item(session, None, item, firm_id=firm_id, known_at=moment, now=noon)

    assert [one.ref for one in water.facts] == [held.ref("water")]


async def test_a_repaired_record_is_marked_from_the_day_on_which_a_repair_ends_use(
    session: AsyncSession, held: Held, noon: datetime
) -> None:
    operator, repair_id = await the_operator(session, now=noon), await a_repair_of(session, held, now=noon)
    await objections.approve_repair(session, operator.maker, repair_id, now=noon)  # type: ignore[arg-type]
    done = await objections.approve_repair(session, operator.checker, repair_id, now=noon)  # type: ignore[arg-type]
    rule_begins = noon.replace(year=2026, month=4, day=2)

    marked, usable = [], []
    for at in (noon, rule_begins):
        await act_as(session, held.firm, now=at)
        found = await service.show_item(session, held.firm, "penalty", firm_id=held.firm.organisation_id, now=at)
        own = await consents.require_own(session, held.firm, item_codes=["penalty"], now=at)
        read = (await queries.usable_records(session, own, decided_at=at, known_at=at))["penalty"]
        marked += [one.is_repaired for one in found.facts]
        usable.append(len(read))
    again = (await queries.usable_records(session, own, decided_at=noon, known_at=noon))["penalty"]
    await act_as_platform(session, now=rule_begins)
    shorter = a_record("penalty", held.code, published_until_on="2026-04-01")
    anew = await sources.receive_rows(session, held.agency, [shorter], kind=DeliveryKind("penalty"), now=rule_begins)
    delivered_anew = (await queries.usable_records(session, own, decided_at=rule_begins, known_at=rule_begins))[
        "penalty"
    ]

    assert done.state is RepairState.REPAIRED
    assert marked == [False, True]
    assert usable == [1, 0]
    assert len(again) == 1
    assert (anew.loaded, len(delivered_anew)) == (1, 0)
