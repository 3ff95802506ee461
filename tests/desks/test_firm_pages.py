"""The firm's desk without a browser: what each page says, what each form does, and that nothing typed is lost."""

import re
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta

import pytest
from builders_databases import Database, a_furnished_clone
from builders_desks import FullDesk, Reader, a_full_desk, a_reader, id_in
from builders_parties import a_lender, a_sole_trader, a_viewer
from builders_sources import a_record, an_agency
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Role
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.desks.pages import firm_lineage
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.embedded import PostgresServer
from xinyidai.foundation.pages.rendering import environment
from xinyidai.foundation.pages.words import Language
from xinyidai.matching import service as matching
from xinyidai.matching.rules.states import DeclineReason
from xinyidai.objections import service as objections
from xinyidai.objections.rules import FactKind, FactRef, ObjectionReason
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PartyId
from xinyidai.profiles import model
from xinyidai.sources import service as sources
from xinyidai.sources.rules import DeliveryKind

ANSWERS: dict[str, str | list[str]] = {
    "use": "raw_materials",
    "amount": "30",
    "amount_unit": "wan",
    "term_months": "12",
    "repayment_kind": "equal_instalments",
    "wanted_by": "2025-07-01",
    "is_lawful": "yes",
}


@pytest.fixture
async def furnished(cluster: PostgresServer, noon: datetime) -> AsyncGenerator[tuple[Database, FullDesk]]:
    async with a_furnished_clone(cluster, a_full_desk, now=noon) as made:
        yield made


@pytest.fixture
def database(furnished: tuple[Database, FullDesk]) -> Database:
    return furnished[0]


@pytest.fixture
def desk(furnished: tuple[Database, FullDesk]) -> FullDesk:
    return furnished[1]


@pytest.fixture
async def reader(database: Database, noon: datetime, desk: FullDesk) -> AsyncGenerator[Reader]:
    async with a_reader(database, desk.firm, now=noon) as signed_in:
        yield signed_in


@pytest.fixture
async def newcomer(database: Database, noon: datetime) -> AsyncGenerator[Reader]:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        trader = await a_sole_trader(session, now=noon)
    async with a_reader(database, trader, now=noon) as signed_in:
        yield signed_in


async def count(session: AsyncSession, statement: str) -> int:
    return int((await session.execute(text(statement))).scalar_one())


async def test_a_newcomer_finds_a_next_step_on_every_empty_page(newcomer: Reader) -> None:
    pages = {path: await newcomer.read(path) for path in ("/firm", "/firm/profile", "/firm/consents", "/firm/loans")}

    assert 'href="/firm/authorise"' in pages["/firm"]
    assert "还没有数据" in pages["/firm/profile"]
    assert "还没有授权" in pages["/firm/consents"]
    assert "还没有贷款" in pages["/firm/loans"]
    assert "等待数据部门投递" in await newcomer.read("/firm/data")
    assert "还没有融资需求" in await newcomer.read("/firm/demands")


async def test_home_says_first_that_offers_wait(reader: Reader, desk: FullDesk) -> None:
    page = await reader.read("/firm")

    assert "有 2 份报价等您选择" in page
    assert f"/firm/demands/{desk.demand.id}/offers" in page


async def test_nothing_is_ticked_until_the_firm_ticks_it(reader: Reader) -> None:
    plain, filled = await reader.read("/firm/authorise"), await reader.read("/firm/authorise?fill=needed")

    assert re.findall(r'type="checkbox"[^>]*checked', plain) == []
    assert 'value="pre_loan"' in plain
    assert re.search(r'value="vat_invoice"[^>]*checked', filled)
    assert re.search(r'value="pre_loan"[^>]*checked', filled)
    assert re.search(r'value="model_training"[^>]*checked', filled) is None


async def test_an_empty_authorisation_names_every_fault_and_grants_nothing(
    reader: Reader, session: AsyncSession
) -> None:
    before = await count(session, "SELECT count(*) FROM consents.consent")
    answer = await reader.send("/firm/authorise", {"item": "vat_invoice"})

    after = await count(session, "SELECT count(*) FROM consents.consent")
    assert (answer.status_code, after) == (422, before)
    assert all(f'href="#field-{field}"' in answer.text for field in ("purpose", "receiver", "months", "agrees"))
    assert re.search(r'value="vat_invoice"[^>]*checked', answer.text)


