"""Two-stage offers: indications, the firm's choice under a written authority, the distance of an offer from its range.

Rows that are there stay valid: what they do not say is NULL, and the new rule that a binding offer stands on an
authority holds for rows written or moved from now on (NOT VALID).
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import steps

revision = "0040"
down_revision = "0019"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
PURPOSES = "'pre_loan', 'post_loan', 'evaluation', 'model_training'"
STATES = "'queued', 'sent', 'in_review', 'offered', 'declined', 'timed_out', 'redispatched', 'ended'"
ENDS = "'not_chosen', 'another_accepted', 'demand_ended', 'consent_ended', 'firm_declined', 'offer_expired'"
DISPATCH_COLUMNS = (
    ("lot", sa.String()),
    ("indicated_at", MOMENT),
    ("chosen_at", MOMENT),
    ("chosen_by", sa.Uuid()),
    ("authority_id", sa.Uuid()),
    ("choice_digest", sa.LargeBinary()),
    ("end_code", sa.String()),
)
OFFER_COLUMNS = (
    ("amount_below_fen", sa.BigInteger()),
    ("amount_below_ppm", sa.Integer()),
    ("rate_above_bp", sa.Integer()),
    ("is_inside", sa.Boolean()),
)
LIMITS = (("lenders_chosen", 3), ("indication_days", 30), ("binding_working_days", 10), ("authority_days", 90))
MOVES = "due_on, is_due_provisional, indicated_at, chosen_at, chosen_by, authority_id, choice_digest, end_code"


def upgrade() -> None:
    """Go forward."""
    _restate("consents.consent", "purpose_known", f"purpose IN ({PURPOSES}, 'credit_query')")
    _check(
        "consents.consent",
        "authority_names_one",
        "purpose <> 'credit_query' OR (cardinality(receiver_ids) = 1 AND cardinality(item_codes) = 0)",
    )
    _widen_dispatch()
    _create_indication()
    for name, kind in OFFER_COLUMNS:
        op.add_column("offer", sa.Column(name, kind), schema="matching")
    for name, value in LIMITS:
        # The rows in force get the first value without an UPDATE, which an append-only table refuses; later ones say.
        column = sa.Column(name, sa.Integer(), nullable=False, server_default=str(value))
        op.add_column("limits", column, schema="matching")
        op.alter_column("limits", name, server_default=None, schema="matching")
    steps.apply_sql("reporting/indication_fact_v1.sql")
    steps.readable("reporting.indication_fact")


def _widen_dispatch() -> None:
    for name, kind in DISPATCH_COLUMNS:
        op.add_column("dispatch", sa.Column(name, kind), schema="matching")
    _restate("matching.dispatch", "state_known", f"state IN ({STATES}, 'indicated', 'chosen')")
    _check("matching.dispatch", "end_code_known", f"end_code IN ({ENDS})")
    _check("matching.dispatch", "chosen_is_authorised", "(chosen_at IS NULL) = (authority_id IS NULL)")
    _check(
        "matching.dispatch",
        "binding_under_authority",
        "state NOT IN ('chosen', 'offered') OR authority_id IS NOT NULL",
        valid=False,
    )
    op.create_index("uq_dispatch_authority_id", "dispatch", ["authority_id"], unique=True, schema="matching")
    _index_waiting("'sent', 'in_review', 'chosen'")
    where = sa.text("state = 'indicated'")
    op.create_index("ix_dispatch_indicated", "dispatch", ["id"], schema="matching", postgresql_where=where)
    steps.grant("matching.dispatch", f"UPDATE ({MOVES})", steps.APP, steps.WORKER)


def _create_indication() -> None:
    op.create_table(
        "indication",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dispatch_id", sa.Uuid(), nullable=False),
        sa.Column("demand_id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("lender_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("min_amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("max_amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("min_rate_bp", sa.Integer(), nullable=False),
        sa.Column("max_rate_bp", sa.Integer(), nullable=False),
        sa.Column("min_term_months", sa.Integer(), nullable=False),
        sa.Column("max_term_months", sa.Integer(), nullable=False),
        sa.Column("repayment_kinds", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("valid_until", MOMENT, nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "1 <= min_amount_fen AND min_amount_fen <= max_amount_fen", name=op.f("ck_indication_amount_range")
        ),
        sa.CheckConstraint("max_amount_fen <= 1000000000000000", name=op.f("ck_indication_amount_bounded")),
        sa.CheckConstraint(
            "0 <= min_rate_bp AND min_rate_bp <= max_rate_bp AND max_rate_bp <= 3600",
            name=op.f("ck_indication_rate_range"),
        ),
        sa.CheckConstraint(
            "1 <= min_term_months AND min_term_months <= max_term_months AND max_term_months <= 120",
            name=op.f("ck_indication_term_range"),
        ),
        sa.CheckConstraint("cardinality(repayment_kinds) >= 1", name=op.f("ck_indication_some_repayment_kind")),
        sa.CheckConstraint("made_at < valid_until", name=op.f("ck_indication_ends_later")),
        sa.ForeignKeyConstraint(["dispatch_id"], ["matching.dispatch.id"], name="fk_indication_dispatch_id_dispatch"),
        sa.PrimaryKeyConstraint("id", name="pk_indication"),
        sa.UniqueConstraint("dispatch_id", name="uq_indication_dispatch_id"),
        schema="matching",
    )
    op.create_index("ix_indication_demand_id", "indication", ["demand_id"], schema="matching")
    # Written in platform scope only, by the one function that checks bounds and consent.
    steps.protect("matching.indication", f"lender_id = {steps.VIEWER} OR firm_id = {steps.VIEWER}", check="false")
    steps.append_only("matching.indication")
    steps.writable("matching.indication", "INSERT")


def downgrade() -> None:
    """Go back; refused by the database while a row of the new kind is there."""
    op.execute("DROP VIEW reporting.indication_fact")
    op.drop_table("indication", schema="matching")
    for name, _value in LIMITS:
        op.drop_column("limits", name, schema="matching")
    for name, _kind in OFFER_COLUMNS:
        op.drop_column("offer", name, schema="matching")
    _index_waiting("'sent', 'in_review'")
    op.drop_index("ix_dispatch_indicated", "dispatch", schema="matching")
    op.drop_index("uq_dispatch_authority_id", "dispatch", schema="matching")
    for name in ("binding_under_authority", "chosen_is_authorised", "end_code_known"):
        op.drop_constraint(op.f(f"ck_dispatch_{name}"), "dispatch", schema="matching")
    _restate("matching.dispatch", "state_known", f"state IN ({STATES})")
    op.execute(f"REVOKE UPDATE (due_on, is_due_provisional) ON matching.dispatch FROM {steps.APP}, {steps.WORKER}")
    for name, _kind in reversed(DISPATCH_COLUMNS):
        op.drop_column("dispatch", name, schema="matching")
    op.drop_constraint(op.f("ck_consent_authority_names_one"), "consent", schema="consents")
    _restate("consents.consent", "purpose_known", f"purpose IN ({PURPOSES})")


def _index_waiting(states: str) -> None:
    op.drop_index("ix_dispatch_waiting", "dispatch", schema="matching")
    where = sa.text(f"state IN ({states})")
    op.create_index("ix_dispatch_waiting", "dispatch", ["due_on"], schema="matching", postgresql_where=where)


def _restate(table: str, name: str, condition: str) -> None:
    schema, bare = table.split(".")
    op.drop_constraint(op.f(f"ck_{bare}_{name}"), bare, schema=schema)
    _check(table, name, condition)


def _check(table: str, name: str, condition: str, *, valid: bool = True) -> None:
    bare = table.split(".")[1]
    suffix = "" if valid else " NOT VALID"
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{bare}_{name} CHECK ({condition}){suffix}")
