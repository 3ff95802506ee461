"""Verbs of profiles: compute the indicators of firms, and show one firm's profile to somebody who may see it."""

from xinyidai.profiles.service.drawing import (
    FIRMS_AT_ONCE,
    Drawn,
    draw,
    indicators_as_of,
    kept_values,
    own_profile,
    own_sales,
    profile_of,
    sales_of,
)
from xinyidai.profiles.service.tracing import show_impact, show_item, show_lineage

__all__ = [
    "FIRMS_AT_ONCE",
    "Drawn",
    "draw",
    "indicators_as_of",
    "kept_values",
    "own_profile",
    "own_sales",
    "profile_of",
    "sales_of",
    "show_impact",
    "show_item",
    "show_lineage",
]
