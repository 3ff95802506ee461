"""Reads of indicators from records, and of lineage both ways, under a permission; the caller writes the audit row."""

from xinyidai.profiles.queries.record_readings import items_covered, record_items, record_readings, usable_records
from xinyidai.profiles.queries.tracing import (
    impact,
    indicator_text,
    item_lineage,
    lineage,
    marks_of,
    purged_impact,
    purged_lineage,
)

__all__ = [
    "impact",
    "indicator_text",
    "item_lineage",
    "items_covered",
    "lineage",
    "marks_of",
    "purged_impact",
    "purged_lineage",
    "record_items",
    "record_readings",
    "usable_records",
]
