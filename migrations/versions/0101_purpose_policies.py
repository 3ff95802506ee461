"""consents: how wide a consent may be for its purpose, as data; what may be read follows the policy of the day.

The legal bases are named, their clauses are not verified; terms and numbers are the platform's own.
"""

import csv
from datetime import date

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import steps

revision = "0101"
down_revision = "0100"
branch_labels = None
depends_on = None

FIRST_DAY = date(2016, 1, 1)
DATA = steps.SQL / "consents" / "purpose_policies_v1.csv"


def upgrade() -> None:
    """Go forward."""
    policy = op.create_table(
        "purpose_policy",
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date()),
        sa.Column("most_months", sa.Integer(), nullable=False),
        sa.Column("most_receivers", sa.Integer(), nullable=False),
        sa.Column("most_data_life_days", sa.Integer()),
        sa.Column("categories", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("item_codes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("receiver_kinds", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("legal_basis", sa.String(), nullable=False),
        sa.Column("is_verified", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "purpose IN ('pre_loan', 'post_loan', 'evaluation', 'model_training', 'credit_query')",
            name=op.f("ck_purpose_policy_purpose_known"),
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_from < valid_to", name=op.f("ck_purpose_policy_valid_some_day")),
        sa.CheckConstraint(
            "most_months > 0 AND most_receivers > 0 AND most_data_life_days > 0",
            name=op.f("ck_purpose_policy_bounds_positive"),
        ),
        sa.CheckConstraint(
            "(most_data_life_days IS NULL) = (cardinality(categories) + cardinality(item_codes) = 0)",
            name=op.f("ck_purpose_policy_what_is_read_has_a_life"),
        ),
        sa.PrimaryKeyConstraint("purpose", "version", name="pk_purpose_policy"),
        schema="consents",
    )
    op.create_index(
        "uq_purpose_policy_purpose_current",
        "purpose_policy",
        ["purpose"],
        unique=True,
        schema="consents",
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.bulk_insert(policy, _policies())
    steps.readable("consents.purpose_policy")
    steps.apply_sql("consents/permitted_subjects_v2.sql")


def downgrade() -> None:
    """Go back."""
    steps.apply_sql("consents/permitted_subjects_v1.sql", replaces=True)
    op.drop_table("purpose_policy", schema="consents")


def _policies() -> list[dict[str, object]]:
    with DATA.open(encoding="utf-8", newline="") as file:
        return [_policy(row) for row in csv.DictReader(file)]


def _policy(row: dict[str, str]) -> dict[str, object]:
    listed = {name: row[name].split() for name in ("categories", "item_codes", "receiver_kinds")}
    life = row["most_data_life_days"]
    return {
        **row,
        **listed,
        "version": 1,
        "valid_from": FIRST_DAY,
        "valid_to": None,
        "most_months": int(row["most_months"]),
        "most_receivers": int(row["most_receivers"]),
        "most_data_life_days": int(life) if life else None,
        "is_verified": False,
    }
