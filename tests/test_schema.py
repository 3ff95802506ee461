"""Every operation of the API, driven by its own description: no accident, and nothing that is not documented."""

import asyncio
import json
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

import asyncpg
import httpx
import pytest
import requests
import schemathesis
from builders_claims import LONG_AFTER, a_paid_claim, an_overdue_loan
from builders_databases import Database, a_clone
from builders_parties import a_firm, a_regulator, the_operator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.app import ROOMS_WITH_DOORS, create_app
from xinyidai.app.answering import PROBLEM_JSON
from xinyidai.app.authentication import SESSION_COOKIE
from xinyidai.app.describing import describe
from xinyidai.foundation.clock import AnchoredClock, wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.embedded import PostgresServer
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.settings import settings as known_settings
from xinyidai.parties.routes.session_ids import TOKEN, TokenCookieBackend, TokenCookieConfig
from xinyidai.parties.rules import DuplicateMembership, SessionStage
from xinyidai.parties.service.people import add_membership
from xinyidai.parties.service.sessions import open_session

BEGAN = datetime(2025, 6, 16, 4, 0, tzinfo=UTC)
PLATFORM = "http://platform.example"
EXAMPLES = 4
MANY_EXAMPLES = 100
TRIES_A_KNOWN_ID = st.sampled_from([True, True, True, False])
CHECKS: list[Callable[..., bool | None]] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
MODES = st.sampled_from([GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
TURNED_AWAY = {401, 403}
OPENS_TO_NOBODY = {"POST /api/v1/scores", "POST /api/v1/sources/courts/callbacks"}
"""What no drawn call gets past the guards' statuses: without the firm's consent the answer is 403 as well, and a call
back of the courts is signed over its body, which no generator does."""
WHO_MUST_ENROL = "who signs in and must enrol"
OFFICES = ("TAX", "UTILITIES", "BENEFITS", "COURTS", "CUSTOMS")
BUREAU = {"SANDBOX": "1", "CITY_URL": "http://bureau.example", "BENEFITS_PUBLIC_KEY": "a key"}
BUREAU |= {f"{office}_CLIENT_{what}": "ours" for office in OFFICES for what in ("ID", "SECRET")}
"""Offices that are set up and never asked: without them a firm's asking ends at once, with a 503."""
_keys = count(1)


@dataclass(frozen=True)
class Served:
    """The whole application over a database in which a loan was lent, lost and claimed, and who may knock."""

    runner: asyncio.Runner
    database: Database
    client: httpx.AsyncClient
    cookies: TokenCookieBackend
    schema: schemathesis.schemas.BaseSchema
    viewers: dict[str, Viewer | None]
    known: dict[str, list[str]]

    async def _sit_down(self, who: str, viewer: Viewer) -> str:
        """Return the cookie of a new session; anew for each call, because some end sessions and one the membership."""
        stage = SessionStage.ENROLMENT if who == WHO_MUST_ENROL else SessionStage.OPEN
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=BEGAN)
            with suppress(DuplicateMembership):
                await add_membership(
                    session, viewer.principal_id, viewer.organisation_id, sorted(viewer.roles), now=BEGAN
                )
            token, _expires_at = await open_session(
                session, viewer.principal_id, viewer.organisation_id, stage=stage, agent=""
            )
        (seat,) = self.cookies.dump_data({TOKEN: token})
        return f"{SESSION_COOKIE}={seat.decode()}"

    async def _call(self, case: Case, who: str) -> httpx.Response:
        viewer = self.viewers[who]
        sent = case.as_transport_kwargs(base_url=PLATFORM)
        headers = dict(sent["headers"]) | {"Idempotency-Key": f"k{next(_keys)}"}
        if viewer is not None:
            # A key made up from the description would stand before the session.
            headers.pop("Authorization", None)
            headers["Cookie"] = await self._sit_down(who, viewer)
        content = sent.get("data")
        if "json" in sent:
            content = json.dumps(sent["json"]).encode()
            headers["Content-Type"] = "application/json"
        if sent.get("files"):
            # Encoded by the library that the description's generator speaks: it also draws parts that are no files.
            form = requests.Request(sent["method"], PLATFORM, files=sent["files"]).prepare()
            content, headers["Content-Type"] = form.body, str(form.headers["Content-Type"])
        return await self.client.request(
            sent["method"], sent["url"], params=sent.get("params"), headers=headers, content=content
        )

    def call(self, case: Case, who: str) -> httpx.Response:
        """Send a case as one of the viewers and return the answer."""
        return self.runner.run(self._call(case, who))


@pytest.fixture(scope="module")
def served(cluster: PostgresServer) -> Generator[Served]:
    """Serve a town for the whole module: what one call does, the next finds."""
    with pytest.MonkeyPatch.context() as environment, asyncio.Runner() as runner:
        for name, value in BUREAU.items():
            environment.setenv(name, value)
        known_settings.cache_clear()
        stack = AsyncExitStack()
        yield runner.run(_serve(stack, runner, cluster))
        runner.run(stack.aclose())


async def _serve(stack: AsyncExitStack, runner: asyncio.Runner, cluster: PostgresServer) -> Served:
    database = await stack.enter_async_context(a_clone(cluster))
    later = BEGAN + LONG_AFTER
    viewers = await _people(database, later)
    allowing = database.settings.model_copy(
        update={"sandbox": True, "requests_per_minute": 1_000_000, "failed_keys_per_minute": 1_000_000}
    )
    app = create_app(allowing, database.app, clock=AnchoredClock(wall_now(), later))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url=PLATFORM))
    # Through JSON, as a reader of the document gets it.
    schema = schemathesis.openapi.from_dict(json.loads(json.dumps(describe(app))))
    schema.config.update(base_url=PLATFORM)
    cookies = TokenCookieBackend(TokenCookieConfig(secret=allowing.secret("session cookie")))
    return Served(runner, database, client, cookies, schema, viewers, await _ids(database, viewers))


