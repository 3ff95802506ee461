"""Writing records as facts and merging them with what is stored: the room's SQL for chunks, one shape for all kinds.

As with invoices a chunk is copied into a table of the session's own first. What is stored already is told apart there,
in the database: a delivery that says again what is known costs one look along an index a row.
"""

import io
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import pgpq
import pyarrow as pa

from xinyidai.sources.rules.records.checking import Records
from xinyidai.sources.rules.records.kinds import ColumnKind, RecordKind

_TYPES: Final = {
    ColumnKind.MONTH: "date",
    ColumnKind.YEAR: "smallint",
    ColumnKind.DAY: "date",
    ColumnKind.COUNT: "integer",
    ColumnKind.QUANTITY: "bigint",
    ColumnKind.AMOUNT: "bigint",
    ColumnKind.FLAG: "boolean",
    ColumnKind.CODE: "text",
    ColumnKind.TEXT: "text",
}
_MATCHED: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS matched_record (
    line_no integer PRIMARY KEY, firm_id uuid, old_delivery_no integer, old_line_no integer,
    is_same boolean, is_ours boolean, is_own boolean
) ON COMMIT DELETE ROWS
"""
_PLANS: Final = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
_COUNT: Final = """
SELECT count(*) FILTER (WHERE is_same) AS repeated,
       count(*) FILTER (WHERE NOT is_same AND NOT is_ours AND is_own) AS changed,
       array_agg(line_no ORDER BY line_no) FILTER (WHERE NOT is_same AND is_ours) AS conflicting,
       array_agg(line_no ORDER BY line_no) FILTER (WHERE NOT is_same AND NOT is_ours AND NOT is_own) AS of_another
