"""What the platform runs on is in the run-time lock, whatever else a developer's environment happens to hold.

`run.py demo` and the image install requirements.lock and nothing else; a package that only came along with the test
tools would be missing there, and no other test would see it.
"""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]

_LOAD_ALL = """
import pkgutil
import sys
from importlib import import_module

HIDDEN = set(sys.argv[1:])


class Hides:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"{name} is not of a package in requirements.lock", name=name)


sys.meta_path.insert(0, Hides())
for top in ("xinyidai", "city", "ml"):
    for module in pkgutil.walk_packages(import_module(top).__path__, top + "."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
from celery.apps import beat, worker
from celery.bin import celery as commands
from celery.concurrency import solo
from xinyidai.worker import celery

for broker in ("redis://127.0.0.1:1/0", "rediss://127.0.0.1:1/0"):
    print(type(celery.connection_for_write(broker).transport).__module__)
"""


def locked() -> set[str]:
    """Return the canonical names of the packages in the run-time lock."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)(?:\[.*\])?==", lock, re.MULTILINE)}


def asked_for() -> dict[str, str]:
    """Return every package that the project asks for here, extras and their requirements too, with who asks for it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    waiting = [(Requirement(line), project["name"]) for line in project["dependencies"]]
    found: dict[str, str] = {}
    followed: set[tuple[str, str]] = set()
    while waiting:
        wanted, asker = waiting.pop()
        name = canonicalize_name(wanted.name)
        found.setdefault(name, asker)
        for extra in {"", *wanted.extras} - {known for of, known in followed if of == name}:
            followed.add((name, extra))
            needs = [Requirement(line) for line in distribution(name).requires or ()]
            here = [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]
            waiting.extend((need, name) for need in here)
    return found


def test_all_that_the_packages_ask_for_is_in_the_lock() -> None:
    missing = {name: asker for name, asker in asked_for().items() if name not in locked()}
    assert not missing, f"not in requirements.lock, though asked for by: {missing}"


def test_every_module_and_the_broker_load_without_the_developers_packages() -> None:
    runs_on = locked() | {"xinyidai"}
    hidden = {
        module
        for module, owners in packages_distributions().items()
        if not any(canonicalize_name(owner) in runs_on for owner in owners)
    }
    assert {"pytest", "mypy", "playwright"} <= hidden
    loaded = subprocess.run(
        [sys.executable, "-c", _LOAD_ALL, *sorted(hidden)], capture_output=True, text=True, timeout=120, check=False
    )
    assert loaded.returncode == 0, loaded.stderr[-2000:]
    assert loaded.stdout.splitlines() == ["kombu.transport.redis"] * 2
