"""partners: machine clients and their keys."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import steps

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("partners")
    op.create_table(
        "api_client",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("secret_digest", sa.LargeBinary(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("is_sandbox", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "organisation_kind IN"
            " ('firm', 'sole_trader', 'lender', 'guarantor', 'fund', 'agency', 'regulator', 'operator')",
            name=op.f("ck_api_client_organisation_kind_known"),
        ),
        sa.CheckConstraint("octet_length(secret_digest) = 32", name=op.f("ck_api_client_digest_length")),
        sa.CheckConstraint("cardinality(scopes) > 0", name=op.f("ck_api_client_scopes_given")),
        sa.PrimaryKeyConstraint("id", name="pk_api_client"),
        sa.UniqueConstraint("secret_digest", name="uq_api_client_secret_digest"),
        schema="partners",
    )
    op.create_index("ix_api_client_organisation_id_id", "api_client", ["organisation_id", "id"], schema="partners")
    steps.writable("partners.api_client")
    steps.protect("partners.api_client", f"organisation_id = {steps.VIEWER}")
    steps.apply_sql("partners/present_key_v1.sql")


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("partners")
