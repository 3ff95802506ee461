"""Verbs of documents: hand in, read, open to others and close again, destroy."""

import asyncio
import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import SQLModel, col

from xinyidai.access.rules import (
    OrganisationKind,
    PrincipalKind,
    Role,
    Viewer,
    requires_a_person,
    requires_kind,
    requires_role,
    requires_scope,
)
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.documents import keys, queries
from xinyidai.documents.models import Document, OpenedTo
from xinyidai.documents.rules import (
    MAX_OPENED,
    Content,
    DocumentAltered,
    DocumentDestroyed,
    DocumentInUse,
    DocumentType,
    DocumentView,
    TooManyDocuments,
    check_name_agrees,
    check_size,
    clean_name,
)
from xinyidai.documents.rules.sniffing import type_of
from xinyidai.foundation.cipher import CiphertextAltered
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.ids import new_id

WRITES = "documents:write"
HAND_IN = (
    OrganisationKind.FIRM,
    OrganisationKind.SOLE_TRADER,
    OrganisationKind.LENDER,
    OrganisationKind.GUARANTOR,
    OrganisationKind.FUND,
    OrganisationKind.AGENCY,
    OrganisationKind.OPERATOR,
)
"""Who has evidence or contracts; a regulator only reads."""
HANDS = (Role.OWNER, Role.OFFICER)

_DOCUMENTS = SQLModel.metadata.tables["documents.document"]


async def hand_in(session: AsyncSession, viewer: Viewer, *, name: str, content: bytes, now: datetime) -> DocumentView:
    """Keep a file of the viewer's organisation; the same bytes again are the document that is there already.

    Raises
    ------
    NotAllowed
    DocumentEmpty, DocumentTooLarge, DocumentNameRefused, DocumentTypeRefused, DocumentBursts, DocumentNameDisagrees
        See each class; nothing is kept.
    """
    requires_kind(viewer, *HAND_IN)
    requires_scope(viewer, WRITES)
    if viewer.principal_kind is not PrincipalKind.CLIENT:
        requires_role(viewer, *HANDS)
    check_size(len(content))
    cleaned = clean_name(name)
    # Unpacking and digesting ten megabytes takes up to half a second: not on the loop that serves everybody.
    kind, digest = await asyncio.to_thread(_looked_at, content)
    check_name_agrees(cleaned, kind)
    row = await _keep(session, viewer, kind, digest, name=cleaned, content=content, now=now)
    view = await queries.document(session, viewer, row)
    await _write_down(session, viewer, "documents.handed_in", [view], now=now)
    return view


def _looked_at(content: bytes) -> tuple[DocumentType, bytes]:
    return type_of(content), hashlib.sha256(content).digest()


async def _keep(
    session: AsyncSession,
    viewer: Viewer,
    kind: DocumentType,
    digest: bytes,
    *,
    name: str,
    content: bytes,
    now: datetime,
) -> UUID:
    """Write the row unless the owner has these bytes, and return which row holds them; two at once end with one."""
    document_id = new_id()
    sealed = await asyncio.to_thread(keys.seal, document_id, digest, name=name, content=content)
    written = (
        postgresql.insert(Document)
        .values(
            id=document_id,
            owner_id=viewer.organisation_id,
            kind=kind.value,
            byte_count=len(content),
            digest=digest,
            wrapped_key=sealed.wrapped_key,
            name_sealed=sealed.name,
            content_sealed=sealed.content,
            handed_in_by=viewer.principal_id,
            handed_in_at=now,
        )
        .on_conflict_do_nothing(index_elements=["owner_id", "digest"], index_where=col(Document.destroyed_at).is_(None))
        .returning(col(Document.id))
    )
    if (await session.execute(written)).scalar_one_or_none() is not None:
        return document_id
    held = select(col(Document.id)).where(
        col(Document.owner_id) == viewer.organisation_id,
        col(Document.digest) == digest,
        col(Document.destroyed_at).is_(None),
    )
    return (await session.execute(held)).scalar_one()


async def read(session: AsyncSession, viewer: Viewer, document_id: UUID, *, now: datetime) -> Content:
    """Return a document with its bytes to its owner, or to whom it is open; each look leaves an audit row.

    Raises
    ------
    NotFound, DocumentDestroyed
    DocumentAltered
        What is stored does not open, or its digest is not the one that was written down.
    """
    row = (await session.execute(queries.seen_by(viewer, select(_DOCUMENTS), [document_id]))).one_or_none()
    if row is None:
        raise NotFound
    if row.destroyed_at is not None:
        raise DocumentDestroyed
    view = queries.view_of(row)
    try:
        plain = await asyncio.to_thread(keys.open_content, document_id, row.digest, row.wrapped_key, row.content_sealed)
    except CiphertextAltered as error:
        raise DocumentAltered from error
    if hashlib.sha256(plain).digest() != view.digest or len(plain) != view.byte_count:
        raise DocumentAltered
    await _write_down(session, viewer, "documents.read", [view], now=now)
    return Content(view, plain)


