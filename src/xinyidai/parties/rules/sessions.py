"""Sessions of signed-in people: how far a sign-in has come, and what is told of a session to its owner."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from xinyidai.foundation.errors import Refusal
from xinyidai.parties.rules.identity import PartyId

SESSION_LASTS: Final = timedelta(hours=8)
IDLE_LASTS: Final = timedelta(hours=1)
"""A session that nobody used for so long is over, since somebody else may sit there by now."""
PENDING_LASTS: Final = timedelta(minutes=10)
"""From the right password to the code, or to the end of a first enrolment."""
SEEN_COARSE: Final = timedelta(minutes=1)
"""How exactly the last use is kept: a write on every request would cost more than it tells."""

_BROWSERS: Final = (
    ("MicroMessenger", "WeChat"),
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
"""In this order: a later browser's mark stands in the earlier ones' headers too."""
_SYSTEMS: Final = (
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


class SessionStage(StrEnum):
    """How far a sign-in has come; only an open session makes a viewer."""

    SECOND_FACTOR = "second_factor"
    ENROLMENT = "enrolment"
    OPEN = "open"


class SignInStale(Refusal):
    """No sign-in is waiting for this step: it expired, was finished, or never began."""

    code = "sign_in_stale"
    status = 401
    title_zh = "登录步骤已过期，请重新登录"
    title_en = "This step of signing in has expired; begin again"


@dataclass(frozen=True)
class SessionView:
    """An open session as its owner sees it, with the organisation it acts for; times are wall time."""

    id: UUID
    organisation_id: PartyId
    organisation_name: str
    agent: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    is_current: bool


def coarse_agent(header: str) -> str:
    """Return browser and system from a User-Agent header, and nothing finer: enough to know one's own device by."""
    head = header[:500]
    browser = next((name for mark, name in _BROWSERS if mark in head), "")
    system = next((name for mark, name in _SYSTEMS if mark in head), "")
    return ", ".join(part for part in (browser, system) if part) or "other"
