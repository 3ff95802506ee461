"""The PostgreSQL and Valkey that come along for demo, tests and development; DATABASE_URL and BROKER_URL replace them.

Each server belongs to the process that started it and ends with it; `attach` finds one that another process runs. They
listen on loopback only and ask for a random password kept in a 0600 file. Never for production: `doctor --production`
refuses them.
"""

import atexit
import os
import secrets
import signal
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from xinyidai.foundation import postgres_child, valkey_child
from xinyidai.foundation.children import (
    LOOPBACK,
    BinariesMissing,
    Coordinates,
    DiskFull,
    EmbeddedServerError,
    FolderClaim,
    OwnedChild,
    PortTaken,
    ServerDidNotStart,
    ServerInUse,
    prepare_folder,
    read_coordinates,
    write_coordinates,
)
from xinyidai.foundation.leftovers import clear_leftovers
from xinyidai.foundation.server_binaries import find_valkey

__all__ = [
    "BinariesMissing",
    "DiskFull",
    "EmbeddedServerError",
    "PortTaken",
    "PostgresServer",
    "ServerDidNotStart",
    "ServerInUse",
    "ValkeyServer",
    "attach",
    "attach_valkey",
    "start_postgres",
    "start_valkey",
]


@dataclass(frozen=True)
class _Owned:
    """What the starter of a server holds and an attached reader does not."""

    child: OwnedChild
    claim: FolderClaim
    shutdown: list[tuple[signal.Signals, float]]

    def announce(self, port: int, user: str, password: str) -> None:
        """Write down where the server is, or end it: one that nobody could find would only be in the way."""
        try:
            write_coordinates(self.claim.folder, Coordinates(os.getpid(), port, user, password))
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Stop the server and give the folder back; again, or in a fork of the owner, do nothing."""
        # Once released, the folder may have a new owner already, whose coordinates are not ours to remove.
        if os.getpid() != self.child.owner_pid or not self.claim.is_held:
            return
        self.child.stop(self.shutdown)
        (self.claim.folder / "server.json").unlink(missing_ok=True)
        self.claim.release()


@dataclass(frozen=True)
class _RunningServer:
    """A context manager around a server; only the value its starter got can end it."""

    _owned: _Owned | None = field(default=None, repr=False, compare=False, kw_only=True)

    @property
    def pid(self) -> int | None:
        """The server's process id, for its owner only."""
        return self._owned.child.pid if self._owned else None

    def stop(self) -> None:
        """End the server; open transactions roll back. One found by `attach` is left alone; again is harmless."""
        if self._owned is not None:
            self._owned.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@dataclass(frozen=True)
class PostgresServer(_RunningServer):
    """A running PostgreSQL: where it listens and how its superuser signs in."""

    host: str
    port: int
    superuser: str
    password: str = field(repr=False)
    data_dir: Path

    def dsn(self, database: str, user: str | None = None, password: str | None = None) -> str:
        """A `postgresql://` URL; the superuser's without `user`."""
        if user is None:
            user, password = self.superuser, self.password
        secret = f":{quote(password, safe='')}" if password is not None else ""
        return f"postgresql://{quote(user, safe='')}{secret}@{self.host}:{self.port}/{quote(database, safe='')}"


@dataclass(frozen=True)
class ValkeyServer(_RunningServer):
    """A running Valkey: where it listens and its password."""

    host: str
    port: int
    password: str = field(repr=False)
    data_dir: Path

    def url(self, database: int = 0) -> str:
        """A `redis://` URL, as Celery and redis-py take it."""
        return f"redis://default:{quote(self.password, safe='')}@{self.host}:{self.port}/{database}"


def start_postgres(data_dir: Path, *, fast: bool = False, port: int | None = None) -> PostgresServer:
    """Start PostgreSQL on a folder, making the cluster first if there is none.

    `fast` gives up durability against a crash of the machine, for tests. Without `port` a free one is taken.

    Raises
    ------
    ServerInUse, PortTaken, DiskFull, BinariesMissing, ServerDidNotStart
        All of them `EmbeddedServerError`, with a sentence that says what to do.
    """
    data_dir = prepare_folder(data_dir, needed_bytes=postgres_child.NEEDS_BYTES)
    claim = FolderClaim(data_dir)
    try:
        identity, binaries = postgres_child.identity_and_binaries(data_dir)
        cluster = data_dir / "cluster"
        if not (cluster / "PG_VERSION").exists():
            postgres_child.make_cluster(data_dir, binaries, fast=fast, identity=identity)
        clear_leftovers(cluster, "postgres", pid_file=cluster / "postmaster.pid", steps=postgres_child.SHUTDOWN)
        postgres_child.give_cluster(cluster, identity=identity)
        password = postgres_child.read_password(data_dir)
        child, taken_port = postgres_child.launch(data_dir, binaries, fast=fast, identity=identity, wanted_port=port)
    except BaseException:
        claim.release()
        raise
    owned = _Owned(child, claim, postgres_child.SHUTDOWN)
    owned.announce(taken_port, postgres_child.SUPERUSER, password)
    server = PostgresServer(
        LOOPBACK,
        taken_port,
        postgres_child.SUPERUSER,
        password,
        data_dir,
        _owned=owned,
    )
    atexit.register(server.stop)
    return server


def attach(data_dir: Path) -> PostgresServer | None:
    """The PostgreSQL that some live process runs on the folder; None when none does. Its `stop()` does nothing."""
    found = read_coordinates(data_dir)
    if found is None:
        return None
    return PostgresServer(LOOPBACK, found.port, found.user, found.password, data_dir.absolute())


def start_valkey(data_dir: Path, *, port: int | None = None) -> ValkeyServer:
    """Start Valkey as a message broker: nothing is written to disk, since the outbox re-sends what a restart loses.

    Raises
    ------
    ServerInUse, PortTaken, DiskFull, BinariesMissing, ServerDidNotStart
        All of them `EmbeddedServerError`, with a sentence that says what to do.
    """
    data_dir = prepare_folder(data_dir, needed_bytes=valkey_child.NEEDS_BYTES)
    claim = FolderClaim(data_dir)
    try:
        program = find_valkey()
        clear_leftovers(data_dir, Path(program).name, pid_file=data_dir / "valkey.pid", steps=valkey_child.SHUTDOWN)
        password = secrets.token_urlsafe(24)
        child, taken_port = valkey_child.launch(data_dir, program, password, wanted_port=port)
    except BaseException:
        claim.release()
        raise
    owned = _Owned(child, claim, valkey_child.SHUTDOWN)
    owned.announce(taken_port, "default", password)
    server = ValkeyServer(LOOPBACK, taken_port, password, data_dir, _owned=owned)
    atexit.register(server.stop)
    return server


def attach_valkey(data_dir: Path) -> ValkeyServer | None:
    """The Valkey that some live process runs on the folder; None when none does. Its `stop()` does nothing."""
    found = read_coordinates(data_dir)
    if found is None:
        return None
    return ValkeyServer(LOOPBACK, found.port, found.password, data_dir.absolute())
