"""A score as other rooms and its reader see it: pure."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from xinyidai.decisions.rules import Reason
from xinyidai.foundation.errors import Refusal

KIND = "score"
"""The kind under which scores are recorded as decisions."""


class PermissionUnfit(Refusal):
    """The permission presented is of another moment, purpose or item than scoring this firm now needs."""

    code = "permission_unfit"
    status = 403
    title_zh = "所持授权不适用于本次评分"
    title_en = "The permission does not cover scoring this firm now"


@dataclass(frozen=True)
class ScoreView:
    """A score with its reasons; `reasons` is None once the firm's key is destroyed.

    `pd_ppm` is the probability of default in parts per million; `band` runs from 1, the least risk, to 10.
    """

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
    reasons: tuple[Reason, ...] | None


@dataclass(frozen=True)
class ServingScore:
    """What a decision takes from a score that was made before; its reasons stay with its own decision."""

    decision_id: UUID
    pd_ppm: int
    score_points: int
    band: int


@dataclass(frozen=True)
class ScoredMany:
    """Scores of a batch, and why the other firms have none: a refusal's code by firm."""

    scores: tuple[ScoreView, ...]
    refused: dict[UUID, str]
