"""What a command runs in: settings, and, where none are given, embedded servers with a database of their own.

Without DATABASE_URL a command starts (or finds running) the embedded PostgreSQL under XINYIDAI_HOME and works on the
*current* database there: the one that the last `demo` or `case` made, else `xinyidai`.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Generator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import asyncpg
import click
import uvloop
from pydantic import SecretStr

from xinyidai.foundation.clock import BusinessClock
from xinyidai.foundation.database import Sessions, make_engine, make_sessions
from xinyidai.foundation.embedded import (
    EmbeddedServerError,
    PostgresServer,
    ValkeyServer,
    attach,
    attach_valkey,
    start_postgres,
    start_valkey,
)
from xinyidai.foundation.migrating import bootstrap, migrate
from xinyidai.foundation.settings import DatabaseRole, Settings, read_secret_files, settings

DEFAULT_DATABASE = "xinyidai"

DATABASE_SETTINGS = tuple(name.upper() for name in Settings.model_fields if name.endswith("database_url"))
PORT_TAKEN = 15
"""The exit code of a taken port, the same as run.py's."""
ANOTHER_KEY = 19
"""The exit code of a secret key that is not the running platform's; run.py has none of that number."""

Result = TypeVar("Result")


class PortIsTaken(click.ClickException):
    """Something else listens there."""

    exit_code = PORT_TAKEN


class SecretKeyIsAnother(click.ClickException):
    """The passwords of the running database's roles come from another secret key."""

    exit_code = ANOTHER_KEY


@dataclass(frozen=True)
class Surroundings:
    """Settings of a running platform, and the servers that this command started for it."""

    settings: Settings
    database: str
    embedded: PostgresServer | None
    broker: ValkeyServer | None

    def run(self, act: Callable[["Connected"], Awaitable[Result]]) -> Result:
        """Run an async command with open sessions."""
        return uvloop.run(self._run(act))

    async def _run(self, act: Callable[["Connected"], Awaitable[Result]]) -> Result:
        async with AsyncExitStack() as stack:
            return await act(Connected(self.settings, self.settings.clock(), stack))


@dataclass(frozen=True)
class Connected:
    """Sessions by database role, opened when first asked for, and the business clock, for one command."""

    settings: Settings
    clock: BusinessClock
    stack: AsyncExitStack

    @cached_property
    def app(self) -> Sessions:
        """Return sessions with the web's rights."""
        return self._sessions(DatabaseRole.APP)

    @cached_property
    def worker(self) -> Sessions:
        """Return sessions with the worker's rights."""
        return self._sessions(DatabaseRole.WORKER)

    @cached_property
    def auditor(self) -> Sessions:
        """Return sessions that can only read."""
        return self._sessions(DatabaseRole.AUDITOR)

    def _sessions(self, role: DatabaseRole) -> Sessions:
        engine = make_engine(self.settings.dsn(role))
        self.stack.push_async_callback(engine.dispose)
        return make_sessions(engine)


def home() -> Path:
    """Return the folder of embedded servers and local secrets."""
    return Path(os.environ.get("XINYIDAI_HOME", ".xinyidai")).absolute()


@contextmanager
def surroundings(
    *, database: str | None = None, fresh: bool = False, with_broker: bool = False, migrated: bool = True
) -> Generator[Surroundings]:
    """Yield the surroundings of a command; stop at its end the servers that were started for it.

    With `fresh` the named database is dropped and made anew (embedded server only); a DATABASE_URL is used as it is.
    """
    read_secret_files()
    # asyncpg looks for certificates in the home folder at each connection; one that may not be entered fails them all.
    if not os.access(os.path.expanduser("~"), os.X_OK):
        os.environ["HOME"] = str(home())
    server: PostgresServer | None = None
    broker: ValkeyServer | None = None
    try:
        if not any(name in os.environ for name in DATABASE_SETTINGS):
            server = _postgres()
            if server.pid is None:
                asyncio.run(_require_its_key(server))
            name = database or current_database()
            asyncio.run(_make_database(server, name, fresh=fresh))
            os.environ["DATABASE_URL"] = server.dsn(name)
            os.environ.setdefault("SECRET_KEY", _local_secret())
            os.environ.setdefault("SANDBOX", "1")
            os.environ.setdefault("STAFF_SECOND_FACTOR", "0")
            (home() / "database").write_text(name, encoding="utf-8")
        if with_broker and "BROKER_URL" not in os.environ:
            if server is None:
                raise click.ClickException("BROKER_URL is not set: all processes of a platform need the same broker")
            broker = attach_valkey(home() / "valkey") or start_valkey(home() / "valkey")
            os.environ["BROKER_URL"] = broker.url()
        settings.cache_clear()
        known = settings()
        if server is not None and migrated:
            asyncio.run(bring_up_to_date(known))
        yield Surroundings(known, database or current_database(), server, broker)
    except EmbeddedServerError as error:
        raise click.ClickException(str(error)) from error
    finally:
        for started in (broker, server):
            if started is not None:
                started.stop()


