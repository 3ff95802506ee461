"""What every page's frame shows of a request: who is signed in, the desk's places, the clock."""

from dataclasses import dataclass
from datetime import datetime

from litestar import Request
from litestar.datastructures import State

from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.desks.navigation import NavItem, home_of, navigation_of
from xinyidai.parties.routes.session_ids import PARTY_NAME

AnyRequest = Request[object, object, State]

CLOCK_DOOR = "/sandbox/clock"
"""The clock bar's buttons post here; they are shown once the application has such a route."""


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
        navigation=navigation_of(viewer.organisation_kind) if is_viewer else (),
        home=home_of(viewer.organisation_kind) if is_viewer else "/",
        is_sandbox=state.settings.sandbox,
        has_clock_controls=state.settings.sandbox and any(route.path == CLOCK_DOOR for route in request.app.routes),
        now=state.clock.now(),
    )
