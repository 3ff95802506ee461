"""What compose starts, started here: another user, secrets by file, nothing of the tree to write to."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
import yaml
from builders_processes import ROOT, Identity, Processes, answers, can_become_another, wait_until
from conftest import settings_for
from redis import Redis

from xinyidai.foundation.embedded import PostgresServer, start_valkey
from xinyidai.foundation.heartbeats import KEY
from xinyidai.foundation.migrating import newest_revision
from xinyidai.foundation.settings import DatabaseRole

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
UID, GID = (int(number) for number in COMPOSE["web"]["user"].split(":"))
TOOLS = ("doctor", "verify", "replay")


@dataclass(frozen=True)
class Machine:
    """A folder that the image's user may enter, with the secrets, a home and room for heartbeats."""

    folder: Path
    port: int
    processes: Processes

    def start(self, service: str, *words: str) -> None:
        """Start a service's command, or other words, with that service's environment and no other."""
        command = [self.fitted(word) for word in words or COMPOSE[service]["command"]]
        environment = {name: self.fitted(value) for name, value in COMPOSE[service]["environment"].items()}
        environment |= {"HEARTBEAT_PATH": self.heartbeat_of(service)} if "HEARTBEAT_PATH" in environment else {}
        name = command[0] if service == "tools" else service
        self.processes.start(name, "-m", "xinyidai", *command, environment=self.processes.environment | environment)

    def heartbeat_of(self, service: str) -> str:
        """Return the heartbeat file of a service: each container has a /tmp of its own."""
        return f"{self.folder / 'tmp' / service}.heartbeat"

    def fitted(self, word: str) -> str:
        """Return a word of the compose file with this machine's places in it."""
        places = {"/run/secrets/": f"{self.folder}/secrets/", "0.0.0.0": "127.0.0.1", "8000": str(self.port)}  # noqa: S104
        for there, here in places.items():
            word = word.replace(there, here)
        return word

    def is_healthy(self, service: str) -> bool:
        """Run the service's own health check, as compose would."""
        kind, *words = COMPOSE[service]["healthcheck"]["test"]
        command = {"CMD": words, "CMD-SHELL": ["sh", "-c", *words]}[kind]
        environment = dict(self.processes.environment, HEARTBEAT_PATH=self.heartbeat_of(service))
        fitted = [self.fitted(word).replace("$$", "$") for word in command]
        return subprocess.run(fitted, env=environment, capture_output=True, check=False).returncode == 0


def image_environment() -> dict[str, str]:
    """Return what the Dockerfile's last stage sets."""
    last = (ROOT / "Dockerfile").read_text(encoding="utf-8").rpartition("FROM ")[2]
    block = re.search(r"^ENV ((?:.*\\\n)*.*)$", last, re.MULTILINE)
    assert block is not None
    return dict(pair.split("=", 1) for pair in block.group(1).replace("\\\n", " ").split())


def secrets_for(cluster: PostgresServer, database: str, broker_url: str) -> dict[str, str]:
    """Return the content of ./secrets on the test servers.

    The roles are the cluster's and other tests sign in with them too, so each keeps the password that it has.
    """
    settings = settings_for(cluster, database)
    urls = {
        f"{role.name.lower()}_database_url": settings.dsn(role)
        .set(drivername="postgresql")
        .render_as_string(hide_password=False)
        for role in (DatabaseRole.APP, DatabaseRole.WORKER, DatabaseRole.MIGRATE, DatabaseRole.AUDITOR)
    }
    return urls | {
        "database_url": cluster.dsn(database),
        "broker_url": broker_url,
        "secret_key": settings.secret_key.get_secret_value(),
    }


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the image's user may enter; pytest's own lie below a closed one."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        for name in ("secrets", "home", "tmp", "closed"):
            (folder / name).mkdir()
        (folder / "closed").chmod(0 if os.geteuid() else 0o700)
        (folder / "tmp").chmod(0o1777)
        os.chown(folder / "home", UID, GID) if os.geteuid() == 0 else None
        yield folder


