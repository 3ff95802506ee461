"""Become a server that ends with its parent: run as a script between fork and exec, never imported.

Giving up root and asking the kernel for a signal when the parent dies must happen after the fork and before the exec.
Doing it in `preexec_fn` would run Python in a forked copy of a threaded program, which can deadlock; a tiny process of
its own cannot. Standard library only: it starts with `python -I -S`, outside the virtual environment.

Usage: child_launcher.py PARENT_PID SIGNAL IDENTITY PROGRAM [ARGUMENT ...]
"""

import ctypes
import os
import sys

EXIT_IDENTITY_REFUSED = 97
EXIT_PARENT_GONE = 98
EXIT_NOT_EXECUTABLE = 99

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
NOBODY = 65534


def enter_user_namespace() -> None:
    """Appear as `nobody` to this process while the files stay root's.

    PostgreSQL refuses to run as user 0 and insists on owning its folder: inside the namespace both are so.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")
    # The kernel takes a gid map from an unprivileged writer only once setgroups is denied.
    for name, line in (("setgroups", "deny"), ("uid_map", f"{NOBODY} 0 1"), ("gid_map", f"{NOBODY} 0 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(line)


def become_nobody() -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def end_with_parent(parent_pid: int, signal_number: int) -> None:
    """Ask the kernel to send the signal when the parent dies; leave at once if it is dead already.

    Every change of credentials clears this wish, so it comes last.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit(EXIT_PARENT_GONE)


def main(arguments: list[str]) -> None:
    """Change identity, tie the life to the parent's, exec."""
    parent_pid, signal_number, identity, *command = arguments
    try:
        if identity == "namespace":
            enter_user_namespace()
        elif identity == "nobody":
            become_nobody()
    except OSError as error:
        sys.stderr.write(f"identity {identity}: {error}\n")
        sys.exit(EXIT_IDENTITY_REFUSED)
    os.umask(0o077)
    end_with_parent(int(parent_pid), int(signal_number))
    try:
        os.execv(command[0], command)  # noqa: S606 - becoming the server is the point
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error}\n")
        sys.exit(EXIT_NOT_EXECUTABLE)


if __name__ == "__main__":
    main(sys.argv[1:])
