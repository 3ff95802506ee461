"""The public registers: changes, permits, penalties, rights and lists. Open to everybody, within a quota."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from litestar import Response, get
from litestar.params import FromPath, FromQuery

from city.providers.answers import AnyRequest, Json, Refused, city_of
from city.providers.writing import written
from city.world.calendar import day_of
from city.world.population import Firm
from city.world.records import (
    honour_lists,
    intellectual_property,
    penalties,
    permits,
    registration_changes,
)

PUBLIC = "public"
REGISTERS: Mapping[str, Callable[[int, Firm, date], Sequence[object]]] = {
    "registration_change": registration_changes,
    "permit": permits,
    "penalty": penalties,
    "intellectual_property": intellectual_property,
    "honour_list": honour_lists,
}


@get("/registry/records/{item:str}", sync_to_thread=False)
def list_records(request: AnyRequest, item: FromPath[str], credit_code: FromQuery[str] = "") -> Response[Json]:
    """List what a public register holds of a firm today: these items are open, so nobody is asked."""
    city = city_of(request)
    allowance = request.app.state.quotas.take(PUBLIC, city.ground.wall())
    if allowance.is_over:
        raise Refused(429, "too_many_requests", headers=allowance.headers())
    firm, read = city.registry.get(credit_code), REGISTERS.get(item)
    if firm is None or read is None:
        raise Refused(404, "unknown_register" if read is None else "unknown_firm", headers=allowance.headers())
    rows = [written(row) for row in read(city.city_file.seed, firm, day_of(city.clock.now()))]
    city.store.log_reading(city.clock.now(), PUBLIC, credit_code, item)
    return Response({"credit_code": credit_code, "item": item, "rows": rows}, headers=allowance.headers())
