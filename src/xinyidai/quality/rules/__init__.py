"""What a quality rule is, how a finding lives, and how passing is counted: pure."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final, NewType
from uuid import UUID

from xinyidai.foundation.errors import Refusal
from xinyidai.quality.rules.columns import Plain

FindingId = NewType("FindingId", UUID)

PPM = 1_000_000
MAX_REASON = 500
MAX_MONTHS = 36
MAX_WAIVER_DAYS = 366
"""For how long a finding may be waived at most, and for how long it is where nobody says how long."""


class RuleClass(StrEnum):
    """What a rule looks for: in a row, between the rows of a firm, between sources, or in a delivery as a whole."""

    COMPLETENESS = "completeness"
    VALIDITY = "validity"
    UNIQUENESS = "uniqueness"
    TIMELINESS = "timeliness"
    ROW_CONSISTENCY = "row_consistency"
    CROSS_ROW = "cross_row"
    CROSS_SOURCE = "cross_source"
    DRIFT = "drift"


class Severity(StrEnum):
    """How grave a finding is: only an error makes its row fail."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


class Scope(StrEnum):
    """What must be read to judge by a rule: the row alone, all of its firm's facts, or a delivery's figures."""

    ROW = "row"
    FIRM = "firm"
    BATCH = "batch"


class WaiverState(StrEnum):
    """How a request that a finding be waived stands; an expired one leaves its finding open again."""

    ASKED = "asked"
    GRANTED = "granted"
    REFUSED = "refused"
    EXPIRED = "expired"


class FindingState(StrEnum):
    """The life of a finding. A corrected or waived one stays as it is; the same fault found again is a new one.

    One is withdrawn when the version of the rule that found it ends: nobody is asked to answer for it any longer.
    """

    OPEN = "open"
    CORRECTED = "corrected"
    WAIVED = "waived"
    WITHDRAWN = "withdrawn"


STANDING: Final = (FindingState.OPEN, FindingState.WAIVED)
"""The states of a finding that is still held against its fact."""


@dataclass(frozen=True)
class Rule:
    """One version of a rule as it is stored, in force from a Shanghai day until before another.

    `passing` and `failing` are rows that the condition must let pass and must not: values by the name of a column or
    the text of a measure. A rule that does not do what its own examples say is refused when it is read.
    """

    code: str
    version: int
    item_code: str
    rule_class: RuleClass
    severity: Severity
    fields: tuple[str, ...]
    condition: str
    name_zh: str
    name_en: str
    message_zh: str
    message_en: str
    passing: dict[str, Plain]
    failing: dict[str, Plain]
    valid_from: date
    valid_to: date | None


class QualityRuleRefused(Refusal):
    """A rule cannot be read: its condition is not of the language, or does not do what its own examples say."""

    code = "quality_rule_refused"
    status = 422
    title_zh = "质量规则 {rule} 无法读取：{why}"
    title_en = "The quality rule {rule} cannot be read: {why}"


class FindingClosed(Refusal):
    """The finding was corrected, waived or withdrawn already."""

    code = "finding_closed"
    title_zh = "该问题已更正、已豁免或已撤回"
    title_en = "The finding was corrected, waived or withdrawn already"


class WaiverNotAsked(Refusal):
    """Nobody asked that the finding be waived, or it was decided already."""

    code = "waiver_not_asked"
    title_zh = "该问题没有待审的豁免申请"
    title_en = "No waiver of the finding waits for a decision"


class WaiverEndRefused(Refusal):
    """A waiver must end, after today and within MAX_WAIVER_DAYS."""

    code = "waiver_end_refused"
    status = 422
    title_zh = "豁免的截止日须在今天之后且不超过 {most} 天"
    title_en = "A waiver must end after today and within {most} days"


class MonthsRefused(Refusal):
    """The months asked for end before they begin, or are too many."""

    code = "months_refused"
    status = 422
    title_zh = "月份区间须为正序且不超过 {most} 个月"
    title_en = "The months must be in order and at most {most}"


def check_months(from_month: date, to_month: date) -> None:
    """Refuse with `MonthsRefused` months that end before they begin, or more than MAX_MONTHS."""
    count = (to_month.year - from_month.year) * 12 + to_month.month - from_month.month + 1
    if not 1 <= count <= MAX_MONTHS or to_month.year == date.max.year:
        raise MonthsRefused(most=MAX_MONTHS)


