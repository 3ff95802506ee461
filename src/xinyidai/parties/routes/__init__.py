"""The doors of parties: signing in, one's own account, joining, registering, people, and the reference tables."""

from litestar import Router

from xinyidai.parties.routes import joining, myself, people, recovering, reference, registering, signing_in

router = Router(
    path="/",
    route_handlers=[
        *signing_in.ROUTES,
        *myself.ROUTES,
        *joining.ROUTES,
        *recovering.ROUTES,
        *registering.ROUTES,
        *people.ROUTES,
        *reference.ROUTES,
    ],
    tags=["parties"],
)
