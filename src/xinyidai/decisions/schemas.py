"""Decisions on the wire."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic.config import JsonDict

from xinyidai.decisions.queries import DecisionLine
from xinyidai.decisions.rules import Explanation
from xinyidai.foundation.paging import Page

_LINE: JsonDict = {
    "id": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11",
    "kind": "score",
    "made_at": "2025-06-16T04:00:00Z",
    "outcome": {"pd_ppm": 31_200, "score_points": 626, "band": 5},
}


class DecisionLineOut(BaseModel):
    """One line of the list of decisions about a firm."""

    model_config = ConfigDict(json_schema_extra={"example": _LINE})

    id: UUID
    kind: str
    made_at: datetime
    outcome: dict[str, JsonValue]

    @classmethod
    def of(cls, line: DecisionLine) -> "DecisionLineOut":
        """Build from a line."""
        return cls(id=line.id, kind=line.kind, made_at=line.made_at, outcome=dict(line.outcome))


class DecisionPageOut(BaseModel):
    """A page of decisions and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"decisions": [_LINE], "next_cursor": None}})

    decisions: list[DecisionLineOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[DecisionLine]) -> "DecisionPageOut":
        """Build from a page."""
        return cls(decisions=[DecisionLineOut.of(line) for line in page.rows], next_cursor=page.next_cursor)


class DecisionOut(BaseModel):
    """A decision explained: `reasons` is null once its inputs were destroyed at the end of retention."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                **_LINE,
                "reasons": [
                    {
                        "code": "void_rate_sales",
                        "zh": "销项作废率为 12.5 %，提高了违约风险；建议：开票前核对购方信息和金额，减少作废",
                        "en": "Void rate of sales is 12.5 %, which raises the risk of default",
                    }
                ],
                "versions": {"release": "0f3c…", "features": "invoices-7c1d", "scale": "points-1"},
            }
        }
    )

    id: UUID
    kind: str
    made_at: datetime
    outcome: dict[str, JsonValue]
    reasons: list[dict[str, JsonValue]] | None
    versions: dict[str, str]

    @classmethod
    def of(cls, told: Explanation) -> "DecisionOut":
        """Build from an explanation."""
        reasons = None if told.reasons is None else [dict(reason) for reason in told.reasons]
        return cls(
            id=told.id,
            kind=told.kind,
            made_at=told.made_at,
            outcome=dict(told.outcome),
            reasons=reasons,
            versions=dict(told.versions),
        )
