"""How many requests an account, or a visitor's address, may send within a minute."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from litestar import Request
from litestar.datastructures import MutableScopeHeaders, State
from litestar.enums import ScopeType
from litestar.exceptions import TooManyRequestsException
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from xinyidai.foundation.clock import wall_now

WINDOW: Final = timedelta(minutes=1)
MAX_COUNTED: Final = 50_000
"""Accounts and addresses counted at once. The one that began longest ago is forgotten first, so that an attacker with
many addresses fills no memory."""

NameOf = Callable[[Request[object, object, State]], str]


@dataclass
class Allowances:
    """Requests by account within a minute that begins with the first, in this process's memory.

    Each web process counts for itself. A count shared by all would put two round trips and a lock around every request;
    the allowance keeps one client from crowding out others, which needs no exact number.
    """

    per_minute: int
    _counts: dict[str, tuple[int, datetime]] = field(default_factory=dict)

    def take(self, name: str, *, at: datetime) -> tuple[int, int]:
        """Count one request; return what is left, negative where it was one too many, and the seconds to the reset."""
        count, ends_at = self._counts.get(name, (0, at))
        if at >= ends_at:
            self._counts.pop(name, None)
            count, ends_at = 0, at + WINDOW
            if len(self._counts) >= MAX_COUNTED:
                del self._counts[next(iter(self._counts))]
        self._counts[name] = (count + 1, ends_at)
        return self.per_minute - count - 1, -(-(ends_at - at) // timedelta(seconds=1))


class RequestAllowance(ASGIMiddleware):
    """Refuse what goes beyond the allowance, and tell each client what is left of its own."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, *, name_of: NameOf, exclude: tuple[str, ...]) -> None:
        self.name_of = name_of
        self.should_bypass_for_scope = lambda scope: scope["path"].startswith(exclude)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Count the request, then go on."""
        request: Request[object, object, State] = Request(scope)
        allowances: Allowances = request.app.state.allowances
        left, seconds = allowances.take(self.name_of(request), at=wall_now())
        headers = {
            "RateLimit-Policy": f"{allowances.per_minute}; w={WINDOW // timedelta(seconds=1)}",
            "RateLimit-Limit": str(allowances.per_minute),
            "RateLimit-Remaining": str(max(0, left)),
            "RateLimit-Reset": str(seconds),
        }
        if left < 0:
            raise TooManyRequestsException(headers=headers)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = MutableScopeHeaders(message)
                for name, value in headers.items():
                    told[name] = value
            await send(message)

        await next_app(scope, receive, send_with_headers)
