"""Lineage (血缘) both ways: from an indicator to the facts it rests on, from a fact to all that it touched. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from xinyidai.consents.rules import ConsentView
from xinyidai.decisions.rules import DecisionInputs, Outcome, RecordedAs, Scalar, Vector
from xinyidai.foundation.clock import start_of_day
from xinyidai.foundation.paging import Page
from xinyidai.objections.rules import ObjectionView
from xinyidai.objections.rules.repairs import RepairView
from xinyidai.profiles.rules.readings import Reading
from xinyidai.quality.rules import FindingView
from xinyidai.sources.rules.keeping import Purged
from xinyidai.sources.rules.origins import FactLife, FactRef, Origin

FINGERPRINT: Final = "facts"
"""The field of a decision's vector that binds every fact it read; see `fingerprints`."""
AS_OF, KNOWN_AT = "as_of", "known_at"
"""Fields of a vector that say of what time its indicators are; without them it is of the moment it was decided."""
MAX_LOOKS: Final = 200
"""How many profiles that showed a fact are told."""


@dataclass(frozen=True)
class FactBehind:
    """One invoice that an indicator rests on; what is not counted only tells that there is history, and since when."""

    ref: FactRef
    issued_on: date
    is_sale: bool
    is_void: bool
    net_fen: int
    is_counted: bool
    origin: Origin


@dataclass(frozen=True)
class RecordBehind:
    """One record of an item, told by the words that name it beside its firm, with where it came from.

    `is_repaired` says that a repair is complete and ends its use today, `is_disputed` that the firm objects to it.
    """

    ref: FactRef
    named: Mapping[str, str]
    is_repaired: bool
    is_disputed: bool
    origin: Origin


@dataclass(frozen=True)
class ItemLineage:
    """What is held of one item of a firm's, as known at a moment: at most `facts` of `fact_rows`, newest first.

    `indicators` are those that read the item; none of a kind that no indicator reads. Consents as of an indicator.
    """

    firm_id: UUID
    item_code: str
    known_at: datetime
    fact_rows: int
    facts: tuple[RecordBehind, ...]
    indicators: tuple[str, ...]
    held_under: tuple[ConsentView, ...]
    read_under: tuple[UUID, ...]


@dataclass(frozen=True)
class Marks:
    """What was found in a fact and said of it: findings of quality, objections, repairs; newest first each."""

    findings: tuple[FindingView, ...] = ()
    objections: tuple[ObjectionView, ...] = ()
    repairs: tuple[RepairView, ...] = ()


@dataclass(frozen=True)
class IndicatorLineage:
    """What an indicator of a firm was at a moment, and all it rests on.

    `facts` is a page, newest first; `fact_rows` and `counted_rows` are of the whole. `held_under` are the consents that
    were in force when a delivery of these facts came, as far as the reader may see them, `read_under` those under
    which this was read: none where a firm reads its own. `purged` tells of facts known then that were lawfully purged
    since: what they said is gone, and with it whether they counted.
    """

    firm_id: UUID
    reading: Reading
    as_of: datetime
    known_at: datetime
    fact_rows: int
    counted_rows: int
    facts: Page[FactBehind]
    held_under: tuple[ConsentView, ...]
    read_under: tuple[UUID, ...]
    purged: tuple[Purged, ...] = ()


@dataclass(frozen=True)
class Touched:
    """A decision that a fact went into, with the moments it was made of and the indicators that carried the fact.

    `indicators` is empty where the decision read the fact and no indicator looked at it, or took it over `through`
    another decision. `as_of` and `known_at` are None where the inputs are purged: then it was made while the fact was
    known, and no more can be told.
    """

    id: UUID
    kind: str
    made_at: datetime
    as_of: datetime | None
    known_at: datetime | None
    outcome: Outcome
    indicators: tuple[str, ...]
    through: UUID | None
    recorded_as: RecordedAs | None = None


@dataclass(frozen=True)
class Look:
    """A profile that was shown to somebody with the fact in it, and the indicators that carried it."""

    profile_id: UUID
    receiver_id: UUID
    shown_at: datetime
    as_of: datetime
    known_at: datetime
    indicators: tuple[str, ...]


@dataclass(frozen=True)
class Impact:
    """All that a fact touched. `indicators` are those it feeds today: none once it was superseded.

    Decisions and looks come newest first. `is_cut` says that there were more than are ever looked through.
    `is_read` says whether any indicator reads the item at all: of one that none reads, no score knows. `held_under` are
    the consents that were in force when the fact came, as far as the reader may see them; none of an open item.
    """

    life: FactLife
    indicators: tuple[str, ...]
    decisions: tuple[Touched, ...]
    looks: tuple[Look, ...]
    is_cut: bool
    is_read: bool
    held_under: tuple[ConsentView, ...]
    marks: Marks


def seen_as_of(life: FactLife, *, as_of: datetime, known_at: datetime) -> bool:
    """Say whether who read the firm's invoices of the time before `as_of`, as known at `known_at`, saw this one."""
    if life.invoice is None or not life.is_known_at(known_at):
        return False
    return start_of_day(life.invoice.issued_on[0].item()) < as_of


def decisions_touched(
    life: FactLife,
    decided: Sequence[DecisionInputs],
    *,
    fed: Callable[[datetime], Sequence[str]],
) -> list[Touched]:
    """Return those of the decisions that the fact went into, in their order.

    A decision took it in when its vector holds an indicator that looks at the fact, or the fingerprint of all facts,
    as of moments at which the fact was seen; or when it names another decision that took it in.

    Parameters
    ----------
    decided : sequence of DecisionInputs
        About the fact's firm, oldest first, so that what is named stands before what names it.
    fed : callable
        The codes of the indicators that look at the fact as of a moment.
    """
    touched: dict[str, Touched] = {}
    for one in decided:
        found = _purged(life, one) if one.vector is None else _direct(life, one, one.vector, fed=fed)
        if found is None and one.vector is not None:
            found = _through(one, one.vector, touched)
        if found is not None:
            touched[str(one.id)] = found
    return list(touched.values())


def _purged(life: FactLife, one: DecisionInputs) -> Touched | None:
    return _touched(one, None, None, ()) if life.invoice is not None and life.is_known_at(one.made_at) else None


def _direct(
    life: FactLife, one: DecisionInputs, vector: Vector, *, fed: Callable[[datetime], Sequence[str]]
) -> Touched | None:
    as_of, known_at = (_moment(vector.get(name), one.made_at) for name in (AS_OF, KNOWN_AT))
    if not seen_as_of(life, as_of=as_of, known_at=known_at):
        return None
    fields = {name.rpartition(".")[2] for name in vector}
    carried = tuple(code for code in fed(as_of) if code in fields)
    return _touched(one, as_of, known_at, carried) if carried or FINGERPRINT in vector else None


def _through(one: DecisionInputs, vector: Vector, touched: Mapping[str, Touched]) -> Touched | None:
    named = next((touched[value] for value in vector.values() if isinstance(value, str) and value in touched), None)
    return None if named is None else _touched(one, named.as_of, named.known_at, (), through=named.id)


def _touched(
    one: DecisionInputs,
    as_of: datetime | None,
    known_at: datetime | None,
    indicators: tuple[str, ...],
    *,
    through: UUID | None = None,
) -> Touched:
    return Touched(one.id, one.kind, one.made_at, as_of, known_at, one.outcome, indicators, through)


def _moment(told: Scalar, made_at: datetime) -> datetime:
    return datetime.fromisoformat(told) if isinstance(told, str) else made_at
