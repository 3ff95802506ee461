"""Keyset paging: a page of at most 200 rows and an opaque cursor to the next."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from xinyidai.foundation.errors import Refusal

MAX_PAGE = 200
NEWEST = UUID(int=2**128 - 1)
"""No id comes after it: where a page that shows the newest first begins."""

Row = TypeVar("Row")


class CursorRefused(Refusal):
    """The cursor was not made by this platform."""

    code = "cursor_refused"
    status = 422
    title_zh = "分页游标无效"
    title_en = "The page cursor is not valid"


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Rows in id order and the cursor of the next page, None on the last."""

    rows: tuple[Row, ...]
    next_cursor: str | None


def page_of(found: Sequence[Row], *, limit: int, id_of: Callable[[Row], UUID]) -> Page[Row]:
    """Make a page from up to ``limit + 1`` found rows: the extra row only says that there is more."""
    rows = tuple(found[:limit])
    more = len(found) > limit
    return Page(rows, _cursor(id_of(rows[-1])) if more else None)


def limit_of(asked: int) -> int:
    """Return the page size asked for, held between 1 and MAX_PAGE."""
    return max(1, min(asked, MAX_PAGE))


def after_id(cursor: str | None) -> UUID:
    """Return the id after which the page starts; the smallest UUID for the first page."""
    if cursor is None:
        return UUID(int=0)
    try:
        return UUID(bytes=base64.urlsafe_b64decode(cursor.encode("ascii")))
    except (ValueError, binascii.Error, UnicodeEncodeError) as error:
        raise CursorRefused from error


def before_id(cursor: str | None) -> UUID:
    """Return the id before which the page starts, newest first; NEWEST for the first page."""
    return NEWEST if cursor is None else after_id(cursor)


def _cursor(last: UUID) -> str:
    return base64.urlsafe_b64encode(last.bytes).decode("ascii")
