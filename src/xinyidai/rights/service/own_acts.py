"""What a firm did here and what was answered: its part of the archive beside facts and decisions about it.

Read by the queries through which the firm sees the same on its own pages, so nothing of anybody else can get in.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.consents.rules import Permission
from xinyidai.demands import queries as demands
from xinyidai.documents import queries as documents
from xinyidai.foundation.canonical import Json
from xinyidai.foundation.paging import MAX_PAGE, Page
from xinyidai.loans import queries as loans
from xinyidai.matching import queries as matching
from xinyidai.objections import queries as objections
from xinyidai.objections import service as cases
from xinyidai.objections.rules import Told
from xinyidai.rights.rules import told
from xinyidai.sources.queries.derived import derived_values

MAX_PAGES = 500
T = TypeVar("T")


async def own_acts(session: AsyncSession, viewer: Viewer, permission: Permission, *, now: datetime) -> dict[str, Json]:
    """Return demands with their offers, loans with their instalments, objections and repairs with what was said,
    documents handed in without their bytes, and what providers stated of the firm. The session acts as the firm.
    """
    asked = await every_page(lambda cursor: demands.demands_of(session, viewer, cursor=cursor, limit=MAX_PAGE))
    lent = await every_page(lambda cursor: loans.loans(session, viewer, state=None, cursor=cursor, limit=MAX_PAGE))
    handed_in = await every_page(lambda cursor: documents.documents(session, viewer, cursor=cursor, limit=MAX_PAGE))
    stated = await derived_values(session, permission, permission.item_codes, before=now, known_at=now)
    return {
        "demands": [
            {"demand": told(one), "offers": told(await matching.offers_for(session, viewer, one.id))} for one in asked
        ],
        "loans": [{"loan": told(one), "instalments": told(await loans.instalments(session, one.id))} for one in lent],
        "objections": await _objections(session, viewer, now=now),
        "repairs": await _repairs(session, viewer, now=now),
        "documents": told(handed_in),
        "derived_values": told(stated),
    }


async def every_page(read: Callable[[str | None], Awaitable[Page[T]]]) -> list[T]:
    """Return the rows of all pages, at most MAX_PAGES."""
    found: list[T] = []
    cursor: str | None = None
    for _page in range(MAX_PAGES):
        page = await read(cursor)
        found += page.rows
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


async def _objections(session: AsyncSession, viewer: Viewer, *, now: datetime) -> Json:
    filed = await every_page(lambda cursor: objections.objections(session, viewer, cursor=cursor, limit=MAX_PAGE))
    read = [await cases.read_objection(session, viewer, one.id, now=now) for one in filed]
    return [{"objection": told(view), **_said(said)} for view, said in read]


async def _repairs(session: AsyncSession, viewer: Viewer, *, now: datetime) -> Json:
    filed = await every_page(lambda cursor: objections.repairs(session, viewer, cursor=cursor, limit=MAX_PAGE))
    read = [await cases.read_repair(session, viewer, one.id, now=now) for one in filed]
    return [{"repair": told(view), **_said(said)} for view, said in read]


def _said(said: Told | None) -> dict[str, Json]:
    return {"text": None if said is None else said.text, "fact": None if said is None else told(said.fact)}
