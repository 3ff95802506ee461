"""Decisions and their replay: pure."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from xinyidai.foundation.canonical import Json, canonical_bytes
from xinyidai.foundation.clock import add_months, start_of_day

Scalar = int | str | None
Vector = Mapping[str, Scalar]
"""What a decision was made from: indicators and terms, never source rows; a float enters as `float.hex()`."""

Outcome = Mapping[str, Json]
"""What was decided: integers and codes."""

Reason = Mapping[str, Json]
"""Why: at least ``code``, ``zh`` and ``en``; shown to the subject as it stands."""

LENT = "lent"
"""Under which kind retention is looked up for what rooms above seal under a subject's key."""

MAX_NAMED_DIFFERENCES = 1_000


class ReasonIncomplete(ValueError):
    """A reason lacks its code or one of its two sentences; a fault of the room that decides, not of an input."""


@dataclass(frozen=True)
class NewDecision:
    """One decision to be recorded; see `Vector`, `Outcome` and `Reason` for what may be in them."""

    kind: str
    subject_id: UUID
    vector: Vector
    outcome: Outcome
    reasons: Sequence[Reason]
    versions: Mapping[str, str]
    consent_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class Decided:
    """A recorded decision with its vector opened."""

    id: UUID
    kind: str
    subject_id: UUID
    made_at: datetime
    vector: Vector
    outcome: Outcome
    versions: Mapping[str, str]
    consent_ids: tuple[UUID, ...]


@dataclass(frozen=True)
class Explanation:
    """What the subject is told; `reasons` is None once the key is destroyed."""

    id: UUID
    kind: str
    subject_id: UUID
    made_at: datetime
    outcome: Outcome
    reasons: tuple[Reason, ...] | None
    versions: Mapping[str, str]


@dataclass(frozen=True)
class DecisionInputs:
    """A decision with its vector opened; None once the key is destroyed."""

    id: UUID
    kind: str
    made_at: datetime
    outcome: Outcome
    vector: Vector | None


@dataclass(frozen=True)
class RecordedAs:
    """The row of the room that decided, in which a decision lives on: a score, a demand."""

    kind: str
    id: UUID


class Leg(StrEnum):
    """Which part of a replay went another way."""

    VECTOR = "vector"
    OUTCOME = "outcome"
    FACTS = "facts"
    KIND = "kind"


@dataclass(frozen=True)
class Difference:
    """One decision that does not come out as it was recorded."""

    decision_id: UUID
    kind: str
    subject_id: UUID
    leg: Leg
    fields: tuple[str, ...]

    def __str__(self) -> str:
        """Return the line that a command prints: ids and names of fields, no values."""
        return (
            f"different: {self.kind} {self.decision_id} of {self.subject_id}, leg {self.leg}: {', '.join(self.fields)}"
        )


@dataclass(frozen=True)
class ReplayReport:
    """How many decisions came out the same, differently, or could no longer be made; only `different` is a failure.

    `differences` names the first MAX_NAMED_DIFFERENCES; a decision may stand there once for each leg. Of those purged,
    `vector_purged` lack their vector too, because the subject's key is destroyed.
    """

    same: int = 0
    different: int = 0
    purged: int = 0
    differences: tuple[Difference, ...] = ()
    vector_purged: int = 0

    def plus(self, other: "ReplayReport") -> "ReplayReport":
        """Add the report of another batch."""
        return ReplayReport(
            self.same + other.same,
            self.different + other.different,
            self.purged + other.purged,
            (self.differences + other.differences)[:MAX_NAMED_DIFFERENCES],
            self.vector_purged + other.vector_purged,
        )

    @property
    def facts_purged(self) -> int:
        """Return of how many the facts alone are purged: from its vector each of them came out the same."""
        return self.purged - self.vector_purged


@dataclass(frozen=True)
class RetentionRule:
    """How long inputs of decisions of a kind are kept, from a day on."""

    kind: str
    valid_from: date
    months: int


def kept_since(rules: Sequence[RetentionRule], today: date) -> dict[str, datetime]:
    """Return, by kind, the moment before which nothing is kept any more; a kind without a rule in force is not there.

    Months are counted back from the Shanghai day `today`, to the beginning of a day.
    """
    in_force: dict[str, RetentionRule] = {}
    for rule in sorted(rules, key=lambda rule: rule.valid_from):
        if rule.valid_from <= today:
            in_force[rule.kind] = rule
    return {kind: start_of_day(add_months(today, -rule.months)) for kind, rule in in_force.items()}


def differing_fields(recorded: Mapping[str, Json], again: Mapping[str, Json]) -> tuple[str, ...]:
    """Name the fields that differ, are missing or were not there, sorted."""
    names = recorded.keys() | again.keys()
    return tuple(
        sorted(
            name
            for name in names
            if name not in recorded
            or name not in again
            or canonical_bytes(recorded[name]) != canonical_bytes(again[name])
        )
    )


def check_reasons(reasons: Sequence[Reason]) -> None:
    """Raise `ReasonIncomplete` for a reason that nobody could read."""
    for reason in reasons:
        missing = [name for name in ("code", "zh", "en") if not reason.get(name)]
        if missing:
            raise ReasonIncomplete(f"a reason lacks {', '.join(missing)}")


def keyed_digest(key: bytes, plain: bytes) -> bytes:
    """Return HMAC-SHA256 under a key derived from the subject's.

    A plain SHA-256 of a vector with few possible values could be found by trying them, also after the key is gone.
    """
    derived = hmac.new(key, b"vector digest", hashlib.sha256).digest()
    return hmac.new(derived, plain, hashlib.sha256).digest()
