"""quality: rules that begin where a value is unusual, beside those where it is hardly possible; notices alone."""

import csv
import json
from datetime import date
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0190"
down_revision = "0172"
branch_labels = None
depends_on = None

FIRST_DAY = date(2016, 1, 1)
RULES = Path(__file__).parents[1] / "sql" / "quality" / "rules_v2.csv"
TEXTS = ("code", "item_code", "rule_class", "severity", "condition", "name_zh", "name_en", "message_zh", "message_en")


def upgrade() -> None:
    """Go forward."""
    table = sa.table(
        "rule",
        *(sa.column(name, sa.String()) for name in TEXTS),
        sa.column("version", sa.Integer()),
        sa.column("fields", sa.ARRAY(sa.Text())),
        sa.column("passing", JSONB()),
        sa.column("failing", JSONB()),
        sa.column("valid_from", sa.Date()),
        schema="quality",
    )
    op.bulk_insert(table, [_rule(row) for row in _rows()])


def downgrade() -> None:
    """Go back."""
    codes = ", ".join(f"'{row['code']}'" for row in _rows())
    op.execute(f"DELETE FROM quality.rule WHERE version = 1 AND code IN ({codes})")


def _rows() -> list[dict[str, str]]:
    with RULES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _rule(row: dict[str, str]) -> dict[str, object]:
    read = {"fields": row["fields"].split(), "passing": json.loads(row["passing"])}
    return {**row, **read, "failing": json.loads(row["failing"]), "version": 1, "valid_from": FIRST_DAY}
