"""Which kinds of records there are: their columns, what names one, and the days it speaks of.

Columns are the fields of the catalogue's items, with the same codes and units; a test holds the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ColumnKind(StrEnum):
    """What a column holds. Counts and quantities are whole and not negative; amounts are fen and may be negative."""

    MONTH = "month"
    YEAR = "year"
    DAY = "day"
    COUNT = "count"
    QUANTITY = "quantity"
    AMOUNT = "amount"
    FLAG = "flag"
    CODE = "code"
    TEXT = "text"


class Stretch(StrEnum):
    """Which days a record speaks of: a whole month or year, those from a day on, or those before one."""

    MONTH = "month"
    YEAR = "year"
    FROM_DAY = "from_day"
    UNTIL_DAY = "until_day"


@dataclass(frozen=True)
class Column:
    """A column of a record's table. `codes` lists what a code may be; empty means any short text."""

    name: str
    kind: ColumnKind
    is_required: bool = True
    codes: tuple[str, ...] = ()

    @property
    def delivered_as(self) -> str:
        """Return its name in a delivery: amounts come in yuan."""
        return self.name.removesuffix("_fen") + "_yuan" if self.kind is ColumnKind.AMOUNT else self.name


@dataclass(frozen=True)
class RecordKind:
    """The records of one catalogue item.

    `key` names a record beside its firm: two current records of a firm never agree in it. `dated_by` is the column of
    the month, year or day that its stretch is told by, `ends` that of the day on which it stops, if it has one.
    """

    code: str
    stretch: Stretch
    dated_by: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    ends: str | None = None

    @property
    def table(self) -> str:
        """Return its table's name in the room's schema."""
        return f"{self.code}_fact"

    @property
    def delivered(self) -> tuple[str, ...]:
        """Return the columns that a delivery must have."""
        return ("credit_code", *(column.delivered_as for column in self.columns))


MOST_CODE: Final = 64
MOST_TEXT: Final = 200

_TAX_KINDS = ("vat", "income", "surcharge", "stamp", "other")


def _amount(name: str, *, is_required: bool = True) -> Column:
    return Column(name, ColumnKind.AMOUNT, is_required)


def _count(name: str) -> Column:
    return Column(name, ColumnKind.COUNT)


def _quantity(name: str) -> Column:
    return Column(name, ColumnKind.QUANTITY)


def _flag(name: str) -> Column:
    return Column(name, ColumnKind.FLAG)


def _code(name: str, *codes: str, is_required: bool = True) -> Column:
    return Column(name, ColumnKind.CODE, is_required, codes)


def _text(name: str, *, is_required: bool = True) -> Column:
    return Column(name, ColumnKind.TEXT, is_required)


def _day(name: str, *, is_required: bool = True) -> Column:
    return Column(name, ColumnKind.DAY, is_required)


def _monthly(code: str, *columns: Column, key: tuple[str, ...] = ()) -> RecordKind:
    month = Column("month", ColumnKind.MONTH)
    return RecordKind(code, Stretch.MONTH, "month", ("month", *key), (month, *columns))


def _yearly(code: str, *columns: Column, key: tuple[str, ...] = ()) -> RecordKind:
    year = Column("year", ColumnKind.YEAR)
    return RecordKind(code, Stretch.YEAR, "year", ("year", *key), (year, *columns))


def _dated(code: str, dated_by: str, key: tuple[str, ...], *columns: Column, ends: str | None = None) -> RecordKind:
    return RecordKind(code, Stretch.FROM_DAY, dated_by, key, columns, ends)


