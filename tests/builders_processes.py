"""Processes of the platform as compose starts them, and the two embedded servers that they talk to."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from xinyidai.foundation.server_binaries import is_open_to_others

ROOT = Path(__file__).resolve().parents[1]
STOP_SECONDS = 60


@dataclass(frozen=True)
class Identity:
    """Who a process runs as: the numbers of the image's user, or whoever runs the tests when that is not root."""

    uid: int
    gid: int

    @property
    def prefix(self) -> list[str]:
        """Return the words before a command that make it this user's."""
        if os.geteuid() != 0:
            return []
        become = ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", "--no-new-privs"]
        if is_open_to_others(Path(sys.base_prefix)):
            return become
        # The one right of root that is kept is to read: the interpreter itself lies in a closed home.
        return [*become, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]


def can_become_another() -> bool:
    """Say whether a process can be started as a user who is not root."""
    return os.geteuid() != 0 or shutil.which("setpriv") is not None


@dataclass
class Processes:
    """Child processes of one test; each writes its output to a file, and none outlives the test."""

    folder: Path
    environment: Mapping[str, str]
    identity: Identity | None = None
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *words: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start `python WORDS...` under a name."""
        prefix = self.identity.prefix if self.identity else []
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*prefix, sys.executable, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=dict(environment or self.environment),
                start_new_session=True,
            )
        self.running[name] = process
        return process

    def said(self, name: str) -> str:
        """Return what a process has written so far."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def finish(self, name: str, *, seconds: float = 120) -> str:
        """Wait until a process has ended well; return what it wrote."""
        code = self.running.pop(name).wait(seconds)
        assert code == 0, f"{name} ended with {code}: {self.said(name)[-2000:]}"
        return self.said(name)

    def stop(self, name: str) -> int:
        """Ask a process to end; return its exit code."""
        process = self.running.pop(name)
        process.terminate()
        return process.wait(STOP_SECONDS)

    def kill(self, name: str) -> None:
        """Kill a process with its children, as a container's end or the kernel's killer would."""
        process = self.running.pop(name)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def end_all(self) -> None:
        """Kill what still runs."""
        for name in list(self.running):
            self.kill(name)


def wait_until(holds: Callable[[], bool], *, seconds: float = 120, what: str = "it") -> None:
    """Wait until a statement holds; fail with its name when it does not in time."""
    give_up_at = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up_at, f"{what} did not come true within {seconds} s"
        time.sleep(0.05)


def answers(url: str) -> bool:
    """Say whether a page answers 200."""
    try:
        with urlopen(url, timeout=3) as answer:  # noqa: S310 - loopback, of this test
            return answer.status == 200
    except (URLError, OSError):
        return False
