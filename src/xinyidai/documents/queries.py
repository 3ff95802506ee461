"""Reads of documents without their bytes."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from xinyidai.access.rules import Viewer
from xinyidai.documents import keys
from xinyidai.documents.models import OpenedTo
from xinyidai.documents.rules import DocumentAltered, DocumentId, DocumentType, DocumentView
from xinyidai.foundation.cipher import CiphertextAltered
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.paging import Page, before_id, limit_of, page_of

_DOCUMENTS = SQLModel.metadata.tables["documents.document"]
# Without the bytes: a list of them would fetch megabytes to show names.
_BUT_CONTENT = select(*[column for column in _DOCUMENTS.c if column.name != "content_sealed"])


async def documents(
    session: AsyncSession, viewer: Viewer, *, cursor: str | None = None, limit: int = 50
) -> Page[DocumentView]:
    """Return the documents of the viewer's organisation, newest first, destroyed ones as what is left of them."""
    size = limit_of(limit)
    statement = (
        _BUT_CONTENT.where(_DOCUMENTS.c.owner_id == viewer.organisation_id, _DOCUMENTS.c.id < before_id(cursor))
        .order_by(_DOCUMENTS.c.id.desc())
        .limit(size + 1)
    )
    rows = (await session.execute(statement)).all()
    return page_of([view_of(row) for row in rows], limit=size, id_of=lambda view: view.id)


async def document(session: AsyncSession, viewer: Viewer, document_id: UUID) -> DocumentView:
    """Return a document to its owner, and to whom it is open; to anybody else it is not there (`NotFound`)."""
    row = (await session.execute(seen_by(viewer, _BUT_CONTENT, [document_id]))).one_or_none()
    if row is None:
        raise NotFound
    return view_of(row)


async def documents_by_id(session: AsyncSession, viewer: Viewer, document_ids: Sequence[UUID]) -> list[DocumentView]:
    """Return those of the documents that the viewer may see, in the order asked for."""
    rows = (await session.execute(seen_by(viewer, _BUT_CONTENT, document_ids))).all()
    found = {row.id: view_of(row) for row in rows}
    return [found[one] for one in document_ids if one in found]


def seen_by(
    viewer: Viewer, statement: Select[*tuple[object, ...]], document_ids: Sequence[UUID]
) -> Select[*tuple[object, ...]]:
    """Narrow a statement to documents that the viewer owns or that are open to it now."""
    open_to: ColumnElement[bool] = (
        select(col(OpenedTo.document_id))
        .where(
            col(OpenedTo.document_id) == _DOCUMENTS.c.id,
            col(OpenedTo.organisation_id) == viewer.organisation_id,
            col(OpenedTo.closed_at).is_(None),
        )
        .exists()
    )
    is_theirs = or_(_DOCUMENTS.c.owner_id == viewer.organisation_id, open_to)
    return statement.where(_DOCUMENTS.c.id.in_(document_ids), is_theirs)


def view_of(row: Row[*tuple[object, ...]]) -> DocumentView:
    """Return a document's row as a value, its name opened.

    Raises
    ------
    DocumentAltered
        The name does not open: neither it nor the bytes can be trusted.
    """
    try:
        name = keys.open_name(row.id, row.wrapped_key, row.name_sealed) if row.destroyed_at is None else None
    except CiphertextAltered as error:
        raise DocumentAltered from error
    return DocumentView(
        id=DocumentId(row.id),
        owner_id=row.owner_id,
        kind=DocumentType(row.kind),
        name=name,
        byte_count=row.byte_count,
        digest=row.digest,
        handed_in_at=row.handed_in_at,
        destroyed_at=row.destroyed_at,
    )
