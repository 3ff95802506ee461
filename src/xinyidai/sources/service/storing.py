"""Writing facts and rejected rows, and finding what was stored before: the room's SQL for chunks.

COPY is refused by PostgreSQL on a table with row-level security, so a chunk is copied into a table of the session's own
and inserted from there under the policies; see docs/decisions for what the other ways cost.
"""

import io
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import numpy as np
import pandas as pd
import pgpq
import pyarrow as pa

from xinyidai.sources.rules.amounts import IntArray
from xinyidai.sources.rules.checking import Facts
from xinyidai.sources.rules.repeats import CONTENT, firm_places, frame_of

STAGED = (
    "firm_id",
    "line_no",
    "issued_on",
    "net_fen",
    "tax_fen",
    "gross_fen",
    "direction",
    "flags",
    "is_void",
    "invoice_no",
    "counterparty",
)
_COLUMNS = ", ".join(STAGED)

_PREPARE = """
CREATE TEMPORARY TABLE IF NOT EXISTS staged_invoice (
    firm_id uuid, line_no integer, issued_on date, net_fen bigint, tax_fen bigint, gross_fen bigint,
    direction smallint, flags smallint, is_void boolean, invoice_no text, counterparty text
) ON COMMIT DELETE ROWS;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off
"""

_MOVE = f"""
INSERT INTO sources.invoice_fact (delivery_no, recorded_at, {_COLUMNS})
SELECT $1, $2, {_COLUMNS} FROM pg_temp.staged_invoice
"""  # noqa: S608 - column names are constants

_STORED = """
SELECT f.firm_id, f.direction, f.invoice_no, f.issued_on - DATE '1970-01-01' AS issued_on, f.counterparty,
       f.net_fen, f.tax_fen, f.gross_fen, f.is_void, f.delivery_no, f.line_no, f.superseded_at IS NULL AS is_current
FROM unnest($1::uuid[], $2::smallint[], $3::text[]) AS n (firm_id, direction, number)
JOIN sources.invoice_fact f
  ON f.firm_id = n.firm_id AND f.invoice_no = n.number AND f.direction = n.direction
ORDER BY f.delivery_no, f.line_no
"""

_REJECT = """
INSERT INTO sources.rejected_row (delivery_no, line_no, sender_id, faults, digest, content)
SELECT $1, r.line_no, $2, string_to_array(r.faults, ','), sha256(convert_to(r.content, 'UTF8')), r.content
FROM unnest($3::integer[], $4::text[], $5::text[]) AS r (line_no, faults, content)
"""

_SUPERSEDE = """
WITH replaced AS (
    INSERT INTO sources.supersession (firm_id, delivery_no, line_no, by_delivery_no, by_line_no, superseded_at)
    SELECT r.firm_id, r.delivery_no, r.line_no, $1, r.by_line_no, $2
    FROM unnest($3::uuid[], $4::integer[], $5::integer[], $6::integer[])
      AS r (firm_id, delivery_no, line_no, by_line_no)
    RETURNING firm_id, delivery_no, line_no, superseded_at
)
UPDATE sources.invoice_fact f SET superseded_at = r.superseded_at
FROM replaced r
WHERE f.firm_id = r.firm_id AND f.delivery_no = r.delivery_no AND f.line_no = r.line_no
"""

_WITH_PAST = """
SELECT n.firm_id FROM unnest($1::uuid[]) AS n (firm_id)
WHERE EXISTS (SELECT FROM sources.{facts} f WHERE f.firm_id = n.firm_id)
"""
INVOICE_FACTS = "invoice_fact"


_DELIVERED_BY = "SELECT no FROM sources.delivery WHERE sender_id = $1 AND no = ANY($2::integer[])"


async def prepare(connection: asyncpg.Connection) -> None:
    """Make the session's staging table, and keep the planner from guessing about tables it has no figures of."""
    await connection.execute(_PREPARE)