async def test_a_consent_is_given_once_kept_with_its_text_and_taken_back(reader: Reader, desk: FullDesk) -> None:
    page = await reader.read("/firm/authorise")
    digest = re.search(r'name="digest_post_loan" value="(\w+)"', page)
    assert digest is not None
    fields: dict[str, str | list[str]] = {
        "purpose": "post_loan",
        "item": "vat_invoice",
        "receiver": str(desk.banks[0].id),
        "months": "6",
        "life": "90",
        "agrees": "yes",
        "digest_post_loan": digest.group(1),
    }
    given = await reader.send("/firm/authorise", fields)
    listed = await reader.read("/firm/consents")
    consent = re.findall(r'href="(/firm/consents/[0-9a-f-]{36})"', listed)[-1]
    shown = await reader.read(consent)
    unsure = await reader.send(f"{consent}/revoke", {}, shown_on=consent)
    revoked = await reader.send(f"{consent}/revoke", {"sure": "yes"}, shown_on=consent)

    assert (given.status_code, given.headers["location"]) == (303, "/firm/data")
    assert "已授权" in await_flash(listed)
    assert re.search(r"数据最多保存</dt><dd>90 天", shown)
    assert unsure.status_code == 422
    assert revoked.headers["location"] == consent
    assert "已撤回" in await reader.read(consent)


async def test_one_item_of_a_consent_is_taken_back_after_the_firm_said_it_is_sure(
    reader: Reader, desk: FullDesk
) -> None:
    page = await reader.read("/firm/authorise")
    fields: dict[str, str | list[str]] = {
        "purpose": "post_loan",
        "item": ["vat_invoice", "loan_outcome"],
        "receiver": str(desk.banks[0].id),
        "months": "6",
        "life": "90",
        "agrees": "yes",
    } | dict(re.findall(r'name="(digest_\w+)" value="(\w+)"', page))
    await reader.send("/firm/authorise", fields)
    consent = re.findall(r'href="(/firm/consents/[0-9a-f-]{36})"', await reader.read("/firm/consents"))[-1]
    item = f"{consent}/items/loan_outcome"
    before = await reader.read(consent)

    unsure = await reader.send(f"{item}/withdraw", {}, shown_on=item)
    taken = await reader.send(f"{item}/withdraw", {"sure": "yes"}, shown_on=item)
    after = await reader.read(consent)
    unknown = await reader.client.get(f"{consent}/items/gas")

    assert f'href="{item}"' in before
    assert (unsure.status_code, "请确认您了解撤回的影响" in unsure.text) == (422, True)
    assert taken.headers["location"] == consent
    assert "贷款履约结果（" in after
    assert f'href="{item}"' not in after
    assert unknown.status_code == 404
    assert "Items taken back" in (await reader.client.get(consent, headers={"Accept-Language": "en"})).text


async def test_a_consent_wider_than_its_purpose_is_refused_on_the_form_by_everything_too_wide(
    reader: Reader, desk: FullDesk, session: AsyncSession
) -> None:
    before = await count(session, "SELECT count(*) FROM consents.consent")
    page = await reader.read("/firm/authorise")
    fields: dict[str, str | list[str]] = {
        "purpose": ["pre_loan", "model_training"],
        "item": "vat_invoice",
        "receiver": [str(bank.id) for bank in desk.banks[:2]],
        "months": "24",
        "life": "366",
        "agrees": "yes",
    } | dict(re.findall(r'name="(digest_\w+)" value="(\w+)"', page))

    answer = await reader.send("/firm/authorise", fields)

    assert "最长 24 个月；读取的数据最多保存 1830 天；可授权给：平台运营。" in page
    assert answer.status_code == 422
    assert "授权范围过宽：接收方数量（申请 2，最多 1）；接收方类别（申请 银行，最多 平台运营）" in answer.text
    assert await count(session, "SELECT count(*) FROM consents.consent") == before


def await_flash(page: str) -> str:
    found = re.search(r'class="alert alert-success" role="status">([^<]*)<', page)
    return found.group(1) if found else ""


