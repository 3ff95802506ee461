"""Records and what was said of facts, on the wire."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from xinyidai.objections.rules import ObjectionState, ObjectionView
from xinyidai.objections.rules.repairs import RepairState, RepairView
from xinyidai.profiles.rules.lineage import ItemLineage, RecordBehind
from xinyidai.profiles.schemas.lineage_parts import HELD, ORIGIN, HeldUnderOut, OriginOut
from xinyidai.quality.rules import FindingState, FindingView, Severity

_ID = "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11"
FINDING: JsonDict = {
    "id": _ID,
    "rule_code": "electricity_owed_over_charged",
    "severity": "warning",
    "state": "open",
    "first_seen_at": "2025-06-15T03:10:05Z",
}
OBJECTION: JsonDict = {"id": _ID, "state": "asked", "filed_at": "2025-06-16T04:00:00Z", "decided_at": None}
REPAIR: JsonDict = {"id": _ID, "state": "repaired", "filed_at": "2025-06-16T04:00:00Z", "settled_at": None}
_RECORD: JsonDict = {
    "fact": "penalty_fact:01976f2c-1111-7c55-9a53-0c7d0a5f2b11/18.3",
    "named": {"document_no": "渝市监罚〔2024〕12号"},
    "is_repaired": False,
    "is_disputed": False,
    "origin": ORIGIN,
}


class FindingMarkOut(BaseModel):
    """What a rule of quality found in the fact."""

    model_config = ConfigDict(json_schema_extra={"example": FINDING})

    id: UUID
    rule_code: str
    severity: Severity
    state: FindingState
    first_seen_at: datetime

    @classmethod
    def of(cls, view: FindingView) -> "FindingMarkOut":
        """Build from a finding."""
        return cls(
            id=view.id,
            rule_code=view.rule_code,
            severity=view.severity,
            state=view.state,
            first_seen_at=view.first_seen_at,
        )


class ObjectionMarkOut(BaseModel):
    """An objection to the fact; what the firm said stands with the objection alone."""

    model_config = ConfigDict(json_schema_extra={"example": OBJECTION})

    id: UUID
    state: ObjectionState
    filed_at: datetime
    decided_at: datetime | None

    @classmethod
    def of(cls, view: ObjectionView) -> "ObjectionMarkOut":
        """Build from an objection."""
        return cls(id=view.id, state=view.state, filed_at=view.filed_at, decided_at=view.decided_at)


class RepairMarkOut(BaseModel):
    """A repair that was asked for the fact."""

    model_config = ConfigDict(json_schema_extra={"example": REPAIR})

    id: UUID
    state: RepairState
    filed_at: datetime
    settled_at: datetime | None

    @classmethod
    def of(cls, view: RepairView) -> "RepairMarkOut":
        """Build from a repair."""
        return cls(id=view.id, state=view.state, filed_at=view.filed_at, settled_at=view.settled_at)


class RecordBehindOut(BaseModel):
    """One record of an item, with the words that name it; a repaired one is used by nothing new."""

    model_config = ConfigDict(json_schema_extra={"example": _RECORD})

    fact: str
    named: dict[str, str]
    is_repaired: bool
    is_disputed: bool
    origin: OriginOut

    @classmethod
    def of(cls, behind: RecordBehind) -> "RecordBehindOut":
        """Build from a record."""
        return cls(
            fact=str(behind.ref),
            named=dict(behind.named),
            is_repaired=behind.is_repaired,
            is_disputed=behind.is_disputed,
            origin=OriginOut.of(behind.origin),
        )


class ItemLineageOut(BaseModel):
    """The newest records of an item; `fact_rows` counts all. `indicators` read the item: none means no score does."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "firm_id": _ID,
                "item_code": "penalty",
                "known_at": "2025-06-16T04:00:00Z",
                "fact_rows": 1,
                "indicators": [],
                "held_under": [HELD],
                "read_under": [_ID],
                "facts": [_RECORD],
            }
        }
    )

    firm_id: UUID
    item_code: str
    known_at: datetime
    fact_rows: int
    indicators: list[str]
    held_under: list[HeldUnderOut]
    read_under: list[UUID]
    facts: list[RecordBehindOut]

    @classmethod
    def of(cls, found: ItemLineage) -> "ItemLineageOut":
        """Build from a lineage."""
        return cls(
            firm_id=found.firm_id,
            item_code=found.item_code,
            known_at=found.known_at,
            fact_rows=found.fact_rows,
            indicators=list(found.indicators),
            held_under=[HeldUnderOut.of(one) for one in found.held_under],
            read_under=list(found.read_under),
            facts=[RecordBehindOut.of(one) for one in found.facts],
        )
