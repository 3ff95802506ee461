"""The servers that come along start, keep their data, refuse a second owner, and never outlive their owner."""

import asyncio
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from xinyidai.foundation import children, postgres_child, server_binaries
from xinyidai.foundation.child_launcher import NOBODY
from xinyidai.foundation.children import Identity
from xinyidai.foundation.embedded import (
    DiskFull,
    EmbeddedServerError,
    PortTaken,
    PostgresServer,
    ServerInUse,
    attach,
    attach_valkey,
    start_postgres,
    start_valkey,
)

SOURCES = Path(__file__).parents[2] / "src"
OWNER = """
    import os, sys, threading, time
    from pathlib import Path
    from xinyidai.foundation.embedded import start_postgres, start_valkey
    folder = Path(sys.argv[1])
    servers = []
    def start():
        servers.extend([start_postgres(folder / "postgres", fast=True), start_valkey(folder / "valkey")])
    # From a thread that ends at once, as a web server's would: the parent-death signal must not fire for it.
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    time.sleep(0.2)
    print(servers[0].pid, servers[1].pid, servers[0].dsn("postgres"), flush=True)
    time.sleep(60)
"""


async def _ask(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def ask(server: PostgresServer, sql: str) -> object:
    """The first value of a query, as the superuser."""
    return asyncio.run(_ask(server.dsn("postgres"), sql))


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ends_within(pid: int, seconds: float) -> bool:
    """Whether a process ends in time."""
    give_up_at = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < give_up_at:
        time.sleep(0.02)
    return not is_alive(pid)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A server on a folder with a space in its name."""
    with start_postgres(tmp_path_factory.mktemp("data") / "post gres", fast=True) as server:
        yield server


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder any user may enter; pytest's own lie below a closed one."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """A process that owns both servers, and the servers' process ids."""
    command = [sys.executable, "-c", textwrap.dedent(OWNER), str(tmp_path)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(SOURCES)}
    )
    assert process.stdout is not None
    postgres_pid, valkey_pid, dsn = process.stdout.readline().split()
    assert asyncio.run(_ask(dsn, "SELECT 1")) == 1
    yield process, int(postgres_pid), int(valkey_pid)
    process.kill()
    process.wait()
    process.stdout.close()


def test_chinese_names_have_trigrams(running: PostgresServer) -> None:
    ask(running, "CREATE EXTENSION IF NOT EXISTS pg_trgm")

    trigrams = ask(running, "SELECT show_trgm('重庆小面馆')")

    assert trigrams


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("server_encoding", "UTF8"),
        ("TimeZone", "UTC"),
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("log_error_verbosity", "terse"),
        ("fsync", "off"),
    ],
)
def test_server_runs_with_our_settings(running: PostgresServer, name: str, value: str) -> None:
    assert ask(running, f"SHOW {name}") == value


def test_server_does_not_run_with_the_rights_of_root(running: PostgresServer) -> None:
    status = Path(f"/proc/{running.pid}/status").read_text()

    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff"))

    assert int(effective, 16) == 0


def test_secrets_are_for_the_owner_only(running: PostgresServer) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in running.data_dir.iterdir() if path.is_file()}

    assert set(modes.values()) == {0o600}
    assert running.password not in repr(running)


def test_a_wrong_password_is_refused(running: PostgresServer) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(_ask(running.dsn("postgres", "postgres", "wrong"), "SELECT 1"))


def test_dsn_escapes_what_a_url_would_misread(running: PostgresServer) -> None:
    dsn = running.dsn("a b", "u@v", "p/w:?")

    assert dsn == f"postgresql://u%40v:p%2Fw%3A%3F@127.0.0.1:{running.port}/a%20b"


def test_a_second_start_on_the_folder_is_refused_and_harms_nothing(running: PostgresServer) -> None:
    with pytest.raises(ServerInUse, match=str(os.getpid())):
        start_postgres(running.data_dir)

    assert ask(running, "SELECT 1") == 1


def test_attach_finds_the_running_server_and_cannot_stop_it(running: PostgresServer) -> None:
    found = attach(running.data_dir)

    assert found == running
    found.stop()
    assert ask(running, "SELECT 1") == 1


def test_attach_finds_nothing_where_nothing_runs(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text(json.dumps({"owner_pid": 1, "port": 1, "user": "a", "password": "b"}))

    assert attach(tmp_path) is None
    assert attach_valkey(tmp_path / "absent") is None


def test_a_warm_start_keeps_the_rows_and_the_password(tmp_path: Path) -> None:
    with start_postgres(tmp_path) as first:
        ask(first, "CREATE TABLE kept AS SELECT 42 AS answer")

    began = time.monotonic()
    with start_postgres(tmp_path) as second:
        took_seconds = time.monotonic() - began
        answer = ask(second, "SELECT answer FROM kept")

    assert answer == 42
    assert second.password == first.password
    assert not is_alive(first.pid or 0)
    assert attach(tmp_path) is None
    assert took_seconds < 10


def test_stopping_again_does_not_touch_the_next_server_of_the_folder(tmp_path: Path) -> None:
    first = start_postgres(tmp_path, fast=True)
    first.stop()

    with start_postgres(tmp_path, fast=True) as second:
        first.stop()

        assert attach(tmp_path) == second
        assert ask(second, "SELECT 1") == 1


def test_a_cluster_killed_while_being_made_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "cluster.new").mkdir()
    (tmp_path / "cluster.new" / "PG_VERSION").write_text("18")

    with start_postgres(tmp_path, fast=True) as server:
        assert ask(server, "SELECT 1") == 1

    assert not (tmp_path / "cluster.new").exists()


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_servers_end_with_their_owner_however_it_ends(
    owner: tuple[subprocess.Popen[str], int, int], tmp_path: Path, signal_number: signal.Signals
) -> None:
    process, postgres_pid, valkey_pid = owner

    process.send_signal(signal_number)
    process.wait(20)

    assert ends_within(postgres_pid, 10)
    assert ends_within(valkey_pid, 10)
    # The pid file and coordinates that a killed owner leaves are not taken for a live server.
    with start_postgres(tmp_path / "postgres", fast=True) as again:
        assert ask(again, "SELECT 1") == 1


