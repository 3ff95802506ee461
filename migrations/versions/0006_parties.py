"""parties: parties, their people, and the reference tables of regions, industries and sizes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import steps

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("parties")
    _create_parties()
    _create_people()
    _create_regions()
    _create_classifications()
    steps.apply_sql("parties/sign_in_v1.sql")
    for seed in ("regions", "industries", "size_bounds", "code_exceptions", "platform_party"):
        steps.apply_sql(f"parties/{seed}_v1.sql")
    _give_rights()


def _create_parties() -> None:
    op.create_table(
        "party",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("credit_code", sa.String()),
        sa.Column("industry_code", sa.String()),
        sa.Column("established_on", sa.Date()),
        sa.Column("is_simulated", sa.Boolean(), nullable=False),
        sa.Column("registered_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('firm', 'sole_trader', 'lender', 'guarantor', 'fund', 'agency', 'regulator', 'operator')",
            name=op.f("ck_party_kind_known"),
        ),
        sa.CheckConstraint("credit_code ~ '^[0-9A-HJ-NPQRTUWXY]{18}$'", name=op.f("ck_party_credit_code_shape")),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 120", name=op.f("ck_party_name_length")),
        sa.PrimaryKeyConstraint("id", name="pk_party"),
        sa.UniqueConstraint("credit_code", name="uq_party_credit_code"),
        schema="parties",
    )
    op.create_index("ix_party_kind_id", "party", ["kind", "id"], schema="parties")
    op.create_table(
        "party_region",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.String(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("recorded_by", sa.Uuid()),
        sa.ForeignKeyConstraint(["party_id"], ["parties.party.id"], name="fk_party_region_party_id_party"),
        sa.PrimaryKeyConstraint("id", name="pk_party_region"),
        schema="parties",
    )
    op.create_table(
        "declared_size",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("staff", sa.Integer()),
        sa.Column("revenue_fen", sa.BigInteger()),
        sa.Column("assets_fen", sa.BigInteger()),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.CheckConstraint("staff >= 0", name=op.f("ck_declared_size_staff_positive")),
        sa.CheckConstraint("revenue_fen >= 0", name=op.f("ck_declared_size_revenue_positive")),
        sa.CheckConstraint("assets_fen >= 0", name=op.f("ck_declared_size_assets_positive")),
        sa.ForeignKeyConstraint(["party_id"], ["parties.party.id"], name="fk_declared_size_party_id_party"),
        sa.PrimaryKeyConstraint("id", name="pk_declared_size"),
        schema="parties",
    )
    for table in ("party_region", "declared_size"):
        op.create_index(
            f"ix_{table}_party_id_valid_from_recorded_at",
            table,
            ["party_id", "valid_from", "recorded_at"],
            schema="parties",
        )
    op.create_table(
        "code_exception",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("credit_code", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date()),
        sa.Column("proposed_by", sa.Uuid()),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("approved_by", sa.Uuid()),
        sa.Column("approved_at", MOMENT),
        sa.CheckConstraint("proposed_by <> approved_by", name=op.f("ck_code_exception_two_people")),
        sa.CheckConstraint("valid_to > valid_from", name=op.f("ck_code_exception_valid_order")),
        sa.PrimaryKeyConstraint("id", name="pk_code_exception"),
        schema="parties",
    )
    op.create_index(
        "uq_code_exception_credit_code_open",
        "code_exception",
        ["credit_code"],
        unique=True,
        schema="parties",
        postgresql_where=sa.text("valid_to IS NULL"),
    )


def _create_people() -> None:
    op.create_table(
        "platform_user",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_platform_user_email_folded")),
        sa.PrimaryKeyConstraint("id", name="pk_platform_user"),
        sa.UniqueConstraint("email", name="uq_platform_user_email"),
        schema="parties",
    )
    op.create_table(
        "credential",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", MOMENT),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_credential_failures_positive")),
        sa.ForeignKeyConstraint(["user_id"], ["parties.platform_user.id"], name="fk_credential_user_id_platform_user"),
        sa.PrimaryKeyConstraint("user_id", name="pk_credential"),
        schema="parties",
    )
    op.create_table(
        "membership",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("begun_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.CheckConstraint(
            "roles <@ ARRAY['owner', 'officer', 'approver', 'auditor', 'admin']::varchar[] AND cardinality(roles) > 0",
            name=op.f("ck_membership_roles_known"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["parties.platform_user.id"], name="fk_membership_user_id_platform_user"),
        sa.ForeignKeyConstraint(["party_id"], ["parties.party.id"], name="fk_membership_party_id_party"),
        sa.PrimaryKeyConstraint("id", name="pk_membership"),
        schema="parties",
    )
    op.create_index("ix_membership_party_id_id", "membership", ["party_id", "id"], schema="parties")
    op.create_index(
        "uq_membership_user_id_party_id_active",
        "membership",
        ["user_id", "party_id"],
        unique=True,
        schema="parties",
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def _create_regions() -> None:
    op.create_table(
        "region",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("superseded_at", MOMENT),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("gb_code", sa.String()),
        sa.Column("valid_to", sa.Date()),
        sa.Column("note", sa.String(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('district', 'county', 'autonomous_county', 'zone')", name=op.f("ck_region_kind_known")
        ),
        sa.CheckConstraint("valid_to > valid_from", name=op.f("ck_region_valid_order")),
        sa.CheckConstraint("gb_code ~ '^[0-9]{6}$'", name=op.f("ck_region_gb_code_shape")),
        sa.PrimaryKeyConstraint("code", "valid_from", "recorded_at", name="pk_region"),
        schema="parties",
    )
    op.create_index(
        "uq_region_code_valid_from_believed",
        "region",
        ["code", "valid_from"],
        unique=True,
        schema="parties",
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "region_successor",
        sa.Column("from_code", sa.String(), nullable=False),
        sa.Column("to_code", sa.String(), nullable=False),
        sa.Column("changed_on", sa.Date(), nullable=False),
        sa.Column("share_ppm", sa.Integer()),
        sa.Column("note", sa.String(), nullable=False),
        sa.CheckConstraint("share_ppm BETWEEN 1 AND 1000000", name=op.f("ck_region_successor_share_range")),
        sa.PrimaryKeyConstraint("from_code", "to_code", "changed_on", name="pk_region_successor"),
        schema="parties",
    )


def _create_classifications() -> None:
    op.create_table(
        "industry",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date()),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("first_division", sa.Integer(), nullable=False),
        sa.Column("last_division", sa.Integer(), nullable=False),
        sa.CheckConstraint("first_division <= last_division", name=op.f("ck_industry_division_order")),
        sa.PrimaryKeyConstraint("code", "valid_from", name="pk_industry"),
        schema="parties",
    )
    op.create_table(
        "size_bound",
        sa.Column("size_industry", sa.String(), nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date()),
        sa.Column("large_from", sa.BigInteger(), nullable=False),
        sa.Column("medium_from", sa.BigInteger(), nullable=False),
        sa.Column("small_from", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("is_verified", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "measure IN ('staff', 'revenue_fen', 'assets_fen')", name=op.f("ck_size_bound_measure_known")
        ),
        sa.CheckConstraint(
            "large_from > medium_from AND medium_from > small_from", name=op.f("ck_size_bound_bounds_order")
        ),
        sa.PrimaryKeyConstraint("size_industry", "measure", "valid_from", name="pk_size_bound"),
        schema="parties",
    )


def _give_rights() -> None:
    steps.writable("parties.party", "INSERT")
    steps.writable("parties.party_region", "INSERT")
    steps.append_only("parties.party_region")
    # Where a party sits is open by law, as is the rest of the registry's page: whoever is signed in reads any row.
    # A registration writes its first row before there is a viewer.
    steps.protect("parties.party_region", f"{steps.VIEWER} IS NOT NULL", check="true")
    steps.writable("parties.declared_size", "INSERT")
    steps.append_only("parties.declared_size")
    steps.protect("parties.declared_size", f"party_id = {steps.VIEWER}")
    steps.writable("parties.code_exception")
    steps.writable("parties.platform_user", "INSERT")
    # People are seen by those who share an organisation with them. Anybody may add one: it is nobody's row until a
    # membership makes it somebody's, and that row is protected by its organisation.
    steps.protect(
        "parties.platform_user",
        "EXISTS (SELECT 1 FROM parties.membership m"
        f" WHERE m.user_id = platform_user.id AND m.party_id = {steps.VIEWER})",
        check="true",
    )
    # Nobody reads credentials: sign_in_v1.sql answers for one person at a time.
    steps.grant("parties.credential", "INSERT", steps.APP, steps.WORKER)
    steps.protect("parties.credential", "false", check="true")
    steps.writable("parties.membership")
    steps.protect("parties.membership", f"party_id = {steps.VIEWER}")
    steps.writable("parties.region")
    for table in ("region_successor", "industry", "size_bound"):
        steps.readable(f"parties.{table}")


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("parties")
