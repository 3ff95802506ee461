"""How Valkey is started as a message broker on a folder of our own."""

import signal
import socket
from functools import partial
from pathlib import Path

from xinyidai.foundation.children import (
    LOOPBACK,
    PORT_ATTEMPTS,
    Identity,
    OwnedChild,
    PortTaken,
    free_port,
    last_lines,
    least_identity,
    rotate_log,
    start_failure,
    wait_until,
)

NEEDS_BYTES = 10_000_000
SHUTDOWN = [(signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)]
SETTINGS = {
    "bind": LOOPBACK,
    "save": '""',
    "appendonly": "no",
    "maxmemory": "256mb",
    # A broker that evicts would lose messages silently; one that refuses is seen.
    "maxmemory-policy": "noeviction",
    "enable-debug-command": "no",
    "enable-module-command": "no",
}


def launch(data_dir: Path, program: str, password: str, *, wanted_port: int | None) -> tuple[OwnedChild, int]:
    """Start the server and wait until it answers; a port lost to someone else meanwhile is tried anew."""
    log = data_dir / "server.log"
    rotate_log(log)
    # Without user namespaces root stays root here: nobody might not be allowed to run the program where it lies.
    identity = Identity.SAME if least_identity() is Identity.NOBODY else least_identity()
    for _ in range(PORT_ATTEMPTS):
        port = wanted_port or free_port()
        log_begins_at = log.stat().st_size if log.exists() else 0
        # On standard input, because a command line shows its password to every user of the machine.
        settings = SETTINGS | {"port": str(port), "requirepass": password}
        text = "".join(f"{name} {value}\n" for name, value in settings.items())
        child = OwnedChild(
            [program, "-"], identity=identity, death_signal=signal.SIGTERM, folder=data_dir, log=log, stdin_text=text
        )
        try:
            if wait_until(child, partial(_valkey_answers, port, password)):
                return child, port
        except BaseException:
            child.stop(SHUTDOWN)
            raise
        reason = last_lines(log, log_begins_at)
        child.stop(SHUTDOWN)
        if "bind" not in reason:
            raise start_failure(data_dir, "valkey-server", reason)
        if wanted_port is not None:
            raise PortTaken(f"Port {wanted_port} on {LOOPBACK} is taken by another program; choose another one.")
    raise PortTaken(f"No free port on {LOOPBACK} was found in {PORT_ATTEMPTS} attempts.")


def _valkey_answers(port: int, password: str) -> bool:
    """Whether a server there accepts this password and answers a ping: another program on the port does not."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2 and (received := connection.recv(1024)):
                answer += received
    except OSError:
        return False
    return answer == b"+OK\r\n+PONG\r\n"