def test_a_server_killed_outright_recovers_on_the_next_start(tmp_path: Path) -> None:
    first = start_postgres(tmp_path)
    ask(first, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    first.stop()

    with start_postgres(tmp_path) as second:
        assert ask(second, "SELECT answer FROM kept") == 42


def test_a_stale_pid_file_naming_an_innocent_process_is_ignored(tmp_path: Path) -> None:
    start_postgres(tmp_path, fast=True).stop()
    innocent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], cwd=tmp_path / "cluster")
    (tmp_path / "cluster" / "postmaster.pid").write_text(
        f"{innocent.pid}\n{tmp_path / 'cluster'}\n0\n5432\n\n\n\nready\n"
    )

    with start_postgres(tmp_path, fast=True) as server:
        assert ask(server, "SELECT 1") == 1

    assert innocent.poll() is None
    innocent.kill()
    innocent.wait()


def test_a_taken_port_is_said_so(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(PortTaken, match=str(port)):
            start_postgres(tmp_path / "postgres", fast=True, port=port)
        with pytest.raises(PortTaken, match=str(port)):
            start_valkey(tmp_path / "valkey", port=port)

    # The refusal gave the folder back.
    start_postgres(tmp_path / "postgres", fast=True, port=port).stop()


def test_a_full_disk_is_said_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_child, "NEEDS_BYTES", 1 << 60)

    with pytest.raises(DiskFull, match="MB free"):
        start_postgres(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_valkey_asks_for_its_password_and_never_evicts(tmp_path: Path) -> None:
    with start_valkey(tmp_path) as server:
        client = redis.Redis.from_url(server.url())
        assert client.ping() is True
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        client.close()

        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0)).ping()
        with pytest.raises(ServerInUse):
            start_valkey(tmp_path)
        assert attach_valkey(tmp_path) == server
        command_line = Path(f"/proc/{server.pid}/cmdline").read_text()

    assert server.password not in command_line
    assert attach_valkey(tmp_path) is None


def test_an_old_system_server_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("postgres", "initdb"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 15.4'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(server_binaries, "_postgres_folders", lambda: iter([tmp_path, tmp_path / "absent"]))

    with pytest.raises(EmbeddedServerError, match=r"version 15 is too old.*is not there.*|DATABASE_URL"):
        server_binaries.find_postgres.__wrapped__()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
def test_root_without_user_namespaces_runs_the_server_as_nobody(
    monkeypatch: pytest.MonkeyPatch, open_folder: Path
) -> None:
    monkeypatch.setattr(postgres_child, "least_identity", lambda: Identity.NOBODY)

    with start_postgres(open_folder / "postgres", fast=True) as server:
        assert ask(server, "SELECT 1") == 1
        assert Path(f"/proc/{server.pid}").stat().st_uid == NOBODY
        pid = server.pid

    assert not is_alive(pid or 0)
    monkeypatch.undo()
    # The same folder serves on after user namespaces were allowed.
    with start_postgres(open_folder / "postgres", fast=True) as server:
        assert ask(server, "SELECT 1") == 1


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root with setpriv can become another"
)
def test_a_normal_user_runs_the_servers(open_folder: Path) -> None:
    os.chown(open_folder, NOBODY, NOBODY)
    script = """
        import os, sys
        from pathlib import Path
        from xinyidai.foundation.embedded import start_postgres, start_valkey
        with start_postgres(Path(sys.argv[1]) / "postgres", fast=True) as postgres:
            with start_valkey(Path(sys.argv[1]) / "valkey") as valkey:
                print(os.stat(f"/proc/{postgres.pid}").st_uid, os.stat(f"/proc/{valkey.pid}").st_uid)
    """
    # The one right of root that is kept is to read: the interpreter itself may lie in root's closed home.
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    become += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    command = [*become, sys.executable, "-c", textwrap.dedent(script), str(open_folder)]
    environment = os.environ | {"PYTHONPATH": str(SOURCES), "HOME": str(open_folder)}

    outcome = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)

    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.split() == [str(NOBODY), str(NOBODY)]


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)

    with pytest.raises(EmbeddedServerError, match="belongs to user"):
        children.prepare_folder(tmp_path, needed_bytes=0)
