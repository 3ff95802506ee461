"""A lender's desk without a browser: every act, what is refused, and that maker and checker are told apart."""

import re
from collections.abc import AsyncGenerator
from datetime import datetime

import pytest
from builders_bank_desks import BankDesk, a_bank_desk, a_fund_desk
from builders_databases import Database, a_furnished_clone
from builders_desks import Reader, a_reader, id_in
from builders_parties import a_viewer

from xinyidai.access import guards
from xinyidai.access.rules import STEP_UP_LASTS, Role
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.embedded import PostgresServer

INDICATION: dict[str, str | list[str]] = {
    "min_amount": "40",
    "max_amount": "50",
    "min_rate": "3.50",
    "max_rate": "4.2",
    "min_months": "6",
    "max_months": "12",
    "repayment_kind": ["equal_instalments", "interest_first"],
    "valid_days": "7",
}
OFFER: dict[str, str | list[str]] = {
    "amount": "30",
    "rate": "4.50",
    "months": "12",
    "repayment_kind": "equal_instalments",
    "valid_days": "10",
}


@pytest.fixture
async def furnished(cluster: PostgresServer, noon: datetime) -> AsyncGenerator[tuple[Database, BankDesk]]:
    async with a_furnished_clone(cluster, a_bank_desk, now=noon) as made:
        yield made


@pytest.fixture
def database(furnished: tuple[Database, BankDesk]) -> Database:
    return furnished[0]


@pytest.fixture
def desk(furnished: tuple[Database, BankDesk]) -> BankDesk:
    return furnished[1]


@pytest.fixture
async def officer(database: Database, noon: datetime, desk: BankDesk) -> AsyncGenerator[Reader]:
    async with a_reader(database, desk.bank.desk.maker, now=noon) as reader:
        yield reader


@pytest.fixture
async def approver(database: Database, noon: datetime, desk: BankDesk) -> AsyncGenerator[Reader]:
    async with a_reader(database, desk.bank.desk.checker, now=noon) as reader:
        yield reader


async def test_home_counts_each_queue_and_shows_what_is_due_first(officer: Reader, desk: BankDesk) -> None:
    page = await officer.read("/bank")

    assert "最近一件申请" in page
    assert page.index(f"/bank/applications/{desk.new.id}") < page.index("申请队列")
    assert f"/bank/offers/{desk.accepted.id}" in page
    assert "天" in page


async def test_a_queue_stays_in_the_address_and_an_empty_one_says_so(officer: Reader, desk: BankDesk) -> None:
    chosen = await officer.read("/bank/applications?queue=chosen")
    empty = await officer.read("/bank/applications?queue=review")

    assert f"/bank/applications/{desk.chosen.id}" in chosen
    assert f"/bank/applications/{desk.new.id}" not in chosen
    assert "这个阶段没有申请" in empty


async def test_an_application_tells_score_reasons_months_and_why_it_came(officer: Reader, desk: BankDesk) -> None:
    page = await officer.read(f"/bank/applications/{desk.new.id}")

    assert "信用评分" in page
    assert "违约概率" in page
    assert "每月销售额" in page
    assert "以表格查看" in page
    assert "为什么派给贵行" in page
    assert "已到达的数据计算" in page
    assert re.search(r"<dd[^>]*>F52 批发和零售业", page)


async def test_an_application_is_taken_up_and_answered_with_a_range(officer: Reader, desk: BankDesk) -> None:
    path = f"/bank/applications/{desk.new.id}"
    taken = await officer.send(f"{path}/take-up", {}, shown_on=path)
    wrong = await officer.send(f"{path}/indicate", INDICATION | {"min_rate": "9", "max_amount": "900"})
    upside = await officer.send(f"{path}/indicate", INDICATION | {"min_months": "13"})
    done = await officer.send(f"{path}/indicate", INDICATION)
    after = await officer.read(path)

    assert taken.headers["location"] == path
    assert wrong.status_code == upside.status_code == 422
    assert 'href="#field-min_rate"' in wrong.text
    assert 'value="900"' in wrong.text
    assert "下限不能高于上限" in upside.text
    assert done.headers["location"] == path
    assert "已给意向，等企业选择" in after
    assert "3.50% – 4.20%" in after


async def test_a_decline_tells_what_the_firm_hears_and_hides_a_suspicion(officer: Reader, desk: BankDesk) -> None:
    path = f"/bank/applications/{desk.new.id}"
    page = await officer.read(f"{path}/decline")
    without = await officer.send(f"{path}/decline", {})
    unsayable = await officer.send(f"{path}/decline", {"reason": "cannot_proceed"})
    declined = await officer.send(f"{path}/decline", {"reason": "suspicion"})
    after = await officer.read(path)

    assert "依法不得告知企业" in page
    assert 'value="cannot_proceed"' not in page
    assert without.status_code == unsayable.status_code == 422
    assert declined.headers["location"] == "/bank/applications"
    assert "企业看到的原因：暂不能办理" in after


