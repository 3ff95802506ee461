"""matching: shelves, dispatches, offers and where they stand, the limits in force."""

from datetime import date

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import steps

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
PATHS = "'match', 'after_timeout', 'after_decline', 'manual'"
DISPATCH_STATES = "'queued', 'sent', 'in_review', 'offered', 'declined', 'timed_out', 'redispatched', 'ended'"
OFFER_STATES = "'proposed', 'issued', 'accepted', 'disbursed', 'declined', 'expired', 'withdrawn', 'lapsed'"
OFFER_ENDS = "'firm_declined', 'another_accepted', 'demand_ended', 'consent_ended', 'lender_withdrew'"
DECLINE_REASONS = (
    "'identity', 'data_missing', 'data_contradictory', 'policy_industry', 'policy_region', 'policy_age',"
    " 'policy_amount', 'policy_term', 'capacity_cash_flow', 'capacity_debt', 'behaviour_arrears', 'behaviour_overdue',"
    " 'behaviour_litigation', 'list_hit', 'guarantee_missing', 'guarantee_quota', 'product_closed', 'suspicion',"
    " 'cannot_proceed'"
)


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("matching")
    _create_shelf()
    _create_matching()
    _create_dispatch()
    _create_restricted_reason()
    _create_offer()
    _create_offer_standing()
    _create_limits()
    _protect()
    for table in ("shelf", "matching", "restricted_reason", "offer", "limits"):
        steps.append_only(f"matching.{table}")
    steps.writable("matching.shelf", "INSERT")
    steps.writable("matching.matching", "INSERT")
    steps.writable(
        "matching.dispatch",
        "INSERT, UPDATE (state, sent_at, taken_up_at, offered_at, refused_at, decline_code, ended_at, replaced_by)",
    )
    steps.writable("matching.restricted_reason", "INSERT")
    steps.writable("matching.offer", "INSERT")
    steps.writable(
        "matching.offer_standing",
        "INSERT, UPDATE (state, approved_by, approved_at, accepted_by, accepted_at, disburse_by, reservation_id,"
        " ended_at, end_code)",
    )
    steps.readable("matching.limits")


def _protect() -> None:
    own = f"lender_id = {steps.VIEWER} OR firm_id = {steps.VIEWER}"
    steps.protect("matching.matching", f"firm_id = {steps.VIEWER}", check="false")
    # Dispatches are written in platform scope only: by the one function that checks filter and consent.
    steps.protect("matching.dispatch", own, check="false")
    steps.protect("matching.restricted_reason", f"lender_id = {steps.VIEWER}")
    # The firm sees an offer once a second person of the lender has approved it.
    steps.protect(
        "matching.offer",
        f"lender_id = {steps.VIEWER} OR (firm_id = {steps.VIEWER} AND EXISTS (SELECT FROM matching.offer_standing s"
        " WHERE s.offer_id = offer.id AND s.approved_at IS NOT NULL))",
        check=f"lender_id = {steps.VIEWER}",
    )
    steps.protect(
        "matching.offer_standing",
        f"lender_id = {steps.VIEWER} OR (firm_id = {steps.VIEWER} AND approved_at IS NOT NULL)",
    )