async def destroy(session: AsyncSession, viewer: Viewer, document_id: UUID, *, now: datetime) -> DocumentView:
    """End the key and the bytes of one's own document; its digest, size and kind stay. Locks the document.

    Raises
    ------
    NotAllowed, NotFound, DocumentDestroyed
    DocumentInUse
        It is open to somebody for a case that is not closed.
    """
    requires_a_person(viewer)
    requires_role(viewer, *HANDS)
    row = await _locked_own(session, viewer, [document_id])
    if row[0].destroyed_at is not None:
        raise DocumentDestroyed
    in_use = select(col(OpenedTo.document_id)).where(
        col(OpenedTo.document_id) == document_id, col(OpenedTo.closed_at).is_(None)
    )
    if (await session.execute(in_use)).first() is not None:
        raise DocumentInUse
    gone = row[0]
    gone.wrapped_key = gone.name_sealed = gone.content_sealed = None
    gone.destroyed_by, gone.destroyed_at = viewer.principal_id, now
    session.add(gone)
    await session.flush()
    view = await queries.document(session, viewer, document_id)
    await _write_down(session, viewer, "documents.destroyed", [view], now=now)
    return view


async def open_for_case(
    session: AsyncSession,
    viewer: Viewer,
    document_ids: Sequence[UUID],
    *,
    to: Collection[UUID],
    object_kind: str,
    object_id: UUID,
    now: datetime,
) -> None:
    """Let organisations see the viewer's own documents for a case of a higher room, until `close_case`.

    Locks the documents, so that none is destroyed meanwhile.

    Raises
    ------
    TooManyDocuments, DocumentDestroyed
    NotFound
        One of them is not there, or not the viewer's.
    """
    wanted = sorted(set(document_ids))
    if len(wanted) > MAX_OPENED:
        raise TooManyDocuments(most=MAX_OPENED)
    if not wanted:
        return
    rows = await _locked_own(session, viewer, wanted)
    if any(row.destroyed_at is not None for row in rows):
        raise DocumentDestroyed
    async with platform_scope(session):
        await open_further(
            session,
            {row.id: row.owner_id for row in rows},
            to=to,
            object_kind=object_kind,
            object_id=object_id,
            now=now,
        )


async def open_further(
    session: AsyncSession,
    owners: dict[UUID, UUID],
    *,
    to: Collection[UUID],
    object_kind: str,
    object_id: UUID,
    now: datetime,
) -> None:
    """Let more organisations see documents (id to owner) that a case rests on already. Needs platform scope."""
    rows = [
        {
            "document_id": document_id,
            "organisation_id": organisation_id,
            "object_kind": object_kind,
            "object_id": object_id,
            "owner_id": owner_id,
            "opened_at": now,
        }
        for document_id, owner_id in sorted(owners.items())
        for organisation_id in sorted(to)
        if organisation_id != owner_id
    ]
    if rows:
        await session.execute(postgresql.insert(OpenedTo).on_conflict_do_nothing(), rows)


async def close_case(session: AsyncSession, *, object_kind: str, object_id: UUID, now: datetime) -> None:
    """End what was opened for a case: its documents are their owner's alone again. Needs platform scope."""
    await session.execute(
        update(OpenedTo)
        .where(
            col(OpenedTo.object_kind) == object_kind,
            col(OpenedTo.object_id) == object_id,
            col(OpenedTo.closed_at).is_(None),
        )
        .values(closed_at=now)
    )


async def _locked_own(session: AsyncSession, viewer: Viewer, document_ids: Sequence[UUID]) -> list[Document]:
    """Lock the viewer's own documents, in the order of their ids; refuse when one is missing."""
    statement = (
        select(Document)
        .where(col(Document.id).in_(document_ids), col(Document.owner_id) == viewer.organisation_id)
        .order_by(col(Document.id))
        .with_for_update()
        .options(defer(Document.content_sealed))  # type: ignore[arg-type]
        .execution_options(populate_existing=True)
    )
    rows = list((await session.execute(statement)).scalars())
    if len(rows) != len(set(document_ids)):
        raise NotFound
    return rows


async def _write_down(
    session: AsyncSession, viewer: Viewer, action: str, views: Sequence[DocumentView], *, now: datetime
) -> None:
    for view in views:
        await audit.write_down(
            session,
            viewer,
            action=action,
            subject_ids=[view.owner_id],
            object_kind="document",
            object_id=str(view.id),
            now=now,
        )
