"""Servers run as children of this process: start them, end them, never leave one behind; one owner for each folder.

A child ends with its owner however the owner ends: `stop()`, Ctrl-C and a plain exit stop it in order; SIGTERM and
SIGKILL reach it through the kernel's parent-death signal (on Linux; elsewhere the next owner of the folder clears up).
"""

import errno
import fcntl
import functools
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from xinyidai.foundation import child_launcher

LOOPBACK = "127.0.0.1"
LOG_LIMIT_BYTES = 20_000_000
CLAIM_PATIENCE_SECONDS = 0.5
POLL_SECONDS = 0.01
PORT_ATTEMPTS = 5
# Replaying the write-ahead log after a crash is the one slow start; 14 s was the slowest seen.
START_PATIENCE_SECONDS = 120.0


class EmbeddedServerError(RuntimeError):
    """A server that comes along could not be run; the message says what to do."""


class ServerInUse(EmbeddedServerError):
    """Another live process owns the folder."""


class ServerDidNotStart(EmbeddedServerError):
    """The server ended, or did not answer in time, while starting."""


class BinariesMissing(EmbeddedServerError):
    """No server program for this platform was found or could be run."""


class PortTaken(EmbeddedServerError):
    """The wanted port belongs to another program."""


class DiskFull(EmbeddedServerError):
    """The file system of the folder has too little room."""


class Identity(StrEnum):
    """As whom a child runs."""

    SAME = "same"
    NAMESPACE = "namespace"
    NOBODY = "nobody"


def launcher_command(command: Sequence[str], *, identity: Identity, death_signal: signal.Signals) -> list[str]:
    """The command wrapped so that it runs under `identity` and dies with this process."""
    launcher = os.path.abspath(child_launcher.__file__)
    return [sys.executable, "-I", "-S", launcher, str(os.getpid()), str(int(death_signal)), identity.value, *command]


def run_to_end(
    command: Sequence[str], *, identity: Identity, timeout_seconds: float
) -> subprocess.CompletedProcess[str]:
    """Run a short command under an identity and return its code and output; it dies with this process too."""
    return subprocess.run(
        launcher_command(command, identity=identity, death_signal=signal.SIGKILL),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=server_environment(),
        timeout=timeout_seconds,
        check=False,
        text=True,
        errors="replace",
    )


@functools.cache
def namespace_is_allowed() -> bool:
    """Whether root may make a user namespace here; some containers forbid it."""
    if sys.platform != "linux":
        return False
    probe = run_to_end([sys.executable, "-I", "-S", "-c", ""], identity=Identity.NAMESPACE, timeout_seconds=30)
    return probe.returncode == 0


def least_identity() -> Identity:
    """The least privileged identity that can be had: root gives itself up, everyone else stays who they are."""
    if os.geteuid() != 0:
        return Identity.SAME
    return Identity.NAMESPACE if namespace_is_allowed() else Identity.NOBODY


def server_environment() -> dict[str, str]:
    """A bare environment: no PG* variable, locale or HOME of the caller changes what a server does."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


class OwnedChild:
    """A running server process that cannot outlive this one.

    The kernel sends the parent-death signal when the *thread* that forked ends, not the process. So each child is
    forked by a keeper thread of its own, which then waits for it: a server started from a short-lived thread lives on.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        identity: Identity,
        death_signal: signal.Signals,
        folder: Path,
        log: Path,
        stdin_text: str = "",
    ) -> None:
        started: queue.SimpleQueue[subprocess.Popen[bytes] | OSError] = queue.SimpleQueue()
        wrapped = launcher_command(command, identity=identity, death_signal=death_signal)

        def keep() -> None:
            try:
                with open(log, "ab", opener=_private) as log_file:
                    # A session of its own: Ctrl-C in a terminal goes to the owner, who then stops the server in order.
                    process = subprocess.Popen(
                        wrapped,
                        stdin=subprocess.PIPE,
                        stdout=log_file,
                        stderr=log_file,
                        cwd=folder,
                        env=server_environment(),
                        start_new_session=True,
                    )
            except OSError as error:
                started.put(error)
                return
            started.put(process)
            process.wait()

        self.owner_pid = os.getpid()
        threading.Thread(target=keep, name=f"keeper of {Path(command[0]).name}", daemon=True).start()
        outcome = started.get()
        if isinstance(outcome, OSError):
            raise outcome
        self.process = outcome
        self._hand_over(stdin_text)

    def _hand_over(self, text: str) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(text.encode())
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # It ended before it read: the caller sees so at its next poll.

    @property
    def pid(self) -> int:
        """The process id; exec keeps it, so it is the server's own."""
        return self.process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self.process.poll()

    def stop(self, steps: Sequence[tuple[signal.Signals, float]]) -> None:
        """Send each signal in turn, waiting its seconds, until the process is gone; in a fork of the owner, nothing."""
        if os.getpid() != self.owner_pid:
            return
        for signal_number, patience_seconds in steps:
            if self.exit_code is not None:
                return
            self.process.send_signal(signal_number)
            try:
                self.process.wait(patience_seconds)
            except subprocess.TimeoutExpired:
                continue


