"""What is held, without how it came: facts under natural names, in one order whatever the order they came in. Pure."""

import json
from collections.abc import Iterable, Sequence
from typing import Final

from xinyidai.sources.rules import ITEM
from xinyidai.sources.rules.pulls import ITEMS_OF
from xinyidai.sources.rules.records.kinds import KINDS

PULLED_ITEMS: Final = tuple(sorted(item for items in ITEMS_OF.values() for item in items))
"""What sources are asked for: what is so, whatever anybody here does."""
_INVOICE: Final = ("issued_on", "direction", "invoice_no", "counterparty", "net_fen", "tax_fen", "gross_fen", "is_void")


def columns_of(item_code: str) -> tuple[str, ...]:
    """Return what a fact of an item says: its name, which holds the interval it speaks of, and its values."""
    return _INVOICE if item_code == ITEM else tuple(column.name for column in KINDS[item_code].columns)


def lines_of(item_code: str, credit_code: str, facts: Iterable[Sequence[object]]) -> list[str]:
    """Return one firm's facts of an item as lines, in their own order; no id, number or moment of ours is in them."""
    said = ((item_code, credit_code, *(None if one is None else str(one) for one in fact)) for fact in facts)
    return sorted(json.dumps(one, ensure_ascii=False) for one in said)