async def test_an_offer_is_looked_at_proposed_once_and_issued_by_a_colleague(
    officer: Reader, approver: Reader, desk: BankDesk
) -> None:
    path = f"/bank/applications/{desk.chosen.id}/offer"
    checked = await officer.send(path, OFFER)
    edited = await officer.send(path, OFFER | {"step": "edit"})
    made = await officer.send(path, OFFER | {"step": "confirm"})
    offer = made.headers["location"]
    own = await officer.read(offer)
    not_theirs = await officer.client.post(f"{offer}/approve", data={})
    issued = await approver.send(f"{offer}/approve", {}, shown_on=offer)
    twice = await approver.client.post(f"{offer}/approve", data={"form_token": "0" * 36})

    assert "总利息" in checked.text
    assert "还款计划预览" in checked.text
    assert "不在意向范围内" in checked.text
    assert 'value="4.50"' in edited.text
    assert "这份报价由您提出" in own
    assert f"{offer}/approve" not in own
    assert not_theirs.status_code == 403
    assert issued.headers["location"] == offer
    assert "待企业接受" in await approver.read(offer)
    assert twice.status_code == 422


async def test_a_proposal_sent_twice_is_one_offer(officer: Reader, desk: BankDesk) -> None:
    path = f"/bank/applications/{desk.chosen.id}/offer"
    token = (await officer.read(path)).split('name="form_token" value="')[1].split('"')[0]
    sent = OFFER | {"step": "confirm", "form_token": token}
    first, again = [await officer.client.post(path, data=sent) for _ in range(2)]

    assert first.status_code == again.status_code == 303
    assert first.headers["location"] == again.headers["location"]


async def test_a_proposal_is_withdrawn_only_when_sure(officer: Reader, desk: BankDesk) -> None:
    made = await officer.send(f"/bank/applications/{desk.chosen.id}/offer", OFFER | {"step": "confirm"})
    offer = made.headers["location"]
    unsure = await officer.send(f"{offer}/withdraw", {}, shown_on=offer)
    withdrawn = await officer.send(f"{offer}/withdraw", {"sure": "yes"}, shown_on=offer)

    assert unsure.status_code == 422
    assert withdrawn.headers["location"] == offer
    assert "已撤回" in await officer.read(offer)


