"""catalogue: the items that may be collected, with the first three."""

from datetime import date

import sqlalchemy as sa
from alembic import op

from migrations import steps

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

FIRST_DAY = date(2016, 1, 1)
FIVE_YEARS = 5 * 366


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("catalogue")
    item = op.create_table(
        "item",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("owner_zh", sa.String(), nullable=False),
        sa.Column("owner_en", sa.String(), nullable=False),
        sa.Column("access_class", sa.String(), nullable=False),
        sa.Column("legal_basis", sa.String(), nullable=False),
        sa.Column("is_basis_verified", sa.Boolean(), nullable=False),
        sa.Column("topology", sa.String(), nullable=False),
        sa.Column("retention_days", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date()),
        sa.CheckConstraint(
            "access_class IN ('open', 'on_consent', 'sensitive', 'forbidden')",
            name=op.f("ck_item_access_class_known"),
        ),
        sa.CheckConstraint(
            "topology IN ('held_copy', 'in_domain', 'pass_through')", name=op.f("ck_item_topology_known")
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_from < valid_to", name=op.f("ck_item_valid_some_day")),
        sa.CheckConstraint("retention_days > 0", name=op.f("ck_item_retention_positive")),
        sa.PrimaryKeyConstraint("code", "version", name="pk_item"),
        schema="catalogue",
    )
    op.create_index(
        "uq_item_code_current",
        "item",
        ["code"],
        unique=True,
        schema="catalogue",
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.bulk_insert(item, [_registration(), _vat_invoice(), _loan_outcome()])
    steps.readable("catalogue.item")


def _registration() -> dict[str, object]:
    return {
        "code": "registration",
        "version": 1,
        "name_zh": "登记注册信息",
        "name_en": "Registration",
        "owner_zh": "市场监督管理部门",
        "owner_en": "Market supervision administration",
        "access_class": "open",
        "legal_basis": "企业信息公示暂行条例；国办发〔2024〕15号（条款待核）",
        "is_basis_verified": False,
        "topology": "held_copy",
        "retention_days": 10 * 366,
        "valid_from": FIRST_DAY,
        "valid_to": None,
    }


def _vat_invoice() -> dict[str, object]:
    # A firm may hand over its own invoices; what the tax office itself would give a third party is another topology,
    # which 税总发〔2019〕113号 narrows. That version of the item is added when such a source is.
    return {
        "code": "vat_invoice",
        "version": 1,
        "name_zh": "增值税发票（进项、销项）",
        "name_en": "VAT invoices, purchases and sales",
        "owner_zh": "税务部门",
        "owner_en": "Tax administration",
        "access_class": "on_consent",
        "legal_basis": "企业授权；国办发〔2021〕52号、国办发〔2024〕15号；税总发〔2019〕113号（适用范围待核）",
        "is_basis_verified": False,
        "topology": "held_copy",
        "retention_days": FIVE_YEARS,
        "valid_from": FIRST_DAY,
        "valid_to": None,
    }


def _loan_outcome() -> dict[str, object]:
    return {
        "code": "loan_outcome",
        "version": 1,
        "name_zh": "贷款履约结果",
        "name_en": "Loan outcome",
        "owner_zh": "贷款银行",
        "owner_en": "The lending bank",
        "access_class": "on_consent",
        "legal_basis": "企业授权；征信业务管理办法（适用范围待核）",
        "is_basis_verified": False,
        "topology": "held_copy",
        "retention_days": FIVE_YEARS,
        "valid_from": FIRST_DAY,
        "valid_to": None,
    }


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("catalogue")
