"""The clock on HTTP, and the driver's way to let everybody act."""

import asyncio
from datetime import datetime

from litestar import Response, get, post
from litestar.params import JSONBody
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from city.clock import ClockRefused, Mode
from city.living.flowing import skip_month
from city.platform import PlatformAway
from city.providers.answers import AnyRequest, Json, city_of, controls, no


class ClockIn(BaseModel):
    """What the clock is told."""

    model_config = ConfigDict(extra="forbid")

    act: str = Field(pattern="^(pause|run|speed|skip_month|set)$")
    rate: float | None = None
    business_at: AwareDatetime | None = None


class ActIn(BaseModel):
    """At which business time everybody acts."""

    model_config = ConfigDict(extra="forbid")

    business_at: AwareDatetime


@get("/health", sync_to_thread=False)
def show_health(request: AnyRequest) -> Json:
    """Say that the city answers, and whether anybody lives in it."""
    city = city_of(request)
    return {"status": "ok", "is_settled": city.inhabitants is not None}


@get("/clock", sync_to_thread=False)
def show_clock(request: AnyRequest) -> Json:
    """Show the line of time."""
    return city_of(request).clock.shown()


@post("/clock", status_code=200)
async def tell_clock(request: AnyRequest, data: JSONBody[ClockIn]) -> Response[Json]:
    """Stop, start, speed up or move the time."""
    if not controls(request):
        return no(401, "control_token_wrong")
    city = city_of(request)
    try:
        _apply(request, data)
    except ClockRefused as refused:
        return no(409, "clock_refused", str(refused))
    return Response(city.clock.shown())


@post("/act", status_code=200)
async def act(request: AnyRequest, data: JSONBody[ActIn]) -> Response[Json]:
    """Let every actor act once; the answer counts what they did."""
    if not controls(request):
        return no(401, "control_token_wrong")
    city = city_of(request)
    if city.clock.line.mode is not Mode.LOCKSTEP:
        return no(409, "not_in_lockstep")
    if city.inhabitants is None:
        return no(409, "nobody_lives_here")
    try:
        _move_to(request, data.business_at)
        by_kind = await city.round(data.business_at)
    except ClockRefused as refused:
        return no(409, "clock_refused", str(refused))
    except PlatformAway:
        return no(503, "platform_away", headers={"Retry-After": "1"})
    return Response({"acts": sum(by_kind.values()), "by_kind": by_kind})


@post("/keys", status_code=200)
async def read_keys(request: AnyRequest) -> Response[Json]:
    """Read city.toml again and start living."""
    if not controls(request):
        return no(401, "control_token_wrong")
    city = city_of(request)
    try:
        is_settled = await city.settle()
    except ValueError as unreadable:
        return no(422, "city_file_unreadable", str(unreadable))
    return Response({"is_settled": is_settled, "actors": len(city.city_file.actors)})


def _apply(request: AnyRequest, data: ClockIn) -> None:
    clock = city_of(request).clock
    match data.act:
        case "pause":
            clock.pause()
        case "run":
            clock.run(data.rate)
        case "speed" if data.rate is not None:
            clock.speed(data.rate)
        case "set" if data.business_at is not None:
            if clock.line.mode is not Mode.LOCKSTEP:
                raise ClockRefused("time is set in lock-step only")
            clock.move_to(data.business_at)
        case "skip_month":
            _skip(request)
        case _:
            raise ClockRefused(f"{data.act} needs a rate or a business_at")


def _skip(request: AnyRequest) -> None:
    city, state = city_of(request), request.app.state
    if city.clock.line.mode is not Mode.LIVE:
        raise ClockRefused("months are skipped in live mode only")
    if state.skipping is not None and not state.skipping.done():
        raise ClockRefused("a month is being skipped")
    state.skipping = asyncio.create_task(skip_month(city))


def _move_to(request: AnyRequest, business_at: datetime) -> None:
    clock = city_of(request).clock
    if business_at != clock.now():
        clock.move_to(business_at)
