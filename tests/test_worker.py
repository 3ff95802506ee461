"""The worker, as a real process on a real broker: each event wakes its consumers, once, and nothing is lost."""

import ast
import asyncio
import json
import os
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from builders_processes import ROOT, Processes, wait_until
from builders_wiring import FOLDER, MAKE_TABLE, WORK, TeaOrdered
from conftest import TEMPLATE, settings_for
from kombu import pools
from redis import Redis

from xinyidai.foundation import outbox
from xinyidai.foundation.database import in_transaction, make_engine, make_sessions
from xinyidai.foundation.embedded import PostgresServer, start_valkey
from xinyidai.foundation.heartbeats import KEY
from xinyidai.foundation.settings import DatabaseRole, Settings
from xinyidai.worker import celery, connect_broker

NOON = datetime(2025, 6, 16, 4, 0, tzinfo=UTC)
QUEUE = "celery"


@dataclass(frozen=True)
class Teahouse:
    """A database, a broker and one worker process of concurrency 1."""

    settings: Settings
    admin_dsn: str
    broker: Redis
    processes: Processes
    folder: Path

    def work(self) -> None:
        """Start the worker and wait until it is heard."""
        self.broker.delete(KEY)
        self.processes.start("worker", "-c", WORK)
        wait_until(lambda: self.broker.zcard(KEY) == 1, what="the worker is heard")

    def ask(self, statement: str, *values: object) -> list[object]:
        """Return the first column of a query, as the superuser."""
        return asyncio.run(_ask(self.admin_dsn, statement, *values))

    def order(self, tea: str) -> UUID:
        """Announce an order as the web would; return its delivery."""
        asyncio.run(_announce(self.settings, TeaOrdered(tea)))
        (delivery,) = self.ask(
            "SELECT d.id FROM foundation.outbox_delivery d JOIN foundation.outbox_event e ON e.id = d.event_id"
            " WHERE e.body ->> 'tea' = $1",
            tea,
        )
        return delivery

    def wait_for(self, tea: str) -> None:
        """Wait until a tea was poured."""
        wait_until(lambda: self.poured(tea) > 0, what=f"{tea} is poured")

    def poured(self, tea: str) -> int:
        """Return how often a tea was poured to the end."""
        return len(self.ask("SELECT tea FROM public.poured WHERE tea = $1", tea))

    def begun(self, tea: str) -> int:
        """Return how often pouring a tea was begun."""
        file = self.folder / "begun"
        return file.read_text(encoding="utf-8").split().count(tea) if file.exists() else 0


async def _ask(dsn: str, statement: str, *values: object) -> list[object]:
    connection = await asyncpg.connect(dsn)
    try:
        return [row[0] for row in await connection.fetch(statement, *values)]
    finally:
        await connection.close()


async def _announce(settings: Settings, happened: TeaOrdered) -> None:
    engine = make_engine(settings.dsn(DatabaseRole.APP), pool_size=1)
    async with in_transaction(make_sessions(engine)) as session:
        await outbox.announce(session, happened, occurred_at=NOON)
    await engine.dispose()


