"""products: products by version, the limits in force."""

from datetime import date

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations import steps

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
LIFE = "state, valid_from, valid_to, published_by, published_at, closed_by, closed_at"


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("products")
    _create_product()
    _create_limits()
    steps.apply_sql("products/only_onward_v1.sql")
    # What was once published is public to whoever is signed in; a proposal is the lender's own.
    steps.protect(
        "products.product",
        f"lender_id = {steps.VIEWER} OR (published_at IS NOT NULL AND {steps.VIEWER} IS NOT NULL)",
        check=f"lender_id = {steps.VIEWER}",
    )
    steps.append_only("products.limits")
    steps.writable("products.product", f"INSERT, UPDATE ({LIFE})")
    steps.readable("products.limits")


def _create_product() -> None:
    op.create_table(
        "product",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lender_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("min_amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("max_amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("min_term_months", sa.Integer(), nullable=False),
        sa.Column("max_term_months", sa.Integer(), nullable=False),
        sa.Column("min_rate_bp", sa.Integer(), nullable=False),
        sa.Column("max_rate_bp", sa.Integer(), nullable=False),
        sa.Column("repayment_kinds", JSONB(), nullable=False),
        sa.Column("applicant_kinds", JSONB(), nullable=False),
        sa.Column("region_codes", JSONB(), nullable=False),
        sa.Column("industry_codes", JSONB(), nullable=False),
        sa.Column("requires_cover", sa.Boolean(), nullable=False),
        sa.Column("answer_working_days", sa.Integer()),
        sa.Column("clauses", JSONB(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date()),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("published_by", sa.Uuid()),
        sa.Column("published_at", MOMENT),
        sa.Column("closed_by", sa.Uuid()),
        sa.Column("closed_at", MOMENT),
        *_product_checks(),
        sa.PrimaryKeyConstraint("id", name="pk_product"),
        sa.UniqueConstraint("lender_id", "code", "version", name="uq_product_lender_id_code_version"),
        schema="products",
    )


def _product_checks() -> list[sa.CheckConstraint]:
    checks = {
        "state_known": "state IN ('proposed', 'published', 'closed')",
        "amount_ordered": "1 <= min_amount_fen AND min_amount_fen <= max_amount_fen",
        "term_ordered": "1 <= min_term_months AND min_term_months <= max_term_months",
        "rate_ordered": "0 <= min_rate_bp AND min_rate_bp <= max_rate_bp",
        "version_counted": "version >= 1",
        "days_ordered": "valid_to IS NULL OR valid_to >= valid_from",
        "two_people": "published_by IS NULL OR published_by <> proposed_by",
        "published_whole": "(published_by IS NULL) = (published_at IS NULL)",
        "published_dated": "state <> 'published' OR published_at IS NOT NULL",
        "closed_dated": "(state = 'closed') = (closed_at IS NOT NULL)",
    }
    return [sa.CheckConstraint(rule, name=op.f(f"ck_product_{name}")) for name, rule in checks.items()]


def _create_limits() -> None:
    limits = op.create_table(
        "limits",
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("max_amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("max_term_months", sa.Integer(), nullable=False),
        sa.Column("max_rate_bp", sa.Integer(), nullable=False),
        sa.Column("max_answer_working_days", sa.Integer(), nullable=False),
        sa.Column("max_products", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("effective_from", name="pk_limits"),
        schema="products",
    )
    op.bulk_insert(
        limits,
        [
            {
                "effective_from": date(2000, 1, 1),
                "max_amount_fen": 5_000_000_000,
                "max_term_months": 120,
                "max_rate_bp": 2_400,
                "max_answer_working_days": 30,
                "max_products": 200,
                "reason": "Project's own policy, not a legal limit: amount and term as for demands; 24 % a year is"
                " where courts are known to cut a lender's total price (unverified)",
            }
        ],
    )


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("products")
