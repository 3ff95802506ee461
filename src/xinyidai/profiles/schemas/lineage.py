"""Lineage on the wire: an indicator's facts, and what a fact touched."""

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from xinyidai.consents.rules import ConsentState, ConsentView, Purpose
from xinyidai.foundation.canonical import Json
from xinyidai.profiles.rules.lineage import FactBehind, Impact, IndicatorLineage, Look, Touched
from xinyidai.profiles.rules.readings import IndicatorText
from xinyidai.profiles.schemas import ReadingOut
from xinyidai.sources.rules import DeliveryKind, FileFormat
from xinyidai.sources.rules.keeping import Purged, PurgeReason
from xinyidai.sources.rules.origins import Origin
from xinyidai.sources.rules.pulls import PullSource, PullView

_ID = "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11"
_FACT = "invoice_fact:01976f2c-1111-7c55-9a53-0c7d0a5f2b11/17.204"
_PULL: JsonDict = {
    "id": _ID,
    "source": "tax",
    "asked_at": "2025-06-15T03:00:00Z",
    "months_from": "2023-06-01",
    "months_to": "2025-05-01",
}
_ORIGIN: JsonDict = {
    "delivery_id": _ID,
    "delivery_no": 17,
    "sender_id": _ID,
    "kind": "vat_invoice",
    "file_format": "csv",
    "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "received_at": "2025-06-15T03:10:00Z",
    "pull": None,
}
_BEHIND: JsonDict = {
    "fact": _FACT,
    "line_no": 204,
    "issued_on": "2025-05-30",
    "is_sale": True,
    "is_void": False,
    "net_fen": 1_250_000,
    "is_counted": True,
    "origin": _ORIGIN,
}
_HELD: JsonDict = {
    "id": _ID,
    "purpose": "pre_loan",
    "granted_at": "2025-06-01T03:00:00Z",
    "expires_at": "2025-09-01T03:00:00Z",
    "revoked_at": None,
    "state": "active",
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


class PullOriginOut(BaseModel):
    """The asking of an outside system that a delivery came by."""

    model_config = ConfigDict(json_schema_extra={"example": _PULL})

    id: UUID
    source: PullSource
    asked_at: datetime
    months_from: date
    months_to: date

    @classmethod
    def of(cls, pull: PullView) -> "PullOriginOut":
        """Build from a pull."""
        return cls(
            id=pull.id,
            source=pull.source,
            asked_at=pull.asked_at,
            months_from=pull.months_from,
            months_to=pull.months_to,
        )


class OriginOut(BaseModel):
    """The delivery that a fact came in; `digest` is the SHA-256 of its bytes, `pull` null unless the platform asked."""

    model_config = ConfigDict(json_schema_extra={"example": _ORIGIN})

    delivery_id: UUID
    delivery_no: int
    sender_id: UUID
    kind: DeliveryKind
    file_format: FileFormat
    digest: str
    received_at: datetime
    pull: PullOriginOut | None

    @classmethod
    def of(cls, origin: Origin) -> "OriginOut":
        """Build from an origin."""
        return cls(
            delivery_id=origin.delivery_id,
            delivery_no=origin.delivery_no,
            sender_id=origin.sender_id,
            kind=origin.kind,
            file_format=origin.file_format,
            digest=origin.digest.hex(),
            received_at=origin.received_at,
            pull=None if origin.pull is None else PullOriginOut.of(origin.pull),
        )


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


class HeldUnderOut(BaseModel):
    """A consent that was in force when one of the deliveries came."""

    model_config = ConfigDict(json_schema_extra={"example": _HELD})

    id: UUID
    purpose: Purpose
    granted_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    state: ConsentState

    @classmethod
    def of(cls, view: ConsentView) -> "HeldUnderOut":
        """Build from a consent."""
        return cls(
            id=view.id,
            purpose=view.purpose,
            granted_at=view.granted_at,
            expires_at=view.expires_at,
            revoked_at=view.revoked_at,
            state=view.state,
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
                "held_under": [_HELD],
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
    """A fact's life and all that it touched, newest first; `is_cut` says that more was there than is looked through."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "fact": _FACT,
                "item_code": "vat_invoice",
                "recorded_at": "2025-06-15T03:10:00Z",
                "superseded_at": None,
                "origin": _ORIGIN,
                "replaced": [],
                "replaced_by": [],
                "indicators": ["sales_12m_fen"],
                "decisions": [_TOUCHED],
                "looks": [_LOOK],
                "is_cut": False,
                "purged": None,
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
        )
