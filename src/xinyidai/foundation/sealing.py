"""Sealing: append-only rows are bound, some time after they commit, into chained Merkle blocks (RFC 6962 hashing).

A room offers a view `(ref text, xid xid8, leaf bytea)` over its rows and registers it as a `Stream`. One job seals what
has committed for good (xid below the snapshot's horizon), so writers never wait for a chain. `verify` recomputes
every leaf and names what was changed, removed or slipped in.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache

from sqlalchemy import ARRAY, BigInteger, LargeBinary, Row, Text, TextClause, select, text
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import UserDefinedType
from sqlmodel import Field, SQLModel, col

from xinyidai.foundation.database import lock_key, type_of_moment

BLOCK_SIZE = 1_000
MAX_BLOCKS_A_RUN = 2_000
EMPTY_ROOT = hashlib.sha256(b"").digest()


class Xid8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id; which transaction wrote a row, for sealing only."""

    cache_ok = True

    def get_col_spec(self, **_kw: object) -> str:
        """Return the type's SQL name."""
        return "xid8"


ischema_names["xid8"] = Xid8  # so that reflection, and with it the test that compares tables and revisions, knows it


class SealedBlock(SQLModel, table=True):
    """Up to a thousand leaves of one stream, their root, and the root before."""

    __tablename__ = "sealed_block"
    __table_args__ = {"schema": "foundation"}

    stream: str = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    refs: list[str] = Field(sa_type=ARRAY(Text))
    leaves: list[bytes] = Field(sa_type=ARRAY(LargeBinary))
    root: bytes
    previous_root: bytes
    last_xid: int = Field(sa_type=BigInteger)
    algorithm: str = "sha256"
    sealed_at: datetime = Field(sa_type=type_of_moment)


_LAST_BLOCKS = text(
    "SELECT DISTINCT ON (stream) stream, seq, root FROM foundation.sealed_block WHERE stream = ANY(:streams)"
    " ORDER BY stream, seq DESC"
)
"""Of the last blocks only where they ended: their leaves are kilobytes that no sealer needs."""

NewRow = Row[tuple[str, str, int, bytes]]
"""Stream, ref, transaction id and leaf of a row that is in no block yet."""


@dataclass(frozen=True)
class Stream:
    """Rows to be sealed: a stable name and the view that yields their refs, transaction ids and leaves."""

    name: str
    view: str


class Finding(StrEnum):
    """What verify may find at a ref."""

    CHANGED = "changed"
    MISSING = "missing"
    INSERTED = "inserted"
    BLOCK_ALTERED = "block_altered"
    CHAIN_BROKEN = "chain_broken"


@dataclass(frozen=True, order=True)
class Found:
    """One thing that is not as it was sealed."""

    stream: str
    ref: str
    finding: Finding


@dataclass(frozen=True)
class SealState:
    """How many rows of a stream are in blocks, how many wait, and what is wrong."""

    stream: str
    sealed: int
    unsealed: int
    found: tuple[Found, ...]


_streams: dict[str, Stream] = {}


def register_stream(stream: Stream) -> Stream:
    """Register a stream; called once by the room that owns the rows."""
    _streams[stream.name] = stream
    return stream


def streams() -> list[Stream]:
    """Return the registered streams by name."""
    return [_streams[name] for name in sorted(_streams)]


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the Merkle tree hash of RFC 6962, section 2.1, over already hashed leaves."""
    if not leaves:
        return EMPTY_ROOT
    level = [hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        paired = [hashlib.sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)]
        level = paired + level[len(level) - len(level) % 2 :]
    return level[0]


def chained_root(leaves: Sequence[bytes], previous_root: bytes) -> bytes:
    """Return a block's root: the Merkle root bound to the block before."""
    return hashlib.sha256(b"\x02" + previous_root + merkle_root(leaves)).digest()


async def seal(session: AsyncSession, *listed: Stream, now: datetime) -> Counter[str]:
    """Seal what has committed since the last blocks; return how many rows by stream. One sealer at a time, by lock."""
    sealed: Counter[str] = Counter()
    await lock_key(session, "seal")
    for _block in range(MAX_BLOCKS_A_RUN):
        found = await _seal_blocks(session, listed, now=now)
        sealed += found
        if max(found.values(), default=0) < BLOCK_SIZE:
            break
    return sealed