FROM pg_temp.matched_record
"""
_IS_CHANGED: Final = "NOT m.is_same AND NOT m.is_ours AND m.is_own"


@dataclass(frozen=True)
class Merged:
    """What became of rows that named something stored: loaded or not, by line where the sender is to be told."""

    loaded: int
    loaded_firms: frozenset[UUID]
    repeated: int
    conflicting: list[int]
    of_another: list[int]


async def prepare(connection: asyncpg.Connection, kind: RecordKind) -> None:
    """Make the session's tables for a delivery's chunks.

    Nothing is known of their sizes when statements are planned, so each look goes along an index and never by a hash.
    """
    columns = ", ".join(f"{column.name} {_TYPES[column.kind]}" for column in kind.columns)
    await connection.execute(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {_staged(kind)} (firm_id uuid, line_no integer, {columns})"
        f" ON COMMIT DELETE ROWS; {_MATCHED}; {_PLANS}"
    )


async def store(connection: asyncpg.Connection, records: Records, *, delivery_no: int, now: datetime) -> None:
    """Write rows as facts of a delivery; none of them may name what is stored."""
    if len(records):
        await _stage(connection, records)
        await connection.execute(_move(records.kind), delivery_no, now)
        await _clear(connection, records.kind)


async def merge(
    connection: asyncpg.Connection, records: Records, *, delivery_no: int, sender_id: UUID, now: datetime
) -> Merged:
    """Write those rows that say something new, closing what they replace; only its own sender may replace a fact."""
    if not len(records):
        return Merged(0, frozenset(), 0, [], [])
    kind = records.kind
    await _stage(connection, records)
    await connection.execute(_match(kind), delivery_no, sender_id)
    found = await connection.fetchrow(_COUNT)
    conflicting, of_another = (found[name] or [] for name in ("conflicting", "of_another"))
    unwritten = found["repeated"] + len(conflicting) + len(of_another)
    if found["changed"]:
        await connection.execute(_supersede(kind), delivery_no, now, kind.code)
    firms: frozenset[UUID] = frozenset()
    if unwritten < len(records):
        await connection.execute(f"{_move(kind)} {_UNLESS_MATCHED}", delivery_no, now)
        firms = frozenset(row["firm_id"] for row in await connection.fetch(_firms(kind)))
    await _clear(connection, kind)
    return Merged(len(records) - unwritten, firms, found["repeated"], conflicting, of_another)


_UNLESS_MATCHED: Final = f"""
WHERE NOT EXISTS (SELECT FROM pg_temp.matched_record m WHERE m.line_no = s.line_no AND NOT ({_IS_CHANGED}))
"""


def _staged(kind: RecordKind) -> str:
    return f"staged_{kind.code}"


def _columns(kind: RecordKind, prefix: str = "") -> str:
    return ", ".join(f"{prefix}{column.name}" for column in kind.columns)


def _move(kind: RecordKind) -> str:
    return (
        f"INSERT INTO sources.{kind.table} (firm_id, delivery_no, line_no, recorded_at, {_columns(kind)})"  # noqa: S608 - names of kinds
        f" SELECT s.firm_id, $1, s.line_no, $2, {_columns(kind, 's.')} FROM pg_temp.{_staged(kind)} s"
    )


def _firms(kind: RecordKind) -> str:
    return f"SELECT DISTINCT s.firm_id FROM pg_temp.{_staged(kind)} s {_UNLESS_MATCHED}"  # noqa: S608 - names of kinds


def _match(kind: RecordKind) -> str:
    # One look along the index a row, whatever is guessed of a table that was filled a moment ago: hence LIMIT.
    named = " AND ".join(f"f.{name} = s.{name}" for name in kind.key)
    return (
        "INSERT INTO pg_temp.matched_record SELECT s.line_no, s.firm_id, f.delivery_no, f.line_no,"  # noqa: S608 - names of kinds
        f" ROW({_columns(kind, 'f.')}) IS NOT DISTINCT FROM ROW({_columns(kind, 's.')}), f.delivery_no = $1,"
        " f.delivery_no IN (SELECT d.no FROM sources.delivery d WHERE d.sender_id = $2)"
        f" FROM pg_temp.{_staged(kind)} s CROSS JOIN LATERAL (SELECT * FROM sources.{kind.table} f"
        f"  WHERE f.firm_id = s.firm_id AND {named} AND f.superseded_at IS NULL LIMIT 1) f"
    )


def _supersede(kind: RecordKind) -> str:
    return (
        "WITH replaced AS (INSERT INTO sources.record_supersession"  # noqa: S608 - names of kinds
        "  (item_code, firm_id, delivery_no, line_no, by_delivery_no, by_line_no, superseded_at)"
        "  SELECT $3, m.firm_id, m.old_delivery_no, m.old_line_no, $1, m.line_no, $2"
        f"  FROM pg_temp.matched_record m WHERE {_IS_CHANGED}"
        "  RETURNING firm_id, delivery_no, line_no, superseded_at)"
        f" UPDATE sources.{kind.table} f SET superseded_at = r.superseded_at FROM replaced r"
        " WHERE f.firm_id = r.firm_id AND f.delivery_no = r.delivery_no AND f.line_no = r.line_no"
    )


async def _stage(connection: asyncpg.Connection, records: Records) -> None:
    # Sixteen bytes are a uuid's binary form, so the database takes them as one.
    firms = pa.array([firm.bytes for firm in records.firms], pa.binary())
    table = pa.table(
        {
            "firm_id": firms.take(pa.array(records.firm)),
            "line_no": pa.array(records.line_no, pa.int32()),
            **records.values,
        }
    )
    encoder = pgpq.ArrowToPostgresBinaryEncoder(table.schema)
    encoded = bytearray(encoder.write_header())
    for batch in table.to_batches():
        encoded += encoder.write_batch(batch)
    encoded += encoder.finish()
    await connection.copy_to_table(
        _staged(records.kind),
        schema_name="pg_temp",
        source=io.BytesIO(encoded),
        columns=table.schema.names,
        format="binary",
    )


async def _clear(connection: asyncpg.Connection, kind: RecordKind) -> None:
    await connection.execute(f"TRUNCATE pg_temp.{_staged(kind)}, pg_temp.matched_record")
