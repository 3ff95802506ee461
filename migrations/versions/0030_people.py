"""people: invitations, second factors, sessions and recoveries of the people of parties."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import steps

revision = "0030"
down_revision = "0019"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
TABLES = ("invitation", "second_factor", "recovery_code", "web_session", "account_recovery", "simulated_text")


def upgrade() -> None:
    """Go forward."""
    _create_invitations()
    _create_second_factors()
    _create_sessions()
    _create_recoveries()
    steps.apply_sql("parties/settle_attempt_v2.sql")
    steps.apply_sql("parties/viewer_of_session_v1.sql")
    for table in TABLES:
        # Secrets of one person: no organisation's scope shows them, and the auditor has no use for them either.
        steps.grant(f"parties.{table}", "SELECT, INSERT, UPDATE", steps.APP, steps.WORKER)
    steps.protect("parties.invitation", f"party_id = {steps.VIEWER}")
    for table in ("second_factor", "recovery_code", "web_session", "simulated_text"):
        steps.protect(f"parties.{table}", "false")
    steps.protect("parties.account_recovery", f"party_id = {steps.VIEWER}")


def _party_key(table: str, column: str = "party_id") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["parties.party.id"], name=f"fk_{table}_{column}_party")


def _user_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["user_id"], ["parties.platform_user.id"], name=f"fk_{table}_user_id_platform_user")


def _create_invitations() -> None:
    op.create_table(
        "invitation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=False),
        sa.Column("invited_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("accepted_by", sa.Uuid()),
        sa.Column("accepted_at", MOMENT),
        sa.Column("withdrawn_at", MOMENT),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_invitation_email_folded")),
        sa.CheckConstraint("octet_length(token_digest) = 32", name=op.f("ck_invitation_digest_length")),
        sa.CheckConstraint("cardinality(roles) > 0", name=op.f("ck_invitation_roles_given")),
        sa.CheckConstraint(
            "(accepted_at IS NULL) = (accepted_by IS NULL)", name=op.f("ck_invitation_accepted_by_somebody")
        ),
        sa.CheckConstraint("accepted_at IS NULL OR withdrawn_at IS NULL", name=op.f("ck_invitation_ended_once")),
        _party_key("invitation"),
        sa.PrimaryKeyConstraint("id", name="pk_invitation"),
        sa.UniqueConstraint("token_digest", name="uq_invitation_token_digest"),
        schema="parties",
    )
    op.create_index(
        "uq_invitation_party_id_email_open",
        "invitation",
        ["party_id", "email"],
        unique=True,
        schema="parties",
        postgresql_where=sa.text("accepted_at IS NULL AND withdrawn_at IS NULL"),
    )


def _create_second_factors() -> None:
    op.create_table(
        "second_factor",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("secret", sa.LargeBinary()),
        sa.Column("offered_secret", sa.LargeBinary()),
        sa.Column("last_step", sa.BigInteger()),
        sa.Column("enrolled_at", MOMENT),
        sa.CheckConstraint(
            "(secret IS NULL) = (enrolled_at IS NULL)", name=op.f("ck_second_factor_enrolled_at_some_time")
        ),
        sa.CheckConstraint("(secret IS NULL) = (last_step IS NULL)", name=op.f("ck_second_factor_enrolled_by_a_code")),
        _user_key("second_factor"),
        sa.PrimaryKeyConstraint("user_id", name="pk_second_factor"),
        schema="parties",
    )
    op.create_table(
        "recovery_code",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("code_digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("spent_at", MOMENT),
        _user_key("recovery_code"),
        sa.PrimaryKeyConstraint("user_id", "code_digest", name="pk_recovery_code"),
        schema="parties",
    )


def _create_sessions() -> None:
    op.create_table(
        "web_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("proved_at", MOMENT),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.CheckConstraint("stage IN ('second_factor', 'enrolment', 'open')", name=op.f("ck_web_session_stage_known")),
        sa.CheckConstraint("octet_length(token_digest) = 32", name=op.f("ck_web_session_digest_length")),
        sa.CheckConstraint("(stage = 'open') = (proved_at IS NOT NULL)", name=op.f("ck_web_session_open_is_proved")),
        _user_key("web_session"),
        _party_key("web_session"),
        sa.PrimaryKeyConstraint("id", name="pk_web_session"),
        sa.UniqueConstraint("token_digest", name="uq_web_session_token_digest"),
        schema="parties",
    )
    op.create_index(
        "ix_web_session_user_id_id_unended",
        "web_session",
        ["user_id", "id"],
        schema="parties",
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def _create_recoveries() -> None:
    op.create_table(
        "account_recovery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("party_id", sa.Uuid()),
        sa.Column("asked_by", sa.Uuid()),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("confirmed_by", sa.Uuid()),
        sa.Column("secret_digest", sa.LargeBinary()),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.CheckConstraint("kind IN ('desk', 'operator', 'message')", name=op.f("ck_account_recovery_kind_known")),
        sa.CheckConstraint(
            "asked_by <> confirmed_by AND asked_by <> user_id", name=op.f("ck_account_recovery_two_people")
        ),
        sa.CheckConstraint("confirmed_by <> user_id", name=op.f("ck_account_recovery_not_for_oneself")),
        sa.CheckConstraint(
            "(kind = 'message') = (asked_by IS NULL)", name=op.f("ck_account_recovery_asked_by_somebody")
        ),
        sa.CheckConstraint("(kind = 'message') = (party_id IS NULL)", name=op.f("ck_account_recovery_desk_given")),
        sa.CheckConstraint(
            "secret_digest IS NULL OR confirmed_by IS NOT NULL OR kind = 'message'",
            name=op.f("ck_account_recovery_link_was_confirmed"),
        ),
        _user_key("account_recovery"),
        _party_key("account_recovery"),
        sa.PrimaryKeyConstraint("id", name="pk_account_recovery"),
        sa.UniqueConstraint("secret_digest", name="uq_account_recovery_secret_digest"),
        schema="parties",
    )
    op.create_index(
        "ix_account_recovery_user_id_unended",
        "account_recovery",
        ["user_id"],
        schema="parties",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "simulated_text",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("text_zh", sa.String(), nullable=False),
        sa.Column("text_en", sa.String(), nullable=False),
        sa.Column("sent_at", MOMENT, nullable=False),
        _user_key("simulated_text"),
        sa.PrimaryKeyConstraint("id", name="pk_simulated_text"),
        schema="parties",
    )


def downgrade() -> None:
    """Go back."""
    op.execute("DROP FUNCTION parties.viewer_of_session")
    op.execute(
        "DROP FUNCTION parties.settle_attempt, parties.credential_of, parties.change_password_hash,"
        " parties.memberships_of, parties.user_id_of"
    )
    steps.apply_sql("parties/sign_in_v1.sql")
    for table in reversed(TABLES):
        op.drop_table(table, schema="parties")