async def _people(database: Database, later: datetime) -> dict[str, Viewer | None]:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=BEGAN)
        operator, regulator = await the_operator(session, now=BEGAN), await a_regulator(session, now=BEGAN)
        lost = await an_overdue_loan(session, now=BEGAN)
        await a_paid_claim(session, lost, now=later)
        stranger = await a_firm(session, now=BEGAN)
    return {
        "nobody": None,
        "operator's maker": operator.maker,
        "operator's checker": operator.checker,
        "regulator": regulator.maker,
        "lender's maker": lost.line.lender.maker,
        "lender's checker": lost.line.lender.checker,
        "fund's maker": lost.line.fund.maker,
        "fund's checker": lost.line.fund.checker,
        "guarantor": lost.line.guarantor.maker,
        WHO_MUST_ENROL: lost.line.guarantor.checker,
        "borrower": lost.firm,
        "another firm": stranger,
    }


async def _ids(database: Database, viewers: dict[str, Viewer | None]) -> dict[str, list[str]]:
    """Return ids that exist, by the name that a path or a body calls them by."""
    admin = await asyncpg.connect(database.admin_dsn)
    tables = await admin.fetch(
        "SELECT table_schema, table_name FROM information_schema.columns"
        " WHERE column_name = 'id' AND data_type = 'uuid' AND table_schema <> 'public'"
    )
    known = {}
    for table in tables:
        rows = await admin.fetch(f'SELECT id FROM {table["table_schema"]}."{table["table_name"]}" LIMIT 4')
        known[f"{table['table_name']}_id"] = [str(row["id"]) for row in rows]
    # Whoever knocks must stay: only a membership of somebody else may be ended.
    seats = [viewer.principal_id for viewer in viewers.values() if viewer is not None]
    others = await admin.fetch("SELECT id FROM parties.membership WHERE user_id <> ALL($1::uuid[])", seats)
    await admin.close()
    parties = {f"{kind}_id": [str(viewer.organisation_id)] for kind, viewer in _by_kind(viewers)}
    known |= parties | {
        "membership_id": [str(row["id"]) for row in others],
        "organisation_id": [one for ids in parties.values() for one in ids],
    }
    return {name: ids for name, ids in known.items() if ids}


def _by_kind(viewers: dict[str, Viewer | None]) -> list[tuple[str, Viewer]]:
    return [(viewer.organisation_kind.value, viewer) for viewer in viewers.values() if viewer is not None]


@st.composite
def cases(draw: st.DrawFn, operation: schemathesis.schemas.APIOperation, known: dict[str, list[str]]) -> Case:
    """Draw a call from its description; most ids are swapped for such as exist, so that it goes beyond "not found"."""
    takes = [*operation.path_parameters, *operation.query, *operation.body]
    case: Case = draw(operation.as_strategy(draw(MODES) if takes else GenerationMode.POSITIVE))
    for place in (case.path_parameters, case.query, case.body):
        for name in sorted(set(place) & set(known)) if isinstance(place, dict) else ():
            if draw(TRIES_A_KNOWN_ID):
                place[name] = draw(st.sampled_from(known[name]))
    return case


def drive(served: Served, room: str, budget: settings) -> dict[str, set[int]]:
    """Call every operation of a room with its checks; return the statuses seen, by operation."""
    operations = [found.ok() for found in served.schema.get_all_operations()]
    here = [operation for operation in operations if operation.tags == [room.replace("_", " ")]]
    return {operation.label: drive_one(served, operation, budget) for operation in here}


def drive_one(served: Served, operation: schemathesis.schemas.APIOperation, budget: settings) -> set[int]:
    """Call one operation; return the statuses seen."""
    statuses: set[int] = set()
    let_in: set[str] = set()

    @budget
    @given(cases(operation, served.known), st.permutations(sorted(served.viewers)))
    def check(case: Case, people: list[str]) -> None:
        # The same call by one after the other, until somebody may make it: else most would end at the guard. After
        # whoever is drawn first those who got in before, or most of the time would go to being turned away again.
        for who in [people[0], *sorted(people[1:], key=lambda other: other not in let_in)]:
            answer = served.call(case, who)
            case.validate_response(answer, checks=CHECKS)
            statuses.add(answer.status_code)
            if answer.status_code >= 400:
                assert answer.headers["content-type"].startswith(PROBLEM_JSON), f"{case.method} {case.path} as {who}"
                assert answer.json()["code"] in Refusal.registry
            if answer.status_code not in TURNED_AWAY:
                let_in.add(who)
                break

    check()
    return statuses


def budget_of(examples: int, *, is_same_each_time: bool) -> settings:
    """Return the bound on the examples; shrinking is left out, the answer shows the call as it was."""
    return settings(
        max_examples=examples,
        derandomize=is_same_each_time,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("room", ROOMS_WITH_DOORS)
def test_every_operation_does_what_its_description_says(served: Served, room: str) -> None:
    seen = drive(served, room, budget_of(EXAMPLES, is_same_each_time=True))

    assert seen
    assert {call for call, statuses in seen.items() if statuses <= TURNED_AWAY} <= OPENS_TO_NOBODY


@pytest.mark.long
@pytest.mark.parametrize("room", ROOMS_WITH_DOORS)
def test_every_operation_does_so_for_many_calls(served: Served, room: str) -> None:
    seen = drive(served, room, budget_of(MANY_EXAMPLES, is_same_each_time=False))

    assert seen
    assert {call for call, statuses in seen.items() if statuses <= TURNED_AWAY} <= OPENS_TO_NOBODY
