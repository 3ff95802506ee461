"""The operator's desk: what is broken first, retries with a reason, two people for a model, nobody else's business."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs

import asyncpg
import httpx
import pytest
from builders_bank_desks import a_fund_desk
from builders_databases import Database, a_furnished_clone
from builders_desks import Reader, a_reader
from builders_operations import JOB, OperatorsDesk, a_colleague, an_operators_desk, retries_of
from builders_parties import a_firm, a_fund
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import text

from xinyidai.access.rules import Role, Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.app import create_app
from xinyidai.foundation.city_clock import CityClock, ClockLine
from xinyidai.foundation.clock import business_date, wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.embedded import PostgresServer, start_valkey
from xinyidai.foundation.heartbeats import KEY, Heart
from xinyidai.foundation.pages.rendering import environment
from xinyidai.foundation.pages.words import Language
from xinyidai.foundation.progress import Progress
from xinyidai.foundation.timetable import jobs
from xinyidai.operations.rules import GRACE
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.risk_sharing import service as claiming
from xinyidai.sources.rules.pulls import PullSource
from xinyidai.worker import load_rooms

DELIVERIES = "/operator/deliveries"
RETRY_JOB = f"/operator/jobs/{JOB}/retry"
WHY: dict[str, str | list[str]] = {"reason": "cause_mended"}


@pytest.fixture
async def furnished(cluster: PostgresServer, noon: datetime) -> AsyncGenerator[tuple[Database, OperatorsDesk]]:
    async with a_furnished_clone(cluster, an_operators_desk, now=noon) as made:
        yield made


@pytest.fixture
def database(furnished: tuple[Database, OperatorsDesk]) -> Database:
    return furnished[0]


@pytest.fixture
def desk(furnished: tuple[Database, OperatorsDesk]) -> OperatorsDesk:
    return furnished[1]


@pytest.fixture
async def maker(database: Database, desk: OperatorsDesk) -> AsyncGenerator[Reader]:
    async with a_reader(database, desk.maker, now=desk.at) as reader:
        yield reader


@pytest.fixture
async def checker(database: Database, desk: OperatorsDesk) -> AsyncGenerator[Reader]:
    async with a_reader(database, desk.checker, now=desk.at) as reader:
        yield reader


async def test_home_names_what_is_broken_first_and_what_waits(maker: Reader) -> None:
    page = await maker.read("/operator")

    broken = page.index('已停止重试的投递</a> <span class="tag tag-bad">2</span>')
    assert "类故障需要立即处理" in page
    assert "消息代理没有响应" in page
    assert broken < page.index('待第二人发布的模型</a> <span class="tag tag-wait">1</span>')
    assert '超过平常间隔未送数据的来源</a> <span class="tag tag-bad">1</span>' in page
    assert '待人工复核的评分</a> <span class="tag tag-wait">1</span>' in page
    assert '近 30 天有行因差错被隔离的数据批次</a> <span class="tag tag-wait">4</span>' in page


@pytest.mark.parametrize("person", ["bank", "fund", "firm"])
async def test_nobody_else_comes_to_this_desk(
    database: Database, noon: datetime, desk: OperatorsDesk, person: str
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        people: dict[str, Viewer] = {
            "bank": desk.bank.maker,
            "fund": (await a_fund(session, now=noon)).maker,
            "firm": await a_firm(session, now=noon),
        }

    async with a_reader(database, people[person], now=desk.at) as reader:
        answers = {path: (await reader.client.get(path)).status_code for path in desk.pages}

    assert set(answers.values()) == {403}


async def test_the_city_is_shown_in_a_sandbox_only(database: Database, desk: OperatorsDesk, maker: Reader) -> None:
    shown = await maker.read("/operator/city")
    app = create_app(database.settings, database.app)

    assert "没有连接模拟城市" in shown
    assert not [route.path for route in app.routes if route.path == "/operator/city"]


async def test_an_error_that_looks_like_a_script_is_only_text(maker: Reader, desk: OperatorsDesk) -> None:
    listed = await maker.client.get(DELIVERIES)
    asked = await maker.client.get(f"{DELIVERIES}/{desk.given_up}/retry")

    for answer in (listed, asked):
        assert "&lt;script&gt;alert(1)" in answer.text
        assert "<script>alert(1)" not in answer.text


async def test_a_delivery_is_retried_with_a_reason_once_however_often_it_is_pressed(
    maker: Reader, desk: OperatorsDesk, admin: asyncpg.Connection
) -> None:
    path = f"{DELIVERIES}/{desk.given_up}/retry"
    without = await maker.send(path, {})
    first = await maker.send(path, WHY)
    sent = {"form_token": token_of(first), "reason": "cause_mended"}
    again = await maker.client.post(path, data=sent)
    state = await admin.fetchval("SELECT state FROM foundation.outbox_delivery WHERE id = $1", desk.given_up)

    assert (without.status_code, "请选择重试的原因" in without.text) == (422, True)
    assert (first.status_code, first.headers["location"]) == (303, DELIVERIES)
    assert (again.status_code, again.headers["location"]) == (303, DELIVERIES)
    assert state == "waiting"
    assert await retries_of(admin) == [("operations.delivery_retried", str(desk.given_up), "cause_mended")]


def token_of(answer: httpx.Response) -> str:
    return parse_qs(answer.request.content.decode())["form_token"][0]


async def test_all_given_up_deliveries_and_a_job_are_retried(
    maker: Reader, desk: OperatorsDesk, admin: asyncpg.Connection
) -> None:
    all_of_them = await maker.send(f"{DELIVERIES}/retry", WHY)
    nothing_left = await maker.send(f"{DELIVERIES}/retry", WHY, shown_on=f"{DELIVERIES}/{desk.failed}/retry")
    listed = await maker.read("/operator/jobs")
    job = await maker.send(RETRY_JOB, WHY | {"period": "2025-06-15"})

    assert "OSError" in listed
    assert (all_of_them.status_code, job.status_code) == (303, 303)
    assert (nothing_left.status_code, "没有可重试的内容" in nothing_left.text) == (422, True)
    assert [act for act, _what, _why in await retries_of(admin)] == ["operations.delivery_retried"] * 2 + [
        "operations.job_retried"
    ]


async def test_retries_are_for_officers_and_for_forms_of_this_page(
    maker: Reader, checker: Reader, desk: OperatorsDesk, admin: asyncpg.Connection
) -> None:
    path = f"{DELIVERIES}/{desk.given_up}/retry"
    by_approver = await checker.client.post(path, data=WHY)
    without_token = await maker.client.post(path, data=WHY)
    from_elsewhere = await maker.client.post(path, data=WHY, headers={"Sec-Fetch-Site": "cross-site"})

    assert (by_approver.status_code, without_token.status_code, from_elsewhere.status_code) == (403, 422, 403)
    assert await retries_of(admin) == []


async def test_a_model_is_released_by_another_person_than_who_proposed_it(
    database: Database, checker: Reader, maker: Reader, desk: OperatorsDesk
) -> None:
    path = f"/operator/models/{desk.model}"
    async with a_reader(database, desk.alone, now=desk.at) as alone:
        own = await alone.read(path)
        refused = await alone.send(f"{path}/release", {"checked": "yes"}, shown_on=f"{DELIVERIES}/retry")
    by_officer = await maker.client.post(f"{path}/release", data={"checked": "yes"})
    unread = await checker.send(f"{path}/release", {}, shown_on=path)
    released = await checker.send(f"{path}/release", {"checked": "yes"}, shown_on=path)
    after = await checker.read("/operator/models")

    assert "须由另一位有复核权限的同事发布" in own
    assert (refused.status_code, "经办人与复核人不能是同一人" in refused.text) == (422, True)
    assert (by_officer.status_code, unread.status_code) == (403, 422)
    assert released.headers["location"] == path
    assert after.count("使用中</span>") == 1
    assert "alone" in after


async def test_a_review_is_answered_and_a_code_approved_by_the_second(
    database: Database, maker: Reader, checker: Reader, desk: OperatorsDesk
) -> None:
    review, approve = f"/operator/reviews/{desk.review_id}", f"/operator/reviews/codes/{desk.exception_id}/approve"
    waiting = await maker.read("/operator/reviews")
    read = await maker.read(review)
    empty = await maker.send(review, {"answer": "upheld"})
    answered = await maker.send(review, {"answer": "upheld", "note": "已核对原始发票"})
    async with a_reader(database, desk.alone, now=desk.at) as alone:
        own = await alone.send(approve, {}, shown_on=f"{DELIVERIES}/retry")
    approved = await checker.send(approve, {}, shown_on="/operator/reviews")
    after = await checker.read("/operator/reviews")

    assert "四月的作废系软件故障" in waiting
    assert "四月的作废系软件故障" in read
    assert empty.status_code == 422
    assert answered.headers["location"] == approved.headers["location"] == "/operator/reviews"
    assert (own.status_code, "经办人与复核人不能是同一人" in own.text) == (422, True)
    assert "没有待批准的例外" in after
    assert "您没有经办权限" in after


async def test_people_and_keys_are_for_administrators_and_a_key_is_revoked(
    maker: Reader, checker: Reader, desk: OperatorsDesk
) -> None:
    path = f"/operator/institutions/{desk.bank.id}"
    listed = await maker.read("/operator/institutions")
    shown = await maker.read(path)
    refused = await checker.client.get(path)
    has_one = await maker.send(f"{path}/invitations", {"email": "x@bank.example"}, shown_on=path)
    revoked = await maker.send(f"{path}/keys/{desk.key_id}/revoke", {}, shown_on=path)
    after = await maker.read(path)

    assert path in listed
    assert "new@bank.example" in shown
    assert "核心系统" in shown
    assert (refused.status_code, has_one.status_code) == (403, 422)
    assert revoked.headers["location"] == path
    assert "已停用" in after


async def test_sources_say_who_is_behind_and_why_rows_were_set_aside(maker: Reader, desk: OperatorsDesk) -> None:
    listed = await maker.read("/operator/sources")
    sender = await maker.read(f"/operator/sources/{desk.agency_id}")
    platform = await maker.read(f"/operator/sources/{PLATFORM_ID}")

    assert "滞后" in listed
    assert "对方暂时没有应答" in listed
    assert listed.count("未接入") == len(PullSource)
    assert "未登记的企业" in listed
    assert sender.count("未登记的企业") == 4
    assert "重复行是平台已有的数据，无需处理。" in sender
    assert "<h1>平台读取到的数据批次</h1>" in platform
    assert "由报送方查看和更正" not in platform


async def test_sources_say_what_became_of_daily_files_in_both_languages(
    maker: Reader, desk: OperatorsDesk, database: Database
) -> None:
    before = await maker.read("/operator/sources")
    connection = await asyncpg.connect(database.admin_dsn)
    today = business_date(desk.at)
    await connection.execute(
        "INSERT INTO sources.sent_list (day, tries, named, refused, digest, sent_at) VALUES ($1, 1, 12, 1, '', $2)",
        today,
        desk.at,
    )
    await connection.execute(
        "INSERT INTO sources.day_file (day, item_code, state, reason, tries, touched_at, received, discarded, digest)"
        " VALUES ($1, 'social_insurance', 'refused', 'digest_wrong', 8, $2, NULL, NULL, NULL),"
        " ($1, 'housing_fund', 'loaded', NULL, 1, $2, 36, 3, '')",
        today,
        desk.at,
    )
    await connection.close()

    after = await maker.read("/operator/sources")

    assert "每日文件" not in before
    assert "名单已报送（12 户，其中 1 户对方不认可）" in after
    assert "文件不完整；未保存任何内容" in after
    assert "名单外的行已计数并丢弃，未读取" in after


async def test_home_says_which_process_is_silent_and_which_was_never_heard(
    database: Database, desk: OperatorsDesk, tmp_path: Path
) -> None:
    with start_valkey(tmp_path) as broker:
        Heart(broker.url(), "beat@here", file=None).beat()
        with Redis.from_url(broker.url()) as client:
            client.zadd(KEY, {"worker@there": wall_now().timestamp() - 90})
        heard = replace(database, settings=database.settings.model_copy(update={"broker_url": SecretStr(broker.url())}))
        async with a_reader(heard, desk.maker, now=desk.at, started_at=wall_now() - GRACE) as reader:
            page = await reader.read("/operator")
            listed = (await reader.client.get("/api/v1/operations/processes")).json()

    assert '进程心跳异常</a> <span class="tag tag-bad">2</span>' in page
    assert "正在启动" not in page
    assert (listed["starting"], listed["missing"]) == ([], ["web"])
    assert page.index("there") < page.index("沉默")
    assert "一小时内没有心跳" in page
    assert page.count("定时器") == 1


async def test_a_process_that_was_not_heard_yet_is_starting_at_first(
    database: Database, desk: OperatorsDesk, tmp_path: Path
) -> None:
    with start_valkey(tmp_path / "valkey") as broker:
        update = {"broker_url": SecretStr(broker.url()), "xinyidai_home": tmp_path}
        fresh = replace(database, settings=database.settings.model_copy(update=update))
        async with a_reader(fresh, desk.maker, now=desk.at) as reader:
            page = await reader.read("/operator")
            listed = (await reader.client.get("/api/v1/operations/processes")).json()
        async with a_reader(fresh, desk.maker, now=desk.at, started_at=wall_now() - GRACE) as reader:
            Progress(tmp_path)
            seeding = await reader.read("/operator")

    assert page.count('<span class="tag tag-plain">正在启动</span>') == 3
    assert '进程心跳异常</a> <span class="tag tag-good">0</span>' in page
    assert (listed["starting"], listed["missing"]) == (["web", "worker", "beat"], [])
    assert seeding.count("正在启动") == 3


@pytest.mark.parametrize("language", Language)
def test_every_job_has_a_name_in_words_and_periods_read_as_times(language: Language) -> None:
    words = environment(language).get_template("desks/operator_labels.html").module
    load_rooms()

    named = {job.name: str(words.job_name(job.name)) for job in jobs()}  # type: ignore[attr-defined]
    periods = [str(words.period_name(one)) for one in ("2025-06-15T07:05", "2025-06-15T07", "2025-06-15", "2025-06")]  # type: ignore[attr-defined]

    assert "ledger.check_books" in named
    assert [code for code, name in named.items() if name == code] == []
    assert periods == ["2025-06-15 07:05", "2025-06-15 07:00", "2025-06-15", "2025-06"]


async def test_the_operator_sees_what_lies_at_funds(database: Database, noon: datetime) -> None:
    fund = await a_fund_desk(database, now=noon)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=fund.at)
        await claiming.file_claim(session, fund.lender.maker, fund.overdue.id, now=fund.at)
        checker = await a_colleague(session, "watcher", Role.APPROVER, now=fund.at)

    async with a_reader(database, checker, now=fund.at) as reader:
        home = await reader.read("/operator")
        waiting = await reader.read("/operator/reviews")

    assert '等待资金方处理的代偿申请</a> <span class="tag tag-wait">1</span>' in home
    assert "待初审" in waiting


async def test_the_city_says_what_its_time_waits_for(database: Database, desk: OperatorsDesk) -> None:
    clock = CityClock("http://127.0.0.1:1")
    line = ClockLine(wall_now(), desk.at, 0.0, 3_600_000, "live", is_paused=True, waits_for="person")
    clock.follow(line)
    async with a_reader(database, desk.maker, now=desk.at, clock=clock) as reader:
        waits = await reader.read("/operator/city")
        clock.follow(replace(line, rate=14_400.0, is_paused=False, waits_for=None))
        runs = await reader.read("/operator/city")

    assert "时间暂停，等人处理" in waits
    assert "时间以 10 倍速运行" in runs
    assert "时间不必等待" in runs


async def test_quality_tells_pass_rates_leads_to_the_rules_and_can_be_taken_away(
    database: Database, maker: Reader, desk: OperatorsDesk
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=desk.at)
        await session.execute(
            text(
                "INSERT INTO quality.judged_delivery (delivery_no, delivery_id, sender_id, item_code, received_at,"
                " received, judged, failed, refused, unknown_firm, judged_at)"
                " VALUES (77, gen_random_uuid(), :sender, 'vat_invoice', :at, 100, 90, 9, 6, 3, :at)"
            ),
            {"sender": desk.agency_id, "at": desk.at},
        )
        await session.execute(
            text("INSERT INTO quality.count VALUES (77, 'vat_invoice.total', 1, :sender, 90, 9)"),
            {"sender": desk.agency_id},
        )
    month = f"{desk.at:%Y-%m}"

    shown = await maker.read("/operator/quality")
    path = f"/operator/quality/vat_invoice/{desk.agency_id}/{month}"
    rules = await maker.read(path)
    taken = await maker.client.get("/operator/quality/files/csv")
    book = await maker.client.get("/operator/quality/files/xlsx")
    odd = await maker.client.get("/operator/quality?from_month=2025-13")
    unknown = await maker.client.get(f"/operator/quality/weather/{desk.agency_id}/{month}")

    assert path in shown
    assert "84.38%" in shown
    assert "84.3750" in taken.text
    assert "价税合计等于金额加税额" in rules
    assert "增值税发票" in taken.text
    assert book.content[:2] == b"PK"
    assert (odd.status_code, unknown.status_code) == (422, 404)
