"""Tables of scoring."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Index, Integer, Uuid, text
from sqlmodel import Field, SQLModel

from xinyidai.foundation.database import one_of, type_of_json, type_of_moment
from xinyidai.foundation.ids import new_id
from xinyidai.scoring.rules.releases import ReleaseState, ReviewAnswer, ReviewState


class ModelRelease(SQLModel, table=True):
    """A model under its digest; the text never changes and at most one model is released."""

    __tablename__ = "model_release"
    __table_args__ = (
        one_of("state", ReleaseState),
        CheckConstraint("octet_length(bundle) <= 5242880", name="bundle_bounded"),
        CheckConstraint("digest = encode(sha256(convert_to(bundle, 'UTF8')), 'hex')", name="bundle_is_the_digests"),
        CheckConstraint("(approved_by IS NULL) = (state = 'proposed')", name="approved_by_somebody"),
        CheckConstraint("(approved_by IS NULL) = (approved_at IS NULL)", name="approved_at_some_time"),
        CheckConstraint("approved_by <> proposed_by", name="two_people"),
        Index("uq_model_release_released", "state", unique=True, postgresql_where=text("state = 'released'")),
        {"schema": "scoring"},
    )

    digest: str = Field(primary_key=True)
    bundle: str
    card: str
    metrics: dict[str, int] = Field(sa_type=type_of_json)
    feature_version: str
    state: str = ReleaseState.PROPOSED
    proposed_by: UUID
    proposed_at: datetime = Field(sa_type=type_of_moment)
    approved_by: UUID | None = None
    approved_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class ScoreScale(SQLModel, table=True):
    """How a probability becomes points and a band, from a day on."""

    __tablename__ = "scale"
    __table_args__ = (
        CheckConstraint("points_to_double > 0 AND base_odds > 0", name="rises"),
        CheckConstraint("cardinality(cut_points) = 9", name="ten_bands"),
        {"schema": "scoring"},
    )

    version: str = Field(primary_key=True)
    valid_from: date = Field(unique=True)
    base_points: int
    base_odds: int
    points_to_double: int
    cut_points: list[int] = Field(sa_type=ARRAY(Integer))


class Score(SQLModel, table=True):
    """One score of one firm. Append-only; inputs and reasons are with the decision."""

    __tablename__ = "score"
    __table_args__ = (
        CheckConstraint("pd_ppm BETWEEN 1 AND 999999", name="pd_is_a_chance"),
        CheckConstraint("score_points BETWEEN 0 AND 1000", name="points_bounded"),
        CheckConstraint("band BETWEEN 1 AND 10", name="band_known"),
        CheckConstraint("as_of <= known_at", name="known_when_scored"),
        Index("ix_score_firm_id_scored_at", "firm_id", "scored_at"),
        {"schema": "scoring"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    firm_id: UUID
    decision_id: UUID = Field(unique=True)
    receiver_id: UUID
    purpose: str
    consent_ids: list[UUID] = Field(sa_type=ARRAY(Uuid))
    pd_ppm: int
    score_points: int
    band: int
    as_of: datetime = Field(sa_type=type_of_moment)
    known_at: datetime = Field(sa_type=type_of_moment)
    scored_at: datetime = Field(sa_type=type_of_moment)
    release_digest: str = Field(foreign_key="scoring.model_release.digest")
    scale_version: str = Field(foreign_key="scoring.scale.version")


class Outcome(SQLModel, table=True):
    """What somebody says became of a firm, since when it is known. Append-only: a correction is a later row."""

    __tablename__ = "outcome"
    __table_args__ = (
        Index("ix_outcome_firm_id_known_at", "firm_id", "known_at"),
        {"schema": "scoring"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    firm_id: UUID
    loan_id: UUID | None = None
    reported_by_organisation_id: UUID
    is_default: bool
    observed_on: date
    known_at: datetime = Field(sa_type=type_of_moment)


class ReviewRequest(SQLModel, table=True):
    """A firm's wish that a person look at a score again (PIPL article 24), and what came of it."""

    __tablename__ = "review_request"
    __table_args__ = (
        one_of("state", ReviewState),
        one_of("answer", ReviewAnswer),
        CheckConstraint("(state = 'answered') = (answer IS NOT NULL)", name="answered"),
        CheckConstraint("(answer IS NULL) = (answered_by IS NULL)", name="answered_by_somebody"),
        CheckConstraint("(answer IS NULL) = (answered_at IS NULL)", name="answered_at_some_time"),
        Index("uq_review_request_open", "score_id", unique=True, postgresql_where=text("state = 'open'")),
        Index("ix_review_request_firm_id_id", "firm_id", "id"),
        {"schema": "scoring"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    score_id: UUID = Field(foreign_key="scoring.score.id")
    decision_id: UUID
    firm_id: UUID
    asked_by: UUID
    wish: str
    asked_at: datetime = Field(sa_type=type_of_moment)
    state: str = ReviewState.OPEN
    answer: str | None = None
    note: str | None = None
    answered_by: UUID | None = None
    answered_at: datetime | None = Field(default=None, sa_type=type_of_moment)
