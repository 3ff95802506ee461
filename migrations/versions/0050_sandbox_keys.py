"""partners: keys have a role; a test key is a simulated party's in a sandbox, or nobody's."""

import sqlalchemy as sa
from alembic import op

from migrations import steps

revision = "0050"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column(
        "api_client", sa.Column("role", sa.String(), nullable=False, server_default="officer"), schema="partners"
    )
    op.alter_column("api_client", "role", server_default=None, schema="partners")
    op.create_check_constraint(
        op.f("ck_api_client_role_of_a_client"),
        "api_client",
        "role = 'officer' OR (role = 'approver' AND is_sandbox)",
        schema="partners",
    )
    op.execute("DROP FUNCTION partners.present_key(bytea, timestamptz, interval)")
    steps.apply_sql("partners/present_key_v2.sql")


def downgrade() -> None:
    """Go back."""
    op.execute("DROP FUNCTION partners.present_key(bytea, timestamptz, interval, boolean)")
    steps.apply_sql("partners/present_key_v1.sql")
    op.drop_constraint(op.f("ck_api_client_role_of_a_client"), "api_client", schema="partners")
    op.drop_column("api_client", "role", schema="partners")
