"""The city's application."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from litestar import Litestar
from litestar.datastructures import State

from city.clock import Mode
from city.living.city import City
from city.living.flowing import start_flowing
from city.providers.clockwork import act, read_keys, show_clock, show_health, tell_clock
from city.providers.history import list_outcomes
from city.providers.page import show_consent_page, take_answer
from city.providers.quotas import Quotas
from city.providers.registry import list_firms, list_institutions
from city.providers.tax import authorize_by_secret, exchange_code, list_invoices, revoke

MOST_BODY_BYTES = 64 * 1024


def create_app(city: City, *, control_token: str, quotas: Quotas | None = None) -> Litestar:
    """Return the application over a city; while it runs, everybody in the city lives."""
    return Litestar(
        route_handlers=[
            show_health,
            show_clock,
            tell_clock,
            act,
            read_keys,
            list_firms,
            list_institutions,
            list_outcomes,
            authorize_by_secret,
            exchange_code,
            revoke,
            list_invoices,
            show_consent_page,
            take_answer,
        ],
        state=State({"city": city, "control_token": control_token, "quotas": quotas or Quotas(), "skipping": None}),
        lifespan=[_living(city)],
        request_max_body_size=MOST_BODY_BYTES,
        openapi_config=None,
        logging_config=None,
    )


def _living(city: City) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def live(app: Litestar) -> AsyncGenerator[None]:
        await city.settle()
        tasks = start_flowing(city) if city.city_file.mode is Mode.LIVE else []
        app.state.tasks = tasks
        try:
            yield
        finally:
            skipping = app.state.skipping
            for task in [*tasks, *([skipping] if skipping is not None else [])]:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await city.close()

    return live
