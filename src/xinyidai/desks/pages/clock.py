"""The clock bar of a sandbox: what time the city has, and buttons that pass on to it."""

from enum import StrEnum
from typing import Final

from litestar import Request, Response, get, post
from litestar.datastructures import State

from xinyidai.foundation.city_clock import SPEED_ONE, CityClock, ClockAct, ClockDoesNotObey
from xinyidai.foundation.errors import ValueRefused
from xinyidai.foundation.pages.forms import Form
from xinyidai.foundation.pages.rendering import own_path, page, see

AnyRequest = Request[object, object, State]

ANYBODY: Final = {"public": True}
WORDS: Final = (ClockAct.RUN, ClockAct.PAUSE, ClockAct.SPEED, ClockAct.SKIP_MONTH)
"""What the bar may ask for; setting a day is the driver's alone."""


class Speed(StrEnum):
    """How many times faster than a business day a minute."""

    X1 = "1"
    X10 = "10"

    @property
    def rate(self) -> float:
        """Return the business seconds a wall second."""
        return int(self.value) * SPEED_ONE


@get("/live/clock", opt=ANYBODY)
async def clock_now(request: AnyRequest) -> Response[bytes]:
    """Return the time as it stands: the bar asks every few seconds."""
    return page(request, "start/clock.html")


@post("/sandbox/clock", opt=ANYBODY, status_code=200)
async def tell_clock(request: AnyRequest) -> Response[bytes]:
    """Pass a button on to the city, and go back to where it was pressed.

    Raises
    ------
    ValueRefused
        A word or a speed that the bar does not have.
    ClockDoesNotObey
        There is no city, it is away, or it refused.
    """
    form = await Form.read(request)
    word, speed = form.first("word"), form.first("rate")
    if word not in set(WORDS):
        raise ValueRefused(field="word", why=", ".join(WORDS))
    act = ClockAct(word)
    if act is ClockAct.SPEED and speed not in set(Speed):
        raise ValueRefused(field="rate", why=", ".join(Speed))
    control = request.app.state.settings.city_control()
    if control is None:
        raise ClockDoesNotObey(why="CITY_URL")
    line = await control.tell(act, rate=Speed(speed).rate if act is ClockAct.SPEED else None)
    clock = request.app.state.clock
    if isinstance(clock, CityClock):
        clock.follow(line)
    return see(own_path(form.first("back", "/")))


ROUTES = (clock_now, tell_clock)
