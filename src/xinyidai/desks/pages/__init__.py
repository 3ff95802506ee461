"""The pages of the start and of every desk that joins rooms."""

from litestar import Router

from xinyidai.desks.pages import firm_home, start

router = Router(path="/", route_handlers=[*start.ROUTES, *firm_home.ROUTES], include_in_schema=False)
sandbox_router = Router(path="/", route_handlers=[*start.SANDBOX_ROUTES], include_in_schema=False)
