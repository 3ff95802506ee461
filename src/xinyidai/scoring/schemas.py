"""Scoring on the wire."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.config import JsonDict

from xinyidai.foundation.paging import Page
from xinyidai.scoring.rules.outcomes import MAX_FILE_CHARACTERS, OutcomesReport
from xinyidai.scoring.rules.releases import (
    MAX_WISH_CHARACTERS,
    ReleaseState,
    ReleaseView,
    ReviewAnswer,
    ReviewState,
    ReviewView,
)
from xinyidai.scoring.rules.scores import ScoreView

_REASON: JsonDict = {
    "code": "void_rate_sales",
    "side": "raises",
    "share_micro": 412_000,
    "value": 125_000,
    "measure": "ppm",
    "zh": "销项作废率为 12.5 %，提高了违约风险。建议：开票前核对购方信息和金额，减少作废",
    "en": "Void rate of sales: 12.5 %; this raises the risk of default. Advice: Check the buyer and the amount",
}
_SCORE: JsonDict = {
    "id": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11",
    "decision_id": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b12",
    "firm_id": "01976f2c-1111-7c55-9a53-0c7d0a5f2b11",
    "pd_ppm": 31_200,
    "score_points": 625,
    "band": 5,
    "as_of": "2025-06-16T04:00:00Z",
    "known_at": "2025-06-16T04:00:00Z",
    "scored_at": "2025-06-16T04:00:00Z",
    "release_digest": "9b0c5f4dd1a3e27b6a8f0f7f2d9e1c3b5a7f9e8d7c6b5a493827160f5e4d3c2b",
    "scale_version": "points-1",
    "reasons": [_REASON],
}
_RELEASE: JsonDict = {
    "digest": "9b0c5f4dd1a3e27b6a8f0f7f2d9e1c3b5a7f9e8d7c6b5a493827160f5e4d3c2b",
    "state": "released",
    "feature_version": "invoices-7c1d0a5f2b11",
    "metrics": {"auc_ppm": 869_000, "ks_ppm": 684_000, "firms": 123, "defaults": 27},
    "card": "# Default model 9b0c5f4dd1a3",
    "proposed_by": "01976f2c-2222-7c55-9a53-0c7d0a5f2b11",
    "proposed_at": "2025-06-01T02:00:00Z",
    "approved_by": "01976f2c-3333-7c55-9a53-0c7d0a5f2b11",
    "approved_at": "2025-06-02T02:00:00Z",
}
_REVIEW: JsonDict = {
    "id": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b13",
    "score_id": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11",
    "decision_id": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b12",
    "firm_id": "01976f2c-1111-7c55-9a53-0c7d0a5f2b11",
    "wish": "四月份的作废发票系开票软件故障所致，请人工复核",
    "asked_at": "2025-06-16T05:00:00Z",
    "state": "open",
    "answer": None,
    "note": None,
    "answered_at": None,
}
_REPORT: JsonDict = {"received": 3, "loaded": 2, "unchanged": 0, "rejected": {"firm_unknown": 1}}


class ScoreOut(BaseModel):
    """A score with its reasons; band 1 is the least risk and 10 the most."""

    model_config = ConfigDict(json_schema_extra={"example": _SCORE})

    id: UUID
    decision_id: UUID
    firm_id: UUID
    pd_ppm: int
    score_points: int
    band: int
    as_of: datetime
    known_at: datetime
    scored_at: datetime
    release_digest: str
    scale_version: str
    reasons: list[dict[str, JsonValue]] | None

    @classmethod
    def of(cls, score: ScoreView) -> "ScoreOut":
        """Build from a score."""
        return cls(
            id=score.id,
            decision_id=score.decision_id,
            firm_id=score.firm_id,
            pd_ppm=score.pd_ppm,
            score_points=score.score_points,
            band=score.band,
            as_of=score.as_of,
            known_at=score.known_at,
            scored_at=score.scored_at,
            release_digest=score.release_digest,
            scale_version=score.scale_version,
            reasons=None if score.reasons is None else [dict(reason) for reason in score.reasons],
        )


class ReleaseOut(BaseModel):
    """A model release: its card and its measures, never its text."""

    model_config = ConfigDict(json_schema_extra={"example": _RELEASE})

    digest: str
    state: ReleaseState
    feature_version: str
    metrics: dict[str, int]
    card: str
    proposed_by: UUID
    proposed_at: datetime
    approved_by: UUID | None
    approved_at: datetime | None

    @classmethod
    def of(cls, release: ReleaseView) -> "ReleaseOut":
        """Build from a release."""
        return cls(
            digest=release.digest,
            state=release.state,
            feature_version=release.feature_version,
            metrics=release.metrics,
            card=release.card,
            proposed_by=release.proposed_by,
            proposed_at=release.proposed_at,
            approved_by=release.approved_by,
            approved_at=release.approved_at,
        )


class ReleasesOut(BaseModel):
    """The newest model releases."""

    model_config = ConfigDict(json_schema_extra={"example": {"releases": [_RELEASE]}})

    releases: list[ReleaseOut]


class ReviewWishIn(BaseModel):
    """Why a person should look at the score again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"wish": _REVIEW["wish"]}})

    wish: str = Field(max_length=MAX_WISH_CHARACTERS, examples=["请人工复核"])


