"""The courts: a query is a job, its answer is called back, signed, until it is heard, thrice at most."""

import asyncio
import json
from dataclasses import replace
from datetime import date

from builders_town import QUOTA, Town, is_signed
from litestar import Litestar, Request, post
from litestar.datastructures import State
from uvicorn import Config, Server

from city.providers.callbacks import Caller
from city.providers.courts import go_on_calling, stop_calling
from city.world.records import enforcements, judgments

TODAY = date(2025, 6, 16)


async def a_query(town: Town, suffix: str = "", **fields: str) -> str:
    reference = await town.reference("courts", **fields)
    return str((await town.ask_courts(reference + suffix)).json()["job_id"])


async def after(town: Town, seconds: int) -> bool:
    town.wall.wait(seconds=seconds)
    return bool(await town.app.state.caller.call_due())


async def test_a_query_is_taken_and_answered_later(town: Town) -> None:
    reference = await town.reference("courts")
    taken = await town.ask_courts(reference)
    job_id = taken.json()["job_id"]

    at_once = (await town.job(job_id)).json()
    town.wall.wait(seconds=10)
    later = (await town.job(job_id)).json()

    assert (taken.status_code, taken.json()["state"], at_once["state"], later["state"]) == (
        202,
        "pending",
        "pending",
        "done",
    )
    assert [row["case_no"] for row in later["judgments"]] == [one.case_no for one in judgments(1, town.firm, TODAY)]
    assert [row["case_no"] for row in later["enforcements"]] == [
        one.case_no for one in enforcements(1, town.firm, TODAY)
    ]
    assert {row["role"] for row in later["judgments"]} <= {"原告", "被告"}
    assert {row["is_dishonest"] for row in later["enforcements"]} <= {"是", "否"}
    assert later["enforcements"]
    assert (await town.job("0")).status_code == 404


async def test_the_call_back_is_signed_and_says_what_the_job_says(town: Town) -> None:
    job_id = await a_query(town)

    is_left = await after(town, 90)
    where, headers, body = town.called.sent[0]

    assert not is_left
    assert where == "POST /called?by=court"
    assert headers["webhook-id"] == job_id
    assert is_signed("court secret", headers, body)
    assert body == (await town.job(job_id)).content


async def test_a_call_that_is_not_heard_is_made_thrice(town: Town) -> None:
    town.called.statuses[:] = [500, 0, 503, 200]
    await a_query(town)

    left = [await after(town, seconds) for seconds in (90, 5, 30, 600)]

    assert left == [True, True, False, False]
    assert len(town.called.sent) == 3
    assert len({body for _, _, body in town.called.sent}) == 1


async def test_a_call_that_is_heard_the_second_time_is_not_made_again(town: Town) -> None:
    town.called.statuses[:] = [500]
    await a_query(town)

    left = [await after(town, seconds) for seconds in (90, 5, 600)]

    assert (left, len(town.called.sent)) == ([True, False, False], 2)


async def test_some_answers_are_called_back_late_and_some_twice(town: Town) -> None:
    reference = await town.reference("courts")
    jobs = []
    for _ in range(120):
        jobs.append((await town.ask_courts(reference)).json()["job_id"])
        town.wall.wait(seconds=2)
    await after(town, 5)
    soon = {headers["webhook-id"] for _, headers, _ in town.called.sent}
    await after(town, 120)
    times = [headers["webhook-id"] for _, headers, _ in town.called.sent]

    assert len(set(jobs)) == 120
    assert set(times) == set(jobs)
    assert 0 < len(set(jobs) - soon) < 30
    assert 0 < len(times) - len(jobs) < 20


async def test_no_number_no_answer(town: Town) -> None:
    refused = await town.ask_courts("FY0")
    keyless = await town.http.post("/courts/queries", json={"reference": await town.reference("courts")})
    narrow = await a_query(town, scope="enforcement")

    town.wall.wait(seconds=10)
    answer = (await town.job(narrow)).json()

    assert [refused.status_code, keyless.status_code] == [403, 401]
    assert (answer["judgments"], bool(answer["enforcements"])) == ([], True)


async def test_jobs_outlive_a_restart_and_are_forgotten_after_a_week(town: Town) -> None:
    first = await a_query(town)
    kept = town.city.store.remembered("court job", "platform")

    town.wall.wait(days=8)
    second = await a_query(town)

    assert list(kept) == [first]
    assert list(town.city.store.remembered("court job", "platform")) == [second]


async def test_calls_that_are_left_are_made_at_the_next_start(town: Town) -> None:
    job_id = await a_query(town)
    await stop_calling(town.app)
    town.wall.wait(seconds=90)

    go_on_calling(town.app)
    await town.app.state.calling

    assert {headers["webhook-id"] for _, headers, _ in town.called.sent} == {job_id}


async def test_too_many_queries_are_asked_to_wait(town: Town) -> None:
    reference = await town.reference("courts")

    answers = [await town.ask_courts(reference) for _ in range(QUOTA + 1)]

    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0


async def test_a_forged_call_comes_before_the_real_one_and_is_not_signed(town: Town) -> None:
    await a_query(town, "~callback_forged")

    await after(town, 90)

    assert [is_signed("court secret", headers, body) for _, headers, body in town.called.sent][:2] == [False, True]


async def test_a_call_is_repeated_or_late_on_request(town: Town) -> None:
    repeated, late = await a_query(town, "~callback_repeated"), await a_query(town, "~callback_late")

    await after(town, 120)
    soon = [headers["webhook-id"] for _, headers, _ in town.called.sent]
    await after(town, 400)
    then = [headers["webhook-id"] for _, headers, _ in town.called.sent]

    assert (soon.count(repeated), soon.count(late)) == (3, 0)
    assert late in then


async def test_a_call_with_a_wrong_clock_or_signature_does_not_pass(town: Town) -> None:
    skewed, wrong = await a_query(town, "~clock_skew"), await a_query(town, "~wrong_signature")

    await after(town, 90)
    by_job = {headers["webhook-id"]: (headers, body) for _, headers, body in town.called.sent}

    assert int(by_job[skewed][0]["webhook-timestamp"]) == int(town.wall().timestamp()) - 1200
    assert is_signed("court secret", *by_job[skewed])
    assert not is_signed("court secret", *by_job[wrong])
    assert json.loads(by_job[wrong][1])["state"] == "done"


async def test_a_call_goes_over_a_real_wire_to_the_address_in_the_file_and_nowhere_else(town: Town) -> None:
    heard: list[tuple[str, bytes]] = []

    @post("/heard", status_code=204)
    async def hear(request: Request[object, object, State]) -> None:
        heard.append((request.headers["webhook-id"], await request.body()))

    server = Server(Config(Litestar([hear]), port=0, log_level="critical"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    client = replace(town.city.city_file.clients["courts"], callback_url=f"http://127.0.0.1:{port}/heard")
    town.city.city_file = replace(town.city.city_file, clients={"courts": client})

    job_id = await a_query(town)
    town.wall.wait(seconds=90)
    await Caller(town.city).call_due()
    server.should_exit = True
    await serving

    assert heard == [(job_id, (await town.job(job_id)).content)]
