"""End what a killed owner may have left running in a folder, and forget its pid file.

Call it only while holding the folder's claim: then whatever still runs there has no owner. On Linux the kernel's
parent-death signal leaves seldom more than a server in the middle of its own shutdown. A process counts as left over
only if it has the program's name and works in the folder: a pid file alone may name an innocent process that was given
the same number after a reboot.
"""

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from xinyidai.foundation.children import POLL_SECONDS, ServerInUse

SHUTDOWN_UNDER_WAY_SECONDS = 3.0


def processes_in(folder: Path, program: str) -> list[int]:
    """Ids of the program's processes that work in the folder; empty where the system has no /proc."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            # The name guards a shell that someone left standing in the folder.
            if (
                os.readlink(entry) == str(folder.resolve())
                and (entry.parent / "comm").read_text().strip() == program[:15]
            ):
                found.append(int(entry.parent.name))
        except OSError:
            continue  # It ended meanwhile, or belongs to someone else.
    return found


def clear_leftovers(
    folder: Path, program: str, *, pid_file: Path, steps: Sequence[tuple[signal.Signals, float]]
) -> None:
    """Wait for leftover processes of the folder, then end them step by step, then drop a stale pid file.

    Raises
    ------
    ServerInUse
        Some could not be ended.
    """
    if not _are_gone(folder, program, SHUTDOWN_UNDER_WAY_SECONDS):
        for signal_number, patience_seconds in steps:
            for pid in processes_in(folder, program):
                _send(pid, signal_number)
            if _are_gone(folder, program, patience_seconds):
                break
        else:
            raise ServerInUse(
                f"Processes {processes_in(folder, program)} still run on {folder} and do not end; end them by hand."
            )
    # Where there is no /proc nothing was proven, and PostgreSQL judges its pid file itself.
    if Path("/proc/self/cwd").exists():
        pid_file.unlink(missing_ok=True)


def _are_gone(folder: Path, program: str, patience_seconds: float) -> bool:
    give_up_at = time.monotonic() + patience_seconds
    while processes_in(folder, program):
        if time.monotonic() > give_up_at:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _send(pid: int, signal_number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal_number)