_ALL = (
    _monthly(
        "tax_filing",
        _code("tax_kind", *_TAX_KINDS),
        _amount("declared_sales_fen"),
        _amount("paid_fen"),
        _day("filed_on"),
        key=("tax_kind",),
    ),
    _monthly("social_insurance", _count("insured"), _amount("base_fen"), _amount("paid_fen"), _amount("owed_fen")),
    _monthly("housing_fund", _count("depositors"), _amount("base_fen"), _amount("paid_fen"), _amount("owed_fen")),
    _monthly("water", _quantity("used_m3"), _amount("charged_fen"), _amount("owed_fen")),
    _monthly("electricity", _quantity("used_kwh"), _amount("charged_fen"), _amount("owed_fen"), _flag("is_cut_off")),
    _monthly("gas", _quantity("used_m3"), _amount("charged_fen"), _amount("owed_fen")),
    _monthly(
        "import_export",
        _amount("exported_fen"),
        _amount("imported_fen"),
        _code("customs_grade", "advanced", "ordinary", "dishonest", is_required=False),
    ),
    _monthly("logistics", _count("shipments"), _amount("freight_fen"), _amount("stock_fen")),
    _yearly(
        "annual_report",
        _count("staff"),
        _amount("assets_fen", is_required=False),
        _amount("revenue_fen", is_required=False),
    ),
    _yearly("tax_grade", _code("grade", "A", "B", "M", "C", "D")),
    _yearly("environment", _code("grade", "green", "blue", "yellow", "red")),
    _yearly("self_declared", _amount("revenue_fen"), _amount("profit_fen"), _amount("debt_fen")),
    _dated(
        "registration_change",
        "changed_on",
        ("changed_on", "what"),
        _day("changed_on"),
        _code("what", "name", "address", "legal_person", "capital", "scope", "shareholders", "other"),
        _text("before", is_required=False),
        _text("after", is_required=False),
    ),
    _dated(
        "permit",
        "decided_on",
        ("document_no",),
        _code("document_no"),
        _text("what"),
        _day("decided_on"),
        _day("valid_until_on", is_required=False),
        ends="valid_until_on",
    ),
    _dated(
        "penalty",
        "decided_on",
        ("document_no",),
        _code("document_no"),
        _text("reason"),
        _code("kind", "warning", "fine", "confiscation", "suspension", "licence_revoked", "other"),
        _amount("fined_fen", is_required=False),
        _day("decided_on"),
        _day("published_until_on", is_required=False),
    ),
    _dated(
        "judgment",
        "decided_on",
        ("case_no", "role"),
        _code("case_no"),
        _code("role", "plaintiff", "defendant", "third_party"),
        _code("cause"),
        _amount("claimed_fen", is_required=False),
        _day("decided_on"),
    ),
    _dated(
        "enforcement",
        "filed_on",
        ("case_no",),
        _code("case_no"),
        _amount("owed_fen"),
        _day("filed_on"),
        _flag("is_dishonest"),
        _day("ended_on", is_required=False),
        ends="ended_on",
    ),
    _dated(
        "tax_arrears",
        "published_on",
        ("tax_kind", "published_on"),
        _code("tax_kind", *_TAX_KINDS),
        _amount("owed_fen"),
        _day("published_on"),
    ),
    _dated(
        "intellectual_property",
        "granted_on",
        ("right_no",),
        _code("right_no"),
        _code("kind", "invention", "utility_model", "design", "trademark", "copyright"),
        _day("granted_on"),
        _code("status", "valid", "expired", "transferred", "pledged"),
    ),
    RecordKind(
        "science_technology",
        Stretch.UNTIL_DAY,
        "valid_until_on",
        ("recognition", "valid_until_on"),
        (_code("recognition"), _day("valid_until_on"), _amount("research_spent_fen", is_required=False)),
    ),
    _dated("tender", "awarded_on", ("project_no",), _code("project_no"), _amount("awarded_fen"), _day("awarded_on")),
    _dated(
        "honour_list",
        "listed_on",
        ("list", "listed_on"),
        _code("list"),
        _flag("is_negative"),
        _day("listed_on"),
        _day("removed_on", is_required=False),
        ends="removed_on",
    ),
    _dated("commitment", "made_on", ("kind", "made_on"), _code("kind"), _day("made_on"), _flag("is_broken")),
    _dated(
        "real_estate",
        "registered_on",
        ("unit_no", "registered_on"),
        _code("unit_no"),
        _quantity("area_m2"),
        _flag("is_mortgaged"),
        _flag("is_seized"),
        _day("registered_on"),
    ),
    RecordKind(
        "farm_entity",
        Stretch.YEAR,
        "year",
        ("kind", "year"),
        (
            _code("kind", "cooperative", "family_farm", "enterprise", "household"),
            _quantity("land_m2"),
            _amount("subsidy_fen"),
            Column("year", ColumnKind.YEAR),
        ),
    ),
    _monthly("cash_flow", _amount("received_fen"), _amount("paid_fen")),
)
KINDS: Final[Mapping[str, RecordKind]] = {kind.code: kind for kind in _ALL}
"""Every kind by the code of its item. A table is no right to hold: the item's topology in the province says that."""
