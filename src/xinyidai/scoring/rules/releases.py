"""Model releases and human reviews: states and refusals. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from xinyidai.foundation.errors import Refusal

MAX_BUNDLE_BYTES = 5 * 1024 * 1024
MAX_CARD_CHARACTERS = 20_000
MAX_WISH_CHARACTERS = 500


class ReleaseState(StrEnum):
    """The life of a model: proposed by one person, released by another, retired by the next release."""

    PROPOSED = "proposed"
    RELEASED = "released"
    RETIRED = "retired"


class ReviewState(StrEnum):
    """The life of a wish for human review."""

    OPEN = "open"
    ANSWERED = "answered"


class ReviewAnswer(StrEnum):
    """What a person found when looking at a score again."""

    UPHELD = "upheld"
    SET_ASIDE = "set_aside"


class NoModelReleased(Refusal):
    """No model is released, so nothing can be scored."""

    code = "no_model_released"
    status = 409
    title_zh = "当前没有已发布的评分模型"
    title_en = "No scoring model is released"


class BundleRefused(Refusal):
    """The model's text is too long, altered, unreadable, or asks for indicators that nobody computes."""

    code = "bundle_refused"
    status = 422
    title_zh = "模型文件不被接受：{why}"
    title_en = "The model is refused: {why}"


class AlreadyProposed(Refusal):
    """A model of this digest is there already."""

    code = "model_already_proposed"
    status = 409
    title_zh = "该模型（{digest}）已提交"
    title_en = "The model {digest} was proposed before"


class NotProposed(Refusal):
    """The model is not waiting for approval."""

    code = "model_not_proposed"
    status = 409
    title_zh = "该模型当前状态为 {state}，不能发布"
    title_en = "The model is {state} and cannot be released"


class ReviewOpen(Refusal):
    """A review of this score is under way."""

    code = "review_open"
    status = 409
    title_zh = "该评分的人工复核正在进行"
    title_en = "A review of this score is under way"


class ReviewClosed(Refusal):
    """The review was answered before."""

    code = "review_closed"
    status = 409
    title_zh = "该复核已有结论"
    title_en = "The review was answered before"


@dataclass(frozen=True)
class ReleaseView:
    """A model release without its text."""

    digest: str
    state: ReleaseState
    feature_version: str
    metrics: dict[str, int]
    card: str
    proposed_by: UUID
    proposed_at: datetime
    approved_by: UUID | None
    approved_at: datetime | None


@dataclass(frozen=True)
class ReviewView:
    """A firm's wish that a person look at a score again."""

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