def _create_shelf() -> None:
    op.create_table(
        "shelf",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("products", postgresql.JSONB(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_shelf"),
        schema="matching",
    )


def _create_matching() -> None:
    op.create_table(
        "matching",
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("demand_id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("matched_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("decision_id", name="pk_matching"),
        schema="matching",
    )
    op.create_index("ix_matching_demand_id_decision_id", "matching", ["demand_id", "decision_id"], schema="matching")


def _create_dispatch() -> None:
    op.create_table(
        "dispatch",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("demand_id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("lender_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("consent_id", sa.Uuid(), nullable=False),
        sa.Column("eligibility_digest", sa.LargeBinary(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("assigned_by", sa.Uuid()),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("sent_at", MOMENT),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("is_due_provisional", sa.Boolean(), nullable=False),
        sa.Column("taken_up_at", MOMENT),
        sa.Column("offered_at", MOMENT),
        sa.Column("refused_at", MOMENT),
        sa.Column("decline_code", sa.String()),
        sa.Column("ended_at", MOMENT),
        sa.Column("replaced_by", sa.Uuid()),
        sa.CheckConstraint(f"path IN ({PATHS})", name=op.f("ck_dispatch_path_known")),
        sa.CheckConstraint(f"state IN ({DISPATCH_STATES})", name=op.f("ck_dispatch_state_known")),
        sa.CheckConstraint("octet_length(eligibility_digest) = 32", name=op.f("ck_dispatch_eligibility_digest_whole")),
        sa.CheckConstraint(
            "(path = 'manual') = (assigned_by IS NOT NULL)", name=op.f("ck_dispatch_manual_has_somebody")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_dispatch"),
        sa.UniqueConstraint("demand_id", "lender_id", name="uq_dispatch_demand_id_lender_id"),
        schema="matching",
    )
    op.create_index("ix_dispatch_lender_id_id", "dispatch", ["lender_id", "id"], schema="matching")
    op.create_index("ix_dispatch_firm_id", "dispatch", ["firm_id"], schema="matching")
    op.create_index(
        "ix_dispatch_waiting",
        "dispatch",
        ["due_on"],
        schema="matching",
        postgresql_where=sa.text("state IN ('sent', 'in_review')"),
    )


def _create_restricted_reason() -> None:
    op.create_table(
        "restricted_reason",
        sa.Column("dispatch_id", sa.Uuid(), nullable=False),
        sa.Column("lender_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("said_by", sa.Uuid(), nullable=False),
        sa.Column("said_at", MOMENT, nullable=False),
        sa.CheckConstraint(f"reason IN ({DECLINE_REASONS})", name=op.f("ck_restricted_reason_reason_known")),
        sa.ForeignKeyConstraint(
            ["dispatch_id"], ["matching.dispatch.id"], name="fk_restricted_reason_dispatch_id_dispatch"
        ),
        sa.PrimaryKeyConstraint("dispatch_id", name="pk_restricted_reason"),
        schema="matching",
    )


def _create_offer() -> None:
    op.create_table(
        "offer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dispatch_id", sa.Uuid(), nullable=False),
        sa.Column("demand_id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("lender_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("rate_bp", sa.Integer(), nullable=False),
        sa.Column("term_months", sa.Integer(), nullable=False),
        sa.Column("repayment_kind", sa.String(), nullable=False),
        sa.Column("total_interest_fen", sa.BigInteger(), nullable=False),
        sa.Column("requires_cover", sa.Boolean(), nullable=False),
        sa.Column("valid_until", MOMENT, nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "repayment_kind IN ('equal_instalments', 'interest_first')", name=op.f("ck_offer_repayment_kind_known")
        ),
        sa.CheckConstraint("amount_fen BETWEEN 1 AND 1000000000000000", name=op.f("ck_offer_amount_bounded")),
        sa.CheckConstraint("term_months BETWEEN 1 AND 120", name=op.f("ck_offer_term_bounded")),
        sa.CheckConstraint("rate_bp BETWEEN 0 AND 3600", name=op.f("ck_offer_rate_bounded")),
        sa.ForeignKeyConstraint(["dispatch_id"], ["matching.dispatch.id"], name="fk_offer_dispatch_id_dispatch"),
        sa.PrimaryKeyConstraint("id", name="pk_offer"),
        schema="matching",
    )
    op.create_index("ix_offer_demand_id", "offer", ["demand_id"], schema="matching")


def _create_offer_standing() -> None:
    op.create_table(
        "offer_standing",
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("demand_id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("lender_id", sa.Uuid(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("valid_until", MOMENT, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("approved_by", sa.Uuid()),
        sa.Column("approved_at", MOMENT),
        sa.Column("accepted_by", sa.Uuid()),
        sa.Column("accepted_at", MOMENT),
        sa.Column("disburse_by", sa.Date()),
        sa.Column("reservation_id", sa.Uuid()),
        sa.Column("ended_at", MOMENT),
        sa.Column("end_code", sa.String()),
        sa.CheckConstraint(f"state IN ({OFFER_STATES})", name=op.f("ck_offer_standing_state_known")),
        sa.CheckConstraint(f"end_code IN ({OFFER_ENDS})", name=op.f("ck_offer_standing_end_code_known")),
        sa.CheckConstraint("approved_by <> made_by", name=op.f("ck_offer_standing_two_people")),
        sa.CheckConstraint(
            "state NOT IN ('issued', 'accepted', 'disbursed') OR approved_at IS NOT NULL",
            name=op.f("ck_offer_standing_issued_was_approved"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('accepted', 'disbursed') OR (accepted_at IS NOT NULL AND disburse_by IS NOT NULL)",
            name=op.f("ck_offer_standing_accepted_is_dated"),
        ),
        sa.ForeignKeyConstraint(["offer_id"], ["matching.offer.id"], name="fk_offer_standing_offer_id_offer"),
        sa.PrimaryKeyConstraint("offer_id", name="pk_offer_standing"),
        schema="matching",
    )
    for name, columns, unique, where in (
        ("uq_offer_standing_taken", ["demand_id"], True, "state IN ('accepted', 'disbursed')"),
        ("uq_offer_standing_live", ["demand_id", "lender_id"], True, "state IN ('proposed', 'issued')"),
        ("ix_offer_standing_disburse_by", ["disburse_by"], False, "state = 'accepted'"),
        ("ix_offer_standing_valid_until", ["valid_until"], False, "state IN ('proposed', 'issued')"),
    ):
        op.create_index(
            name,
            "offer_standing",
            columns,
            unique=unique,
            schema="matching",
            postgresql_where=sa.text(where),
        )


def _create_limits() -> None:
    limits = op.create_table(
        "limits",
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("lenders_at_once", sa.Integer(), nullable=False),
        sa.Column("lenders_in_all", sa.Integer(), nullable=False),
        sa.Column("answer_working_days", sa.Integer(), nullable=False),
        sa.Column("acceptance_days", sa.Integer(), nullable=False),
        sa.Column("offer_days", sa.Integer(), nullable=False),
        sa.Column("history_days", sa.Integer(), nullable=False),
        sa.Column("history_answers", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("effective_from", name="pk_limits"),
        schema="matching",
    )
    op.bulk_insert(
        limits,
        [
            {
                "effective_from": date(2000, 1, 1),
                "lenders_at_once": 5,
                "lenders_in_all": 15,
                "answer_working_days": 10,
                "acceptance_days": 30,
                "offer_days": 90,
                "history_days": 365,
                "history_answers": 20,
                "reason": "Ten working days: the promise of 渝惠融. The rest is the project's own policy: enough to"
                " compare, few enough for privacy; a month to disburse; no grant share from fewer than twenty answers",
            }
        ],
    )


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("matching")
