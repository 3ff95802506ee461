"""The doors of parties: signing in, registering, the people of an organisation, and the reference tables."""

from litestar import Router

from xinyidai.parties.routes import people, reference, registering, signing_in

router = Router(
    path="/",
    route_handlers=[*signing_in.ROUTES, *registering.ROUTES, *people.ROUTES, *reference.ROUTES],
    tags=["parties"],
)
