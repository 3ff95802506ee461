"""Commands: what they refuse, in a sentence; what they read; what the log never says."""

import asyncio
import os
import re
import socket
from collections.abc import Generator
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

import asyncpg
import click
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import structlog
from anyio.to_thread import run_sync
from builders_parties import a_firm, a_lender
from click.testing import CliRunner
from click.testing import Result as ClickResult
from conftest import Database
from redis import Redis

from xinyidai import __version__
from xinyidai.access.rules import OrganisationKind
from xinyidai.access.service import act_as_platform
from xinyidai.cli import COMMANDS, main
from xinyidai.cli.diagnosis import _desks
from xinyidai.cli.story.cumcm2020c import read_script
from xinyidai.cli.story.ground import require_empty
from xinyidai.cli.surroundings import ANOTHER_KEY, DATABASE_SETTINGS, PORT_TAKEN, Connected, surroundings
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.embedded import PostgresServer, start_postgres, start_valkey
from xinyidai.foundation.heartbeats import KEY
from xinyidai.foundation.logging import configure_logging
from xinyidai.foundation.settings import settings
from xinyidai.parties import queries, service
from xinyidai.parties.service import create_operator

KEY_OF_ONE, KEY_OF_ANOTHER = "1" * 48, "2" * 48


@pytest.fixture(autouse=True)
def settings_read_afresh() -> Generator[None]:
    yield
    settings.cache_clear()


