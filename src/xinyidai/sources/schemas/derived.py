"""Signed statements of derived values, the keys behind them, and receipts, on the wire."""

from base64 import b64decode, b64encode
from datetime import date, datetime
from hashlib import sha256
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from xinyidai.consents.rules import Purpose
from xinyidai.foundation.paging import Page
from xinyidai.sources.rules.derived import LARGEST, MOST_VALUES, StatementReport
from xinyidai.sources.rules.keys import KeyState, KeyView
from xinyidai.sources.rules.passing import ReceiptView

_VALUE: JsonDict = {
    "indicator": "insured_headcount",
    "unit": "count",
    "value": 12,
    "as_of": "2025-06-16",
    "covers_from": "2024-06-01",
    "covers_to": "2025-05-31",
    "method_version": "hrss-2025.1",
}
_STATEMENT: JsonDict = {
    "statement_id": "01976f2c-7777-7c55-9a53-0c7d0a5f2b11",
    "provider_id": "01976f2c-2222-7c55-9a53-0c7d0a5f2b11",
    "credit_code": "91500103000000012N",
    "item": "social_insurance",
    "consent_id": "01976f2c-3333-7c55-9a53-0c7d0a5f2b11",
    "made_at": "2025-06-16T04:00:00Z",
    "values": [_VALUE],
}
_PUBLIC = "A" * 43 + "="
_SIGNATURE = "A" * 86 + "=="
_KEY: JsonDict = {
    "id": "01976f2c-9999-7c55-9a53-0c7d0a5f2b11",
    "provider_id": "01976f2c-2222-7c55-9a53-0c7d0a5f2b11",
    "public_key": _PUBLIC,
    "fingerprint": sha256(b64decode(_PUBLIC)).hexdigest(),
    "valid_from_at": "2025-06-16T04:00:00Z",
    "valid_until": "2026-06-16T04:00:00Z",
    "state": "in_use",
    "proposed_at": "2025-06-15T04:00:00Z",
    "approved_at": "2025-06-16T04:00:00Z",
    "retired_at": None,
}
_RECEIPT: JsonDict = {
    "id": "01976f2c-aaaa-7c55-9a53-0c7d0a5f2b11",
    "firm_id": "01976f2c-1111-7c55-9a53-0c7d0a5f2b11",
    "asker_id": "01976f2c-5555-7c55-9a53-0c7d0a5f2b11",
    "provider_id": "01976f2c-2222-7c55-9a53-0c7d0a5f2b11",
    "item": "real_estate",
    "purpose": "pre_loan",
    "consent_ids": ["01976f2c-3333-7c55-9a53-0c7d0a5f2b11"],
    "covers_from": "2024-06-16",
    "covers_to": "2025-06-15",
    "answer_sha256": "0" * 64,
    "key_id": "01976f2c-9999-7c55-9a53-0c7d0a5f2b11",
    "signature": _SIGNATURE,
    "asked_at": "2025-06-16T04:00:00Z",
    "answered_at": "2025-06-16T04:00:00Z",
}

DayText = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
MomentText = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$")
]
IdText = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/+-]{1,64}$")]
SignatureText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{86}==$")]
PublicKeyText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{43}=$")]


class StatedValueIn(BaseModel):
    """One indicator as of the beginning of a Shanghai day. Texts stay as they are sent, for they are what is signed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _VALUE})

    indicator: Word
    unit: Word
    value: Annotated[int, Field(strict=True, ge=-LARGEST, le=LARGEST)] | None = Field(
        description="A whole number of its unit, ratios in ppm; null is the provider's own no data"
    )
    as_of: DayText
    covers_from: DayText
    covers_to: DayText
    method_version: Word


class StatementIn(BaseModel):
    """What a provider says about one firm and one item."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _STATEMENT})

    statement_id: IdText
    provider_id: IdText
    credit_code: Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]{18}$")]
    item: Word
    consent_id: IdText
    made_at: MomentText
    values: list[StatedValueIn] = Field(min_length=1, max_length=MOST_VALUES)


