"""Parts of lineage on the wire: the delivery that a fact came in, the consents that it was held under."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from xinyidai.consents.rules import ConsentState, ConsentView, Purpose
from xinyidai.sources.rules import DeliveryKind, FileFormat
from xinyidai.sources.rules.origins import Origin
from xinyidai.sources.rules.pulls import PullSource, PullView

_ID = "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11"
_PULL: JsonDict = {
    "id": _ID,
    "source": "tax",
    "asked_at": "2025-06-15T03:00:00Z",
    "months_from": "2023-06-01",
    "months_to": "2025-05-01",
}
ORIGIN: JsonDict = {
    "delivery_id": _ID,
    "delivery_no": 17,
    "sender_id": _ID,
    "kind": "vat_invoice",
    "file_format": "csv",
    "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "received_at": "2025-06-15T03:10:00Z",
    "pull": None,
}
HELD: JsonDict = {
    "id": _ID,
    "purpose": "pre_loan",
    "granted_at": "2025-06-01T03:00:00Z",
    "expires_at": "2025-09-01T03:00:00Z",
    "revoked_at": None,
    "state": "active",
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

    model_config = ConfigDict(json_schema_extra={"example": ORIGIN})

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


class HeldUnderOut(BaseModel):
    """A consent that was in force when one of the deliveries came."""

    model_config = ConfigDict(json_schema_extra={"example": HELD})

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