@pytest.fixture(scope="module")
def teahouse(cluster: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Generator[Teahouse]:
    folder, name = tmp_path_factory.mktemp("teahouse"), f"wired_{os.getpid()}"
    server_dsn = cluster.dsn("postgres")
    asyncio.run(_ask(server_dsn, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {DatabaseRole.OWNER}"))
    with start_valkey(folder / "valkey") as broker, Redis.from_url(broker.url()) as client:
        settings = settings_for(cluster, name)
        environment = os.environ | {
            FOLDER: str(folder),
            "PYTHONPATH": str(ROOT / "tests"),
            "DATABASE_URL": cluster.dsn(name),
            "BROKER_URL": broker.url(),
            "OMP_NUM_THREADS": "1",
        }
        here = Teahouse(settings, cluster.dsn(name), client, Processes(folder, environment), folder)
        for statement in MAKE_TABLE.split("; "):
            here.ask(statement)
        connect_broker(broker.url())
        here.work()
        yield here
        outbox.send_with(None)
        here.processes.end_all()
        pools.reset()
        celery.close()
    asyncio.run(_ask(server_dsn, f"DROP DATABASE {name} WITH (FORCE)"))


def written_consumers() -> dict[str, str]:
    """Return each consumer's name and event as the rooms' sources have it."""
    found = {}
    for path in (ROOT / "src" / "xinyidai").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for call in getattr(node, "decorator_list", []):
                if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(("consumes", "consumes_outside")):
                    (name,) = (ast.literal_eval(word.value) for word in call.keywords if word.arg == "name")
                    found[name] = ast.unparse(call.args[0])
    return found


def declared_events() -> set[str]:
    """Return the events that the rooms' events.py declare."""
    files = (ROOT / "src" / "xinyidai").glob("*/events.py")
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in files]
    return {node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}


def test_a_worker_knows_every_consumer_that_is_written(teahouse: Teahouse) -> None:
    registered = json.loads((teahouse.folder / "registered.json").read_text(encoding="utf-8"))

    written = written_consumers()

    assert written
    assert registered == written | {"tests.pour_tea": "TeaOrdered"}
    assert set(written.values()) <= declared_events()


def test_a_delivery_runs_its_consumer_once_however_often_it_is_sent(teahouse: Teahouse) -> None:
    delivery = teahouse.order("green")
    teahouse.wait_for("green")

    for _ in range(3):
        celery.send_task("xinyidai.deliver", (str(delivery),))
    teahouse.order("last")
    teahouse.wait_for("last")

    assert (teahouse.begun("green"), teahouse.poured("green")) == (1, 1)
    assert teahouse.ask("SELECT state FROM foundation.outbox_delivery WHERE id = $1", delivery) == ["done"]


def test_messages_that_make_no_sense_do_not_end_the_worker(teahouse: Teahouse) -> None:
    worker = teahouse.processes.running["worker"]

    celery.send_task("xinyidai.deliver", ("no id",))
    celery.send_task("xinyidai.deliver", (str(uuid4()),))
    celery.send_task("xinyidai.deliver", ("too", "many"))
    celery.send_task("xinyidai.there_is_no_such_task")
    with celery.connection_for_write() as connection, connection.Producer() as producer:
        producer.publish(b"\x80\x04.", content_type="application/x-python-serialize", routing_key=QUEUE)
        producer.publish("{not json", content_type="application/json", routing_key=QUEUE)
        producer.publish("{}", content_type="application/json", routing_key=QUEUE)
    teahouse.order("black")
    teahouse.wait_for("black")

    assert worker.poll() is None
    assert teahouse.poured("black") == 1


def test_a_worker_killed_in_the_middle_loses_nothing_and_does_nothing_twice(teahouse: Teahouse) -> None:
    (teahouse.folder / "white.held").touch()
    delivery = teahouse.order("white")
    wait_until(lambda: teahouse.begun("white") == 1, what="white is begun")

    teahouse.processes.kill("worker")
    wait_until(
        lambda: (
            not teahouse.ask(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND usename = 'xinyidai_worker'"
            )
        ),
        what="the database notices",
    )
    (teahouse.folder / "white.held").unlink()
    poured_by_the_killed = teahouse.poured("white")
    teahouse.work()
    # A minute passes, and beat asks for a sweep.
    teahouse.ask(
        "UPDATE foundation.outbox_delivery SET due_at = due_at - interval '61 seconds' WHERE id = $1", delivery
    )
    celery.send_task("xinyidai.sweep")
    teahouse.wait_for("white")

    assert poured_by_the_killed == 0
    assert (teahouse.begun("white"), teahouse.poured("white")) == (2, 1)
    assert teahouse.ask("SELECT state FROM foundation.outbox_delivery WHERE id = $1", delivery) == ["done"]


def test_bytes_that_are_no_message_end_the_worker_once_and_with_an_exit_code(teahouse: Teahouse) -> None:
    # The transport itself cannot read them.
    teahouse.broker.lpush(QUEUE, "{not json")

    code = teahouse.processes.running.pop("worker").wait(60)

    assert code == 1
    # They are gone, so that whoever starts the worker again is done.
    assert teahouse.broker.llen(QUEUE) == 0
