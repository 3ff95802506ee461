"""The pages of parties: signing in, proving it, one's account, the people of an organisation, joining, recovering."""

from litestar import Router

from xinyidai.parties.pages import account, joining, people, proving, sandbox, signing_in

router = Router(
    path="/",
    route_handlers=[*signing_in.ROUTES, *proving.ROUTES, *account.ROUTES, *people.ROUTES, *joining.ROUTES],
    include_in_schema=False,
)
sandbox_router = Router(path="/sandbox", route_handlers=[*sandbox.ROUTES], include_in_schema=False)
