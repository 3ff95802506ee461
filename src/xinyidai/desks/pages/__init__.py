"""The pages of the start and of every desk that joins rooms."""

from litestar import Router

from xinyidai.desks.pages import (
    clock,
    firm_consents,
    firm_demands,
    firm_home,
    firm_indications,
    firm_loans,
    firm_offers,
    firm_profile,
    regulator_pages,
    start,
)

_FIRM = (
    *firm_home.ROUTES,
    *firm_consents.ROUTES,
    *firm_profile.ROUTES,
    *firm_demands.ROUTES,
    *firm_indications.ROUTES,
    *firm_offers.ROUTES,
    *firm_loans.ROUTES,
)

router = Router(path="/", route_handlers=[*start.ROUTES, *_FIRM, *regulator_pages.ROUTES], include_in_schema=False)
sandbox_router = Router(path="/", route_handlers=[*start.SANDBOX_ROUTES, *clock.ROUTES], include_in_schema=False)
