"""The city's clock: one line, forward only, kept over restarts; the registry and the bureau beside it."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from builders_town import CLIENT, SECRET, START, Town
from hypothesis import given
from hypothesis import strategies as st

from city.clock import DAY_A_MINUTE, Mode, a_new_line
from city.living import flowing
from city.living.city import City, Ground
from city.living.flowing import heed, is_awake
from city.living.timekeeping import LIVED_MARGIN, Timekeeper
from city.store import Store
from city.world.calendar import after_hours, is_open, is_working_day

live = pytest.mark.parametrize("town", [Mode.LIVE], indirect=True)
WALL = datetime(2026, 1, 1, tzinfo=UTC)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pause"), st.just(0.0)),
        st.tuples(st.just("run"), st.floats(1, 100_000)),
        st.tuples(st.just("speed"), st.floats(1, 100_000)),
        st.tuples(st.just("wait"), st.floats(0, 500)),
    ),
    max_size=20,
)


@given(STEPS)
def test_time_never_goes_back_whatever_is_done_to_it(steps: list[tuple[str, float]]) -> None:
    line, wall, seen = a_new_line(WALL, START, Mode.LIVE), WALL, START
    acts = {
        "pause": lambda value: line.paused(wall),
        "run": lambda value: line.running(wall, rate=value),
        "speed": lambda value: line.at_speed(wall, value),
        "wait": lambda value: line,
    }

    for act, value in steps:
        wall += timedelta(seconds=value * (act == "wait"))
        line = acts[act](value)
        assert line.at(wall) >= seen - timedelta(milliseconds=1)
        seen = line.at(wall)


@live
async def test_a_living_clock_runs_pauses_and_changes_speed(town: Town) -> None:
    standing = (await town.http.get("/clock")).json()
    await town.control("/clock", act="run", rate=DAY_A_MINUTE)
    town.wall.wait(minutes=1)
    after_a_day = town.city.clock.now()
    await town.control("/clock", act="pause")
    await town.control("/clock", act="speed", rate=14_400)
    town.wall.wait(minutes=5)
    paused = (await town.http.get("/clock")).json()
    await town.control("/clock", act="run")
    town.wall.wait(minutes=1)

    assert (standing["rate"], standing["max_age_ms"], standing["is_paused"]) == (0, 500, True)
    assert after_a_day == START + timedelta(days=1)
    assert (paused["is_paused"], paused["rate"]) == (True, 0)
    assert town.city.clock.now() == START + timedelta(days=11)


@live
async def test_time_waits_for_a_person_and_goes_on_by_itself(town: Town) -> None:
    await town.control("/clock", act="run", rate=14_400)

    town.city.waits_for = "person"
    heed(town.city)
    waiting = (await town.http.get("/clock")).json()
    town.city.waits_for = "bots"
    heed(town.city)
    going = (await town.http.get("/clock")).json()
    await town.control("/clock", act="pause")
    heed(town.city)

    assert (waiting["waits_for"], waiting["rate"]) == ("person", 0)
    assert (going["waits_for"], going["rate"]) == (None, 14_400)
    assert town.city.clock.line.is_paused, "who was stopped by hand does not go on by itself"


@live
@pytest.mark.parametrize(("waits_for", "stays_paused"), [("person", False), (None, True)])
async def test_after_a_skipped_month_only_a_button_keeps_the_time_paused(
    town: Town, monkeypatch: pytest.MonkeyPatch, waits_for: str | None, stays_paused: bool
) -> None:
    monkeypatch.setattr(flowing, "SKIPPED_DAYS", 1)
    monkeypatch.setattr(flowing, "SKIP_PAUSE_SECONDS", 0.0)
    town.city.clock.run(DAY_A_MINUTE)
    town.city.clock.pause(waits_for=waits_for)

    await flowing.skip_month(town.city)

    assert town.city.clock.line.is_paused == stays_paused


@live
async def test_bots_act_while_the_time_stands_for_the_person_they_keep_waiting(town: Town) -> None:
    now = town.city.clock.now()

    town.city.is_hurried = True
    while_hurried = is_awake(town.city, now)
    town.city.is_hurried = False

    assert town.city.clock.line.is_paused
    assert (while_hurried, is_awake(town.city, now)) == (True, False)


async def test_lockstep_stands_until_it_is_set_and_goes_forward_only(town: Town) -> None:
    town.wall.wait(hours=5)
    before = (await town.http.get("/clock")).json()

    ahead = await town.control("/clock", act="set", business_at="2025-06-17T09:00:00+08:00")
    back = await town.control("/clock", act="set", business_at="2025-06-16T09:00:00+08:00")
    run = await town.control("/clock", act="run")
    skip = await town.control("/clock", act="skip_month")

    assert (before["rate"], before["max_age_ms"], before["is_paused"]) == (0, 0, False)
    assert [one.status_code for one in (ahead, back, run, skip)] == [200, 409, 409, 409]
    assert town.city.clock.now() == datetime(2025, 6, 17, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "body", [{"act": "stop"}, {"act": "speed"}, {"act": "set"}, {"act": "set", "business_at": "2025-06-17"}]
)
async def test_orders_that_make_no_sense_are_refused(town: Town, body: dict[str, str]) -> None:
    answer = await town.control("/clock", **body)

    assert answer.status_code in {400, 409}


@pytest.mark.parametrize("path", ["/clock", "/act", "/keys"])
async def test_nobody_moves_the_city_without_the_control_token(town: Town, path: str) -> None:
    body = {"/clock": {"act": "pause"}, "/act": {"business_at": START.isoformat()}, "/keys": {}}[path]

    answers = [
        await town.http.post(path, json=body, headers={"Authorization": f"Bearer {token}"}) for token in ("", "guess")
    ]

    assert {one.status_code for one in answers} == {401}


@live
async def test_a_restart_keeps_the_line(town: Town) -> None:
    await town.control("/clock", act="run", rate=14_400)
    town.wall.wait(minutes=2)
    before = town.city.clock.now()

    again = City.found(Ground(town.home, 1, 40, Mode.LIVE, START + timedelta(days=900), wall=town.wall))
    town.wall.wait(minutes=1)

    assert again.clock.now() == before + timedelta(days=10)
    again.store.close()


def test_a_city_that_nobody_could_stop_goes_on_from_where_it_lived(tmp_path: Path) -> None:
    store, wall = Store(tmp_path / "city.sqlite3"), [WALL]
    killed = Timekeeper(store, stamp=tmp_path / "clock.stamp", mode=Mode.LIVE, starts_at=START, wall=lambda: wall[0])
    killed.run(DAY_A_MINUTE)
    wall[0] += timedelta(minutes=1)
    killed.note_living()
    lived_until = killed.now()

    wall[0] += timedelta(hours=9)
    passed = Timekeeper(store, stamp=tmp_path / "clock.stamp", mode=Mode.LIVE, starts_at=START, wall=lambda: wall[0])
    resumed = Timekeeper(store, stamp=tmp_path / "clock.stamp", mode=Mode.LIVE, starts_at=START, wall=lambda: wall[0])
    resumed.go_on()
    again = resumed.now()
    resumed.go_on()

    assert passed.now() - lived_until == timedelta(days=540)
    assert again - lived_until == LIVED_MARGIN * DAY_A_MINUTE
    assert (resumed.now(), resumed.line.rate) == (again, DAY_A_MINUTE)
    store.close()


async def test_city_toml_of_another_seed_is_refused_and_says_no_secret(town: Town) -> None:
    (town.home / "city.toml").write_text('seed = 2\nmode = "lockstep"\nplatform_url = "x"\n', encoding="utf-8")
    other = await town.control("/keys")
    (town.home / "city.toml").write_text(f'client_secret = "{SECRET}\n', encoding="utf-8")
    broken = await town.control("/keys")

    assert (other.status_code, broken.status_code) == (422, 422)
    assert SECRET not in broken.text


async def test_a_platform_that_is_away_is_told_to_the_driver(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("city.platform.FIRST_WAIT_SECONDS", 0.001)
    days = [date(2025, 6, 17) + timedelta(days=on) for on in range(400)]

    statuses = set()
    for day in filter(is_working_day, days):
        answer = await town.control("/act", business_at=f"{day}T09:00:00+08:00")
        statuses.add(answer.status_code)

    assert statuses == {200, 503}


async def test_the_registry_lists_every_firm_once_in_order_and_nothing_hidden(town: Town) -> None:
    rows: list[dict[str, object]] = []
    after: str | None = ""
    while after is not None:
        page = (await town.http.get("/registry/firms", params={"after": after, "limit": 7})).json()
        rows += page["rows"]
        after = page["next_after"]

    assert [row["credit_code"] for row in rows] == sorted(town.city.registry)
    assert set(rows[0]) == {
        "credit_code",
        "name",
        "kind",
        "region_code",
        "industry_code",
        "established_on",
        "staff",
        "has_earlier_loan",
    }


async def test_the_institutions_are_twelve_banks_and_those_around_them(town: Town) -> None:
    found = (await town.http.get("/registry/institutions")).json()

    assert len(found["banks"]) == 12
    assert {one["personality"] for one in found["banks"]} == {"large", "city", "rural", "internet"}
    assert all(bool(one["agreement"]) is one["product"]["requires_cover"] for one in found["banks"])
    assert {one["duty"] for one in found["institutions"]} == {
        "compensation_fund",
        "guarantor",
        "tax",
        "credit_history",
        "regulator",
    }
    assert all("模拟" in one["name"] for one in [*found["banks"], *found["institutions"]])


async def test_the_bureau_tells_its_client_what_it_knew_on_a_day_and_no_more(town: Town) -> None:
    path = "/credit-history/outcomes"

    known = await town.http.get(path, params={"known_by": "2024-06-01"}, auth=(CLIENT, SECRET))
    ahead = await town.http.get(path, params={"known_by": "2025-06-17"}, auth=(CLIENT, SECRET))
    nobody = await town.http.get(path, params={"known_by": "2024-06-01"}, auth=(CLIENT, "guess"))
    lines = known.text.splitlines()

    assert (known.status_code, ahead.status_code, nobody.status_code) == (200, 422, 401)
    assert lines[0] == "credit_code,is_default,observed_on"
    assert all(line.split(",")[2] <= "2024-06-01" for line in lines[1:])
    assert "quality" not in known.text


@given(st.integers(0, 900_000), st.integers(1, 60))
def test_working_hours_end_in_working_hours(minutes: int, hours: int) -> None:
    moment = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ends = after_hours(moment, hours)

    assert ends > moment
    assert is_open(ends - timedelta(seconds=1))
    assert after_hours(moment, hours + 1) > ends