def current_database() -> str:
    """Return the database of the last `demo` or `case` in this home, else the default one."""
    kept = home() / "database"
    return kept.read_text(encoding="utf-8").strip() if kept.exists() else DEFAULT_DATABASE


def require_own_servers() -> None:
    """Stop where a database was given: for commands that make and drop databases of their own."""
    read_secret_files()
    if any(name in os.environ for name in DATABASE_SETTINGS):
        raise click.ClickException("this command makes and drops databases of its own: unset DATABASE_URL")


def require_free_port(host: str, port: int) -> None:
    """Stop with a clear sentence when something listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortIsTaken(
                f"port {port} on {host} is taken; choose another with --port or end what uses it"
            ) from error


def say(sentence: str) -> None:
    """Print a line of progress at once."""
    click.echo(sentence, err=True)


def _postgres() -> PostgresServer:
    folder = home() / "postgres"
    running = attach(folder)
    if running is not None:
        return running
    if not (folder / "cluster" / "PG_VERSION").exists():
        say(f"Making a PostgreSQL cluster in {folder} ...")
    return start_postgres(folder)


async def _require_its_key(server: PostgresServer) -> None:
    """Stop before anything is changed where what runs on the server has another secret key.

    The roles' local passwords come from that key. Setting them to ours, as bringing a database up to date does, would
    leave a running platform without a database from its next connection on.

    Raises
    ------
    SecretKeyIsAnother
        It names the key that is expected.
    """
    kept = home() / "secret_key"
    kept_key = kept.read_text(encoding="utf-8").strip() if kept.exists() else None
    given_key = os.environ.get("SECRET_KEY")
    if await _takes_key(server, given_key or kept_key):
        return
    is_kept_one = given_key is not None and await _takes_key(server, kept_key)
    expected = (
        (f"unset SECRET_KEY, since it runs with the one in {kept}", f"请取消 SECRET_KEY，它使用 {kept} 中的密钥")
        if is_kept_one
        else ("set SECRET_KEY to the one it was started with", "请把 SECRET_KEY 设为启动它时所用的密钥")
    )
    raise SecretKeyIsAnother(
        f"another_secret_key: The platform that runs in {home()} has another SECRET_KEY, so nothing was changed;"
        f" {expected[0]} / 在 {home()} 运行的平台使用另一个 SECRET_KEY，未作任何改动；{expected[1]}"
    )


async def _takes_key(server: PostgresServer, key: str | None) -> bool:
    """Say whether the roles' passwords come from the key; any key will do where there are no roles yet."""
    role = DatabaseRole.AUDITOR
    admin = await asyncpg.connect(server.dsn("postgres"))
    try:
        if not await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role.value):
            return True
    finally:
        await admin.close()
    if key is None:
        return False
    password = Settings(secret_key=SecretStr(key)).local_password(role)
    try:
        connection = await asyncpg.connect(server.dsn("postgres", role.value, password))
    except asyncpg.InvalidPasswordError:
        return False
    await connection.close()
    return True


async def _make_database(server: PostgresServer, name: str, *, fresh: bool) -> None:
    admin = await asyncpg.connect(server.dsn("postgres"))
    try:
        quoted = '"' + name.replace('"', '""') + '"'
        if fresh:
            await admin.execute(f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)")
        if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await admin.execute(f"CREATE DATABASE {quoted}")
    finally:
        await admin.close()


async def bring_up_to_date(known: Settings) -> None:
    """Make the roles where they are missing and run the revisions."""
    await bootstrap(known)
    await migrate(known.dsn(DatabaseRole.MIGRATE))


def _local_secret() -> str:
    kept = home() / "secret_key"
    if not kept.exists():
        descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(48))
    return kept.read_text(encoding="utf-8").strip()
