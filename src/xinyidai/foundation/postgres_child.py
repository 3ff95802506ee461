"""How PostgreSQL is set up and started on a folder of our own: initdb, settings, readiness.

The traps met on the way are in the comments; each was run into.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

from xinyidai.foundation.child_launcher import NOBODY
from xinyidai.foundation.children import (
    LOOPBACK,
    PORT_ATTEMPTS,
    START_PATIENCE_SECONDS,
    Identity,
    OwnedChild,
    PortTaken,
    ServerDidNotStart,
    free_port,
    last_lines,
    least_identity,
    rotate_log,
    run_to_end,
    start_failure,
    wait_until,
    write_private,
)
from xinyidai.foundation.server_binaries import PostgresBinaries, find_postgres, open_copy

SUPERUSER = "postgres"
# With C or the builtin provider show_trgm() of Chinese text is empty and a search for a firm finds nothing, silently.
LOCALE = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"
NEEDS_BYTES = 300_000_000
SHUTDOWN = [(signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)]

SETTINGS = {
    "listen_addresses": LOOPBACK,
    # A socket's path may be 107 bytes at most; a data folder's may be longer.
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_locks_per_transaction": "256",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "idle_in_transaction_session_timeout": "5min",
    "log_lock_waits": "on",
    "deadlock_timeout": "1s",
    "log_line_prefix": "%m [%p] %d %a ",
    # A statement's text and an error's detail ("Key (name)=(...) already exists") can hold personal data.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
FAST_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "io_method": "sync",
    # A sign-in costs both sides 4,096 rounds of hashing, most of what a connection costs; random passwords need one.
    "scram_iterations": "1",
}


def identity_and_binaries(data_dir: Path) -> tuple[Identity, PostgresBinaries]:
    """As whom the server will run, and the programs that one may run; as nobody, open the way to the data."""
    identity, binaries = least_identity(), find_postgres()
    if identity is Identity.NOBODY:
        binaries = open_copy(binaries, data_dir.parent)
        # nobody must pass through to its cluster; every file here stays closed to it.
        data_dir.chmod(0o711)
    return identity, binaries


def make_cluster(data_dir: Path, binaries: PostgresBinaries, *, fast: bool, identity: Identity) -> None:
    """Run initdb beside the final place and rename: a cluster killed while being made is never taken for whole."""
    unfinished, cluster = data_dir / "cluster.new", data_dir / "cluster"
    password_file = data_dir / "password"
    for remains in (unfinished, cluster):
        shutil.rmtree(remains, ignore_errors=True)
    write_private(password_file, secrets.token_urlsafe(24))
    shown_password = data_dir / "password.initdb"
    try:
        write_private(shown_password, password_file.read_text())
        unfinished.mkdir(mode=0o700)
        give_cluster(unfinished, identity=identity)
        if identity is Identity.NOBODY:
            os.chown(shown_password, NOBODY, NOBODY)
        command = [binaries.program("initdb"), "-D", str(unfinished), "-U", SUPERUSER, f"--pwfile={shown_password}"]
        command += [f"--locale={LOCALE}", "--encoding=UTF8", "--auth=scram-sha-256", "--no-instructions"]
        command += ["--no-sync", "-c", f"scram_iterations={FAST_SETTINGS['scram_iterations']}"] if fast else []
        outcome = run_to_end(command, identity=identity, timeout_seconds=START_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ServerDidNotStart(
            f"initdb did not finish in {START_PATIENCE_SECONDS:.0f} s; is the disk of {data_dir} very slow?"
        ) from error
    finally:
        shown_password.unlink(missing_ok=True)
    if outcome.returncode != 0:
        raise start_failure(data_dir, "initdb", outcome.stdout.strip())
    unfinished.rename(cluster)


def give_cluster(cluster: Path, *, identity: Identity) -> None:
    """As root, let the cluster belong to whom the server will be: PostgreSQL refuses any other folder.

    It changes only when the same folder is used first with and then without user namespaces.
    """
    if identity is Identity.SAME:
        return
    owner = NOBODY if identity is Identity.NOBODY else 0
    if cluster.stat().st_uid == owner:
        return
    os.chown(cluster, owner, owner)
    for root, folders, files in os.walk(cluster):
        for name in [*folders, *files]:
            os.chown(os.path.join(root, name), owner, owner, follow_symlinks=False)


def read_password(data_dir: Path) -> str:
    """The superuser password as made with the cluster."""
    try:
        return (data_dir / "password").read_text()
    except FileNotFoundError as error:
        raise ServerDidNotStart(
            f"{data_dir} has a database but no password file. Put the file back, or remove the folder to begin anew."
        ) from error


def launch(
    data_dir: Path, binaries: PostgresBinaries, *, fast: bool, identity: Identity, wanted_port: int | None
) -> tuple[OwnedChild, int]:
    """Start the server and wait until it takes connections; a port lost to someone else meanwhile is tried anew."""
    log = data_dir / "server.log"
    rotate_log(log)
    settings = SETTINGS | (FAST_SETTINGS if fast else {})
    chosen = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    for _ in range(PORT_ATTEMPTS):
        port = wanted_port or free_port()
        log_begins_at = log.stat().st_size if log.exists() else 0
        command = [binaries.program("postgres"), "-D", str(data_dir / "cluster"), "-p", str(port), *chosen]
        # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for clients to leave.
        child = OwnedChild(command, identity=identity, death_signal=signal.SIGINT, folder=data_dir, log=log)
        try:
            if wait_until(child, partial(_postmaster_is_ready, data_dir / "cluster", child.pid)):
                return child, port
        except BaseException:
            child.stop(SHUTDOWN)
            raise
        reason = last_lines(log, log_begins_at)
        still_runs = child.exit_code is None
        child.stop(SHUTDOWN)
        if "could not bind" not in reason or still_runs:
            raise start_failure(data_dir, "postgres", reason)
        if wanted_port is not None:
            raise PortTaken(f"Port {wanted_port} on {LOOPBACK} is taken by another program; choose another one.")
    raise PortTaken(f"No free port on {LOOPBACK} was found in {PORT_ATTEMPTS} attempts.")


def _postmaster_is_ready(cluster: Path, pid: int) -> bool:
    """Whether the server says in its pid file that it takes connections: line 1 is its pid, line 8 its state."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
