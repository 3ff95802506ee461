"""The city's own memory: one SQLite file. Only what cannot be derived from the seed is kept."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from city.clock import Line, Mode

BUSY_MS = 5_000
SCHEMA = """
CREATE TABLE IF NOT EXISTS line (
    id INTEGER PRIMARY KEY CHECK (id = 1), wall_anchor TEXT NOT NULL, business_anchor TEXT NOT NULL,
    rate REAL NOT NULL, mode TEXT NOT NULL, resume_rate REAL NOT NULL, waits_for TEXT) STRICT;
CREATE TABLE IF NOT EXISTS memory (
    kind TEXT NOT NULL, actor TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, actor, name)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event (
    key TEXT PRIMARY KEY, business_day TEXT NOT NULL, actor TEXT NOT NULL, act TEXT NOT NULL,
    status INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS grant_code (
    digest TEXT PRIMARY KEY, client_id TEXT NOT NULL, credit_code TEXT NOT NULL, scope TEXT NOT NULL,
    expires_at TEXT NOT NULL, is_used INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS token (
    digest TEXT PRIMARY KEY, client_id TEXT NOT NULL, credit_code TEXT NOT NULL, scope TEXT NOT NULL,
    expires_at TEXT NOT NULL, is_revoked INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reading (
    id INTEGER PRIMARY KEY, business_at TEXT NOT NULL, client_id TEXT NOT NULL, credit_code TEXT NOT NULL,
    what TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS nonce (
    client_id TEXT NOT NULL, nonce TEXT NOT NULL, seen_at TEXT NOT NULL,
    PRIMARY KEY (client_id, nonce)) STRICT, WITHOUT ROWID;
"""

Body = dict[str, object]


@dataclass(frozen=True)
class Granted:
    """What a consent code or an access token stands for."""

    client_id: str
    credit_code: str
    scope: str
    expires_at: datetime


class Store:
    """The open file. Calls are short and synchronous; every write is committed when the call returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
        path.chmod(0o600)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={BUSY_MS}"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write everything inside, or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def read_line(self) -> Line | None:
        """Return the line of time, None in a city that never ran."""
        row = self._db.execute("SELECT wall_anchor, business_anchor, rate, mode, resume_rate, waits_for FROM line")
        found = row.fetchone()
        if found is None:
            return None
        wall, business = (datetime.fromisoformat(text) for text in found[:2])
        return Line(wall, business, found[2], Mode(found[3]), found[4], found[5])

    def keep_line(self, line: Line) -> None:
        """Keep the line of time."""
        self._db.execute(
            "INSERT OR REPLACE INTO line VALUES (1, ?, ?, ?, ?, ?, ?)",
            (
                line.wall_anchor.isoformat(),
                line.business_anchor.isoformat(),
                line.rate,
                line.mode.value,
                line.resume_rate,
                line.waits_for,
            ),
        )

    def remember(self, kind: str, actor: str, name: str, body: Body) -> None:
        """Keep what an actor knows under a name, in place of what it knew."""
        text = json.dumps(body, ensure_ascii=False, sort_keys=True)
        self._db.execute("INSERT OR REPLACE INTO memory VALUES (?, ?, ?, ?)", (kind, actor, name, text))

    def remembered(self, kind: str, actor: str) -> dict[str, Body]:
        """Return what an actor knows of a kind, by name, in the order of the names."""
        rows = self._db.execute(
            "SELECT name, body FROM memory WHERE kind = ? AND actor = ? ORDER BY name", (kind, actor)
        ).fetchall()
        return {name: json.loads(body) for name, body in rows}

    def forget(self, kind: str, actor: str, name: str) -> None:
        """Forget what an actor knows under a name; what it does not know is no error."""
        self._db.execute("DELETE FROM memory WHERE kind = ? AND actor = ? AND name = ?", (kind, actor, name))

    def log_event(self, key: str, day: str, actor: str, act: str, status: int) -> bool:
        """Write down an act once; False when it was written before."""
        row = (key, day, actor, act, status)
        return self._db.execute("INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?)", row).rowcount == 1

    def events(self) -> list[tuple[str, str, str, int]]:
        """Return every act: day, actor, act, status, in that order."""
        asked = "SELECT business_day, actor, act, status FROM event ORDER BY 1, 2, 3, key"
        return list(self._db.execute(asked).fetchall())

    def keep_code(self, digest: str, granted: Granted) -> None:
        """Keep a consent code by its digest."""
        self._keep("grant_code", digest, granted)

    def take_code(self, digest: str) -> Granted | None:
        """Return what a consent code stands for, the first time only."""
        row = self._db.execute(
            "UPDATE grant_code SET is_used = 1 WHERE digest = ? AND is_used = 0"
            " RETURNING client_id, credit_code, scope, expires_at",
            (digest,),
        ).fetchone()
        return None if row is None else _granted(row)

    def keep_token(self, digest: str, granted: Granted) -> None:
        """Keep an access token by its digest."""
        self._keep("token", digest, granted)

    def token(self, digest: str) -> Granted | None:
        """Return what an access token stands for, None when it is unknown or revoked."""
        row = self._db.execute(
            "SELECT client_id, credit_code, scope, expires_at FROM token WHERE digest = ? AND is_revoked = 0",
            (digest,),
        ).fetchone()
        return None if row is None else _granted(row)

    def revoke_token(self, digest: str, client_id: str) -> None:
        """End an access token of a client; an unknown one is no error (RFC 7009)."""
        self._db.execute("UPDATE token SET is_revoked = 1 WHERE digest = ? AND client_id = ?", (digest, client_id))

    def take_nonce(self, client_id: str, nonce: str, *, wall: datetime, forget_before: datetime) -> bool:
        """Use up a nonce of a client; False when it was used before. Those before a wall moment are forgotten."""
        self._db.execute("DELETE FROM nonce WHERE seen_at < ?", (forget_before.isoformat(),))
        row = (client_id, nonce, wall.isoformat())
        return self._db.execute("INSERT OR IGNORE INTO nonce VALUES (?, ?, ?)", row).rowcount == 1

    def log_reading(self, business_at: datetime, client_id: str, credit_code: str, what: str) -> None:
        """Write down who read what of whom."""
        self._db.execute(
            "INSERT INTO reading (business_at, client_id, credit_code, what) VALUES (?, ?, ?, ?)",
            (business_at.isoformat(), client_id, credit_code, what),
        )

    def readings(self, credit_code: str) -> list[tuple[str, str, str]]:
        """Return who read what of a firm: moment, client, what."""
        asked = "SELECT business_at, client_id, what FROM reading WHERE credit_code = ? ORDER BY id"
        return list(self._db.execute(asked, (credit_code,)).fetchall())

    def _keep(self, table: str, digest: str, granted: Granted) -> None:
        row = (digest, granted.client_id, granted.credit_code, granted.scope, granted.expires_at.isoformat())
        asked = "(digest, client_id, credit_code, scope, expires_at) VALUES (?, ?, ?, ?, ?)"
        statement = {"grant_code": f"INSERT INTO grant_code {asked}", "token": f"INSERT INTO token {asked}"}
        self._db.execute(statement[table], row)


def _granted(row: tuple[str, str, str, str]) -> Granted:
    return Granted(row[0], row[1], row[2], datetime.fromisoformat(row[3]))
