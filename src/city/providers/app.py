"""The city's application."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial

from litestar import Litestar
from litestar.datastructures import State

from city.clock import Mode
from city.living.city import City
from city.living.flowing import start_flowing
from city.providers.answers import Refused, refuse
from city.providers.benefit_files import Composer
from city.providers.benefits import put_list, show_file, show_key, show_list, show_manifest, show_signature
from city.providers.callbacks import Caller
from city.providers.clockwork import act, read_keys, show_clock, show_health, tell_clock
from city.providers.consent_page import show_consent_page, take_answer
from city.providers.control import ask_for_fault, list_faults
from city.providers.courts import ask_courts, go_on_calling, show_job, stop_calling
from city.providers.customs import show_freight, show_trade
from city.providers.faults import HANG_SECONDS, Faults, Mangling
from city.providers.history import list_outcomes
from city.providers.permitting import authorize_by_secret, withdraw
from city.providers.quotas import Quotas
from city.providers.records import list_records
from city.providers.registry import list_firms, list_institutions
from city.providers.tax import (
    exchange_code,
    list_arrears,
    list_filings,
    list_grades,
    list_invoices,
    revoke,
)
from city.providers.utilities import list_readings
from city.wire import Wire

MOST_BODY_BYTES = 64 * 1024


def create_app(
    city: City,
    *,
    control_token: str,
    quotas: Quotas | None = None,
    wire: Wire | None = None,
    hang_seconds: float = HANG_SECONDS,
) -> Litestar:
    """Return the application over a city; while it runs, everybody in the city lives.

    `wire` is in place of HTTP connections for what the courts call back; a time-out that is played lasts
    `hang_seconds`.
    """
    state = {
        "city": city,
        "control_token": control_token,
        "quotas": quotas or Quotas(),
        "faults": Faults(),
        "caller": Caller(city, wire=wire),
        "calling": None,
        "composer": Composer(city),
        "skipping": None,
    }
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
            list_records,
            show_consent_page,
            take_answer,
            authorize_by_secret,
            withdraw,
            exchange_code,
            revoke,
            list_invoices,
            list_filings,
            list_grades,
            list_arrears,
            list_readings,
            put_list,
            show_list,
            show_key,
            show_manifest,
            show_signature,
            show_file,
            ask_courts,
            show_job,
            show_trade,
            show_freight,
            ask_for_fault,
            list_faults,
        ],
        state=State(state),
        exception_handlers={Refused: refuse},
        middleware=[partial(Mangling, hang_seconds=hang_seconds)],
        lifespan=[_living(city)],
        request_max_body_size=MOST_BODY_BYTES,
        openapi_config=None,
        logging_config=None,
    )


def _living(city: City) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def live(app: Litestar) -> AsyncGenerator[None]:
        await city.settle()
        go_on_calling(app)
        tasks = start_flowing(city) if city.city_file.mode is Mode.LIVE else []
        app.state.tasks = tasks
        try:
            yield
        finally:
            await stop_calling(app)
            skipping = app.state.skipping
            for task in [*tasks, *([skipping] if skipping is not None else [])]:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await city.close()

    return live
