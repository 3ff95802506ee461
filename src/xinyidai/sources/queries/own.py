"""All the facts of one firm, for the firm itself: every version of each, with where it came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.consents import queries as consents
from xinyidai.consents.rules import Permission
from xinyidai.foundation.database import driver
from xinyidai.foundation.errors import NotFound
from xinyidai.sources.rules import ITEM
from xinyidai.sources.rules.records.kinds import KINDS

_INVOICE = (
    *("issued_on", "direction", "invoice_no", "counterparty", "net_fen", "tax_fen", "gross_fen", "is_void"),
    "flags",
)
_EVERY = ("delivery_no", "line_no", "recorded_at", "superseded_at")
CODES = (ITEM, *KINDS)


@dataclass(frozen=True)
class OwnFacts:
    """Facts of an item in the order they came: column names and rows; `is_cut` where there are more."""

    item_code: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    is_cut: bool


async def own_facts(session: AsyncSession, permission: Permission, firm_id: UUID, code: str, *, most: int) -> OwnFacts:
    """Return the facts of an item of the firm that reads its own; superseded ones too. The caller writes the audit row.

    Raises
    ------
    NotFound
        The permission is not the firm's own.
    """
    if permission.receiver_id != firm_id or permission.subject_ids != {firm_id}:
        raise NotFound
    await consents.present(session, permission)
    named = _INVOICE if code == ITEM else tuple(column.name for column in KINDS[code].columns)
    table = "invoice_fact" if code == ITEM else KINDS[code].table
    rows = await (await driver(session)).fetch(
        f"SELECT {', '.join((*_EVERY, *named))} FROM sources.{table}"  # noqa: S608 - names of kinds
        " WHERE firm_id = $1 ORDER BY delivery_no, line_no LIMIT $2",
        firm_id,
        most + 1,
    )
    return OwnFacts(code, (*_EVERY, *named), [tuple(row) for row in rows[:most]], len(rows) > most)
