"""What a living demo does when parts of it are killed, stopped or run out of room. Long: each lives for minutes."""

import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from builders_desks import id_in
from builders_living import (
    Living,
    Walker,
    a_living_demo,
    ask_for_finance,
    kill,
    skip_a_month,
    tell_clock,
    wait_until_time_flows,
    wanted_by,
)
from builders_pages import a_page, needs_chromium
from builders_processes import ROOT, answers, wait_until
from playwright.async_api import Browser

from xinyidai.cli.demo.live import DISK_FULL

pytestmark = pytest.mark.long

STOPPED = "模拟山城银行股份有限公司"
DOUBLED = "SELECT offer_id FROM loans.loan GROUP BY offer_id HAVING count(*) > 1"
COUNTS = """
SELECT (SELECT count(*) FROM demands.demand), (SELECT count(*) FROM matching.dispatch),
       (SELECT count(*) FROM loans.loan), (SELECT count(*) FROM ledger.journal)
"""
TMPFS = """
mount -t tmpfs -o size=340m none "$HOME_OF_DEMO" || exit 99
cd "$PROJECT"
XINYIDAI_HOME="$HOME_OF_DEMO/home" "$PYTHON" -P -m xinyidai demo --firms 40 --port "$PORT" --city-port "$CITY_PORT" &
demo=$!
until grep -q registered "$HOME_OF_DEMO/home/progress.json" 2> /dev/null; do
    sleep .1
    kill -0 $demo || exit 98
done
dd if=/dev/zero of="$HOME_OF_DEMO/filler" bs=1M 2> /dev/null
wait $demo
"""


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Generator[Living]:
    """Return one living city for the module; every test leaves it alive."""
    with a_living_demo(tmp_path_factory.mktemp("faults"), firms=80) as started:
        yield started


def verified(living: Living) -> str:
    """Return what `verify` says; it must find nothing."""
    command = [sys.executable, "-P", "-m", "xinyidai", "verify"]
    done = subprocess.run(command, env=living.environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_killed_city_is_started_again_and_time_goes_on(living: Living) -> None:
    before = living.now()
    old_bank = living.pid_of("city", "bank")

    kill(living.pid_of("city", "serve"))
    wait_until(lambda: "the city ended with code -9" in living.said(), what="the launcher notices")
    wait_until(lambda: answers(f"{living.city_url}/health"), what="the city answers")
    wait_until(lambda: not Path(f"/proc/{old_bank}").exists(), what="the bank of the killed city ends")
    skip_a_month(living)

    assert living.now() > before
    assert living.pid_of("city", "bank") != old_bank
    assert living.ask(DOUBLED) == []
    verified(living)


@asynccontextmanager
async def a_walker(browser: Browser, living: Living) -> AsyncGenerator[Walker]:
    async with a_page(browser, living, other_hosts=[living.city_host]) as watched:
        yield Walker(watched)


@needs_chromium
async def test_a_stopped_bank_lets_its_days_pass_and_others_are_asked(browser: Browser, living: Living) -> None:
    stopped = living.pid_of("city", "bank")
    kill(stopped, signal.SIGSTOP)

    try:
        async with a_walker(browser, living) as owner:
            await owner.enter("企业", "模拟负责人")
            await ask_for_finance(owner, wanted_by=wanted_by(living.now()))
            await owner.press("提交需求")
            demand_id = id_in(owner.page.url)
            await owner.until("/firm", "家银行给出意向")
            # Of this demand alone: an earlier one the bank may have answered, or be answering when it was stopped.
            sent = (
                "SELECT d.id, d.state FROM matching.dispatch d JOIN parties.party l ON l.id = d.lender_id"
                f" WHERE l.name = '{STOPPED}' AND d.demand_id = '{demand_id}'"
            )
            ((dispatch_id, state),) = await living.asked(sent)
            await owner.page.context.request.post(f"{living.url}/sign-out")
        tell_clock(living, word="skip_month")
        after = await living.asked_until(
            f"SELECT state FROM matching.dispatch WHERE id = '{dispatch_id}'", lambda rows: rows != [("sent",)]
        )
        others = await living.asked(
            f"SELECT indicated_at IS NOT NULL FROM matching.dispatch WHERE demand_id = '{demand_id}'"
        )
    finally:
        kill(stopped, signal.SIGCONT)

    assert state == "sent"
    assert after[0][0] in ("timed_out", "redispatched")
    assert (True,) in others


def test_a_killed_platform_goes_on_where_it_was_and_doubles_nothing(living: Living) -> None:
    wait_until_time_flows(living)
    tell_clock(living, word="skip_month")
    wait_until(lambda: bool(living.ask("SELECT 1 FROM demands.demand LIMIT 1")), seconds=300, what="somebody asks")
    before, counted = living.now(), living.ask(COUNTS)[0]

    living.processes.kill("demo")
    wait_until(lambda: not answers(f"{living.city_url}/health"), what="the others end with the launcher")
    wait_until(lambda: not answers(f"{living.url}/health/live"), what="the pages end")
    living.start()
    resumed = living.now()
    skip_a_month(living)

    after = living.ask(COUNTS)[0]
    assert before <= resumed
    assert (resumed - before).days <= 31
    assert all(int(str(now)) >= int(str(then)) for now, then in zip(after, counted, strict=True))
    assert living.ask(DOUBLED) == []
    assert "kept as a template" not in living.said()[living.said().rindex("Serving on") :]
    verified(living)


def can_mount() -> bool:
    """Say whether a file system of one's own can be mounted here."""
    probe = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    return (
        shutil.which("unshare") is not None and subprocess.run(probe, capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(not can_mount(), reason="needs the right to mount a small disk")
def test_a_disk_that_fills_while_seeding_ends_the_demo_with_a_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    small = Living(tmp_path)
    environment = small.environment | {
        "HOME_OF_DEMO": str(tmp_path),
        "PROJECT": str(ROOT),
        "PYTHON": sys.executable,
        "PORT": str(small.port),
        "CITY_PORT": str(small.city_port),
    }

    command = ["unshare", "-m", "sh", "-c", TMPFS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)

    assert done.returncode == DISK_FULL, done.stderr[-2000:]
    assert "is full" in done.stderr
    assert "Traceback" not in done.stderr
