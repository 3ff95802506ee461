"""The doors of products: everybody signed in reads what is published; a lender proposes, publishes, closes."""

from datetime import datetime
from uuid import UUID

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.foundation.clock import business_date
from xinyidai.products import queries, service
from xinyidai.products.queries import Shown
from xinyidai.products.schemas import ProductIn, ProductOut, ProductPageOut

READS = "products:read"


@post(
    "/",
    operation_id="ProposeProduct",
    summary="Propose a product",
    description="Write down a product, or the next version of one by the same code. Its conditions are analysed:"
    " unknown fields, wrong types, contradictions and conditions that nobody can meet are refused by name. Nobody but"
    " the lender sees it until another person publishes it.",
    guards=[requires(OrganisationKind.LENDER, roles=(Role.OFFICER,), scope=service.WRITES)],
)
async def propose_product(
    data: JSONBody[ProductIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ProductOut:
    """Propose."""
    return ProductOut.of(await service.propose(session, viewer, data.terms(), valid_from=data.valid_from, now=now))


@post(
    "/{product_id:uuid}/publish",
    operation_id="PublishProduct",
    summary="Publish a product",
    description="A second person of the lender publishes a proposal. Its terms never change again; it opens on its day,"
    " today at the earliest, and earlier versions of its code end on that day.",
    guards=[requires(OrganisationKind.LENDER, roles=(Role.APPROVER,))],
    status_code=200,
)
async def publish_product(
    product_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ProductOut:
    """Publish."""
    return ProductOut.of(await service.publish_proposed(session, viewer, product_id, now=now))


@post(
    "/{product_id:uuid}/close",
    operation_id="CloseProduct",
    summary="Close a product",
    description="Take a product off the shelf from today on, or drop a proposal. What was lent under it stays.",
    guards=[requires(OrganisationKind.LENDER, roles=(Role.OFFICER, Role.APPROVER), scope=service.WRITES)],
    status_code=200,
)
async def close_product(
    product_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ProductOut:
    """Close."""
    return ProductOut.of(await service.close(session, viewer, product_id, now=now))


@get(
    "/",
    operation_id="ListProducts",
    summary="Products",
    description="The products open today, of all lenders or of one; `shown=mine` gives a lender its own in any state.",
    guards=[requires(scope=READS)],
)
async def list_products(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    shown: FromQuery[Shown] = Shown.OPEN,
    lender_id: FromQuery[UUID | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> ProductPageOut:
    """List."""
    page = await queries.product_page(
        session, viewer, shown=shown, lender_id=lender_id, on=business_date(now), cursor=cursor, limit=limit
    )
    return ProductPageOut.of(page)


@get(
    "/{product_id:uuid}",
    operation_id="ReadProduct",
    summary="One product",
    description="One version of a product with its conditions, also one that is no longer open.",
    guards=[requires(scope=READS)],
)
async def read_product(product_id: FromPath[UUID], session: NamedDependency[AsyncSession]) -> ProductOut:
    """Read."""
    return ProductOut.of(await queries.product(session, product_id))


router = Router(
    path="/products",
    route_handlers=[propose_product, publish_product, close_product, list_products, read_product],
    tags=["products"],
)