async def test_an_outdated_text_is_refused_on_the_form(reader: Reader, desk: FullDesk) -> None:
    answer = await reader.send(
        "/firm/authorise",
        {
            "purpose": "post_loan",
            "item": "vat_invoice",
            "receiver": str(desk.banks[0].id),
            "months": "6",
            "life": "0",
            "agrees": "yes",
            "digest_post_loan": "00" * 32,
        },
    )

    assert answer.status_code == 422
    assert "请重新阅读并确认" in answer.text


async def test_a_demand_is_checked_confirmed_and_posted_once(reader: Reader) -> None:
    page = await reader.client.get("/firm/demands/new")
    token = re.search(r'name="form_token" value="([^"]+)"', page.text)
    assert token is not None
    checked = await reader.send("/firm/demands/new", ANSWERS)
    edited = await reader.send("/firm/demands/new", ANSWERS | {"step": "edit"})
    sent = ANSWERS | {"step": "confirm", "form_token": token.group(1)}
    first, again = [await reader.client.post("/firm/demands/new", data=sent) for _ in range(2)]
    posted = await reader.read(first.headers["location"])

    assert "叁拾万元整" in checked.text
    assert 'value="30"' in edited.text
    assert first.status_code == again.status_code == 303
    assert first.headers["location"] == again.headers["location"]
    assert str(id_in(first.headers["location"]))[-12:].upper() in posted


async def test_the_way_back_to_the_answers_posts_no_second_demand(reader: Reader) -> None:
    shown = re.search(r'name="form_token" value="([^"]+)"', await reader.read("/firm/demands/new"))
    assert shown is not None
    # A browser that goes back to the page of the answers sends the questions' form again, as it was.
    pages = [await reader.client.post("/firm/demands/new", data=ANSWERS | {"form_token": shown.group(1)}) for _ in "12"]
    tokens = {re.search(r'name="form_token" value="([^"]+)"', page.text).group(1) for page in pages}  # type: ignore[union-attr]
    sent = ANSWERS | {"form_token": tokens.pop(), "step": "confirm"}
    posted = [await reader.client.post("/firm/demands/new", data=sent) for _page in pages]

    assert tokens == set()
    assert len({answer.headers["location"] for answer in posted}) == 1


async def test_wrong_answers_are_all_named_and_all_kept(reader: Reader) -> None:
    wrong = {"use": "gambling", "amount": "很多", "term_months": "999", "wanted_by": "2020-01-01"}
    answer = await reader.send("/firm/demands/new", wrong)

    assert answer.status_code == 422
    assert "<title>错误：" in answer.text
    assert 'value="很多"' in answer.text
    for field in ("use", "amount", "term_months", "repayment_kind", "wanted_by", "is_lawful"):
        assert f'href="#field-{field}"' in answer.text


async def test_a_refusal_of_the_room_stands_on_top_of_the_form(reader: Reader) -> None:
    answers = ANSWERS | {"wanted_by": "2027-01-01", "step": "confirm"}
    answer = await reader.send("/firm/demands/new", answers)

    assert answer.status_code == 422
    assert "用款日期须在" in answer.text
    assert 'value="2027-01-01"' in answer.text


async def test_a_form_without_its_token_is_shown_again_and_does_nothing(reader: Reader) -> None:
    answer = await reader.client.post("/firm/demands/new", data=ANSWERS | {"step": "confirm"})

    assert answer.status_code == 422
    assert "页面已过期" in answer.text
    assert 'value="30"' in answer.text


async def test_the_demand_tells_what_fits_and_every_reason_of_what_does_not(reader: Reader, desk: FullDesk) -> None:
    page = await reader.read(f"/firm/demands/{desk.demand.id}")

    assert "3 个产品符合条件，1 个不符合" in page
    assert "不符合的产品和每一条原因" in page
    assert page.count("已报价") == 2


