"""The demo's own pieces: the city's file, progress, children that end with their launcher, sentences for failures."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
import tomllib
from contextlib import AsyncExitStack
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from builders_parties import a_firm, a_sole_trader
from click import ClickException
from conftest import Database

from xinyidai.access.rules import OrganisationKind
from xinyidai.access.service import act_as_platform
from xinyidai.cli.demo.keeping import HALF_MADE, Keeper
from xinyidai.cli.demo.live import DISK_FULL, told
from xinyidai.cli.demo.neighbours import MOST_RESTARTS, CityPlan, Neighbours, Watched, look_after, wait_for
from xinyidai.cli.demo.reading import Firm
from xinyidai.cli.demo.seeding import (
    Actor,
    CityGround,
    OfficeClient,
    Settled,
    firms_for_persons,
    give_to_persons,
    ways_back,
    write_city_file,
)
from xinyidai.cli.story.acting import stage_at
from xinyidai.cli.story.cast import Desk
from xinyidai.cli.surroundings import Connected
from xinyidai.foundation.clock import AnchoredClock, wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.migrating import newest_revision
from xinyidai.foundation.progress import PreparationState, Progress, read_progress, whole_since
from xinyidai.parties import queries
from xinyidai.parties import service as parties
from xinyidai.parties.rules import PLATFORM_ID, PartyId

LAUNCHER = """
import sys, time
from xinyidai.cli.demo.neighbours import Neighbours
child = Neighbours().start(["http.server", "--bind", "127.0.0.1", "0"])
print(child.pid, flush=True)
time.sleep(60)
"""

LEAVING = """
import time
from xinyidai.cli.demo.neighbours import neighbours
with neighbours():
    print(1, flush=True)
    time.sleep(60)
