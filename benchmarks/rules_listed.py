"""The quality rules as they come with the platform, read from their list without a database."""

import csv
import json
from datetime import date
from pathlib import Path

from xinyidai.quality.rules import Rule, RuleClass, Severity

FOLDER = Path(__file__).resolve().parents[1] / "migrations" / "sql" / "quality"
FILES = tuple(FOLDER / name for name in ("rules_v1.csv", "rules_v2.csv"))


def listed_rules() -> list[Rule]:
    """Return the rules of the lists, in their order; a later list adds to the earlier ones."""
    rows: list[dict[str, str]] = []
    for one in FILES:
        with one.open(encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
    return [
        Rule(
            code=row["code"],
            version=1,
            item_code=row["item_code"],
            rule_class=RuleClass(row["rule_class"]),
            severity=Severity(row["severity"]),
            fields=tuple(row["fields"].split()),
            condition=row["condition"],
            name_zh=row["name_zh"],
            name_en=row["name_en"],
            message_zh=row["message_zh"],
            message_en=row["message_en"],
            passing=json.loads(row["passing"]),
            failing=json.loads(row["failing"]),
            valid_from=date(2016, 1, 1),
            valid_to=None,
        )
        for row in rows
    ]