async def test_a_bank_is_chosen_under_a_written_authority(reader: Reader, desk: FullDesk) -> None:
    path = f"/firm/demands/{desk.demand.id}/indications"
    page = await reader.read(path)
    digest = re.search(r'name="digest" value="(\w+)"', page)
    assert digest is not None
    chosen: dict[str, str | list[str]] = {"chosen": str(desk.indicated.id), "digest": digest.group(1)}
    unread = await reader.send(path, chosen)
    outdated = await reader.send(path, chosen | {"agrees": "yes", "digest": "00" * 32})
    done = await reader.send(path, chosen | {"agrees": "yes"})
    after = await reader.read(path)

    assert "3.50% – 4.20%" in page
    assert "贷前征信查询" in page
    assert (unread.status_code, outdated.status_code) == (422, 422)
    assert done.headers["location"] == f"/firm/demands/{desk.demand.id}"
    assert "查看或撤回授权书" in after


async def test_a_range_of_one_figure_is_shown_as_that_figure(reader: Reader, desk: FullDesk) -> None:
    page = await reader.read(f"/firm/demands/{desk.demand.id}/indications")

    assert "6–12 个月" in page
    template = environment(Language.ZH).from_string("{% from 'parts/show.html' import between %}{{ between(a, b) }}")
    assert [template.render(a="3.80%", b=b) for b in ("3.80%", "4.20%")] == ["3.80%", "3.80% – 4.20%"]


async def choose(reader: Reader, desk: FullDesk) -> None:
    path = f"/firm/demands/{desk.demand.id}/indications"
    digest = re.search(r'name="digest" value="(\w+)"', await reader.read(path))
    assert digest is not None
    chosen: dict[str, str | list[str]] = {"chosen": str(desk.indicated.id), "digest": digest.group(1), "agrees": "yes"}
    assert (await reader.send(path, chosen)).status_code == 303


async def test_who_has_chosen_all_it_may_is_told_what_it_waits_for(reader: Reader, desk: FullDesk) -> None:
    await choose(reader, desk)
    page = await reader.read(f"/firm/demands/{desk.demand.id}/indications")

    assert "还可选 0 家" not in page
    assert "<fieldset" not in page
    assert "您同时最多选择 3 家银行，现已选满" in page
    assert re.search(r"应在 2025年6月\d+日 前给出正式报价", page)
    assert f'href="/firm/demands/{desk.demand.id}/offers"' in page


async def test_a_chosen_bank_that_says_no_is_named_with_its_reason_and_what_to_do(
    reader: Reader, desk: FullDesk, database: Database, noon: datetime
) -> None:
    await choose(reader, desk)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_viewer(session, PartyId(desk.indicated.lender_id), Role.OFFICER, now=noon)
        await matching.decline(
            session, bank, desk.indicated.dispatch_id, reason=DeclineReason.CAPACITY_CASH_FLOW, now=noon
        )
    pages = [await reader.read(path) for path in ("/firm", f"/firm/demands/{desk.demand.id}")]

    assert ["您选择的 1 家银行不再办理" in page for page in pages] == [True, True]
    assert ["经营现金流不足以还款" in page for page in pages] == [True, True]
    assert ["其余银行的报价可以照常比较和接受" in page for page in pages] == [True, True]


async def test_offers_are_compared_and_one_is_accepted(reader: Reader, desk: FullDesk) -> None:
    compared = await reader.read(f"/firm/demands/{desk.demand.id}/offers")
    cheap = f"/firm/offers/{desk.offers[0].id}"
    shown = await reader.read(cheap)
    unsure = await reader.send(f"{cheap}/accept", {}, shown_on=cheap)
    accepted = await reader.send(f"{cheap}/accept", {"agrees": "yes"}, shown_on=cheap)
    after = await reader.read(accepted.headers["location"])

    assert "2 份报价" in compared
    assert compared.index("3.80%") < compared.index("4.50%")
    assert "总成本最低" in compared
    assert shown.count('<tr><th scope="row">') >= 12
    assert unsure.status_code == 422
    assert "您已接受报价" in after
    assert "已接受报价" in after


async def test_a_loan_shows_its_next_payment_and_its_schedule(reader: Reader, desk: FullDesk) -> None:
    listed, page = await reader.read("/firm/loans"), await reader.read(f"/firm/loans/{desk.loan_id}")

    assert f"/firm/loans/{desk.loan_id}" in listed
    assert "下次还款" in page
    assert "2025年7月16日" in page
    assert page.count("未到期") == 12
    assert "今天提前结清需" in page


