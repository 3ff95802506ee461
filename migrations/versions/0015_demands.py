"""demands: demands, who may read them, known exposures, the limits in force."""

from datetime import date

import sqlalchemy as sa
from alembic import op

from migrations import steps

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

STATES = "'draft', 'submitted', 'matching', 'offered', 'accepted', 'closed', 'withdrawn', 'expired', 'rejected_all'"
USES = (
    "'working_capital', 'raw_materials', 'wages', 'premises', 'equipment', 'technology', 'order_delivery', 'export',"
    " 'farming_season', 'renewal'"
)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("demands")
    _create_demand()
    _create_reader()
    _create_known_exposure()
    _create_limits()
    steps.protect(
        "demands.demand",
        f"firm_id = {steps.VIEWER} OR EXISTS (SELECT FROM demands.demand_reader r WHERE r.demand_id = demand.id"
        f" AND r.organisation_id = {steps.VIEWER} AND r.closed_at IS NULL"
        " AND r.open_until > (SELECT access.business_at()))",
        check=f"firm_id = {steps.VIEWER}",
    )
    # Only the platform opens and closes: a firm or bank sees its rows and writes none.
    steps.protect(
        "demands.demand_reader", f"organisation_id = {steps.VIEWER} OR firm_id = {steps.VIEWER}", check="false"
    )
    steps.protect("demands.known_exposure", f"lender_id = {steps.VIEWER} OR firm_id = {steps.VIEWER}", check="false")
    steps.append_only("demands.known_exposure")
    steps.append_only("demands.limits")
    # A reader passes the policy above with a row in hand; it has no right to change firm_id or the terms.
    steps.writable("demands.demand", "INSERT, UPDATE (state, submitted_at, changed_at, closed_at, expires_on)")
    steps.writable("demands.demand_reader", "INSERT, UPDATE (open_until, closed_at)")
    steps.writable("demands.known_exposure", "INSERT")
    steps.readable("demands.limits")


def _create_demand() -> None:
    op.create_table(
        "demand",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("term_months", sa.Integer(), nullable=False),
        sa.Column("use_code", sa.String(), nullable=False),
        sa.Column("repayment_kind", sa.String(), nullable=False),
        sa.Column("wanted_by", sa.Date(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("submitted_at", MOMENT),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.CheckConstraint(f"state IN ({STATES})", name=op.f("ck_demand_state_known")),
        sa.CheckConstraint(f"use_code IN ({USES})", name=op.f("ck_demand_use_code_known")),
        sa.CheckConstraint(
            "repayment_kind IN ('equal_instalments', 'interest_first')", name=op.f("ck_demand_repayment_kind_known")
        ),
        sa.CheckConstraint("amount_fen BETWEEN 1 AND 1000000000000000", name=op.f("ck_demand_amount_bounded")),
        sa.CheckConstraint("term_months BETWEEN 1 AND 120", name=op.f("ck_demand_term_bounded")),
        sa.CheckConstraint(
            "(state = 'draft') OR (submitted_at IS NOT NULL) OR (closed_at IS NOT NULL)", name=op.f("ck_demand_dated")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_demand"),
        schema="demands",
    )
    op.create_index("ix_demand_firm_id_id", "demand", ["firm_id", "id"], schema="demands")
    op.create_index(
        "ix_demand_unfinished",
        "demand",
        ["expires_on"],
        schema="demands",
        postgresql_where=sa.text("state IN ('draft', 'submitted', 'matching', 'offered')"),
    )


def _create_reader() -> None:
    op.create_table(
        "demand_reader",
        sa.Column("demand_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("open_until", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT),
        sa.ForeignKeyConstraint(["demand_id"], ["demands.demand.id"], name="fk_demand_reader_demand_id_demand"),
        sa.PrimaryKeyConstraint("demand_id", "organisation_id", name="pk_demand_reader"),
        schema="demands",
    )


def _create_known_exposure() -> None:
    op.create_table(
        "known_exposure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("lender_id", sa.Uuid(), nullable=False),
        sa.Column("loan_id", sa.Uuid(), nullable=False),
        sa.Column("outstanding_fen", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.CheckConstraint("outstanding_fen >= 0", name=op.f("ck_known_exposure_outstanding_not_negative")),
        sa.PrimaryKeyConstraint("id", name="pk_known_exposure"),
        schema="demands",
    )
    op.create_index(
        "ix_known_exposure_firm_id_loan_id",
        "known_exposure",
        ["firm_id", "loan_id", "recorded_at"],
        schema="demands",
    )


def _create_limits() -> None:
    limits = op.create_table(
        "limits",
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("max_amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("max_open_demands", sa.Integer(), nullable=False),
        sa.Column("max_drafts", sa.Integer(), nullable=False),
        sa.Column("lives_days", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("effective_from", name="pk_limits"),
        schema="demands",
    )
    op.bulk_insert(
        limits,
        [
            {
                "effective_from": date(2000, 1, 1),
                "max_amount_fen": 5_000_000_000,
                "max_open_demands": 3,
                "max_drafts": 20,
                "lives_days": 90,
                "reason": "Project's own policy, not a legal limit: 50 million yuan is above every inclusive-finance"
                " definition (10 or 20 million a customer); three open demands keep a firm from flooding the lenders",
            }
        ],
    )


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("demands")
