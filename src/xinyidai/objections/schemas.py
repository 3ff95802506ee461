"""Objections and repairs on the wire."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt
from pydantic.config import JsonDict

from xinyidai.foundation.money import MAX_FEN
from xinyidai.foundation.paging import Page
from xinyidai.objections.rules import (
    MAX_EVIDENCE,
    MAX_TEXT,
    MIN_TEXT,
    FactKind,
    FactRef,
    InvoiceCorrection,
    Lateness,
    ObjectionReason,
    ObjectionRefusal,
    ObjectionState,
    ObjectionView,
    Remedy,
    Told,
)
from xinyidai.objections.rules.repairs import RepairRefusal, RepairState, RepairView, Severity

MAX_LINE = 2**31 - 1

_ID = "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11"
_FIRM = "01976f2c-3333-7c55-9a53-0c7d0a5f2b11"
_DOCUMENT = "01976f2c-7777-7c55-9a53-0c7d0a5f2b11"
_FACT: JsonDict = {"kind": "vat_invoice", "delivery_no": 12, "line_no": 3}
_RECORD: JsonDict = {"kind": "penalty", "delivery_no": 30, "line_no": 1}
_FILE: JsonDict = {
    "fact": _FACT,
    "reason": "amount_wrong",
    "text": "合同和发票存根上的金额都是 1,130 元",
    "document_ids": [_DOCUMENT],
}
_CORRECT: JsonDict = {
    "issued_on": "2025-03-05",
    "counterparty": "重庆买方有限公司",
    "net_fen": 100_000,
    "tax_fen": 13_000,
    "gross_fen": 113_000,
}
_OBJECTION: JsonDict = {
    "id": _ID,
    "firm_id": _FIRM,
    "fact": _FACT,
    "sender_id": "01976f2c-4444-7c55-9a53-0c7d0a5f2b11",
    "reason": "amount_wrong",
    "state": "asked",
    "document_ids": [_DOCUMENT],
    "filed_at": "2025-06-16T04:00:00Z",
    "decided_at": None,
    "due_on": "2025-06-23",
    "is_due_provisional": False,
    "overdue_at": None,
    "late_party_id": None,
    "remedy": None,
    "refusal_code": None,
}
_TOLD: JsonDict = {
    "text": "合同和发票存根上的金额都是 1,130 元",
    "fact": {"invoice_no": "26117001", "direction": "out", "issued_on": "2025-03-05", "gross_fen": "11300"},
}
_ASK: JsonDict = {
    "record": _RECORD,
    "severity": "ordinary",
    "listed_on": "2025-01-10",
    "text": "罚款已缴清，问题已整改",
    "document_ids": [_DOCUMENT],
    "is_declared": True,
}
_REPAIR: JsonDict = {
    "id": _ID,
    "firm_id": _FIRM,
    "record": _RECORD,
    "severity": "ordinary",
    "listed_on": "2025-01-10",
    "state": "second_review",
    "document_ids": [_DOCUMENT],
    "filed_at": "2025-06-16T04:00:00Z",
    "due_on": "2025-06-19",
    "is_due_provisional": False,
    "overdue_at": None,
    "refusal_code": None,
    "settled_at": None,
}
_LATE: JsonDict = {
    "party_id": "01976f2c-4444-7c55-9a53-0c7d0a5f2b11",
    "open_count": 4,
    "overdue_count": 1,
    "late_count": 2,
    "oldest_due_on": "2025-06-13",
}


class FactIn(BaseModel):
    """A fact of one's own firm: its kind, and by which line of which delivery it came."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _FACT})

    kind: FactKind
    delivery_no: StrictInt = Field(ge=1, le=MAX_LINE)
    line_no: StrictInt = Field(ge=1, le=MAX_LINE)

    def of(self, firm_id: UUID) -> FactRef:
        """Return the reference for a firm."""
        return FactRef(self.kind, firm_id, self.delivery_no, self.line_no)


class ObjectionIn(BaseModel):
    """What is disputed, and why."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _FILE})

    fact: FactIn
    reason: ObjectionReason
    text: str = Field(min_length=MIN_TEXT, max_length=MAX_TEXT)
    document_ids: list[UUID] = Field(default=[], max_length=MAX_EVIDENCE)


class InvoiceCorrectionIn(BaseModel):
    """What an invoice should have said; its number and direction stay."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _CORRECT})

    issued_on: date
    counterparty: str = Field(min_length=1, max_length=200)
    net_fen: StrictInt = Field(ge=-MAX_FEN, le=MAX_FEN)
    tax_fen: StrictInt = Field(ge=-MAX_FEN, le=MAX_FEN)
    gross_fen: StrictInt = Field(ge=-MAX_FEN, le=MAX_FEN)


class UpholdIn(BaseModel):
    """The source grants the objection: with what is right, or null where the fact is void."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"correction": _CORRECT}})

    correction: InvoiceCorrectionIn | None

    def value(self) -> InvoiceCorrection | None:
        """Return the correction as a value."""
        return InvoiceCorrection(**self.correction.model_dump()) if self.correction else None


class ObjectionRefusalIn(BaseModel):
    """Why an objection is refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"code": "record_right"}})

    code: ObjectionRefusal


class FactOut(BaseModel):
    """A fact: its kind, and by which line of which delivery it came."""

    model_config = ConfigDict(json_schema_extra={"example": _FACT})

    kind: FactKind
    delivery_no: int
    line_no: int

    @classmethod
    def of(cls, ref: FactRef) -> "FactOut":
        """Build from a reference."""
        return cls(kind=ref.kind, delivery_no=ref.delivery_no, line_no=ref.line_no)


