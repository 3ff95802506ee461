"""A living demo for tests: a launcher in a process of its own, with home and ports of its own, and who walks in it."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from subprocess import Popen
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import asyncpg
from builders_pages import Watched
from builders_processes import Processes, answers, wait_until
from playwright.async_api import Page

from xinyidai.cli.demo.neighbours import free_port
from xinyidai.foundation.embedded import attach

FIRMS = 40
SEED = 1
READY_SECONDS = 240
STEP_SECONDS = 120
"""The longest that a person waits for bots or for the worker, also on a machine that has much else to do."""
SKIP_SECONDS = 400
MONTH_DAYS = 28
OURS = ("DATABASE_URL", "BROKER_URL", "CITY_URL", "CITY_CONTROL_TOKEN", "TAX_CLIENT_ID", "TAX_CLIENT_SECRET")

Rows = list[tuple[object, ...]]


@dataclass
class Living:
    """A demo that was started for a test."""

    home: Path
    firms: int = FIRMS
    port: int = field(default_factory=free_port)
    city_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.url = f"http://127.0.0.1:{self.port}"
        self.city_url = f"http://127.0.0.1:{self.city_port}"
        self.environment = {name: value for name, value in os.environ.items() if name not in OURS}
        self.environment["XINYIDAI_HOME"] = str(self.home)
        self.processes = Processes(self.home, self.environment)

    @property
    def database(self) -> str:
        """Return the name of its database."""
        return f"demo_{SEED}_{self.firms}"

    @property
    def city_host(self) -> str:
        """Return the host and port of the tax office."""
        return urlsplit(self.city_url).netloc

    def start(self) -> Popen[bytes]:
        """Start the launcher and wait until the city lives."""
        (self.home / "progress.json").unlink(missing_ok=True)
        ports = ["--port", str(self.port), "--city-port", str(self.city_port)]
        size = ["--seed", str(SEED), "--firms", str(self.firms)]
        launcher = self.processes.start("demo", "-P", "-m", "xinyidai", "demo", *size, *ports)
        wait_until(
            lambda: launcher.poll() is not None or (self._is_ready() and answers(f"{self.url}/health/live")),
            seconds=READY_SECONDS,
            what="the city lives",
        )
        assert launcher.poll() is None, self.processes.said("demo")[-2000:]
        return launcher

    def stop(self) -> None:
        """End the launcher in order, and with it everybody that it started."""
        self.processes.stop("demo")

    def said(self) -> str:
        """Return what the launcher and its children have written."""
        return self.processes.said("demo")

    def ask(self, statement: str) -> Rows:
        """Return the rows of a query, as the superuser."""
        return asyncio.run(self.asked(statement))

    async def asked(self, statement: str) -> Rows:
        """Return the rows of a query, as the superuser."""
        server = attach(self.home / "postgres")
        assert server is not None, "the launcher runs the server"
        connection = await asyncpg.connect(server.dsn(self.database))
        try:
            return [tuple(row.values()) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    async def asked_until(self, statement: str, holds: Callable[[Rows], bool]) -> Rows:
        """Return the rows of a query once a statement holds of them."""
        give_up_at = time.monotonic() + SKIP_SECONDS
        rows = await self.asked(statement)
        while not holds(rows):
            assert time.monotonic() < give_up_at, rows
            await asyncio.sleep(1)
            rows = await self.asked(statement)
        return rows

    def now(self) -> datetime:
        """Return the business time at which the city's line was last moved."""
        return datetime.fromisoformat(str(self.clock()["business_anchor"]))

    def clock(self) -> dict[str, object]:
        """Return what the city says of its clock."""
        with urlopen(f"{self.city_url}/clock", timeout=30) as answer:  # noqa: S310 - loopback
            found: dict[str, object] = json.load(answer)
        return found

    def pid_of(self, *words: str) -> int:
        """Return the one process of this demo whose command has these words in this order."""
        found = [pid for pid, command in _commands() if _has(command, words) and self._is_ours(pid)]
        assert len(found) == 1, (words, found)
        return found[0]

    def _is_ours(self, pid: int) -> bool:
        try:
            return f"XINYIDAI_HOME={self.home}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return False

    def _is_ready(self) -> bool:
        try:
            return bool(json.loads((self.home / "progress.json").read_text(encoding="utf-8"))["state"] == "ready")
        except (OSError, ValueError, KeyError):
            return False


def tell_clock(living: Living, **fields: str) -> None:
    """Press a button of the clock bar."""
    body = "&".join(f"{name}={value}" for name, value in (fields | {"back": "/health/live"}).items())
    urlopen(Request(f"{living.url}/sandbox/clock", data=body.encode()), timeout=30).close()  # noqa: S310 - loopback