async def test_an_offer_is_declined(reader: Reader, desk: FullDesk) -> None:
    dear = f"/firm/offers/{desk.offers[1].id}"
    declined = await reader.send(f"{dear}/decline", {}, shown_on=dear)

    assert declined.headers["location"] == f"/firm/demands/{desk.demand.id}/offers"
    assert "已婉拒" in await reader.read(declined.headers["location"])


async def test_a_demand_is_withdrawn_only_when_sure(reader: Reader, desk: FullDesk) -> None:
    path = f"/firm/demands/{desk.demand.id}"
    unsure = await reader.send(f"{path}/withdraw", {}, shown_on=path)
    withdrawn = await reader.send(f"{path}/withdraw", {"sure": "yes"}, shown_on=path)

    assert unsure.status_code == 422
    assert withdrawn.headers["location"] == path
    assert "需求已撤回" in await reader.read(path)


async def test_the_profile_shows_score_reasons_sales_and_asks_for_a_person(reader: Reader) -> None:
    scored = await reader.send("/firm/profile/score", {}, shown_on="/firm/profile")
    page = await reader.read("/firm/profile")
    main = page[page.index("<main") : page.index("</main")]
    empty = await reader.send("/firm/profile/review", {"wish": " "})
    asked = await reader.send("/firm/profile/review", {"wish": "三月的发票不全"})

    assert scored.status_code == 303
    assert re.search(r"您的信用评分是 \d+ 分", page)
    assert "为什么是这个分数" in page
    assert 'href="/firm/demands/new"' not in main
    assert page.count('<tr><th scope="row">') > 24
    assert empty.status_code == 422
    assert asked.headers["location"] == "/firm/profile"


async def test_each_indicator_leads_to_its_facts_and_each_fact_to_what_used_it(
    reader: Reader, desk: FullDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firm_lineage, "FACTS_SHOWN", 5)
    await reader.send("/firm/profile/score", {}, shown_on="/firm/profile")
    profile = await reader.read("/firm/profile")
    links = re.findall(r'href="(/firm/profile/indicators/\w+)"', profile)
    first = await reader.read("/firm/profile/indicators/sales_total_fen")
    following = re.search(r'href="(/firm/profile/indicators/sales_total_fen\?cursor=[^"]+)"', first)
    assert following is not None
    second = await reader.read(following.group(1))
    facts = [re.findall(r"/firm/profile/fact\?name=[^\"]+", page) for page in (first, second)]
    fact = await reader.read(facts[0][0])

    assert len(links) == len(set(links)) == len(model.indicator_texts())
    assert len(facts[0]) == 5
    assert not set(facts[0]) & set(facts[1])
    assert "近12个月销售额" in fact
    assert "经由评分" in fact
    assert f'href="/firm/demands/{desk.demand.id}"' in fact
    assert re.search(r"评分 \d+ 分", fact)


async def test_a_record_tells_the_indicators_that_read_it_which_have_no_page_of_their_own(
    database: Database, noon: datetime, reader: Reader, desk: FullDesk
) -> None:
    (judged,) = [one for one in model.record_texts() if one.code == "judgments_as_defendant"]
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        code = await session.scalar(
            text("SELECT credit_code FROM parties.party WHERE id = :id"), {"id": desk.firm.organisation_id}
        )
        agency = await an_agency(session, now=noon)
        rows = [a_record("judgment", code, role="defendant")]
        report = await sources.receive_rows(session, agency, rows, kind=DeliveryKind.JUDGMENT, now=noon)
        told = await session.execute(text("SELECT no FROM sources.delivery WHERE id = :id"), {"id": report.delivery_id})
        no = told.scalar_one()

    fact = await reader.read(f"/firm/profile/fact?name=judgment:{desk.firm.organisation_id}/{no}.1")

    assert judged.name_zh in fact
    assert f"/firm/profile/indicators/{judged.code}" not in fact


