"""The tables of records, made from their kinds: the columns of an item, and where and when each row came from."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Uuid,
    text,
)
from sqlmodel import SQLModel

from xinyidai.foundation.database import type_of_moment
from xinyidai.sources.rules.records.kinds import KINDS, ColumnKind, RecordKind

_TYPES: Final = {
    ColumnKind.MONTH: Date,
    ColumnKind.YEAR: SmallInteger,
    ColumnKind.DAY: Date,
    ColumnKind.COUNT: Integer,
    ColumnKind.QUANTITY: BigInteger,
    ColumnKind.AMOUNT: BigInteger,
    ColumnKind.FLAG: Boolean,
    ColumnKind.CODE: String,
    ColumnKind.TEXT: String,
}


def _table(kind: RecordKind) -> Table:
    return Table(
        kind.table,
        SQLModel.metadata,
        Column("firm_id", Uuid, primary_key=True),
        Column("delivery_no", Integer, primary_key=True, autoincrement=False),
        Column("line_no", Integer, primary_key=True, autoincrement=False),
        Column("recorded_at", type_of_moment, nullable=False),
        Column("superseded_at", type_of_moment),
        *(Column(one.name, _TYPES[one.kind], nullable=not one.is_required) for one in kind.columns),
        CheckConstraint("superseded_at >= recorded_at", name="superseded_later"),
        Index(
            f"uq_{kind.table}_current",
            "firm_id",
            *kind.key,
            unique=True,
            postgresql_where=text("superseded_at IS NULL"),
        ),
        schema="sources",
    )


TABLES: Final[Mapping[str, Table]] = {code: _table(kind) for code, kind in KINDS.items()}
"""Each kind's table by its code. Two current records of a firm never bear the same name."""
