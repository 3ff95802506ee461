"""quality: rules for real estate, farm entities and cash flow; notices that spoke to honest firms narrowed or ended.

What was found by an earlier version keeps its version; the change counts from its day on.
"""

import csv
import json
from datetime import date

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations import steps

revision = "0215"
down_revision = "0211"
branch_labels = None
depends_on = None

RULES, ENDED = "quality/rules_v3.csv", "quality/rules_ended_v1.csv"
TEXTS = ("code", "item_code", "rule_class", "severity", "condition", "name_zh", "name_en", "message_zh", "message_en")


def upgrade() -> None:
    """Go forward."""
    rows = _rows(RULES)
    for row in rows:
        if row["version"] != "1":
            _end(row["code"], row["valid_from"])
    for row in _rows(ENDED):
        _end(row["code"], row["valid_to"])
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
    op.bulk_insert(table, [_rule(row) for row in rows])


def downgrade() -> None:
    """Go back."""
    rows = _rows(RULES)
    for row in rows:
        op.execute(f"DELETE FROM quality.rule WHERE code = '{row['code']}' AND version = {row['version']}")
    for row in (*(row for row in rows if row["version"] != "1"), *_rows(ENDED)):
        op.execute(f"UPDATE quality.rule SET valid_to = NULL WHERE code = '{row['code']}' AND version = 1")


def _rows(name: str) -> list[dict[str, str]]:
    with (steps.SQL / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _end(code: str, day: str) -> None:
    op.execute(f"UPDATE quality.rule SET valid_to = '{day}' WHERE code = '{code}' AND valid_to IS NULL")


def _rule(row: dict[str, str]) -> dict[str, object]:
    read = {"fields": row["fields"].split(), "passing": json.loads(row["passing"])}
    read |= {"failing": json.loads(row["failing"]), "version": int(row["version"])}
    return {**row, **read, "valid_from": date.fromisoformat(row["valid_from"])}
