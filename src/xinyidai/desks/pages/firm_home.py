"""The firm's home."""

from litestar import Request, Response, get
from litestar.datastructures import State

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind
from xinyidai.foundation.pages.rendering import page

AnyRequest = Request[object, object, State]


@get("/firm", guards=[requires(OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)])
async def home(request: AnyRequest) -> Response[bytes]:
    """Show the next step first."""
    return page(request, "desks/firm_home.html")


ROUTES = (home,)
