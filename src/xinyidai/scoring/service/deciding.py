"""What a score is decided from and how it is written down, the same for the first time and for a replay."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from xinyidai.consents.rules import Permission
from xinyidai.decisions.rules import Reason, Scalar
from xinyidai.foundation.canonical import Json
from xinyidai.profiles.model import indicator_texts
from xinyidai.profiles.rules.lineage import FINGERPRINT
from xinyidai.profiles.service import Drawn
from xinyidai.scoring.model import Scored
from xinyidai.scoring.rules.reasons import reason_of
from xinyidai.scoring.rules.scales import Scale

INDICATOR = "indicator."
"""Prefix of the vector's fields that are indicators, before their codes."""


@dataclass(frozen=True)
class Judged:
    """What the model and the scale make of one firm."""

    pd_ppm: int
    score_points: int
    band: int
    outcome: Mapping[str, Json]
    reasons: tuple[Reason, ...]


def judge(scored: Scored, scale: Scale) -> Judged:
    """Return points, band, outcome and reasons of a scored firm."""
    texts = {text.code: text for text in indicator_texts()}
    points = scale.points(scored.pd_ppm)
    band = scale.band(points)
    outcome: dict[str, Json] = {
        "pd_ppm": scored.pd_ppm,
        "score_points": points,
        "band": band,
        "log_odds_micro": scored.log_odds_micro,
        "baseline_micro": scored.baseline_micro,
        "reason_codes": [share.code for share in scored.shares],
        "reason_shares_micro": [share.share_micro for share in scored.shares],
    }
    reasons = tuple(reason_of(share, texts[share.code]) for share in scored.shares)
    return Judged(scored.pd_ppm, points, band, outcome, reasons)


def vector_for(
    drawn: Drawn, firm_id: UUID, permission: Permission, *, as_of: datetime, known_at: datetime
) -> dict[str, Scalar]:
    """Return what a score is decided from: exact indicators, and which facts they were read from, under what right."""
    lineage = drawn.lineage_of(firm_id)
    vector: dict[str, Scalar] = {
        "as_of": as_of.isoformat(),
        "known_at": known_at.isoformat(),
        "purpose": permission.purpose.value,
        "receiver_id": str(permission.receiver_id),
        FINGERPRINT: lineage.fingerprint,
        "fact_rows": lineage.rows,
        "first_issued_on": None if lineage.first_issued_on is None else lineage.first_issued_on.isoformat(),
        "last_issued_on": None if lineage.last_issued_on is None else lineage.last_issued_on.isoformat(),
    }
    return vector | {INDICATOR + code: text for code, text in drawn.vector_of(firm_id).items()}


def indicators_in(vector: Mapping[str, Scalar]) -> dict[str, str | None]:
    """Return the indicators of a vector by their codes."""
    return {
        name.removeprefix(INDICATOR): None if text is None else str(text)
        for name, text in vector.items()
        if name.startswith(INDICATOR)
    }
