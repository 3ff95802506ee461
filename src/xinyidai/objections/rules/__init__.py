"""Objections: facts that may be disputed, states and what may follow what, clocks. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from xinyidai.foundation.errors import Refusal

ObjectionId = NewType("ObjectionId", UUID)

MIN_TEXT, MAX_TEXT = 5, 1_000
MAX_EVIDENCE = 5
MAX_FIRMS = 1_000


class FactKind(StrEnum):
    """Where a fact stands: the code of the catalogue's item."""

    VAT_INVOICE = "vat_invoice"
    HONOUR_LIST = "honour_list"
    PENALTY = "penalty"
    ENFORCEMENT = "enforcement"


DISPUTABLE = frozenset({FactKind.VAT_INVOICE})
"""Kinds whose facts are held here and can be corrected."""
REPAIRABLE = frozenset({FactKind.HONOUR_LIST, FactKind.PENALTY, FactKind.ENFORCEMENT})
"""Kinds that are records against a firm, which it may make good; an invoice is none."""


@dataclass(frozen=True, order=True)
class FactRef:
    """One fact: what kind, whose, and by which line of which delivery it came."""

    kind: FactKind
    firm_id: UUID
    delivery_no: int
    line_no: int


class ObjectionReason(StrEnum):
    """What the firm says is wrong."""

    NOT_OURS = "not_ours"
    AMOUNT_WRONG = "amount_wrong"
    DATE_WRONG = "date_wrong"
    COUNTERPARTY_WRONG = "counterparty_wrong"
    STATUS_WRONG = "status_wrong"
    TWICE = "twice"


class ObjectionRefusal(StrEnum):
    """Why an objection is refused; the firm is told."""

    RECORD_RIGHT = "record_right"
    EVIDENCE_MISSING = "evidence_missing"
    NOT_ABOUT_THE_FACT = "not_about_the_fact"


class Remedy(StrEnum):
    """What an upheld objection brought."""

    CORRECTED = "corrected"
    VOIDED = "voided"
    CORRECTED_BEFORE = "corrected_before"


class ObjectionState(StrEnum):
    """The life of an objection."""

    FILED = "filed"
    ACCEPTED = "accepted"
    ASKED = "asked"
    UPHELD = "upheld"
    REFUSED = "refused"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


FOLLOWS: Mapping[ObjectionState, frozenset[ObjectionState]] = {
    ObjectionState.FILED: frozenset({ObjectionState.ACCEPTED, ObjectionState.REFUSED, ObjectionState.WITHDRAWN}),
    ObjectionState.ACCEPTED: frozenset({ObjectionState.ASKED, ObjectionState.WITHDRAWN}),
    ObjectionState.ASKED: frozenset({ObjectionState.UPHELD, ObjectionState.REFUSED, ObjectionState.WITHDRAWN}),
    ObjectionState.UPHELD: frozenset({ObjectionState.CLOSED}),
    ObjectionState.REFUSED: frozenset({ObjectionState.CLOSED}),
    ObjectionState.CLOSED: frozenset(),
    ObjectionState.WITHDRAWN: frozenset(),
}
OPEN = (ObjectionState.FILED, ObjectionState.ACCEPTED, ObjectionState.ASKED)
"""The fact is disputed, and somebody owes the firm an answer."""


class NotDisputable(Refusal):
    """Facts of this kind are not held here, or cannot be corrected."""

    code = "not_disputable"
    status = 422
    title_zh = "暂不能对这类记录提出异议：{kind}"
    title_en = "Records of this kind cannot be disputed here: {kind}"


class ObjectionTextRefused(Refusal):
    """The explanation is too short to check anything by, or too long."""

    code = "objection_text_refused"
    status = 422
    title_zh = "说明须为 {least} 至 {most} 个字"
    title_en = "The explanation has {least} to {most} characters"


class TooMuchEvidence(Refusal):
    """More documents than one case may rest on."""

    code = "too_much_evidence"
    status = 422
    title_zh = "证明材料最多 {most} 份"
    title_en = "At most {most} documents of evidence"