async def _seal_blocks(session: AsyncSession, listed: Sequence[Stream], *, now: datetime) -> Counter[str]:
    """Write the next block of each stream that has rows for one."""
    found = await _rows(session, listed, size=BLOCK_SIZE)
    if not found:
        return Counter()
    lasts = {row.stream: row for row in await session.execute(_LAST_BLOCKS, {"streams": list(found)})}
    for stream, rows in found.items():
        last = lasts.get(stream)
        leaves = [row.leaf for row in rows]
        previous_root = last.root if last else EMPTY_ROOT
        session.add(
            SealedBlock(
                stream=stream,
                seq=last.seq + 1 if last else 1,
                refs=[row.ref for row in rows],
                leaves=leaves,
                root=chained_root(leaves, previous_root),
                previous_root=previous_root,
                last_xid=rows[-1].xid,
                sealed_at=now,
            )
        )
    await session.flush()
    return Counter({stream: len(rows) for stream, rows in found.items()})


async def _rows(session: AsyncSession, listed: Sequence[Stream], *, size: int) -> dict[str, list[NewRow]]:
    """Return the rows after each stream's last block, at most `size` of a stream, in sealing order."""
    rows = (await session.execute(_rows_after(tuple(listed)), {"size": size})).all()
    found: dict[str, list[NewRow]] = {}
    # A union promises no order; Python orders texts by code point, as "C" does.
    for row in sorted(rows, key=lambda one: (one.xid, one.ref)):
        found.setdefault(row.stream, []).append(row)
    return found


@cache
def _rows_after(listed: tuple[Stream, ...]) -> TextClause:
    """Return one statement over all the streams: a look at many that are quiet is one round trip."""
    return text(" UNION ALL ".join(f"({_rows_of(stream)})" for stream in listed))


def _rows_of(stream: Stream) -> str:
    after_xid, after_ref = "coalesce((SELECT xid FROM last), '0'::xid8)", "coalesce((SELECT ref FROM last), '')"
    return (
        "WITH last AS MATERIALIZED (SELECT last_xid::text::xid8 AS xid, refs[cardinality(refs)] AS ref"  # noqa: S608 - names are constants of their rooms
        f" FROM foundation.sealed_block WHERE stream = '{stream.name}' ORDER BY seq DESC LIMIT 1)"
        f" SELECT '{stream.name}' AS stream, v.ref, v.xid::text::bigint AS xid, v.leaf FROM {stream.view} AS v"
        f" WHERE v.xid >= {after_xid} AND v.xid < pg_snapshot_xmin(pg_current_snapshot())"
        f'   AND (v.xid > {after_xid} OR v.ref COLLATE "C" > {after_ref})'
        ' ORDER BY v.xid, v.ref COLLATE "C" LIMIT :size'
    )


async def verify(session: AsyncSession, stream: Stream) -> SealState:
    """Recompute every leaf and every block of a stream; name each row that is not as it was sealed."""
    found: list[Found] = []
    sealed: dict[str, bytes] = {}
    previous_root = EMPTY_ROOT
    blocks = await session.stream_scalars(
        select(SealedBlock).where(col(SealedBlock.stream) == stream.name).order_by(col(SealedBlock.seq))
    )
    expected_seq = 1
    last_xid = 0
    async for block in blocks:
        place = f"block:{block.seq}"
        if block.seq != expected_seq or block.previous_root != previous_root:
            found.append(Found(stream.name, place, Finding.CHAIN_BROKEN))
        if block.root != chained_root(block.leaves, block.previous_root):
            found.append(Found(stream.name, place, Finding.BLOCK_ALTERED))
        sealed.update(zip(block.refs, block.leaves, strict=True))
        previous_root, expected_seq, last_xid = block.root, block.seq + 1, block.last_xid
        session.expunge(block)
    count = len(sealed)
    unsealed = 0
    rows = await session.stream(text(f"SELECT ref, xid::text::bigint AS xid, leaf FROM {stream.view}"))  # noqa: S608
    async for ref, xid, leaf in rows:
        expected = sealed.pop(ref, None)
        if expected is None and xid < last_xid:
            found.append(Found(stream.name, ref, Finding.INSERTED))
        elif expected is None:
            unsealed += 1
        elif expected != leaf:
            found.append(Found(stream.name, ref, Finding.CHANGED))
    found.extend(Found(stream.name, ref, Finding.MISSING) for ref in sealed)
    return SealState(stream.name, count, unsealed, tuple(sorted(found)))
