"""The pages of parties: signing in and out, choosing an organisation, and in a sandbox one click for a password."""

from litestar import Router

from xinyidai.parties.pages import sandbox, signing_in

router = Router(path="/", route_handlers=[*signing_in.ROUTES], include_in_schema=False)
sandbox_router = Router(path="/sandbox", route_handlers=[*sandbox.ROUTES], include_in_schema=False)