class SignedStatementIn(BaseModel):
    """A statement and its Ed25519 signature.

    Signed are the bytes `xinyidai.derived-values.v1`, a line feed, and the statement as JSON in UTF-8 with sorted keys
    and without spaces.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "key_id": "01976f2c-9999-7c55-9a53-0c7d0a5f2b11",
                "signature": _SIGNATURE,
                "statement": _STATEMENT,
            }
        },
    )

    key_id: UUID
    signature: SignatureText
    statement: StatementIn

    @property
    def signature_bytes(self) -> bytes:
        """Return the signature itself."""
        return b64decode(self.signature)


class StatementOut(BaseModel):
    """What became of a statement; `id` is the platform's own name for it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "01976f2c-8888-7c55-9a53-0c7d0a5f2b11",
                "statement_id": "01976f2c-7777-7c55-9a53-0c7d0a5f2b11",
                "item": "social_insurance",
                "values": 1,
                "received_at": "2025-06-16T04:00:00Z",
            }
        }
    )

    id: UUID
    statement_id: UUID
    item: str
    values: int
    received_at: datetime

    @classmethod
    def of(cls, report: StatementReport) -> "StatementOut":
        """Build from a report."""
        return cls(
            id=report.id,
            statement_id=report.statement_id,
            item=report.item_code,
            values=report.values,
            received_at=report.received_at,
        )


class ProviderKeyIn(BaseModel):
    """A provider's public key to be proposed."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {name: _KEY[name] for name in ("provider_id", "public_key", "valid_from_at", "valid_until")}
        },
    )

    provider_id: UUID
    public_key: PublicKeyText = Field(description="Ed25519, 32 bytes in base64")
    valid_from_at: datetime
    valid_until: datetime = Field(description="At most 731 days later; another key may be in force beside it")

    @property
    def key_bytes(self) -> bytes:
        """Return the key itself."""
        return b64decode(self.public_key)


class ProviderKeyOut(BaseModel):
    """A provider's public key and where it is in its life."""

    model_config = ConfigDict(json_schema_extra={"example": _KEY})

    id: UUID
    provider_id: UUID
    public_key: str
    fingerprint: str = Field(description="SHA-256 of the key's 32 bytes, in hex")
    valid_from_at: datetime
    valid_until: datetime
    state: KeyState
    proposed_at: datetime
    approved_at: datetime | None
    retired_at: datetime | None

    @classmethod
    def of(cls, key: KeyView) -> "ProviderKeyOut":
        """Build from a key."""
        return cls(
            id=key.id,
            provider_id=key.provider_id,
            public_key=b64encode(key.public_key).decode(),
            fingerprint=key.fingerprint,
            valid_from_at=key.valid_from_at,
            valid_until=key.valid_until,
            state=key.state,
            proposed_at=key.proposed_at,
            approved_at=key.approved_at,
            retired_at=key.retired_at,
        )


class ProviderKeyPageOut(BaseModel):
    """Keys, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"keys": [_KEY], "next_cursor": None}})

    keys: list[ProviderKeyOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[KeyView]) -> "ProviderKeyPageOut":
        """Build from a page."""
        return cls(keys=[ProviderKeyOut.of(key) for key in page.rows], next_cursor=page.next_cursor)


class ReceiptOut(BaseModel):
    """What stays of a question that was passed through: all but what was answered."""

    model_config = ConfigDict(json_schema_extra={"example": _RECEIPT})

    id: UUID
    firm_id: UUID
    asker_id: UUID
    provider_id: UUID
    item: str
    purpose: Purpose
    consent_ids: list[UUID]
    covers_from: date
    covers_to: date
    answer_sha256: str
    key_id: UUID
    signature: str
    asked_at: datetime
    answered_at: datetime

    @classmethod
    def of(cls, receipt: ReceiptView) -> "ReceiptOut":
        """Build from a receipt."""
        return cls(
            id=receipt.id,
            firm_id=receipt.firm_id,
            asker_id=receipt.asker_id,
            provider_id=receipt.provider_id,
            item=receipt.item_code,
            purpose=receipt.purpose,
            consent_ids=list(receipt.consent_ids),
            covers_from=receipt.covers_from,
            covers_to=receipt.covers_to,
            answer_sha256=receipt.answer_digest.hex(),
            key_id=receipt.key_id,
            signature=b64encode(receipt.signature).decode(),
            asked_at=receipt.asked_at,
            answered_at=receipt.answered_at,
        )


class ReceiptPageOut(BaseModel):
    """Receipts, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"receipts": [_RECEIPT], "next_cursor": None}})

    receipts: list[ReceiptOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[ReceiptView]) -> "ReceiptPageOut":
        """Build from a page."""
        return cls(receipts=[ReceiptOut.of(one) for one in page.rows], next_cursor=page.next_cursor)
