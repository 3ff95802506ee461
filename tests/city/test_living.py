"""The city as processes: a month skipped, a bank stopped, a city killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from builders_town import START, Town

from city.clock import Mode
from city.living.flowing import SKIPPED_DAYS, skip_month

SOURCE = Path(__file__).resolve().parents[2] / "src"
WAIT_SECONDS = 120


@pytest.mark.parametrize("town", [Mode.LIVE], indirect=True)
async def test_a_skipped_month_is_lived_day_by_day_and_time_goes_on_as_before(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("city.living.flowing.SKIP_PAUSE_SECONDS", 0.0)
    await town.control("/clock", act="run", rate=14_400)
    days: list[str] = []
    move_to = town.city.clock.move_to
    monkeypatch.setattr(town.city.clock, "move_to", lambda at: (days.append(f"{at:%m-%d}"), move_to(at)))

    await skip_month(town.city)

    assert len(set(days)) == len(days) == SKIPPED_DAYS
    assert town.city.clock.now() >= START + timedelta(days=SKIPPED_DAYS)
    assert town.city.clock.line.rate == 14_400


@pytest.fixture
def served(tmp_path: Path) -> Generator[tuple[subprocess.Popen[bytes], httpx2.Client]]:
    """Serve a living city in a process of its own, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "city", "serve", "--home", str(tmp_path), "--port", str(port), "--firms", "20"]
    environment = {**os.environ, "CITY_CONTROL_TOKEN": "token", "PYTHONPATH": str(SOURCE)}
    process = subprocess.Popen(command, env=environment)
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        until(lambda: answers(client))
        yield process, client
    process.kill()
    process.wait()


def answers(client: httpx2.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx2.TransportError:
        return False


def until(is_so: object) -> None:
    end = time.monotonic() + WAIT_SECONDS
    assert callable(is_so)
    while not is_so():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.1)


def children_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return "gone"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_one_bank_can_be_stopped_alone_and_a_killed_city_leaves_nothing_behind(
    served: tuple[subprocess.Popen[bytes], httpx2.Client],
) -> None:
    process, client = served
    (bank,) = children_of(process.pid)

    os.kill(bank, signal.SIGSTOP)
    client.post("/clock", json={"act": "run"}, headers={"Authorization": "Bearer token"})
    goes_on = client.get("/clock").json()["rate"]
    stopped = state_of(bank)
    os.kill(bank, signal.SIGCONT)
    process.kill()
    until(lambda: state_of(bank) in {"gone", "Z"})

    assert (goes_on, stopped) == (1440, "T")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_city_is_small(served: tuple[subprocess.Popen[bytes], httpx2.Client]) -> None:
    process, client = served
    client.get("/registry/firms")

    pids = [process.pid, *children_of(process.pid)]
    rows = [Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8") for pid in pids]
    kilobytes = sum(int(line.split()[1]) for text in rows for line in text.splitlines() if line.startswith("Pss:"))

    assert kilobytes < 350 * 1024


def test_a_city_without_a_control_token_does_not_start(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CITY_CONTROL_TOKEN"}

    ended = subprocess.run(
        [sys.executable, "-m", "city", "serve", "--home", str(tmp_path)],
        env={**environment, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        check=False,
    )

    assert ended.returncode == 1
    assert b"CITY_CONTROL_TOKEN" in ended.stderr


def test_the_truth_is_told_by_the_command_only(tmp_path: Path) -> None:
    file = tmp_path / "truth.csv"

    subprocess.run(
        [sys.executable, "-m", "city", "truth", "--seed", "1", "--firms", "6", "--out", str(file)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        check=True,
    )
    lines = file.read_text(encoding="utf-8").splitlines()

    assert lines[0] == "credit_code,quality_micro,is_hollow,month,monthly_pd_ppm,notice"
    assert len(lines) == 1 + 6 * 24
    assert all(0 <= int(line.split(",")[4]) <= 1_000_000 for line in lines[1:])
