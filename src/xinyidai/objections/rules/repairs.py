"""Credit repair: when a record may be let go, what the rule of the day ends, and the two reviews. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from xinyidai.foundation.clock import add_months
from xinyidai.foundation.errors import Refusal
from xinyidai.objections.rules import FactRef

RepairId = NewType("RepairId", UUID)


class Severity(StrEnum):
    """How grave a record is (失信程度): by it the shortest time of publication differs."""

    MINOR = "minor"
    ORDINARY = "ordinary"
    SERIOUS = "serious"


class RepairRefusal(StrEnum):
    """Why a repair is refused; the firm is told."""

    NOT_MADE_GOOD = "not_made_good"
    EVIDENCE_MISSING = "evidence_missing"
    WRONG_SEVERITY = "wrong_severity"
    NOT_REPAIRABLE = "not_repairable"
    NO_SUCH_RECORD = "no_such_record"


class RepairState(StrEnum):
    """The life of a repair: filed, reviewed twice, done."""

    FILED = "filed"
    SECOND_REVIEW = "second_review"
    REPAIRED = "repaired"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


REPAIR_STEPS: Mapping[RepairState, frozenset[RepairState]] = {
    RepairState.FILED: frozenset({RepairState.SECOND_REVIEW, RepairState.REFUSED, RepairState.WITHDRAWN}),
    RepairState.SECOND_REVIEW: frozenset({RepairState.REPAIRED, RepairState.REFUSED, RepairState.WITHDRAWN}),
    RepairState.REPAIRED: frozenset(),
    RepairState.REFUSED: frozenset(),
    RepairState.WITHDRAWN: frozenset(),
}
REPAIR_OPEN = (RepairState.FILED, RepairState.SECOND_REVIEW)


class NotRepairable(Refusal):
    """The kind of fact is no record against a firm."""

    code = "not_repairable"
    status = 422
    title_zh = "这类记录不适用信用修复：{kind}"
    title_en = "Records of this kind are nothing to repair: {kind}"


class RepairTooEarly(Refusal):
    """The record has not been public for the shortest time that the rule in force asks for."""

    code = "repair_too_early"
    status = 409
    title_zh = "最短公示期未满，{earliest} 起可以申请信用修复"
    title_en = "The shortest time of publication is not over; repair may be asked for from {earliest}"


class RepairNotDeclared(Refusal):
    """The firm did not declare that it made the matter good, or does not commit itself (信用承诺)."""

    code = "repair_not_declared"
    status = 422
    title_zh = "须声明已纠正失信行为、履行相关义务，并作出信用承诺"
    title_en = "Declare that the matter is made good and every duty met, and make the commitment"


class RepairAlreadyFiled(Refusal):
    """The record has a repair that stands."""

    code = "repair_already_filed"
    status = 409
    title_zh = "该记录已有信用修复申请或已修复"
    title_en = "The record has a repair already"


class RepairStepRefused(Refusal):
    """The repair may not go from its state to the one asked for."""

    code = "repair_step_refused"
    status = 409
    title_zh = "信用修复申请不能从 {state} 变为 {wanted}"
    title_en = "The repair cannot go from {state} to {wanted}"


@dataclass(frozen=True)
class RepairRule:
    """What the rule in force on a day asks of a record of some severity, and whether a repair ends its use too."""

    severity: Severity
    effective_from: date
    min_months: int
    ends_use: bool


@dataclass(frozen=True)
class RepairView:
    """A repair without its texts."""

    id: RepairId
    ref: FactRef
    severity: Severity
    listed_on: date
    state: RepairState
    document_ids: tuple[UUID, ...]
    filed_at: datetime
    due_on: date
    is_due_provisional: bool
    overdue_at: datetime | None
    first_reviewed_by: UUID | None
    second_reviewed_by: UUID | None
    refusal_code: RepairRefusal | None
    settled_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Say whether the operator owes the firm an answer."""
        return self.state in REPAIR_OPEN

    def is_overdue(self, today: date) -> bool:
        """Say whether an answer is owed since before `today`."""
        return self.is_open and self.due_on < today


def repair_moved(state: RepairState, wanted: RepairState) -> RepairState:
    """Return `wanted` when it may follow `state`; else refuse with `RepairStepRefused`."""
    if wanted not in REPAIR_STEPS[state]:
        raise RepairStepRefused(state=state.value, wanted=wanted.value)
    return wanted


def check_old_enough(listed_on: date, rule: RepairRule, *, today: date) -> None:
    """Refuse with `RepairTooEarly` a record that has not been public for the rule's shortest time."""
    earliest = add_months(listed_on, rule.min_months)
    if today < earliest:
        raise RepairTooEarly(earliest=earliest.isoformat())
