"""Which columns a condition may name: those of an item's facts, the months of invoices, and the firm itself."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from xinyidai.quality.rules.columns import ValueKind
from xinyidai.sources.rules import ITEM
from xinyidai.sources.rules.records.kinds import KINDS, ColumnKind

_KIND_OF: Final = {
    ColumnKind.MONTH: ValueKind.DAY,
    ColumnKind.YEAR: ValueKind.NUMBER,
    ColumnKind.DAY: ValueKind.DAY,
    ColumnKind.COUNT: ValueKind.NUMBER,
    ColumnKind.QUANTITY: ValueKind.NUMBER,
    ColumnKind.AMOUNT: ValueKind.NUMBER,
    ColumnKind.FLAG: ValueKind.TRUTH,
    ColumnKind.CODE: ValueKind.WORD,
    ColumnKind.TEXT: ValueKind.WORD,
}
_INVOICE: Final = {
    "invoice_no": ValueKind.WORD,
    "is_sale": ValueKind.TRUTH,
    "issued_on": ValueKind.DAY,
    "counterparty": ValueKind.WORD,
    "net_fen": ValueKind.NUMBER,
    "tax_fen": ValueKind.NUMBER,
    "gross_fen": ValueKind.NUMBER,
    "is_void": ValueKind.TRUTH,
}
INVOICE_MONTH: Final = "invoice_month"
"""Not an item of the catalogue: the invoices of a firm, void ones left out, added up by month."""
_INVOICE_MONTH: Final = {
    "month": ValueKind.DAY,
    "sales_net_fen": ValueKind.NUMBER,
    "sales_tax_fen": ValueKind.NUMBER,
    "purchases_net_fen": ValueKind.NUMBER,
    "purchases_tax_fen": ValueKind.NUMBER,
    "sales": ValueKind.NUMBER,
}
COLUMNS_OF: Final[Mapping[str, Mapping[str, ValueKind]]] = MappingProxyType(
    {code: {column.name: _KIND_OF[column.kind] for column in kind.columns} for code, kind in KINDS.items()}
    | {ITEM: _INVOICE, INVOICE_MONTH: _INVOICE_MONTH}
)
"""The columns of every item whose facts can be judged, with what each holds."""
EVERYWHERE: Final[Mapping[str, ValueKind]] = MappingProxyType(
    {
        "today": ValueKind.DAY,
        "recorded_on": ValueKind.DAY,
        "established_on": ValueKind.DAY,
        "is_correction": ValueKind.TRUTH,
    }
)
"""What every condition may name: the Shanghai day, the day on which the platform learned the fact, the day on which the
firm was established, and whether the fact replaced an earlier one."""


def requires_item(code: str) -> str:
    """Return the item whose records must be read for those of `code`."""
    return ITEM if code == INVOICE_MONTH else code