"""


def test_the_citys_file_is_its_owners_alone_and_says_what_was_meant(tmp_path: Path) -> None:
    clients = {
        "tax": OfficeClient("xinyidai", 'a "secret"', ("http://x/back",)),
        "utilities": OfficeClient("meters", "another", ("http://x/back/utilities",)),
    }
    ground = CityGround(7, "live", ("http://127.0.0.1:8000",), clients)
    firm = Actor("91500103000000012N", "firm", "an id", "xyd_test_maker", "", "at the bureau")

    write_city_file(tmp_path / "city.toml", ground, [firm])

    found = tomllib.loads((tmp_path / "city.toml").read_text(encoding="utf-8"))
    assert stat.S_IMODE((tmp_path / "city.toml").stat().st_mode) == 0o600
    assert (found["seed"], found["mode"], found["tax"]["client_secret"]) == (7, "live", 'a "secret"')
    assert found["utilities"] == {
        "client_id": "meters",
        "client_secret": "another",
        "redirect_uris": ["http://x/back/utilities"],
    }
    assert found["actors"] == [
        {
            "credit_code": "91500103000000012N",
            "kind": "firm",
            "party_id": "an id",
            "maker_key": "xyd_test_maker",
            "city_secret": "at the bureau",
        }
    ]
    assert "xyd_test_maker" not in repr(firm)
    assert 'a "secret"' not in repr(ground)


def a_registered(number: int, kind: OrganisationKind, *, has_earlier_loan: bool = False) -> Firm:
    established_on = date(2010 + number, 1, 1)
    return Firm(f"code {number:02d}", f"firm {number}", kind, "500103", "F52", established_on, 5, has_earlier_loan)


def test_persons_get_a_few_firms_without_a_past_and_the_same_ones_every_time() -> None:
    firm, trader = OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER
    registry = [a_registered(0, firm, has_earlier_loan=True), a_registered(1, trader), a_registered(2, trader)]
    registry += [a_registered(number, firm) for number in range(3, 9)]

    played = firms_for_persons(registry[::-1])

    assert [one.credit_code for one in played] == ["code 03", "code 04", "code 05", "code 01"]
    assert firms_for_persons(registry[:1]) == []


async def test_a_firm_left_to_persons_shows_on_the_start_page_with_its_people(
    database: Database, noon: datetime
) -> None:
    kinds = [OrganisationKind.FIRM, OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER]
    played = [a_registered(number, kind) for number, kind in enumerate(kinds)]
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        made = [
            await a_firm(session, now=noon),
            await a_firm(session, now=noon),
            await a_sole_trader(session, now=noon),
        ]
    ids = {one.credit_code: PartyId(party.organisation_id) for one, party in zip(played, made, strict=True)}
    operator = Desk(PLATFORM_ID, made[0], made[0])

    async with AsyncExitStack() as stack:
        connected = Connected(database.settings, AnchoredClock(wall_now(), noon), stack)
        await give_to_persons(stage_at(connected, noon), Settled(ids, {}, {}, {}, {}, operator), played)

    async with in_transaction(database.app) as session:
        people = await parties.simulated_people(session)
        owner = next(one for one in people if one.display_name == "模拟负责人")
        held = await queries.organisations_of(session, owner.user_id)
    assert {one.party_kind for one in people} == {OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER}
    assert {one.party_id for one in held} == {ids["code 00"], ids["code 01"]}


def test_a_person_may_come_back_by_both_names_of_the_own_machine() -> None:
    assert ways_back("http://127.0.0.1:8000") == (
        "http://127.0.0.1:8000/firm/data/return",
        "http://localhost:8000/firm/data/return",
    )


def test_progress_is_read_by_another_process_and_an_absent_or_broken_file_is_none(tmp_path: Path) -> None:
    assert read_progress(tmp_path) is None

    progress = Progress(tmp_path)
    progress.tell("300 firms registered", seconds=1.5)
    progress.count("consents given", done=10, of=40, seconds=2.0)
    seen = read_progress(tmp_path)
    progress.end(PreparationState.READY, seconds=3.0)
    ended = read_progress(tmp_path)
    (tmp_path / "progress.json").write_text("{")

    assert seen is not None
    assert (seen.state, seen.doing, seen.done, seen.of) == (PreparationState.UNDER_WAY, "consents given", 10, 40)
    assert [line.sentence for line in seen.lines] == ["300 firms registered"]
    assert ended is not None
    assert ended.state is PreparationState.READY
    assert read_progress(tmp_path) is None


def test_a_platform_is_whole_once_its_own_preparation_is_over(tmp_path: Path) -> None:
    started_at = wall_now() - timedelta(minutes=1)

    without = whole_since(tmp_path, started_at=started_at)
    progress = Progress(tmp_path)
    under_way = whole_since(tmp_path, started_at=started_at)
    another = whole_since(tmp_path, started_at=wall_now() + timedelta(seconds=1))
    progress.end(PreparationState.READY, seconds=3.0)
    over = whole_since(tmp_path, started_at=started_at)

    assert without == started_at
    assert under_way is None
    assert another is not None
    assert over is not None
    assert started_at < over < another


def test_a_child_ends_when_its_launcher_is_killed() -> None:
    launcher = subprocess.Popen([sys.executable, "-c", LAUNCHER], stdout=subprocess.PIPE)
    assert launcher.stdout is not None
    child = int(launcher.stdout.readline())

    launcher.kill()
    launcher.wait()
    launcher.stdout.close()

    give_up_at = time.monotonic() + 20
    while is_alive(child) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    assert not is_alive(child)


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that ended and waits for its parent does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_child_that_ends_before_it_answers_is_said() -> None:
    beside = Neighbours()
    child = beside.start(["no.such.module"])

    with pytest.raises(ClickException, match="ended with code"):
        wait_for("http://127.0.0.1:1/", child, "the child")

    beside.stop(child)
    assert beside.started == []


def test_a_child_that_ends_is_started_again_so_many_times_and_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    beside = Neighbours()
    watched = Watched("the child", lambda: beside.start(["no.such.module"]), beside.start(["no.such.module"]))

    for _ in range(MOST_RESTARTS):
        watched.child.wait(30)
        look_after(beside, [watched])
    watched.child.wait(30)
    with pytest.raises(ClickException, match="the same command goes on from there"):
        look_after(beside, [watched])

    assert f"starting it again (1 of {MOST_RESTARTS})" in capsys.readouterr().err
    assert beside.started == []


def test_who_lives_is_left_alone() -> None:
    beside = Neighbours()
    child = beside.start(["http.server", "--bind", "127.0.0.1", "0"])
    watched = Watched("the child", lambda: beside.start(["no.such.module"]), child)

    look_after(beside, [watched])

    assert (watched.child, watched.restarts) == (child, 0)
    beside.stop_all()


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keeper:
    """Return a keeper whose database part finds nothing."""

    async def nothing(_self: Keeper) -> list[str]:
        return []

    monkeypatch.setattr(Keeper, "_drop_half_made", nothing)
    return Keeper("postgresql://nobody", "demo_1_20", CityPlan(tmp_path / "demo_1_20", 1, 20, "live", 1, "t"))


def test_a_full_disk_while_seeding_removes_what_is_half_made_and_says_so(keeper: Keeper) -> None:
    half_made = keeper.folder.with_name(keeper.folder.name + HALF_MADE)
    half_made.mkdir(parents=True)

    sentence = told(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), keeper)

    assert sentence.exit_code == DISK_FULL
    assert half_made.name in sentence.message
    assert not half_made.exists()
    assert told(OSError(errno.EACCES, "no"), keeper).exit_code == 1


def test_a_template_is_of_a_seed_a_size_and_the_code_that_seeds(keeper: Keeper, tmp_path: Path) -> None:
    other = Keeper(keeper.admin_dsn, keeper.database, CityPlan(tmp_path / "x", 2, 20, "live", 1, "t"))

    assert keeper.template != other.template
    assert keeper.template.startswith(f"kept_1_20_{newest_revision()}_")
    assert not keeper.is_seeded()
    assert "'t'" not in repr(keeper.plan)


@pytest.mark.long
@pytest.mark.parametrize("months", [3])
def test_the_same_seed_lives_the_same_life_whatever_the_hash_seed(tmp_path: Path, months: int) -> None:
    told_twice = []
    for hash_seed in ("1", "2"):
        figures = tmp_path / f"{hash_seed}.json"
        command = [sys.executable, "-m", "xinyidai", "demo", "--once", "--seed", "1", "--firms", "80"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "XINYIDAI_HOME": str(tmp_path / hash_seed)}
        subprocess.run(
            [*command, "--months", str(months), "--json", str(figures)], check=True, env=environment, timeout=1_200
        )
        told_twice.append(json.loads(figures.read_text(encoding="utf-8")) | {"seconds": 0})

    first, second = told_twice

    assert first == second
    assert first["accepted"] > 0
    assert first["disbursed_fen"] == first["regulator_disbursed_fen"] > 0
    assert (first["ledger_imbalance_fen"], first["unsealed"], first["replay"]["different"]) == (0, 0, 0)


def test_a_launcher_told_to_end_leaves_as_by_the_keyboard() -> None:
    code = LEAVING
    launcher = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert launcher.stdout is not None
    launcher.stdout.readline()

    launcher.send_signal(signal.SIGTERM)
    _out, errors = launcher.communicate(timeout=20)

    assert b"KeyboardInterrupt" in errors