async def run_sql(cluster: PostgresServer, statement: str) -> None:
    admin = await asyncpg.connect(cluster.dsn("postgres"))
    await admin.execute(statement)
    await admin.close()


@pytest.fixture
def empty_database(cluster: PostgresServer) -> Generator[str]:
    name = f"compose_{os.getpid()}"
    asyncio.run(run_sql(cluster, f"CREATE DATABASE {name}"))
    yield name
    asyncio.run(run_sql(cluster, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def machine(
    cluster: PostgresServer, empty_database: str, open_folder: Path, tmp_path: Path
) -> Generator[tuple[Machine, Redis]]:
    with start_valkey(tmp_path / "valkey") as broker:
        for name, content in secrets_for(cluster, empty_database, broker.url()).items():
            (open_folder / "secrets" / name).write_text(content, encoding="utf-8")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = image_environment() | {
            "PATH": f"{ROOT / '.venv' / 'bin'}:/usr/bin:/bin",
            # Worse than the image: a home that may not be entered.
            "HOME": str(open_folder / "closed"),
            "XINYIDAI_HOME": str(open_folder / "home"),
            "OMP_NUM_THREADS": "1",
        }
        processes = Processes(tmp_path, environment, Identity(UID, GID))
        client = Redis.from_url(broker.url())
        yield Machine(open_folder, port, processes), client
        client.close()
        processes.end_all()


def heard(broker: Redis) -> set[str]:
    return {name.decode().partition("@")[0] for name in broker.zrange(KEY, 0, -1)}


def uids_of(processes: Processes) -> set[str]:
    """Return who the running processes are: real, effective, saved and file-system user."""
    lines = [Path(f"/proc/{one.pid}/status").read_text(encoding="utf-8") for one in processes.running.values()]
    return {uid for text in lines for uid in re.findall(r"^Uid:\s+(.*)$", text, re.MULTILINE)[0].split()}


@pytest.mark.skipif(not can_become_another(), reason="root without setpriv cannot become another user")
def test_the_commands_of_compose_work_for_a_user_who_owns_nothing(machine: tuple[Machine, Redis]) -> None:
    here, broker = machine
    processes = here.processes

    here.start("migrate")
    migrated = processes.finish("migrate")
    for service in ("web", "worker", "beat"):
        here.start(service)
    wait_until(lambda: answers(f"http://127.0.0.1:{here.port}/health/ready"), what="web is ready")
    wait_until(lambda: heard(broker) == {"beat", "web", "worker"}, what="web, beat and worker are heard")
    healthy = {service: here.is_healthy(service) for service in ("web", "worker", "beat")}
    owners = uids_of(processes)
    for word in TOOLS:
        here.start("tools", *(COMPOSE["tools"]["command"] if word == "doctor" else [word]))
    told = {word: (processes.running.pop(word).wait(120), processes.said(word)) for word in TOOLS}
    stopped = {service: processes.stop(service) for service in ("web", "worker", "beat")}

    assert f"database at {newest_revision()}" in migrated
    assert healthy == {"web": True, "worker": True, "beat": True}
    assert owners == {str(UID if os.geteuid() == 0 else os.geteuid())}
    # How much room the disk of the tests has is not the platform's doing.
    assert re.findall(r"^BAD  (?!disk|desks).*$", told["doctor"][1], re.MULTILINE) == []
    assert "ok   beat: beat@" in told["doctor"][1]
    assert "ok   worker: worker@" in told["doctor"][1]
    assert {word: told[word][0] for word in TOOLS[1:]} == {"verify": 0, "replay": 0}, told
    # uvicorn closes its doors and then lets the signal have its way.
    assert stopped == {"web": -signal.SIGTERM, "worker": 0, "beat": 0}
    assert heard(broker) == set()