def skip_a_month(living: Living) -> None:
    """Run thirty days as fast as everybody can act, and wait until they have passed."""
    before = living.now()
    tell_clock(living, word="skip_month")
    wait_until(lambda: (living.now() - before).days >= MONTH_DAYS, seconds=SKIP_SECONDS, what="a month passes")
    wait_until_time_flows(living)


def wait_until_time_flows(living: Living) -> None:
    """Wait until no month is being skipped, nor anybody waited for."""
    wait_until(lambda: not living.clock()["is_paused"], seconds=SKIP_SECONDS, what="time flows")


def wanted_by(today: datetime) -> str:
    """Return a day five weeks on, as a form takes it."""
    return (today + timedelta(days=35)).date().isoformat()


@contextmanager
def a_living_demo(home: Path, *, firms: int = FIRMS) -> Generator[Living]:
    """Start a demo, and end it with everybody that it started, however the test ends."""
    living = Living(home, firms)
    try:
        launcher = living.start()
        yield living
        if launcher.poll() is None and "demo" in living.processes.running:
            living.stop()
    finally:
        living.processes.end_all()


def _commands() -> list[tuple[int, list[str]]]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append((int(path.parent.name), path.read_bytes().decode("utf-8", "replace").split("\0")))
        except OSError:
            continue
    return found


def _has(command: list[str], words: tuple[str, ...]) -> bool:
    return any(tuple(command[place : place + len(words)]) == words for place in range(len(command)))


@dataclass
class Walker:
    """A person with a browser in a living demo; every page that is seen is looked over."""

    watched: Watched
    found: dict[str, list[str]] = field(default_factory=dict)

    @property
    def page(self) -> Page:
        """Return the browser's page."""
        return self.watched.page

    async def enter(self, card: str, person: str) -> None:
        """Sign in with one click on a card of the start page."""
        await self.watched.open("/")
        of_kind = self.page.get_by_role("heading", name=card, exact=True)
        await self.page.locator("section.card", has=of_kind).get_by_role("button", name=person).click()
        await self.look_over("home")

    async def follow(self, link: str) -> None:
        """Follow a link by its words, the first of several."""
        await self.page.get_by_role("link", name=link).first.click()
        await self.page.wait_for_load_state("load")

    async def open_row(self, path: str, words: str) -> None:
        """Wait until a table has a row with these words, and follow the row's link."""
        await self.until(path, words, where="tbody")
        await self.look_over(words)
        await self.page.get_by_role("row").filter(has_text=words).get_by_role("link").first.click()
        await self.page.wait_for_load_state("load")

    async def press(self, button: str, *, is_exact: bool = True) -> None:
        """Press a button by its words, or the first that has them among others."""
        await self.page.get_by_role("button", name=button, exact=is_exact).first.click()
        await self.page.wait_for_load_state("load")

    async def look_over(self, name: str) -> None:
        """Note what is wrong with the page as it stands."""
        await self.watched.picture(f"journey-{name}")
        self.found[name] = await self.watched.faults()

    async def until(self, path: str, words: str, *, where: str = "main") -> None:
        """Open a page again and again until a part of it says these words."""
        give_up_at = time.monotonic() + STEP_SECONDS
        await self.watched.page.goto(self.watched.url + path, wait_until="load")
        while words not in "".join(await self.page.locator(where).all_inner_texts()):
            assert time.monotonic() < give_up_at, (words, await self.page.locator("main").inner_text())
            await asyncio.sleep(0.5)
            await self.page.goto(self.watched.url + path, wait_until="load")

    def faults(self) -> dict[str, list[str]]:
        """Return the pages on which something was wrong, and what the browser complained of."""
        faults = {name: found for name, found in self.found.items() if found}
        return faults | ({"complaints": self.watched.complaints} if self.watched.complaints else {})


async def ask_for_finance(walker: Walker, *, only_bank: str = "", wanted_by: str) -> None:
    """Go a firm's way from its first sign-in to the check of its answers."""
    page = walker.page
    await walker.follow("去授权")
    await walker.follow("只勾选申请融资必需的项目")
    await walker.look_over("authorise")
    for box in await page.get_by_role("group", name="谁可以查询").get_by_role("checkbox").all() if only_bank else []:
        await box.uncheck()
    for receiver in ("平台运营机构", only_bank) if only_bank else ():
        await page.get_by_label(receiver).check()
    await page.get_by_label("我已阅读所选目的的授权文本").check()
    await walker.press("同意授权")
    await walker.follow("前往税务部门授权")
    await walker.press("同意")
    await page.get_by_role("heading", name="数据已获取").wait_for(timeout=STEP_SECONDS * 1000)
    await walker.look_over("data")
    await walker.follow("查看信用画像")
    await walker.press("计算评分")
    await walker.look_over("profile")
    await walker.follow("提出融资需求")
    await page.get_by_label("采购原材料").check()
    await page.get_by_label("2. 需要多少？").fill("20")
    await page.get_by_label("3. 用多久？").fill("12")
    await page.get_by_label("等额本息").check()
    await page.get_by_label("4. 最迟哪天要用？").fill(wanted_by)
    await page.get_by_label("我声明资金用途合法合规").check()
    await walker.look_over("demand")
    await walker.press("下一步：核对")
    await walker.look_over("check")


