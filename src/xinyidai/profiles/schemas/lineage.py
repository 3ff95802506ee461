"""Lineage on the wire: an indicator's facts, and what a fact touched."""

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from xinyidai.foundation.canonical import Json
from xinyidai.profiles.rules.lineage import FactBehind, Impact, IndicatorLineage, Look, Touched
from xinyidai.profiles.rules.readings import IndicatorText
from xinyidai.profiles.schemas import ReadingOut
from xinyidai.profiles.schemas.lineage_parts import HELD, ORIGIN, HeldUnderOut, OriginOut
from xinyidai.profiles.schemas.records import (
    FINDING,
    OBJECTION,
    REPAIR,
    FindingMarkOut,
    ObjectionMarkOut,
    RepairMarkOut,
)
from xinyidai.sources.rules.keeping import Purged, PurgeReason

_ID = "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11"
_FACT = "invoice_fact:01976f2c-1111-7c55-9a53-0c7d0a5f2b11/17.204"
_BEHIND: JsonDict = {
    "fact": _FACT,
    "line_no": 204,
    "issued_on": "2025-05-30",
    "is_sale": True,
    "is_void": False,
    "net_fen": 1_250_000,
    "is_counted": True,
    "origin": ORIGIN,
}
_PURGED: JsonDict = {
    "delivery_no": 17,
    "facts": 312,
    "recorded_at": "2025-06-15T03:10:00Z",
    "purged_at": "2026-06-16T16:00:00Z",
    "reason": "life_over",
    "proof": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}
_READING: JsonDict = {
    "code": "sales_12m_fen",
    "name_zh": "近12个月销售额",
    "name_en": "Sales of 12 months",
    "measure": "fen",
    "value": 4_200_000_000,
    "value_zh": "42,000,000.00 元",
    "value_en": "42,000,000.00 yuan",
}
_TOUCHED: JsonDict = {
    "id": _ID,
    "kind": "score",
    "made_at": "2025-06-16T04:00:00Z",
    "as_of": "2025-06-16T04:00:00Z",
    "known_at": "2025-06-16T04:00:00Z",
    "outcome": {"pd_ppm": 21_000, "score_points": 640, "band": 4},
    "indicators": ["sales_12m_fen"],
    "through": None,
    "record_kind": "score",
    "record_id": _ID,
}
_LOOK: JsonDict = {
    "profile_id": _ID,
    "receiver_id": _ID,
    "shown_at": "2025-06-16T04:00:00Z",
    "as_of": "2025-06-15T16:00:00Z",
    "known_at": "2025-06-16T04:00:00Z",
    "indicators": ["sales_12m_fen"],
}


class FactBehindOut(BaseModel):
    """An invoice that an indicator rests on; what is not counted only tells that there is history, and since when."""

    model_config = ConfigDict(json_schema_extra={"example": _BEHIND})

    fact: str
    line_no: int
    issued_on: date
    is_sale: bool
    is_void: bool
    net_fen: int
    is_counted: bool
    origin: OriginOut

    @classmethod
    def of(cls, behind: FactBehind) -> "FactBehindOut":
        """Build from a fact."""
        return cls(
            fact=str(behind.ref),
            line_no=behind.ref.line_no,
            issued_on=behind.issued_on,
            is_sale=behind.is_sale,
            is_void=behind.is_void,
            net_fen=behind.net_fen,
            is_counted=behind.is_counted,
            origin=OriginOut.of(behind.origin),
        )


class PurgedOut(BaseModel):
    """Facts of one delivery that were lawfully purged; `proof` is the SHA-256 of the seal that has their leaves."""

    model_config = ConfigDict(json_schema_extra={"example": _PURGED})

    delivery_no: int
    facts: int
    recorded_at: datetime
    purged_at: datetime
    reason: PurgeReason
    proof: str

    @classmethod
    def of(cls, stone: Purged) -> "PurgedOut":
        """Build from a tombstone."""
        return cls(
            delivery_no=stone.delivery_no,
            facts=stone.facts,
            recorded_at=stone.recorded_at,
            purged_at=stone.purged_at,
            reason=stone.reason,
            proof=stone.proof.hex(),
        )


