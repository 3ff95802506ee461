"""scoring: model releases, the scale, scores, outcomes, wishes for review."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import steps

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("scoring")
    _create_model_release()
    _create_scale()
    _create_score()
    _create_outcome()
    _create_review_request()
    steps.apply_sql("scoring/only_onward_v1.sql")


def _create_model_release() -> None:
    op.create_table(
        "model_release",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("bundle", sa.String(), nullable=False),
        sa.Column("card", sa.String(), nullable=False),
        sa.Column("metrics", postgresql.JSONB(), nullable=False),
        sa.Column("feature_version", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.Uuid()),
        sa.Column("approved_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("state IN ('proposed', 'released', 'retired')", name=op.f("ck_model_release_state_known")),
        sa.CheckConstraint("octet_length(bundle) <= 5242880", name=op.f("ck_model_release_bundle_bounded")),
        sa.CheckConstraint(
            "digest = encode(sha256(convert_to(bundle, 'UTF8')), 'hex')",
            name=op.f("ck_model_release_bundle_is_the_digests"),
        ),
        sa.CheckConstraint(
            "(approved_by IS NULL) = (state = 'proposed')", name=op.f("ck_model_release_approved_by_somebody")
        ),
        sa.CheckConstraint(
            "(approved_by IS NULL) = (approved_at IS NULL)", name=op.f("ck_model_release_approved_at_some_time")
        ),
        sa.CheckConstraint("approved_by <> proposed_by", name=op.f("ck_model_release_two_people")),
        sa.PrimaryKeyConstraint("digest", name="pk_model_release"),
        schema="scoring",
    )
    op.create_index(
        "uq_model_release_released",
        "model_release",
        ["state"],
        unique=True,
        schema="scoring",
        postgresql_where=sa.text("state = 'released'"),
    )
    steps.writable("scoring.model_release", "INSERT")
    steps.grant("scoring.model_release", "UPDATE (state, approved_by, approved_at)", steps.APP, steps.WORKER)


def _create_scale() -> None:
    scale = op.create_table(
        "scale",
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("base_points", sa.Integer(), nullable=False),
        sa.Column("base_odds", sa.Integer(), nullable=False),
        sa.Column("points_to_double", sa.Integer(), nullable=False),
        sa.Column("cut_points", sa.ARRAY(sa.Integer()), nullable=False),
        sa.CheckConstraint("points_to_double > 0 AND base_odds > 0", name=op.f("ck_scale_rises")),
        sa.CheckConstraint("cardinality(cut_points) = 9", name=op.f("ck_scale_ten_bands")),
        sa.PrimaryKeyConstraint("version", name="pk_scale"),
        sa.UniqueConstraint("valid_from", name="uq_scale_valid_from"),
        schema="scoring",
    )
    op.execute(
        sa.insert(scale).values(
            version="points-1",
            valid_from=sa.text("DATE '2010-01-01'"),
            base_points=600,
            base_odds=20,
            points_to_double=40,
            cut_points=[760, 720, 680, 640, 600, 560, 520, 480, 440],
        )
    )
    steps.append_only("scoring.scale")
    steps.readable("scoring.scale")


def _create_score() -> None:
    op.create_table(
        "score",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("receiver_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("consent_ids", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("pd_ppm", sa.Integer(), nullable=False),
        sa.Column("score_points", sa.Integer(), nullable=False),
        sa.Column("band", sa.Integer(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("release_digest", sa.String(), nullable=False),
        sa.Column("scale_version", sa.String(), nullable=False),
        sa.CheckConstraint("pd_ppm BETWEEN 1 AND 999999", name=op.f("ck_score_pd_is_a_chance")),
        sa.CheckConstraint("score_points BETWEEN 0 AND 1000", name=op.f("ck_score_points_bounded")),
        sa.CheckConstraint("band BETWEEN 1 AND 10", name=op.f("ck_score_band_known")),
        sa.CheckConstraint("as_of <= known_at", name=op.f("ck_score_known_when_scored")),
        sa.PrimaryKeyConstraint("id", name="pk_score"),
        sa.UniqueConstraint("decision_id", name="uq_score_decision_id"),
        sa.ForeignKeyConstraint(
            ["release_digest"], ["scoring.model_release.digest"], name="fk_score_release_digest_model_release"
        ),
        sa.ForeignKeyConstraint(["scale_version"], ["scoring.scale.version"], name="fk_score_scale_version_scale"),
        schema="scoring",
    )
    op.create_index("ix_score_firm_id_scored_at", "score", ["firm_id", "scored_at"], schema="scoring")
    steps.append_only("scoring.score")
    steps.writable("scoring.score", "INSERT")
    steps.protect("scoring.score", f"firm_id = {steps.VIEWER} OR receiver_id = {steps.VIEWER}")


def _create_outcome() -> None:
    op.create_table(
        "outcome",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("loan_id", sa.Uuid()),
        sa.Column("reported_by_organisation_id", sa.Uuid(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("observed_on", sa.Date(), nullable=False),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outcome"),
        schema="scoring",
    )
    op.create_index("ix_outcome_firm_id_known_at", "outcome", ["firm_id", "known_at"], schema="scoring")
    steps.append_only("scoring.outcome")
    steps.writable("scoring.outcome", "INSERT")
    steps.protect("scoring.outcome", f"firm_id = {steps.VIEWER} OR reported_by_organisation_id = {steps.VIEWER}")


def _create_review_request() -> None:
    op.create_table(
        "review_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("score_id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("wish", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("answer", sa.String()),
        sa.Column("note", sa.String()),
        sa.Column("answered_by", sa.Uuid()),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("state IN ('open', 'answered')", name=op.f("ck_review_request_state_known")),
        sa.CheckConstraint("answer IN ('upheld', 'set_aside')", name=op.f("ck_review_request_answer_known")),
        sa.CheckConstraint("(state = 'answered') = (answer IS NOT NULL)", name=op.f("ck_review_request_answered")),
        sa.CheckConstraint(
            "(answer IS NULL) = (answered_by IS NULL)", name=op.f("ck_review_request_answered_by_somebody")
        ),
        sa.CheckConstraint(
            "(answer IS NULL) = (answered_at IS NULL)", name=op.f("ck_review_request_answered_at_some_time")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_review_request"),
        sa.ForeignKeyConstraint(["score_id"], ["scoring.score.id"], name="fk_review_request_score_id_score"),
        schema="scoring",
    )
    op.create_index(
        "uq_review_request_open",
        "review_request",
        ["score_id"],
        unique=True,
        schema="scoring",
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index("ix_review_request_firm_id_id", "review_request", ["firm_id", "id"], schema="scoring")
    steps.writable("scoring.review_request", "INSERT")
    steps.grant(
        "scoring.review_request", "UPDATE (state, answer, note, answered_by, answered_at)", steps.APP, steps.WORKER
    )
    steps.protect("scoring.review_request", f"firm_id = {steps.VIEWER}")


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("scoring")
