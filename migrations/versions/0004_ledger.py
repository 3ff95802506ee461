"""ledger: accounts, journals, entries, closed periods, and the functions that alone may write them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import steps
from xinyidai.foundation.sealing import Xid8

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BOOKS = ("cash", "exposure", "recoverable", "lending", "memo")
OWN_ACCOUNT = f"SELECT 1 FROM ledger.account AS a WHERE a.owner_id = {steps.VIEWER}"


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("ledger")
    _create_books()
    _create_accounts()
    _create_journals()
    _create_entries()
    _create_closed_periods()
    for table in ("book", "account", "journal", "entry", "closed_period"):
        steps.readable(f"ledger.{table}")
    for table in ("book", "journal", "entry", "closed_period"):
        steps.append_only(f"ledger.{table}")
    # A row for the owner of an account in it; each policy asks the index once per row, never the whole table.
    steps.protect("ledger.account", f"owner_id = {steps.VIEWER}")
    steps.protect("ledger.entry", f"EXISTS ({OWN_ACCOUNT} AND a.id = entry.account_id)")
    own_leg = "SELECT 1 FROM ledger.entry AS e WHERE e.journal_id = journal.id"
    steps.protect("ledger.journal", f"EXISTS ({own_leg} AND EXISTS ({OWN_ACCOUNT} AND a.id = e.account_id))")
    for function in ("check_entries", "guard_account", "post", "accounts", "close_period", "sealable", "book_fault"):
        steps.apply_sql(f"ledger/{function}_v1.sql")
    for view in ("sealable_journal", "sealable_entry"):
        steps.grant(f"ledger.{view}", "SELECT", steps.WORKER, steps.AUDITOR)
    steps.readable("ledger.book_fault")


def _create_books() -> None:
    op.create_table(
        "book",
        sa.Column("code", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_book"),
        schema="ledger",
    )
    op.execute("INSERT INTO ledger.book VALUES " + ", ".join(f"('{book}')" for book in BOOKS))


def _create_accounts() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("book", sa.String(), nullable=False),
        sa.Column("code", sa.String(collation="C"), nullable=False),
        sa.Column("owner_id", sa.Uuid()),
        sa.Column("floor_fen", sa.BigInteger()),
        sa.Column("ceiling_fen", sa.BigInteger()),
        sa.Column("balance_fen", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("is_closed", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "balance_fen BETWEEN greatest(floor_fen, -1000000000000000) AND least(ceiling_fen, 1000000000000000)",
            name=op.f("ck_account_balance_within_limits"),
        ),
        sa.ForeignKeyConstraint(["book"], ["ledger.book.code"], name="fk_account_book_book"),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("tenant", "code", name="uq_account_tenant_code"),
        schema="ledger",
        postgresql_with={"fillfactor": 50},
    )
    op.create_index("ix_account_owner_id", "account", ["owner_id"], schema="ledger")


def _create_journals() -> None:
    op.create_table(
        "journal",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("idem_key", sa.String(), nullable=False),
        sa.Column("req_hash", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("maker_id", sa.Uuid(), nullable=False),
        sa.Column("checker_id", sa.Uuid()),
        sa.Column("subject", postgresql.JSONB(), nullable=False),
        sa.Column("reversal_of", sa.BigInteger()),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.CheckConstraint("length(idem_key) BETWEEN 1 AND 200", name=op.f("ck_journal_key_bounded")),
        sa.CheckConstraint("length(req_hash) = 32", name=op.f("ck_journal_hash_whole")),
        sa.CheckConstraint("kind ~ '^[a-z][a-z0-9_.]{0,79}$'", name=op.f("ck_journal_kind_plain")),
        sa.CheckConstraint(
            "effective_on BETWEEN '2000-01-01' AND '2099-12-31'", name=op.f("ck_journal_day_within_range")
        ),
        sa.CheckConstraint("checker_id <> maker_id", name=op.f("ck_journal_two_people")),
        sa.CheckConstraint(
            "jsonb_typeof(subject) = 'object' AND octet_length(subject::text) <= 4096",
            name=op.f("ck_journal_subject_small"),
        ),
        sa.ForeignKeyConstraint(["reversal_of"], ["ledger.journal.id"], name="fk_journal_reversal_of_journal"),
        sa.PrimaryKeyConstraint("id", name="pk_journal"),
        sa.UniqueConstraint("tenant", "idem_key", name="uq_journal_tenant_idem_key"),
        sa.UniqueConstraint("reversal_of", name="uq_journal_reversal_of"),
        schema="ledger",
    )
    op.create_index("ix_journal_xid", "journal", ["xid"], schema="ledger")


def _create_entries() -> None:
    op.create_table(
        "entry",
        sa.Column("journal_id", sa.BigInteger(), nullable=False),
        sa.Column("leg", sa.SmallInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("book", sa.String(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("balance_after_fen", sa.BigInteger(), nullable=False),
        sa.Column("account_version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "amount_fen <> 0 AND amount_fen BETWEEN -1000000000000000 AND 1000000000000000",
            name=op.f("ck_entry_amount_within_range"),
        ),
        sa.PrimaryKeyConstraint("journal_id", "leg", name="pk_entry"),
        sa.UniqueConstraint("account_id", "account_version", name="uq_entry_account_id_account_version"),
        schema="ledger",
    )


def _create_closed_periods() -> None:
    op.create_table(
        "closed_period",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("maker_id", sa.Uuid(), nullable=False),
        sa.Column("checker_id", sa.Uuid(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("extract(day FROM month) = 1", name=op.f("ck_closed_period_month_begins")),
        sa.CheckConstraint("checker_id <> maker_id", name=op.f("ck_closed_period_two_people")),
        sa.PrimaryKeyConstraint("tenant", "month", name="pk_closed_period"),
        schema="ledger",
    )


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("ledger")
