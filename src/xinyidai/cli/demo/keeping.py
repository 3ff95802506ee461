"""What is kept of a seeded city, so that resets need no seeding: a database and the city's own files."""

import asyncio
import hashlib
import json
import shutil
import sqlite3
import tomllib
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import asyncpg

from xinyidai.cli.demo.neighbours import CityPlan
from xinyidai.foundation.migrating import newest_revision
from xinyidai.sources.service.connecting import OFFICES

HALF_MADE: Final = "_making"
MARKER: Final = "seeded.json"
SEEDS_WITH: Final = ("city.world", "xinyidai.cli.demo")
"""Packages whose code decides what a seeding makes: a template of other code is none."""


@dataclass(frozen=True)
class Keeper:
    """Where a demo's database and files are, and where their template is kept."""

    admin_dsn: str
    database: str
    plan: CityPlan

    @property
    def template(self) -> str:
        """Return the template's name: by size, seed, newest revision and the code that seeds."""
        return f"kept_{self.plan.seed}_{self.plan.firms}_{newest_revision()}_{_code_digest()}"

    @property
    def folder(self) -> Path:
        """Return the folder of the template's files."""
        return self.plan.home.parent / "templates" / self.template

    def is_seeded(self) -> bool:
        """Say whether a seeding of this demo came to its end."""
        return (self.plan.home / MARKER).exists() and self.plan.store.exists() and self.plan.toml.exists()

    def mark_seeded(self) -> None:
        """Write down that the seeding came to its end."""
        (self.plan.home / MARKER).write_text(json.dumps({"seed": self.plan.seed, "firms": self.plan.firms}))

    def client_secrets(self) -> dict[str, str]:
        """Return our secret at each office, as the city was told it; none before it was told anything."""
        if not self.plan.toml.exists():
            return {}
        told = tomllib.loads(self.plan.toml.read_text(encoding="utf-8"))
        return {office: str(told[office]["client_secret"]) for office in OFFICES if office in told}

    def save(self) -> None:
        """Keep the seeded database and files; a template appears whole or not at all."""
        making = self.folder.with_name(self.folder.name + HALF_MADE)
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True, mode=0o700)
        for path in (self.plan.toml, self.plan.home / MARKER):
            shutil.copy2(path, making / path.name)
        with (
            closing(sqlite3.connect(self.plan.store)) as source,
            closing(sqlite3.connect(making / self.plan.store.name)) as copy,
        ):
            source.backup(copy)
        asyncio.run(self._copy(self.database, self.template + HALF_MADE))
        asyncio.run(self._rename(self.template + HALF_MADE, self.template))
        making.rename(self.folder)

    def restore(self) -> bool:
        """Make database and files anew from the template; False where there is none."""
        if not self.folder.exists() or not asyncio.run(self._exists(self.template)):
            return False
        shutil.rmtree(self.plan.home, ignore_errors=True)
        self.plan.store.parent.mkdir(parents=True, mode=0o700)
        asyncio.run(self._copy(self.template, self.database))
        shutil.copy2(self.folder / self.plan.toml.name, self.plan.toml)
        shutil.copy2(self.folder / self.plan.store.name, self.plan.store)
        # Last, for it says that the others are there.
        shutil.copy2(self.folder / MARKER, self.plan.home / MARKER)
        return True

    def start_anew(self) -> None:
        """Drop what there is of this demo, and make an empty database."""
        shutil.rmtree(self.plan.home, ignore_errors=True)
        self.plan.home.mkdir(parents=True, mode=0o700)
        asyncio.run(self._copy("template1", self.database))

    def remove_half_made(self) -> list[str]:
        """Remove templates whose making was interrupted, and return their names."""
        folders = list(self.folder.parent.glob(f"*{HALF_MADE}"))
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        return sorted({*asyncio.run(self._drop_half_made()), *(folder.name for folder in folders)})

    async def _copy(self, source: str, target: str) -> None:
        admin = await asyncpg.connect(self.admin_dsn)
        try:
            await admin.execute(f'DROP DATABASE IF EXISTS "{target}" WITH (FORCE)')
            # Nobody may be signed in while a database is copied; whoever was, is soon again.
            await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", source)
            await admin.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}" STRATEGY FILE_COPY')
        finally:
            await admin.close()

    async def _rename(self, old: str, new: str) -> None:
        admin = await asyncpg.connect(self.admin_dsn)
        try:
            await admin.execute(f'DROP DATABASE IF EXISTS "{new}" WITH (FORCE)')
            await admin.execute(f'ALTER DATABASE "{old}" RENAME TO "{new}"')
        finally:
            await admin.close()

    async def _exists(self, name: str) -> bool:
        admin = await asyncpg.connect(self.admin_dsn)
        try:
            return bool(await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name))
        finally:
            await admin.close()

    async def _drop_half_made(self) -> list[str]:
        admin = await asyncpg.connect(self.admin_dsn)
        try:
            rows = await admin.fetch("SELECT datname FROM pg_database WHERE datname LIKE '%' || $1", HALF_MADE)
            for row in rows:
                await admin.execute(f'DROP DATABASE IF EXISTS "{row["datname"]}" WITH (FORCE)')
            return [str(row["datname"]) for row in rows]
        finally:
            await admin.close()


def _code_digest() -> str:
    """Return a short digest of the code that decides what a seeding makes."""
    digest = hashlib.sha256()
    for package in SEEDS_WITH:
        found = find_spec(package)
        assert found is not None, "both packages are ours"
        for folder in found.submodule_search_locations or ():
            for path in sorted(Path(folder).glob("*.py")):
                digest.update(path.read_bytes())
    return digest.hexdigest()[:8]