class FolderClaim:
    """The exclusive right to run a folder's server: an advisory lock, held until released or the process ends."""

    def __init__(self, folder: Path) -> None:
        """Take the claim.

        Raises
        ------
        ServerInUse
            Another claim, of this process or another, is alive.
        """
        self.folder = folder
        self._descriptor = os.open(folder / "owner.lock", os.O_RDWR | os.O_CREAT, 0o600)
        give_up_at = time.monotonic() + CLAIM_PATIENCE_SECONDS
        # A short patience, because a reader that asks "is it alive?" holds the lock for an instant.
        while not _lock_now(self._descriptor, fcntl.LOCK_EX):
            if time.monotonic() > give_up_at:
                os.close(self._descriptor)
                owner = read_owner(folder)
                by = f"process {owner}" if owner else "another process"
                raise ServerInUse(
                    f"The server of {folder} is being run by {by}. Stop that one first, or set another XINYIDAI_HOME."
                )
            time.sleep(POLL_SECONDS)
        # Forked children share the lock's file description: were they to keep it, it would outlive the owner.
        os.register_at_fork(after_in_child=self._forget)

    @property
    def is_held(self) -> bool:
        """Whether it was not released yet."""
        return self._descriptor >= 0

    def release(self) -> None:
        """Give the folder back; again is harmless."""
        self._forget()

    def _forget(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _lock_now(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def is_claimed(folder: Path) -> bool:
    """Whether a live process owns the folder's server now."""
    try:
        descriptor = os.open(folder / "owner.lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _lock_now(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class Coordinates:
    """Where a running server listens and how to sign in, as kept in a 0600 file beside its data."""

    owner_pid: int
    port: int
    user: str
    password: str


def write_coordinates(folder: Path, coordinates: Coordinates) -> None:
    """Publish them for `attach`, whole or not at all."""
    write_private(folder / "server.json", json.dumps(coordinates.__dict__))


def read_coordinates(folder: Path) -> Coordinates | None:
    """Those of the server running now; None when no live process owns the folder or it is still starting."""
    if not is_claimed(folder):
        return None
    try:
        return Coordinates(**json.loads((folder / "server.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def read_owner(folder: Path) -> int | None:
    """The process id of the owner as last written down, for a message."""
    try:
        return int(json.loads((folder / "server.json").read_text())["owner_pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically with one only its owner may read."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(fresh, path)


def prepare_folder(folder: Path, *, needed_bytes: int) -> Path:
    """Make the folder private, see that there is room, and return its absolute path.

    Raises
    ------
    DiskFull
        Less than `needed_bytes` is free.
    EmbeddedServerError
        The folder cannot be made or belongs to another user.
    """
    folder = folder.absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedServerError(
            f"The data folder {folder} cannot be made: {error.strerror}. "
            "Set XINYIDAI_HOME to a folder you may write to."
        ) from error
    owner = folder.stat().st_uid
    if owner != os.geteuid():
        raise EmbeddedServerError(
            f"The data folder {folder} belongs to user {owner}, not to you ({os.geteuid()}). "
            "Start as that user, or set XINYIDAI_HOME to another folder."
        )
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise DiskFull(
            f"{folder} has {free_bytes // 1_000_000} MB free; the server needs {needed_bytes // 1_000_000} MB. "
            "Free some space, or set XINYIDAI_HOME to a folder on another disk."
        )
    return folder


def free_port() -> int:
    """A loopback TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def rotate_log(log: Path) -> None:
    """Keep one older log once it has grown past the limit."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))


def last_lines(log: Path, since_byte: int = 0, *, count: int = 6) -> str:
    """The end of what was written to a log after a position, for a message."""
    try:
        with open(log, "rb") as file:
            file.seek(since_byte)
            text = file.read(LOG_LIMIT_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.strip().splitlines()[-count:])


def wait_until(child: OwnedChild, is_ready: Callable[[], bool]) -> bool:
    """Wait for readiness; False when the child ended first or patience did."""
    give_up_at = time.monotonic() + START_PATIENCE_SECONDS
    while child.exit_code is None and time.monotonic() < give_up_at:
        if is_ready():
            return True
        time.sleep(POLL_SECONDS)
    return False


def start_failure(folder: Path, program: str, reason: str) -> EmbeddedServerError:
    """The error that fits what a program said before it ended."""
    if "No space left on device" in reason:
        return DiskFull(f"The disk of {folder} is full. Free some space, or move XINYIDAI_HOME.")
    return ServerDidNotStart(f"{program} did not start on {folder}: {reason or 'it said nothing'}")
