"""The quality rules as they come with the platform, read from their lists without a database."""

import csv
import json
from datetime import date
from pathlib import Path
from typing import Final

from xinyidai.quality.rules import Rule, RuleClass, Severity

FOLDER: Final = Path(__file__).resolve().parents[1] / "migrations" / "sql" / "quality"
FILES: Final = ("rules_v1.csv", "rules_v2.csv", "rules_v3.csv")
ENDED: Final = "rules_ended_v1.csv"
FIRST_DAY: Final = date(2016, 1, 1)


def listed_rules(*, on: date = date.max) -> list[Rule]:
    """Return the rules in force on a day, by default those without an end, in the order of their first versions.

    A later version of a rule ends the one before; a rule of the list of ended ones ends for good.
    """
    versions: dict[str, list[Rule]] = {}
    for name in FILES:
        for row in _rows(name):
            versions.setdefault(row["code"], []).append(_rule(row))
    ended = {row["code"]: date.fromisoformat(row["valid_to"]) for row in _rows(ENDED)}
    begun = {code: [rule for rule in rules if rule.valid_from <= on] for code, rules in versions.items()}
    return [rules[-1] for code, rules in begun.items() if rules and (code not in ended or on < ended[code])]


def _rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _rule(row: dict[str, str]) -> Rule:
    return Rule(
        code=row["code"],
        version=int(row.get("version", 1)),
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
        valid_from=date.fromisoformat(row["valid_from"]) if "valid_from" in row else FIRST_DAY,
        valid_to=None,
    )