async def choose_banks(walker: Walker, most: int = 3) -> None:
    """Choose from the indications, under the written authority."""
    await walker.follow("比较意向")
    boxes = await walker.page.get_by_role("group", name="选择银行").get_by_role("checkbox").all()
    for box in boxes[:most]:
        await box.check()
    await walker.page.get_by_label("我已阅读授权书").check()
    await walker.look_over("indications")
    await walker.press("选择并授权")


async def accept_an_offer(walker: Walker) -> None:
    """Take the first offer."""
    await walker.follow("比较报价")
    await walker.look_over("offers")
    await walker.follow("查看并选择")
    await walker.page.get_by_label("我已阅读金额、利率和还款计划").check()
    await walker.look_over("offer")
    await walker.press("接受报价")


async def hurry(walker: Walker) -> None:
    """Let the time run ten times as fast, by the bar at the top of a phone's page."""
    await walker.page.locator("summary", has_text="时钟").click()
    await walker.page.locator(".strip-narrow").get_by_role("button", name="速度 ×10").click()
    await walker.page.wait_for_load_state("load")


async def act_for_another_firm(walker: Walker) -> None:
    """Go on for the next firm of the same owner."""
    await walker.watched.open("/organisations")
    await walker.press("切换", is_exact=False)


async def consent_to(walker: Walker, office: str) -> None:
    """Let the platform use what an office has, then tell the office; from the card of the office and back to it."""
    await walker.watched.open("/firm/data")
    await walker.follow(f"先在平台授权 {office}")
    await walker.page.get_by_label("我已阅读所选目的的授权文本").check()
    await walker.look_over(f"authorise-{office}")
    await walker.press("同意授权")
    await walker.follow(f"前往{office}授权")
    await walker.press("同意")


async def dispute_an_invoice(walker: Walker, text: str) -> tuple[str, str]:
    """Point at the newest invoice and return its number and the address of the objection."""
    await walker.watched.open("/firm/data")
    await walker.follow("发现有误？提出异议")
    await walker.look_over("choose-record")
    number = await walker.page.locator("ul.tasks strong").first.inner_text()
    await walker.follow(f"这条不对 {number}")
    await walker.page.get_by_label("金额不对").check()
    await walker.page.get_by_label("说明").fill(text)
    await walker.look_over("object")
    await walker.press("提交异议")
    return number, walker.page.url.removeprefix(walker.watched.url)


async def answer_for_the_source(walker: Walker, yuan: dict[str, str]) -> None:
    """Take the oldest open objection, ask its source, and write down the amounts that are right."""
    await walker.open_row("/operator/objections", "增值税发票")
    await walker.press("受理")
    await walker.press("向来源核实")
    await walker.page.get_by_label("更正记录").check()
    for label, amount in yuan.items():
        await walker.page.get_by_label(label, exact=True).fill(amount)
    await walker.look_over("answer")
    await walker.press("登记核实结果")


async def revoke_consent(walker: Walker, items: str) -> None:
    """Take back the consent that names these items."""
    await walker.watched.open("/firm/consents")
    await walker.look_over("consents")
    await walker.page.get_by_role("listitem").filter(has_text=items).get_by_role("link").click()
    await walker.page.wait_for_load_state("load")
    await walker.page.get_by_label("我了解以上影响").check()
    await walker.look_over("revoke")
    await walker.press("撤回授权")


async def read_again(walker: Walker, office: str) -> tuple[int, str]:
    """Come back from an office with a number, as a page that was left open would; return the platform's answer."""
    request = walker.page.context.request
    left = await request.get(f"{walker.watched.url}/firm/data/authorise/{office}", max_redirects=0)
    state = parse_qs(urlsplit(left.headers["location"]).query)["state"][0]
    told = {"state": state, "reference": "SDQ0000000000000001"}
    answer = await request.get(f"{walker.watched.url}/firm/data/return/{office}", params=told)
    return answer.status, await answer.text()


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to one process of a demo."""
    os.kill(pid, number)