class IndicatorLineageOut(BaseModel):
    """An indicator's value and a page of the facts that it rests on, newest first; counts are of all of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "firm_id": _ID,
                "indicator": _READING,
                "description": "Net amount of valid sales invoices of the last 12 months, red letters deducted.",
                "as_of": "2025-06-15T16:00:00Z",
                "known_at": "2025-06-16T04:00:00Z",
                "fact_rows": 312,
                "counted_rows": 120,
                "held_under": [HELD],
                "read_under": [_ID],
                "facts": [_BEHIND],
                "next_cursor": None,
                "purged": [_PURGED],
            }
        }
    )

    firm_id: UUID
    indicator: ReadingOut
    description: str
    as_of: datetime
    known_at: datetime
    fact_rows: int
    counted_rows: int
    held_under: list[HeldUnderOut]
    read_under: list[UUID]
    facts: list[FactBehindOut]
    next_cursor: str | None
    purged: list[PurgedOut]

    @classmethod
    def of(cls, found: IndicatorLineage, text: IndicatorText) -> "IndicatorLineageOut":
        """Build from a lineage and its indicator's text."""
        return cls(
            firm_id=found.firm_id,
            indicator=ReadingOut.of(found.reading, text),
            description=text.description,
            as_of=found.as_of,
            known_at=found.known_at,
            fact_rows=found.fact_rows,
            counted_rows=found.counted_rows,
            held_under=[HeldUnderOut.of(one) for one in found.held_under],
            read_under=list(found.read_under),
            facts=[FactBehindOut.of(one) for one in found.facts.rows],
            next_cursor=found.facts.next_cursor,
            purged=[PurgedOut.of(one) for one in found.purged],
        )


class TouchedOut(BaseModel):
    """A decision that the fact went into: by `indicators`, or `through` another decision; null moments are purged."""

    model_config = ConfigDict(json_schema_extra={"example": _TOUCHED})

    id: UUID
    kind: str
    made_at: datetime
    as_of: datetime | None
    known_at: datetime | None
    outcome: Mapping[str, Json]
    indicators: list[str]
    through: UUID | None
    record_kind: str | None
    record_id: UUID | None

    @classmethod
    def of(cls, touched: Touched) -> "TouchedOut":
        """Build from a decision."""
        record = touched.recorded_as
        return cls(
            id=touched.id,
            kind=touched.kind,
            made_at=touched.made_at,
            as_of=touched.as_of,
            known_at=touched.known_at,
            outcome=touched.outcome,
            indicators=list(touched.indicators),
            through=touched.through,
            record_kind=None if record is None else record.kind,
            record_id=None if record is None else record.id,
        )


class LookOut(BaseModel):
    """A profile that was shown with the fact in it."""

    model_config = ConfigDict(json_schema_extra={"example": _LOOK})

    profile_id: UUID
    receiver_id: UUID
    shown_at: datetime
    as_of: datetime
    known_at: datetime
    indicators: list[str]

    @classmethod
    def of(cls, look: Look) -> "LookOut":
        """Build from a look."""
        return cls(
            profile_id=look.profile_id,
            receiver_id=look.receiver_id,
            shown_at=look.shown_at,
            as_of=look.as_of,
            known_at=look.known_at,
            indicators=list(look.indicators),
        )


class ImpactOut(BaseModel):
    """A fact's life and all that it touched, newest first; `is_cut` says that more was there than is looked through.

    `is_read` is false of an item that no indicator reads: no score and no match knows it.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "fact": _FACT,
                "item_code": "vat_invoice",
                "recorded_at": "2025-06-15T03:10:00Z",
                "superseded_at": None,
                "origin": ORIGIN,
                "replaced": [],
                "replaced_by": [],
                "indicators": ["sales_12m_fen"],
                "decisions": [_TOUCHED],
                "looks": [_LOOK],
                "is_cut": False,
                "purged": None,
                "is_read": True,
                "held_under": [HELD],
                "findings": [FINDING],
                "objections": [OBJECTION],
                "repairs": [REPAIR],
            }
        }
    )

    fact: str
    item_code: str
    recorded_at: datetime
    superseded_at: datetime | None
    origin: OriginOut
    replaced: list[str]
    replaced_by: list[str]
    indicators: list[str]
    decisions: list[TouchedOut]
    looks: list[LookOut]
    is_cut: bool
    purged: PurgedOut | None
    is_read: bool
    held_under: list[HeldUnderOut]
    findings: list[FindingMarkOut]
    objections: list[ObjectionMarkOut]
    repairs: list[RepairMarkOut]

    @classmethod
    def of(cls, found: Impact) -> "ImpactOut":
        """Build from an impact."""
        life = found.life
        return cls(
            fact=str(life.ref),
            item_code=life.ref.item_code,
            recorded_at=life.recorded_at,
            superseded_at=life.superseded_at,
            origin=OriginOut.of(life.origin),
            replaced=[str(ref) for ref in life.replaced],
            replaced_by=[str(ref) for ref in life.replaced_by],
            indicators=list(found.indicators),
            decisions=[TouchedOut.of(one) for one in found.decisions],
            looks=[LookOut.of(one) for one in found.looks],
            is_cut=found.is_cut,
            purged=None if life.purged is None else PurgedOut.of(life.purged),
            is_read=found.is_read,
            held_under=[HeldUnderOut.of(one) for one in found.held_under],
            findings=[FindingMarkOut.of(one) for one in found.marks.findings],
            objections=[ObjectionMarkOut.of(one) for one in found.marks.objections],
            repairs=[RepairMarkOut.of(one) for one in found.marks.repairs],
        )
