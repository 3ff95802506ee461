"""Data quality on the wire."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from xinyidai.foundation.paging import Page
from xinyidai.quality.rules import (
    MAX_REASON,
    FindingState,
    FindingView,
    PassRate,
    Rule,
    RuleClass,
    RuleCount,
    Severity,
)

_ID = "0197a1c0-0000-7000-8000-000000000001"
_RULE: JsonDict = {
    "code": "electricity.tariff",
    "version": 1,
    "item_code": "electricity",
    "rule_class": "row_consistency",
    "severity": "error",
    "fields": ["charged_fen", "used_kwh"],
    "condition": "implies(used_kwh >= 10, within(charged_fen / used_kwh, 30, 180))",
    "name_zh": "电费与用量相符",
    "name_en": "Charged is used times the tariff",
    "message_zh": "请核对用量与金额的单位。",
    "message_en": "Check the units of both.",
    "valid_from": "2016-01-01",
    "valid_to": None,
}
_FINDING: JsonDict = {
    "id": _ID,
    "item_code": "electricity",
    "rule_code": "electricity.tariff",
    "rule_version": 1,
    "severity": "error",
    "sender_id": _ID,
    "delivery_no": 12,
    "line_no": 3,
    "firm_id": _ID,
    "state": "open",
    "first_seen_at": "2025-06-16T04:00:00Z",
    "closed_at": None,
    "waiver_reason": None,
    "waiver_asked_at": None,
    "waiver_decided_at": None,
    "waiver_until_on": None,
}
_RATE: JsonDict = {
    "item_code": "electricity",
    "sender_id": _ID,
    "month": "2025-06-01",
    "deliveries": 2,
    "received": 1_000,
    "offered": 980,
    "passed": 960,
    "failed": 12,
    "refused": 8,
    "unknown_firm": 3,
    "pass_rate_ppm": 979_591,
    "wrong_code_ppm": 3_000,
}
_COUNT: JsonDict = {"rule_code": "electricity.tariff", "checked": 972, "failed": 12}


class RuleOut(BaseModel):
    """One version of a quality rule: what it demands and what its sender is to do when it is not met."""

    model_config = ConfigDict(json_schema_extra={"example": _RULE})

    code: str
    version: int
    item_code: str
    rule_class: RuleClass
    severity: Severity
    fields: list[str]
    condition: str
    name_zh: str
    name_en: str
    message_zh: str
    message_en: str
    valid_from: date
    valid_to: date | None

    @classmethod
    def of(cls, rule: Rule) -> "RuleOut":
        """Build from a rule."""
        named = {name: getattr(rule, name) for name in cls.model_fields}
        return cls(**named | {"fields": list(rule.fields)})


class RulesOut(BaseModel):
    """The rules in force on a day."""

    model_config = ConfigDict(json_schema_extra={"example": {"on": "2025-06-16", "rules": [_RULE]}})

    on: date
    rules: list[RuleOut]


class FindingOut(BaseModel):
    """What a rule found; without line and firm, in a delivery as a whole."""

    model_config = ConfigDict(json_schema_extra={"example": _FINDING})

    id: UUID
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

    @classmethod
    def of(cls, view: FindingView) -> "FindingOut":
        """Build from a finding."""
        return cls(**{name: getattr(view, name) for name in cls.model_fields})


class FindingPageOut(BaseModel):
    """One page of findings, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"rows": [_FINDING], "next_cursor": None}})

    rows: list[FindingOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[FindingView]) -> "FindingPageOut":
        """Build from a page."""
        return cls(rows=[FindingOut.of(view) for view in page.rows], next_cursor=page.next_cursor)


class WaiverIn(BaseModel):
    """Why a finding should be waived."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "该企业实行合同电价，金额无误"}})

    reason: str = Field(min_length=1, max_length=MAX_REASON)


class WaiverDecisionIn(BaseModel):
    """Whether a waiver is granted, and until before which day; without one it lasts a year."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"is_granted": True, "until_on": "2025-12-31"}}
    )

    is_granted: bool = Field(strict=True)
    until_on: date | None = None


class PassRateOut(BaseModel):
    """How the rows of one item from one sender in one month came through."""

    model_config = ConfigDict(json_schema_extra={"example": _RATE})

    item_code: str
    sender_id: UUID
    month: date
    deliveries: int
    received: int
    offered: int
    passed: int
    failed: int
    refused: int
    unknown_firm: int
    pass_rate_ppm: int | None
    wrong_code_ppm: int | None

    @classmethod
    def of(cls, rate: PassRate) -> "PassRateOut":
        """Build from a pass rate."""
        return cls(**{name: getattr(rate, name) for name in cls.model_fields})


class PassRatesOut(BaseModel):
    """The pass rates of some months."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"from_month": "2025-06-01", "to_month": "2025-06-01", "rows": [_RATE]}}
    )

    from_month: date
    to_month: date
    rows: list[PassRateOut]


class RuleCountOut(BaseModel):
    """How often a rule was asked and how often it said no."""

    model_config = ConfigDict(json_schema_extra={"example": _COUNT})

    rule_code: str
    checked: int
    failed: int


class RuleCountsOut(BaseModel):
    """The counts of every rule, those that said no most often first."""

    model_config = ConfigDict(json_schema_extra={"example": {"rows": [_COUNT]}})

    rows: list[RuleCountOut]

    @classmethod
    def of(cls, counts: Sequence[RuleCount]) -> "RuleCountsOut":
        """Build from counts."""
        told: list[Mapping[str, object]] = [vars(one) for one in counts]
        return cls(rows=[RuleCountOut.model_validate(one) for one in told])
