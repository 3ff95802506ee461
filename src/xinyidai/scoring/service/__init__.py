"""The verbs of scoring: score, release a model, take outcomes, review, train."""

from xinyidai.scoring.service import replaying as replaying
from xinyidai.scoring.service.outcomes import receive_outcomes, record_outcome
from xinyidai.scoring.service.releasing import approve_release, propose_release
from xinyidai.scoring.service.reviewing import answer_review, read_review, request_review, reviews_waiting
from xinyidai.scoring.service.scores import score_firm, score_many, score_own, show_latest, show_score
from xinyidai.scoring.service.training import HeldOut, Trained, train

__all__ = [
    "HeldOut",
    "Trained",
    "answer_review",
    "approve_release",
    "propose_release",
    "read_review",
    "receive_outcomes",
    "record_outcome",
    "request_review",
    "reviews_waiting",
    "score_firm",
    "score_many",
    "score_own",
    "show_latest",
    "show_score",
    "train",
]
