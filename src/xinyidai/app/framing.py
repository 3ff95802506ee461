"""What every page's frame shows of a request: who is signed in, the desk's places, the clock."""

from dataclasses import dataclass
from datetime import datetime

from litestar import Request
from litestar.datastructures import State

from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.desks.navigation import NavItem, home_of, navigation_of
from xinyidai.foundation.city_clock import SPEED_ONE, CityClock
from xinyidai.foundation.clock import BusinessClock
from xinyidai.parties.routes.session_ids import PARTY_NAME

AnyRequest = Request[object, object, State]


@dataclass(frozen=True)
class ClockState:
    """What the city last said of its clock; `times` is its speed against SPEED_ONE."""

    is_away: bool
    is_paused: bool
    waits_for: str | None
    times: int


@dataclass(frozen=True)
class Frame:
    """The frame of one page."""

    is_signed_in: bool
    kind: OrganisationKind | None
    organisation_name: str
    roles: frozenset[Role]
    navigation: tuple[NavItem, ...]
    home: str
    is_sandbox: bool
    has_clock_controls: bool
    now: datetime
    clock: ClockState | None


def frame_of(request: AnyRequest) -> Frame:
    """Return the frame of a request, also of one that failed before it was known who asks."""
    viewer = request.scope.get("user")
    is_viewer = isinstance(viewer, Viewer)
    kept = request.scope.get("session")
    state = request.app.state
    return Frame(
        is_signed_in=is_viewer,
        kind=viewer.organisation_kind if is_viewer else None,
        organisation_name=str(kept.get(PARTY_NAME, "")) if isinstance(kept, dict) else "",
        roles=viewer.roles if is_viewer else frozenset(),
        navigation=navigation_of(viewer.organisation_kind, in_sandbox=state.settings.sandbox) if is_viewer else (),
        home=home_of(viewer.organisation_kind) if is_viewer else "/",
        is_sandbox=state.settings.sandbox,
        has_clock_controls=state.settings.sandbox and state.settings.city_control() is not None,
        now=state.clock.now(),
        clock=_clock_state(state.clock),
    )


def _clock_state(clock: BusinessClock) -> ClockState | None:
    """Return the city's clock as it was last heard; None for any other clock."""
    if not isinstance(clock, CityClock) or clock.line is None:
        return None
    line = clock.line
    return ClockState(clock.is_away, line.is_paused, line.waits_for, round(line.rate / SPEED_ONE))