@pytest.fixture
def on_the_test_database(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", database.admin_dsn)
    monkeypatch.setenv("BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("SANDBOX", "1")
    monkeypatch.setenv("XINYIDAI_HOME", str(tmp_path))


def test_a_taken_port_is_said_before_anything_starts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        told = CliRunner().invoke(main, ["serve", "--port", str(taken.getsockname()[1])])

    assert told.exit_code == PORT_TAKEN
    assert "is taken" in told.output


def test_doctor_refuses_the_embedded_server_for_production(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XINYIDAI_HOME", str(tmp_path))
    for name in ("DATABASE_URL", "BROKER_URL", "SANDBOX"):
        monkeypatch.delenv(name, raising=False)

    told = CliRunner().invoke(main, ["doctor", "--production"])

    for name in ("DATABASE_URL", "SANDBOX"):
        monkeypatch.setenv(name, "left by the command")
    assert told.exit_code == 1
    assert "BAD  database server: the embedded server is for demo" in told.output
    assert "BAD  sandbox" in told.output


@pytest.mark.usefixtures("on_the_test_database")
async def test_doctor_names_the_process_that_fell_silent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with start_valkey(tmp_path / "valkey") as broker, Redis.from_url(broker.url()) as client:
        monkeypatch.setenv("BROKER_URL", broker.url())
        alone = await run_sync(CliRunner().invoke, main, ["doctor"])
        client.zadd(KEY, {"beat@one": wall_now().timestamp(), "worker@one": wall_now().timestamp() - 90})
        with_company = await run_sync(CliRunner().invoke, main, ["doctor"])

    assert alone.exit_code == 1
    assert "BAD  beat: none was heard within the hour; `xinyidai beat` must be running" in alone.output
    assert "BAD  worker: none was heard" in alone.output
    assert with_company.exit_code == 1
    assert "ok   beat: beat@one was last heard" in with_company.output
    assert re.search(r"BAD  worker: worker@one was last heard \d+ s ago; `xinyidai work`", with_company.output)


@pytest.mark.usefixtures("on_the_test_database")
async def test_a_home_that_may_not_be_entered_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")

    with surroundings():
        found = os.environ["HOME"]

    assert found == str(tmp_path)


@pytest.mark.usefixtures("on_the_test_database")
async def test_a_process_without_a_broker_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BROKER_URL")

    told = CliRunner().invoke(main, ["work"])

    assert told.exit_code == 1
    assert "BROKER_URL is not set" in told.output


async def rows_of(admin: asyncpg.Connection) -> dict[str, int]:
    tables = await admin.fetch("SELECT schemaname || '.' || relname AS name FROM pg_stat_user_tables ORDER BY 1")
    return {name: await admin.fetchval(f"SELECT count(*) FROM {name}") for (name,) in tables}


@pytest.mark.usefixtures("on_the_test_database")
async def test_a_story_on_a_database_in_use_is_refused_before_anything_is_written(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await create_operator(session, email="a@b.cn", display_name="甲", password="long enough 123", now=noon)
    before = await rows_of(admin)

    told = await run_sync(CliRunner().invoke, main, ["case", "cumcm2020c", "--data", "."])

    assert told.exit_code == 1
    assert "platform_not_empty: This database is not empty (people: 1" in told.output
    assert "该数据库不是空的" in told.output
    assert await rows_of(admin) == before


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_of_each_what_it_says_itself(name: str) -> None:
    command = main.get_command(click.Context(main), name)

    assert command is not None
    assert COMMANDS[name][1] == command.get_short_help_str(limit=200)


def test_help_names_every_command_and_the_version_is_the_one_that_is_built() -> None:
    helped, versioned = (CliRunner().invoke(main, [word]) for word in ("--help", "--version"))

    assert (helped.exit_code, versioned.exit_code) == (0, 0), helped.output + versioned.output
    assert all(re.search(rf"^  {name} ", helped.output, re.MULTILINE) for name in COMMANDS)
    assert versioned.output.strip() == __version__


async def test_a_migrated_database_with_nobody_on_it_carries_a_story(database: Database) -> None:
    async with AsyncExitStack() as stack:
        connected = Connected(database.settings, database.settings.clock(), stack)

        assert await require_empty(connected) is None


@pytest.mark.usefixtures("on_the_test_database")
async def test_a_story_on_a_database_without_the_platform_says_what_to_run(admin: asyncpg.Connection) -> None:
    await admin.execute("UPDATE alembic_version SET version_num = '0001'")

    told = await run_sync(CliRunner().invoke, main, ["case", "cumcm2020c", "--data", "."])

    assert told.exit_code == 1
    assert "platform_not_migrated" in told.output
    assert "xinyidai migrate --bootstrap" in told.output


@pytest.mark.parametrize("arguments", [["demo"], ["demo", "--once"]], ids=["live", "once"])
def test_a_demo_takes_no_database_that_was_given(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")

    told = CliRunner().invoke(main, arguments)

    assert told.exit_code == 1
    assert "unset DATABASE_URL" in told.output


def told_with(home: Path, *command: str, key: str | None) -> ClickResult:
    """Run a command on the embedded servers of a home, with a secret key or with none."""
    before = dict(os.environ)
    for name in ("SECRET_KEY", "BROKER_URL", "SANDBOX", *DATABASE_SETTINGS):
        os.environ.pop(name, None)
    os.environ |= {"XINYIDAI_HOME": str(home)} | ({} if key is None else {"SECRET_KEY": key})
    settings.cache_clear()
    try:
        return CliRunner().invoke(main, list(command))
    finally:
        os.environ.clear()
        os.environ.update(before)
        settings.cache_clear()


async def what_can_be_changed(home: Path, server: PostgresServer) -> list[object]:
    """Return the roles' passwords, the databases and the files of a home that commands write."""
    admin = await asyncpg.connect(server.dsn("postgres"))
    try:
        roles = await admin.fetch("SELECT rolname, rolpassword FROM pg_authid ORDER BY 1")
        databases = await admin.fetch("SELECT datname FROM pg_database ORDER BY 1")
    finally:
        await admin.close()
    return [*roles, *databases, sorted((one.name, one.read_text()) for one in home.iterdir() if one.is_file())]


@pytest.mark.parametrize(
    ("its_key", "tries", "expected"),
    [
        (
            KEY_OF_ONE,
            [(KEY_OF_ANOTHER, "verify"), (KEY_OF_ANOTHER, "migrate"), (None, "case")],
            "set SECRET_KEY to the one it was started with",
        ),
        (None, [(KEY_OF_ANOTHER, "verify")], "unset SECRET_KEY, since it runs with the one in"),
    ],
    ids=["given", "kept"],
)
def test_a_command_with_another_key_than_the_running_platforms_changes_nothing(
    tmp_path: Path, its_key: str | None, tries: list[tuple[str | None, str]], expected: str
) -> None:
    rest = {"case": ["cumcm2020c", "--data", str(tmp_path)]}
    with start_postgres(tmp_path / "postgres", fast=True) as server:
        first = told_with(tmp_path, "migrate", key=its_key)
        before = asyncio.run(what_can_be_changed(tmp_path, server))
        refused = [told_with(tmp_path, command, *rest.get(command, []), key=key) for key, command in tries]
        after = asyncio.run(what_can_be_changed(tmp_path, server))
        again = told_with(tmp_path, "verify", key=its_key)

    assert (first.exit_code, again.exit_code) == (0, 0), first.stderr + again.stderr
    assert {one.exit_code for one in refused} == {ANOTHER_KEY}
    assert all("another_secret_key: " in one.stderr and expected in one.stderr for one in refused)
    assert after == before


@pytest.mark.parametrize("lgd", ["nan", "inf", "-0.1", "1.1", "x"])
def test_a_loss_given_default_that_is_none_is_refused(tmp_path: Path, lgd: str) -> None:
    told = CliRunner().invoke(main, ["case", "cumcm2020c", "--data", str(tmp_path), "--lgd", lgd])

    assert told.exit_code == 2
    assert "--lgd" in told.output


def test_the_contests_files_become_the_doors_file(tmp_path: Path) -> None:
    folder, work = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    work.mkdir()
    (folder / "firms.csv").write_text(
        "firm,name,has_credit_record,rating,defaulted\nE1,***有限公司,True,A,0\nE2,个体经营E2 ,False,,\n",
        encoding="utf-8",
    )
    (folder / "rate_churn.csv").write_text(
        "annual_rate,churn_rating_a,churn_rating_b,churn_rating_c\n0.04,0,0,0\n0.15,0.9,0.8,0.7\n", encoding="utf-8"
    )
    row = {
        "firm": "E2",
        "invoice_no": 1,
        "issued_on": pd.Timestamp("2020-01-02"),
        "counterparty": "A1",
        "amount_yuan": 1.0,
        "tax_yuan": 0.1,
        "total_yuan": 1.1,
        "status": "有效发票",
        "direction": "销项",
    }
    pq.write_table(pa.Table.from_pylist([row]), folder / "invoices.parquet")

    script = read_script(folder, work, seed=1, lgd_ppm=500_000)
    written = pq.read_table(script.invoice_file).to_pylist()

    assert [firm.kind for firm in script.firms] == [OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER]
    assert list(script.outcomes) == ["E1"]
    assert [firm.label for firm in script.applicants] == ["E2"]
    assert written[0]["credit_code"] == script.firms[1].credit_code
    assert (written[0]["net_yuan"], written[0]["direction"]) == (1.0, "销项")


def test_a_logged_error_shows_no_local_values(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()

    def fail() -> None:
        password = "hunter2" + "xyz"
        raise RuntimeError(str(len(password)))

    try:
        fail()
    except RuntimeError:
        structlog.get_logger().exception("it_failed")

    told = capsys.readouterr()
    structlog.reset_defaults()
    assert "it_failed" in told.err
    assert "hunter2xyz" not in told.err + told.out


async def test_doctor_names_the_institution_where_nobody_could_approve(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        complete = await a_lender(session, now=noon)
        await a_firm(session, now=noon)
        (ended,) = [
            view
            for view in (await queries.members(session, complete.id)).rows
            if view.user_id == complete.checker.principal_id
        ]
        await service.end_membership(session, complete.maker, ended.id, now=noon)

    bare, binding = [await _desks(database.worker, is_binding=is_binding) for is_binding in (False, True)]

    assert (bare.is_ok, binding.is_ok) == (True, False)
    assert f"({complete.id}) lacks approver" in binding.says
