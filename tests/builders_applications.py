"""The whole application for a test, lent: building it takes a second of CPU, being lent to another test nothing."""

from collections import defaultdict
from collections.abc import Hashable

from litestar import Litestar

from xinyidai.app import create_app
from xinyidai.app.allowances import Allowances
from xinyidai.foundation.clock import BusinessClock, WallClock
from xinyidai.foundation.database import Sessions
from xinyidai.foundation.settings import Settings

_at_rest: dict[Hashable, list[Litestar]] = defaultdict(list)
_lent: list[tuple[Hashable, Litestar]] = []


def an_application(settings: Settings, sessions: Sessions, *, clock: BusinessClock | None = None) -> Litestar:
    """Return the application over a database, until the test ends; two at once are two.

    Allowances begin anew. What counts made-up keys does not: a test of it builds its own application.
    """
    kind = (settings.sandbox, settings.failed_keys_per_minute)
    waiting = _at_rest[kind]
    app = waiting.pop() if waiting else create_app(settings, sessions)
    allowances = Allowances(settings.requests_per_minute)
    told = {"settings": settings, "sessions": sessions, "clock": clock or WallClock(), "allowances": allowances}
    app.state.update(told)
    _lent.append((kind, app))
    return app


def take_back(app: Litestar) -> None:
    """Keep what a test was lent and needs no more, so that it need not have another one."""
    found = next(one for one in _lent if one[1] is app)
    _lent.remove(found)
    _at_rest[found[0]].append(app)


def take_back_applications() -> None:
    """Keep what was lent for the next test."""
    for _kind, app in _lent:
        take_back(app)