async def test_a_person_with_both_roles_still_cannot_check_an_own_offer(
    database: Database, noon: datetime, desk: BankDesk
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        both = await a_viewer(session, desk.bank.desk.id, Role.OFFICER, Role.APPROVER, now=noon)
    async with a_reader(database, both, now=noon) as reader:
        made = await reader.send(f"/bank/applications/{desk.chosen.id}/offer", OFFER | {"step": "confirm"})
        offer = made.headers["location"]
        refused = await reader.send(f"{offer}/approve", {}, shown_on="/bank/applications/" + str(desk.new.id))

    assert refused.status_code == 422
    assert "经办人与复核人不能是同一人" in refused.text


async def test_an_accepted_offer_is_paid_out_with_the_attestation(officer: Reader, desk: BankDesk) -> None:
    path = f"/bank/offers/{desk.accepted.id}/disburse"
    paid: dict[str, str | list[str]] = {
        "disbursed_on": "2025-06-16",
        "payment_kind": "entrusted",
        "reference": "FK-1",
        "first_loan": "yes",
        "definition": "no_record_in_registry",
        "sure": "yes",
    }
    shown_on = (await officer.read(path)).split('name="disbursed_on" type="date" value="')[1][:10]
    empty = await officer.send(path, {"reference": "FK-1"})
    half = await officer.send(path, paid | {"disbursed_on": shown_on, "definition": ""})
    done = await officer.send(path, paid | {"disbursed_on": shown_on})
    loan = await officer.read(done.headers["location"])

    assert empty.status_code == half.status_code == 422
    assert 'value="FK-1"' in empty.text
    assert "请选择首贷户认定口径" in half.text
    assert "是首贷户" in loan
    assert loan.count("未到期") == 12


async def test_a_repayment_is_reported_once(officer: Reader, desk: BankDesk) -> None:
    path = f"/bank/loans/{desk.loan_id}"
    page = await officer.read(f"{path}/repay")
    regular = page.split("含下一期")[1].split("¥")[1].split("<")[0].replace(",", "")
    day = page.split('name="paid_on" type="date" value="')[1][:10]
    empty = await officer.send(f"{path}/repay", {"amount_unit": "yuan"})
    too_much = await officer.send(
        f"{path}/repay", {"amount": "99999999", "amount_unit": "yuan", "paid_on": day, "reference": "HK-0"}
    )
    paid = await officer.send(
        f"{path}/repay", {"amount": regular, "amount_unit": "yuan", "paid_on": day, "reference": "HK-1"}
    )

    assert empty.status_code == too_much.status_code == 422
    assert "HK-0" in too_much.text
    assert paid.headers["location"] == path
    assert "已还" in await officer.read(path)


async def test_another_banks_things_are_not_found_and_a_firm_stays_outside(
    database: Database, noon: datetime, desk: BankDesk
) -> None:
    paths = [
        f"/bank/applications/{desk.new.id}",
        f"/bank/applications/{desk.chosen.id}/offer",
        f"/bank/offers/{desk.accepted.id}",
        f"/bank/loans/{desk.loan_id}",
    ]
    async with a_reader(database, desk.rival.desk.maker, now=noon) as rival:
        foreign = [(await rival.client.get(path)).status_code for path in paths]
    async with a_reader(database, desk.firm, now=noon) as firm:
        outside = [(await firm.client.get(path)).status_code for path in ("/bank", *paths)]

    assert foreign == [404, 404, 404, 404]
    assert outside == [403, 403, 403, 403, 403]


async def test_an_old_proof_leads_to_the_page_that_asks_for_a_new_one(
    officer: Reader, desk: BankDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = guards.wall_now
    monkeypatch.setattr(guards, "wall_now", lambda: later() + STEP_UP_LASTS * 2)
    path = f"/bank/offers/{desk.accepted.id}/disburse"
    asked = await officer.client.get(path)
    pressed = await officer.client.post(
        path, data={}, headers={"Referer": f"http://platform.example{path}", "Origin": "http://platform.example"}
    )

    assert (asked.status_code, pressed.status_code) == (303, 403)
    assert asked.headers["location"] == "/me/proof?next=" + path.replace("/", "%2F")
    assert 'action="/me/proof"' in pressed.text


async def test_products_are_listed_with_their_terms(officer: Reader) -> None:
    page = await officer.read("/bank/products")

    assert "3.00% – 6.00%" in page
    assert "测试贷" in page


async def test_a_claim_is_filed_when_overdue_and_taken_back(cluster: PostgresServer, noon: datetime) -> None:
    async with a_furnished_clone(cluster, a_fund_desk, now=noon) as (database, fund):
        loan = f"/bank/loans/{fund.overdue.id}"
        async with a_reader(database, fund.lender.maker, now=fund.at) as reader:
            listed = await reader.read("/bank/loans?status=overdue")
            unsure = await reader.send(f"{loan}/claim", {}, shown_on=loan)
            filed = await reader.send(f"{loan}/claim", {"sure": "yes"}, shown_on=loan)
            claim = filed.headers["location"]
            waiting = await reader.read(claim)
            back = await reader.send(f"{claim}/withdraw", {"sure": "yes"}, shown_on=claim)
            after = await reader.read("/bank/claims")

    assert str(fund.overdue.id) in listed
    assert unsure.status_code == 422
    assert "待初审" in waiting
    assert back.headers["location"] == claim
    assert f"/bank/claims/{id_in(claim)}" in after
    assert "已撤回" in after


async def test_a_recovery_is_reported_and_shared_out(cluster: PostgresServer, noon: datetime) -> None:
    async with a_furnished_clone(cluster, a_fund_desk, now=noon) as (database, fund):
        claim = f"/bank/claims/{fund.paid_claim_id}"
        async with a_reader(database, fund.lender.maker, now=fund.at) as reader:
            day = (await reader.read(f"{claim}/recover")).split('name="received_on" type="date" value="')[1][:10]
            fields: dict[str, str | list[str]] = {
                "received": "2",
                "received_unit": "wan",
                "costs": "0.1",
                "costs_unit": "wan",
                "received_on": day,
                "reference": "ZC-1",
            }
            upside = await reader.send(f"{claim}/recover", fields | {"costs": "3"})
            done = await reader.send(f"{claim}/recover", fields)
            page = await reader.read(claim)

    assert upside.status_code == 422
    assert 'value="ZC-1"' in upside.text
    assert done.headers["location"] == claim
    assert "ZC-1" in page
    assert "20,000.00" in page


async def test_an_approver_without_the_officers_role_sees_no_data_of_the_firm(
    approver: Reader, officer: Reader, desk: BankDesk
) -> None:
    page = await approver.read(f"/bank/applications/{desk.new.id}")

    assert "每月销售额" not in page
    assert "需要经办权限" in page