class ObjectionOut(BaseModel):
    """An objection without its texts; the last day by working days, provisional where the calendar is not published."""

    model_config = ConfigDict(json_schema_extra={"example": _OBJECTION})

    id: UUID
    firm_id: UUID
    fact: FactOut
    sender_id: UUID
    reason: ObjectionReason
    state: ObjectionState
    document_ids: list[UUID]
    filed_at: datetime
    decided_at: datetime | None
    due_on: date
    is_due_provisional: bool
    overdue_at: datetime | None
    late_party_id: UUID | None
    remedy: Remedy | None
    refusal_code: ObjectionRefusal | None

    @classmethod
    def of(cls, view: ObjectionView) -> "ObjectionOut":
        """Build from an objection."""
        return cls(
            id=view.id,
            firm_id=view.ref.firm_id,
            fact=FactOut.of(view.ref),
            sender_id=view.sender_id,
            reason=view.reason,
            state=view.state,
            document_ids=list(view.document_ids),
            filed_at=view.filed_at,
            decided_at=view.decided_at,
            due_on=view.due_on,
            is_due_provisional=view.is_due_provisional,
            overdue_at=view.overdue_at,
            late_party_id=view.late_party_id,
            remedy=view.remedy,
            refusal_code=view.refusal_code,
        )


class ObjectionPageOut(BaseModel):
    """A page of objections and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"objections": [_OBJECTION], "next_cursor": None}})

    objections: list[ObjectionOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[ObjectionView]) -> "ObjectionPageOut":
        """Build from a page."""
        return cls(objections=[ObjectionOut.of(view) for view in page.rows], next_cursor=page.next_cursor)


class ToldOut(BaseModel):
    """What the firm said, and what the disputed fact says as texts (amounts in fen)."""

    model_config = ConfigDict(json_schema_extra={"example": _TOLD})

    text: str
    fact: dict[str, str] | None

    @classmethod
    def of(cls, told: Told) -> "ToldOut":
        """Build from what was told."""
        return cls(text=told.text, fact=dict(told.fact) if told.fact is not None else None)


class ObjectionDetailOut(BaseModel):
    """An objection with its texts; null for who only oversees, and once the firm's key is destroyed."""

    model_config = ConfigDict(json_schema_extra={"example": {"objection": _OBJECTION, "told": _TOLD}})

    objection: ObjectionOut
    told: ToldOut | None


class RepairIn(BaseModel):
    """A record against one's own firm that is made good."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _ASK})

    record: FactIn
    severity: Severity
    listed_on: date = Field(description="The day of the judgement, decision or listing")
    text: str = Field(min_length=MIN_TEXT, max_length=MAX_TEXT)
    document_ids: list[UUID] = Field(default=[], max_length=MAX_EVIDENCE)
    is_declared: StrictBool = Field(description="Made good, every duty met, and the commitment made")


class RepairRefusalIn(BaseModel):
    """Why a repair is refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"code": "not_made_good"}})

    code: RepairRefusal


class RepairOut(BaseModel):
    """A repair without its texts."""

    model_config = ConfigDict(json_schema_extra={"example": _REPAIR})

    id: UUID
    firm_id: UUID
    record: FactOut
    severity: Severity
    listed_on: date
    state: RepairState
    document_ids: list[UUID]
    filed_at: datetime
    due_on: date
    is_due_provisional: bool
    overdue_at: datetime | None
    refusal_code: RepairRefusal | None
    settled_at: datetime | None

    @classmethod
    def of(cls, view: RepairView) -> "RepairOut":
        """Build from a repair."""
        return cls(
            id=view.id,
            firm_id=view.ref.firm_id,
            record=FactOut.of(view.ref),
            severity=view.severity,
            listed_on=view.listed_on,
            state=view.state,
            document_ids=list(view.document_ids),
            filed_at=view.filed_at,
            due_on=view.due_on,
            is_due_provisional=view.is_due_provisional,
            overdue_at=view.overdue_at,
            refusal_code=view.refusal_code,
            settled_at=view.settled_at,
        )


class RepairPageOut(BaseModel):
    """A page of repairs and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"repairs": [_REPAIR], "next_cursor": None}})

    repairs: list[RepairOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[RepairView]) -> "RepairPageOut":
        """Build from a page."""
        return cls(repairs=[RepairOut.of(view) for view in page.rows], next_cursor=page.next_cursor)


class RepairDetailOut(BaseModel):
    """A repair with its text; null for who only oversees, and once the firm's key is destroyed."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"repair": _REPAIR, "told": {"text": "罚款已缴清", "fact": None}}}
    )

    repair: RepairOut
    told: ToldOut | None


class LatenessOut(BaseModel):
    """How a party that owes firms answers stands."""

    model_config = ConfigDict(json_schema_extra={"example": _LATE})

    party_id: UUID
    open_count: int
    overdue_count: int
    late_count: int
    oldest_due_on: date | None

    @classmethod
    def of(cls, value: Lateness) -> "LatenessOut":
        """Build from a value."""
        return cls(
            party_id=value.party_id,
            open_count=value.open_count,
            overdue_count=value.overdue_count,
            late_count=value.late_count,
            oldest_due_on=value.oldest_due_on,
        )
