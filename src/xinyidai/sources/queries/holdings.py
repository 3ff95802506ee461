"""One number over all that is held from sources: two runs that end with the same facts end with the same number."""

import hashlib
from collections import defaultdict
from collections.abc import Collection
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.foundation.database import driver
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PartyId
from xinyidai.sources.rules import ITEM
from xinyidai.sources.rules.holdings import PULLED_ITEMS, columns_of, lines_of
from xinyidai.sources.rules.records.kinds import KINDS

FIRMS_AT_ONCE: Final = 200


async def digest_of_holdings(session: AsyncSession, item_codes: Collection[str] = PULLED_ITEMS) -> str:
    """Return the SHA-256 over the current facts of items, by item, firm, interval and value, in hexadecimal.

    Reads the facts of every firm and gives none of them away: needs the auditor's role, which the platform itself has
    not. Ids, numbers of deliveries, and when anything was recorded or superseded have no part in it.
    """
    digest = hashlib.sha256()
    for code in sorted(item_codes):
        for line in await _lines(session, code):
            digest.update(line.encode() + b"\n")
    return digest.hexdigest()


async def _lines(session: AsyncSession, code: str) -> list[str]:
    connection = await driver(session)
    table = "invoice_fact" if code == ITEM else KINDS[code].table
    of_whom = await connection.fetch(
        f"SELECT DISTINCT firm_id FROM sources.{table} WHERE superseded_at IS NULL"  # noqa: S608 - names of kinds
    )
    read = (
        f"SELECT firm_id, {', '.join(columns_of(code))} FROM sources.{table}"  # noqa: S608 - names of kinds
        " WHERE firm_id = ANY ($1) AND superseded_at IS NULL"
    )
    lines: list[str] = []
    for first in range(0, len(of_whom), FIRMS_AT_ONCE):
        firm_ids = [row["firm_id"] for row in of_whom[first : first + FIRMS_AT_ONCE]]
        named = await parties.parties_by_id(session, firm_ids)
        facts: dict[UUID, list[tuple[object, ...]]] = defaultdict(list)
        for firm_id, *said in await connection.fetch(read, firm_ids):
            facts[firm_id].append(tuple(said))
        for firm_id, rows in facts.items():
            lines += lines_of(code, named[PartyId(firm_id)].credit_code or "", rows)
    return sorted(lines)
