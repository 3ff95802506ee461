"""documents: sealed files of one owner, and to whom a higher room opened them."""

import sqlalchemy as sa
from alembic import op

from migrations import steps

revision = "0130"
down_revision = "0120"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
MAX_BYTES = 10 * 1024 * 1024
# Open to the viewer now: the policy of the inner table lets it see its own rows alone.
OPEN_TO_VIEWER = (
    "EXISTS (SELECT 1 FROM documents.opened_to opened WHERE opened.document_id = id"
    f" AND opened.organisation_id = {steps.VIEWER} AND opened.closed_at IS NULL)"
)


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("documents")
    _create_document()
    _create_opened_to()
    steps.apply_sql("documents/only_destroy_v1.sql")
    steps.writable(
        "documents.document",
        "INSERT, UPDATE (wrapped_key, name_sealed, content_sealed, destroyed_by, destroyed_at)",
    )
    steps.writable("documents.opened_to", "INSERT, UPDATE (closed_at)")
    steps.protect(
        "documents.document",
        f"owner_id = {steps.VIEWER} OR {OPEN_TO_VIEWER}",
        check=f"owner_id = {steps.VIEWER}",
    )
    # Only a service of a higher room opens, in platform scope, once it has checked whose act it is.
    steps.protect(
        "documents.opened_to", f"owner_id = {steps.VIEWER} OR organisation_id = {steps.VIEWER}", check="false"
    )


def _create_document() -> None:
    whole = " AND ".join(
        f"(destroyed_at IS NULL) = ({name} IS NOT NULL)" for name in ("wrapped_key", "name_sealed", "content_sealed")
    )
    op.create_table(
        "document",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("byte_count", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary()),
        sa.Column("name_sealed", sa.LargeBinary()),
        sa.Column("content_sealed", sa.LargeBinary()),
        sa.Column("handed_in_by", sa.Uuid(), nullable=False),
        sa.Column("handed_in_at", MOMENT, nullable=False),
        sa.Column("destroyed_by", sa.Uuid()),
        sa.Column("destroyed_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_document"),
        sa.CheckConstraint(
            "kind IN ('pdf', 'jpeg', 'png', 'ofd', 'docx', 'xlsx')", name=op.f("ck_document_kind_known")
        ),
        sa.CheckConstraint(f"byte_count BETWEEN 1 AND {MAX_BYTES}", name=op.f("ck_document_byte_count_in_range")),
        sa.CheckConstraint("octet_length(digest) = 32", name=op.f("ck_document_digest_whole")),
        sa.CheckConstraint(
            f"{whole} AND (destroyed_at IS NULL) = (destroyed_by IS NULL)", name=op.f("ck_document_destroyed_whole")
        ),
        schema="documents",
    )
    op.create_index(
        "uq_document_owner_id_digest_kept",
        "document",
        ["owner_id", "digest"],
        unique=True,
        schema="documents",
        postgresql_where=sa.text("destroyed_at IS NULL"),
    )
    op.create_index("ix_document_owner_id_id", "document", ["owner_id", "id"], schema="documents")
    # Ciphertext does not compress: trying costs time at every write.
    op.execute("ALTER TABLE documents.document ALTER COLUMN content_sealed SET STORAGE EXTERNAL")


def _create_opened_to() -> None:
    op.create_table(
        "opened_to",
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("object_kind", sa.String(), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT),
        sa.PrimaryKeyConstraint("document_id", "organisation_id", "object_kind", "object_id", name="pk_opened_to"),
        sa.ForeignKeyConstraint(["document_id"], ["documents.document.id"], name="fk_opened_to_document_id_document"),
        sa.CheckConstraint("closed_at >= opened_at", name=op.f("ck_opened_to_closed_later")),
        schema="documents",
    )
    op.create_index("ix_opened_to_object_kind_object_id", "opened_to", ["object_kind", "object_id"], schema="documents")


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("documents")