async def test_a_disputed_fact_is_marked_behind_its_indicator_and_leads_to_its_objection(
    database: Database, noon: datetime, reader: Reader, desk: FullDesk
) -> None:
    before = await reader.read("/firm/profile/indicators/sales_total_fen")
    fact = re.findall(r"/firm/profile/fact\?name=[^\"]+", before)[0]
    found = re.search(r"/(\d+)\.(\d+)$", fact)
    assert found is not None
    ref = FactRef(FactKind.VAT_INVOICE, desk.firm.organisation_id, int(found.group(1)), int(found.group(2)))
    async with in_transaction(database.app) as session:
        await act_as(session, desk.firm, now=noon)
        filed = await objections.file_objection(
            session, desk.firm, ref, reason=ObjectionReason.AMOUNT_WRONG, text="金额不是这个数", now=noon
        )

    after, shown = await reader.read("/firm/profile/indicators/sales_total_fen"), await reader.read(fact)

    assert (before.count("有异议"), after.count("有异议")) == (0, 1)
    assert f'href="/firm/objections/{filed.id}"' in shown
    assert f"/firm/objections/{filed.id}" not in before


async def test_an_indicator_or_fact_that_is_not_there_is_not_found(reader: Reader, desk: FullDesk) -> None:
    own, another = desk.firm.organisation_id, desk.banks[0].id
    paths = [
        "/firm/profile/indicators/luck",
        "/firm/profile/fact?name=luck",
        f"/firm/profile/fact?name=invoice_fact:{own}/999.1",
        f"/firm/profile/fact?name=invoice_fact:{another}/1.2",
    ]

    answers = [(await reader.client.get(path)).status_code for path in paths]

    assert answers == [404] * 4


async def test_an_old_score_is_told_as_the_former_one(
    database: Database, noon: datetime, desk: FullDesk, reader: Reader
) -> None:
    await reader.send("/firm/profile/score", {}, shown_on="/firm/profile")
    async with a_reader(database, desk.firm, now=noon + timedelta(days=93)) as later:
        page, home = await later.read("/firm/profile"), await later.read("/firm")

    assert "您的信用评分已过期" in page
    assert re.search(r"上次评分是 \d+ 分，2025", page)
    assert re.search(r"依据：\d+ 张发票，开票日 20", page)
    assert re.search(r"上次 \d+ 分，已过期", home)


async def test_a_scored_firm_with_nothing_open_is_led_to_asking(reader: Reader, desk: FullDesk) -> None:
    path = f"/firm/demands/{desk.demand.id}"
    await reader.send("/firm/profile/score", {}, shown_on="/firm/profile")
    asking = await reader.read("/firm/profile")
    await reader.send(f"{path}/withdraw", {"sure": "yes"}, shown_on=path)
    done = await reader.read("/firm/profile")

    primary = re.compile(r'class="btn btn-primary btn-main"[^>]*>([^<]+)<')
    assert (primary.findall(asking), primary.findall(done)) == ([], ["提出融资需求"])
    assert "重新评分" in done


async def test_the_firm_sees_who_read_its_data(reader: Reader) -> None:
    await reader.read("/firm/profile")
    page = await reader.read("/firm/looks")

    assert "查看信用画像" in page
    assert "本企业" in page


async def test_a_bank_does_not_enter_a_firms_desk(database: Database, noon: datetime, desk: FullDesk) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lender = await a_lender(session, now=noon)
    async with a_reader(database, lender.maker, now=noon) as officer:
        answers = [(await officer.client.get(path)).status_code for path in ("/firm", "/firm/profile", "/firm/loans")]
        foreign = await officer.client.get(f"/firm/offers/{desk.offers[0].id}")

    assert answers == [403, 403, 403]
    assert foreign.status_code == 403


async def test_the_profile_tells_by_item_what_records_say_and_what_it_means(
    reader: Reader, desk: FullDesk, database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        agency = await an_agency(session, now=noon)
        firm = (await parties.parties_by_id(session, [desk.firm.organisation_id]))[PartyId(desk.firm.organisation_id)]
        row = a_record("judgment", str(firm.credit_code), role="defendant", claimed_yuan="1200.00")
        await sources.receive_rows(session, agency, [row], kind=DeliveryKind.JUDGMENT, now=noon)

    page = await reader.read("/firm/profile")

    group = page[page.index('id="records-judgment"') :]
    assert "裁判文书</h3>" in group
    assert re.search(r"作为被告的裁判文书<br>.*?近24个月.*?<td class=\"text-end\">1</td>", group, re.DOTALL)
    assert "1,200.00 元" in group
    assert 'id="records-electricity"' not in page
