"""The doors of documents: hand a file in, list, fetch and destroy one's own, fetch what was opened."""

from datetime import datetime
from typing import Annotated, Final
from urllib.parse import quote
from uuid import UUID

from litestar import Response, Router, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.params import Body, FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import Viewer
from xinyidai.documents import queries, service
from xinyidai.documents.rules import MAX_BYTES, MEDIA_TYPES, Content
from xinyidai.documents.schemas import DocumentIn, DocumentOut, DocumentPageOut

READS: Final = "documents:read"
FORM_BYTES: Final = MAX_BYTES + (1 << 16)
"""A file of the greatest size with the form around it."""

BY_OWNER = requires(*service.HAND_IN, roles=service.HANDS, scope=service.WRITES)
BY_OWNER_PERSON = requires(*service.HAND_IN, roles=service.HANDS)
BY_READER = requires(scope=READS)


@post(
    "/",
    operation_id="HandInDocument",
    summary="Hand in a document",
    description="PDF, JPEG, PNG, OFD, DOCX or XLSX, at most 10 MiB, told by its bytes; its name must agree. The same"
    " bytes again get the document that is there already.",
    guards=[BY_OWNER],
    request_max_body_size=FORM_BYTES,
)
async def hand_in(
    data: Annotated[DocumentIn, Body(media_type=RequestEncodingType.MULTI_PART)],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> DocumentOut:
    """Hand in."""
    content = await data.file.read()
    return DocumentOut.of(await service.hand_in(session, viewer, name=data.file.filename, content=content, now=now))


@get(
    "/",
    operation_id="ListDocuments",
    summary="My documents",
    description="The documents of one's own organisation, newest first; destroyed ones as what is left of them.",
    guards=[BY_READER],
)
async def list_documents(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> DocumentPageOut:
    """List."""
    return DocumentPageOut.of(await queries.documents(session, viewer, cursor=cursor, limit=limit))


@get(
    "/{document_id:uuid}",
    operation_id="ShowDocument",
    summary="One document",
    description="Kind, name, size and digest, to its owner and to whom it is open.",
    guards=[BY_READER],
)
async def show_document(
    document_id: FromPath[UUID], viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> DocumentOut:
    """Show."""
    return DocumentOut.of(await queries.document(session, viewer, document_id))


_FILE = OpenAPIResponse(
    description="The file, to be saved and never shown by the browser",
    content={
        media: OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY))
        for media in MEDIA_TYPES.values()
    },
)


@get(
    "/{document_id:uuid}/content",
    operation_id="FetchDocument",
    summary="The bytes of a document",
    description="Checked against the digest; each fetch leaves an audit row.",
    guards=[BY_READER],
)
async def fetch_document(
    document_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Fetch."""
    return as_download(await service.read(session, viewer, document_id, now=now))


@post(
    "/{document_id:uuid}/destroy",
    operation_id="DestroyDocument",
    summary="Destroy a document",
    description="Ends its key, name and bytes; its digest stays. Not while a case that is open rests on it.",
    guards=[BY_OWNER_PERSON],
    status_code=200,
)
async def destroy_document(
    document_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> DocumentOut:
    """Destroy."""
    return DocumentOut.of(await service.destroy(session, viewer, document_id, now=now))


def as_download(content: Content) -> Response[bytes]:
    """Return a document as a file to save: no browser is to guess what it is, and nothing in it may run."""
    view = content.view
    # RFC 6266: the plain name for old readers, the real one in UTF-8 percent-encoded.
    named = f"attachment; filename=\"document.{view.kind.value}\"; filename*=UTF-8''{quote(view.name or '', safe='')}"
    return Response(
        content.plain,
        media_type=MEDIA_TYPES[view.kind],
        headers={
            "Content-Disposition": named,
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
        },
    )


router = Router(
    path="/documents",
    route_handlers=[hand_in, list_documents, show_document, fetch_document, destroy_document],
    tags=["documents"],
)