@dataclass(frozen=True)
class PassRate:
    """How the rows of one item from one sender in one month came through.

    `offered` are the rows judged and those refused at the door; repeats and rows of firms that allow nothing are left
    out, because neither is a fault. `passed` are those judged without an error. `doubled` are rows whose document
    stands under the codes of more firms than it can be of.
    """

    item_code: str
    sender_id: UUID
    month: date
    deliveries: int
    received: int
    offered: int
    judged: int
    passed: int
    failed: int
    refused: int
    unknown_firm: int
    doubled: int

    @property
    def pass_rate_ppm(self) -> int | None:
        """Return the share of offered rows that passed, rounded down; None where none was offered."""
        return self.passed * PPM // self.offered if self.offered else None

    @property
    def wrong_code_ppm(self) -> int | None:
        """Return the share of received rows whose credit code is of no firm here, rounded up."""
        return -(-self.unknown_firm * PPM // self.received) if self.received else None

    @property
    def faulty_code_ppm(self) -> int | None:
        """Return the share of received rows whose credit code is wrong or doubled (重错码率), rounded up."""
        return -(-(self.unknown_firm + self.doubled) * PPM // self.received) if self.received else None


@dataclass(frozen=True)
class JudgedView:
    """How one delivery came through; counts as in `PassRate`."""

    delivery_no: int
    delivery_id: UUID
    sender_id: UUID
    item_code: str
    received_at: datetime
    received: int
    judged: int
    failed: int
    refused: int
    unknown_firm: int

    @property
    def pass_rate_ppm(self) -> int | None:
        """Return the share of offered rows that passed, rounded down; None where none was offered."""
        offered = self.judged + self.refused
        return (self.judged - self.failed) * PPM // offered if offered else None


@dataclass(frozen=True)
class RuleCount:
    """How often a rule was asked and how often it said no, in the deliveries counted."""

    rule_code: str
    checked: int
    failed: int


@dataclass(frozen=True)
class FindingView:
    """What a rule found: in which line of which delivery, since when, and what became of it.

    `firm_id` and `line_no` are None for what was found in a delivery as a whole.
    """

    id: FindingId
    item_code: str
    rule_code: str
    rule_version: int
    severity: Severity
    sender_id: UUID
    delivery_no: int
    line_no: int | None
    firm_id: UUID | None
    state: FindingState
    first_seen_at: datetime
    closed_at: datetime | None
    waiver_reason: str | None
    waiver_asked_at: datetime | None
    waiver_decided_at: datetime | None
    waiver_until_on: date | None

    @property
    def waiver_state(self) -> WaiverState | None:
        """Return how the request to waive it stands; None without one, and for a finding that stands no longer."""
        if self.waiver_asked_at is None or self.state not in STANDING:
            return None
        if self.state is FindingState.WAIVED:
            return WaiverState.GRANTED
        if self.waiver_decided_at is None:
            return WaiverState.ASKED
        return WaiverState.REFUSED if self.waiver_until_on is None else WaiverState.EXPIRED


@dataclass(frozen=True)
class FindingFilter:
    """Which findings are asked for; None keeps all."""

    state: FindingState | None = None
    item_code: str | None = None
    severity: Severity | None = None
    rule_code: str | None = None
    sender_id: UUID | None = None
    delivery_no: int | None = None
    waiver: WaiverState | None = None


@dataclass(frozen=True)
class FindingGroup:
    """What one rule found in the deliveries of one sender: how many stand how, and the place of one of them.

    The example is an open finding where there is one, else the newest; without a line, a delivery as a whole.
    """

    item_code: str
    rule_code: str
    severity: Severity
    sender_id: UUID
    open: int
    corrected: int
    waived: int
    first_seen_at: datetime
    example_delivery_no: int
    example_line_no: int | None


@dataclass(frozen=True)
class Returned:
    """What was returned to a sender of one item's findings of one month, and what came back.

    `found` are those first seen in the month, each either open, corrected by a later delivery, or waived; those that
    were withdrawn with their rule are left out.
    """

    item_code: str
    sender_id: UUID
    month: date
    found: int
    open: int
    corrected: int
    waived: int

    @property
    def corrected_ppm(self) -> int | None:
        """Return the share that came back corrected, rounded down, of those that are not waived; None without any."""
        due = self.found - self.waived
        return self.corrected * PPM // due if due else None