class AlreadyDisputed(Refusal):
    """The fact has an objection that is open."""

    code = "already_disputed"
    status = 409
    title_zh = "该记录已有办理中的异议"
    title_en = "The record has an objection that is still open"


class FactSuperseded(Refusal):
    """The fact was corrected: what counts now is another."""

    code = "fact_superseded"
    status = 409
    title_zh = "该记录已被更正，现行的是另一条记录"
    title_en = "The record was corrected; another one counts now"


class TooManyObjections(Refusal):
    """The firm has as many open cases as one firm may have at a time."""

    code = "too_many_objections"
    status = 409
    title_zh = "同时办理的异议和修复申请不能超过 {most} 件"
    title_en = "No more than {most} objections and repairs of one firm may be open at a time"


class IllegalObjectionStep(Refusal):
    """The objection is not in a state from which this may follow."""

    code = "illegal_objection_step"
    status = 409
    title_zh = "异议当前状态为 {state}，不能变为 {wanted}"
    title_en = "The objection is {state} and cannot become {wanted}"


class CorrectionRefused(Refusal):
    """The door of deliveries did not take the correction; the objection stays as it is."""

    code = "correction_refused"
    status = 409
    title_zh = "更正未被接收：{faults}"
    title_en = "The correction was not taken in: {faults}"


@dataclass(frozen=True)
class Clock:
    """How long answers may take, in working days, and how many cases a firm may have open; in force on a day."""

    effective_from: date
    objection_working_days: int
    repair_working_days: int
    max_open: int


@dataclass(frozen=True)
class InvoiceCorrection:
    """What an invoice should have said; its number and direction name it and stay."""

    issued_on: date
    counterparty: str
    net_fen: int
    tax_fen: int
    gross_fen: int


@dataclass(frozen=True)
class ObjectionView:
    """An objection without its texts."""

    id: ObjectionId
    ref: FactRef
    sender_id: UUID
    reason: ObjectionReason
    state: ObjectionState
    document_ids: tuple[UUID, ...]
    filed_at: datetime
    accepted_at: datetime | None
    asked_at: datetime | None
    decided_at: datetime | None
    closed_at: datetime | None
    due_on: date
    is_due_provisional: bool
    overdue_at: datetime | None
    late_party_id: UUID | None
    remedy: Remedy | None
    refusal_code: ObjectionRefusal | None

    @property
    def is_open(self) -> bool:
        """Say whether the fact is disputed by it."""
        return self.state in OPEN

    def is_overdue(self, today: date) -> bool:
        """Say whether an answer is owed since before `today`."""
        return self.is_open and self.due_on < today


@dataclass(frozen=True)
class Told:
    """What a firm said, and for an invoice what the fact says; None once the firm's key is destroyed."""

    text: str
    fact: Mapping[str, str] | None


@dataclass(frozen=True)
class Lateness:
    """How a party that owes answers stands: open and overdue now, and how many it was ever late with."""

    party_id: UUID
    open_count: int
    overdue_count: int
    late_count: int
    oldest_due_on: date | None


def yuan_of(fen: int) -> str:
    """Return an amount as the door of deliveries reads it: yuan with two decimals, exact."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def objection_moved(state: ObjectionState, wanted: ObjectionState) -> ObjectionState:
    """Return `wanted` when it may follow `state`.

    Raises
    ------
    IllegalObjectionStep
        It may not; a state never follows itself.
    """
    if wanted not in FOLLOWS[state]:
        raise IllegalObjectionStep(state=state.value, wanted=wanted.value)
    return wanted


def check_told(text: str, document_ids: int) -> str:
    """Return an explanation without blanks around it.

    Raises
    ------
    ObjectionTextRefused, TooMuchEvidence
    """
    said = text.strip()
    if not MIN_TEXT <= len(said) <= MAX_TEXT:
        raise ObjectionTextRefused(least=MIN_TEXT, most=MAX_TEXT)
    if document_ids > MAX_EVIDENCE:
        raise TooMuchEvidence(most=MAX_EVIDENCE)
    return said
