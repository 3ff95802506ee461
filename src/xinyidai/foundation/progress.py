"""How far a long preparation is, kept in a small file that another process may show meanwhile."""

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

FILE = "progress.json"
MAX_LINES = 200


class PreparationState(StrEnum):
    """Whether there is something to wait for."""

    UNDER_WAY = "under_way"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Line:
    """One thing that was done, and after how many seconds."""

    sentence: str
    seconds: float


@dataclass(frozen=True)
class Preparation:
    """What was done, what is being done (`done` of `of`), and since when (seconds)."""

    state: PreparationState
    lines: tuple[Line, ...]
    doing: str
    done: int
    of: int
    seconds: float

    @property
    def is_over(self) -> bool:
        """Say whether there is nothing left to wait for."""
        return self.state is not PreparationState.UNDER_WAY


class Progress:
    """Writes the file, whole or not at all, at every change."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lines: list[Line] = []
        self._write(PreparationState.UNDER_WAY, "", 0, 0, 0.0)

    def tell(self, sentence: str, *, seconds: float) -> None:
        """Add a line: a step is done."""
        self._lines = [*self._lines, Line(sentence, seconds)][-MAX_LINES:]
        self._write(PreparationState.UNDER_WAY, "", 0, 0, seconds)

    def count(self, doing: str, *, done: int, of: int, seconds: float) -> None:
        """Say how far the present step is."""
        self._write(PreparationState.UNDER_WAY, doing, done, of, seconds)

    def end(self, state: PreparationState, *, seconds: float) -> None:
        """Say that there is nothing to wait for any more."""
        self._write(state, "", 0, 0, seconds)

    def _write(self, state: PreparationState, doing: str, done: int, of: int, seconds: float) -> None:
        whole = Preparation(state, tuple(self._lines), doing, done, of, seconds)
        fresh = self._path.with_name(f"{FILE}.{os.getpid()}.new")
        fresh.write_text(json.dumps(asdict(whole), ensure_ascii=False), encoding="utf-8")
        fresh.replace(self._path)


def read_progress(folder: Path) -> Preparation | None:
    """Return how far the preparation is that was last begun in a folder; None where there was none."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        lines = tuple(Line(str(one["sentence"]), float(one["seconds"])) for one in found["lines"])
        return Preparation(
            PreparationState(found["state"]),
            lines,
            str(found["doing"]),
            int(found["done"]),
            int(found["of"]),
            float(found["seconds"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def whole_since(folder: Path, *, started_at: datetime) -> datetime | None:
    """Return since when (wall time) all of a platform that started then is there; None while it is being prepared.

    A preparation starts the other processes at its end. What was last told before this start is another run's.
    """
    try:
        told_at = datetime.fromtimestamp((folder / FILE).stat().st_mtime, UTC)
    except OSError:
        return started_at
    told = read_progress(folder) if told_at > started_at else None
    if told is None:
        return started_at
    return told_at if told.is_over else None