class ReviewAnswerIn(BaseModel):
    """What a person found."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"answer": "upheld", "note": "已核对原始发票，评分依据无误"}}
    )

    answer: ReviewAnswer = Field(examples=["upheld"])
    note: str = Field(min_length=1, max_length=MAX_WISH_CHARACTERS, examples=["已核对原始发票，评分依据无误"])


class ReviewOut(BaseModel):
    """A wish for review and what came of it."""

    model_config = ConfigDict(json_schema_extra={"example": _REVIEW})

    id: UUID
    score_id: UUID
    decision_id: UUID
    firm_id: UUID
    wish: str
    asked_at: datetime
    state: ReviewState
    answer: ReviewAnswer | None
    note: str | None
    answered_at: datetime | None

    @classmethod
    def of(cls, review: ReviewView) -> "ReviewOut":
        """Build from a wish."""
        return cls(
            id=review.id,
            score_id=review.score_id,
            decision_id=review.decision_id,
            firm_id=review.firm_id,
            wish=review.wish,
            asked_at=review.asked_at,
            state=review.state,
            answer=review.answer,
            note=review.note,
            answered_at=review.answered_at,
        )


class ReviewCaseOut(BaseModel):
    """A wish for review and the score that it is about."""

    model_config = ConfigDict(json_schema_extra={"example": {"review": _REVIEW, "score": _SCORE}})

    review: ReviewOut
    score: ScoreOut


class ReviewPageOut(BaseModel):
    """A page of wishes that wait, and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"reviews": [_REVIEW], "next_cursor": None}})

    reviews: list[ReviewOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[ReviewView]) -> "ReviewPageOut":
        """Build from a page."""
        return cls(reviews=[ReviewOut.of(view) for view in page.rows], next_cursor=page.next_cursor)


class OutcomesIn(BaseModel):
    """A list of outcomes as CSV text with the columns credit_code, is_default (0 or 1) and observed_on."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"csv": "credit_code,is_default,observed_on\n91350100M000100Y43,0,2025-05-31\n"}},
    )

    csv: str = Field(
        max_length=MAX_FILE_CHARACTERS,
        examples=["credit_code,is_default,observed_on\n91350100M000100Y43,0,2025-05-31\n"],
    )


class OutcomesOut(BaseModel):
    """How many rows came, were news, were known before, and were kept aside by fault."""

    model_config = ConfigDict(json_schema_extra={"example": _REPORT})

    received: int
    loaded: int
    unchanged: int
    rejected: dict[str, int]

    @classmethod
    def of(cls, report: OutcomesReport) -> "OutcomesOut":
        """Build from a report."""
        return cls(received=report.received, loaded=report.loaded, unchanged=report.unchanged, rejected=report.rejected)