async def store(connection: asyncpg.Connection, facts: Facts, *, delivery_no: int, now: datetime) -> None:
    """Write rows as facts of a delivery."""
    if not len(facts):
        return
    table = pa.table(_columns(facts))
    encoder = pgpq.ArrowToPostgresBinaryEncoder(table.schema)
    encoded = bytearray(encoder.write_header())
    for batch in table.to_batches():
        encoded += encoder.write_batch(batch)
    encoded += encoder.finish()
    await connection.copy_to_table(
        "staged_invoice", schema_name="pg_temp", source=io.BytesIO(encoded), columns=STAGED, format="binary"
    )
    await connection.execute(_MOVE, delivery_no, now)
    await connection.execute("TRUNCATE pg_temp.staged_invoice")


def _columns(facts: Facts) -> dict[str, pa.Array]:
    # Sixteen bytes are a uuid's binary form, so the database takes them as one.
    firms = pa.array([firm.bytes for firm in facts.firms], pa.binary())
    columns = {
        "firm_id": firms.take(pa.array(facts.firm)),
        "line_no": pa.array(facts.line_no, pa.int32()),
        "issued_on": pa.array(facts.issued_on.astype("datetime64[D]")),
        "net_fen": pa.array(facts.net_fen),
        "tax_fen": pa.array(facts.tax_fen),
        "gross_fen": pa.array(facts.gross_fen),
        "direction": pa.array(facts.direction, pa.int16()),
        "flags": pa.array(facts.flags, pa.int16()),
        "is_void": pa.array(facts.is_void),
        "invoice_no": facts.number,
        "counterparty": facts.counterparty,
    }
    return {name: columns[name] for name in STAGED}


async def stored_like(connection: asyncpg.Connection, facts: Facts) -> pd.DataFrame:
    """Return the stored facts that bear a number of these rows, in the order they came.

    Columns of `CONTENT`, where `firm` is the place in the rows' list, and delivery_no, line_no, is_current.
    """
    named = frame_of(facts)[["firm", "direction", "number"]].drop_duplicates()
    found = await connection.fetch(
        _STORED, [facts.firms[place] for place in named["firm"]], named["direction"].tolist(), named["number"].tolist()
    )
    columns = [*CONTENT, "delivery_no", "line_no", "is_current"]
    stored = pd.DataFrame([tuple(row) for row in found], columns=columns)
    whole = ["direction", "issued_on", "net_fen", "tax_fen", "gross_fen", "delivery_no", "line_no"]
    types = dict.fromkeys(whole, np.int64) | dict.fromkeys(["is_void", "is_current"], np.bool_)
    stored["firm"] = stored["firm"].map(firm_places(facts)).astype(np.int64)
    return stored.astype({**types, "number": object, "counterparty": object})


async def firms_with_past(connection: asyncpg.Connection, firms: Sequence[UUID], *, facts: str) -> set[UUID]:
    """Return those of the firms that have facts already, in a table of facts of this schema."""
    return {row["firm_id"] for row in await connection.fetch(_WITH_PAST.format(facts=facts), list(firms))}


async def delivered_by(connection: asyncpg.Connection, sender_id: UUID, delivery_nos: Sequence[int]) -> set[int]:
    """Return those of the deliveries that came from an organisation."""
    return {row["no"] for row in await connection.fetch(_DELIVERED_BY, sender_id, list(delivery_nos))}


async def reject(
    connection: asyncpg.Connection,
    *,
    delivery_no: int,
    sender_id: UUID,
    line_nos: Sequence[int],
    faults: Sequence[str],
    contents: Sequence[str],
) -> None:
    """Keep rows aside for their sender."""
    if line_nos:
        await connection.execute(_REJECT, delivery_no, sender_id, line_nos, faults, contents)


async def supersede(
    connection: asyncpg.Connection,
    facts: Facts,
    current: pd.DataFrame,
    target: IntArray,
    *,
    delivery_no: int,
    now: datetime,
) -> None:
    """Close the facts that corrections replace, each with a row that says by what."""
    if not len(facts):
        return
    old = current.iloc[target]
    await connection.execute(
        _SUPERSEDE,
        delivery_no,
        now,
        [facts.firms[place] for place in facts.firm],
        old["delivery_no"].tolist(),
        old["line_no"].tolist(),
        facts.line_no.tolist(),
    )
