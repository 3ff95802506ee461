"""Refusals that leave a trace: the request's transaction ends in nothing, so the audit row is written in its own."""

import re
from datetime import datetime
from typing import Final

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.access.service import act_as
from xinyidai.audit import service as audit
from xinyidai.foundation.database import Sessions, in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.pages.forms import FormRefused

NOT_A_CODE: Final = "-"
"""In place of what was asked for where it does not look like a code: whatever else was typed must not be kept."""
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")


async def leave_trace(sessions: Sessions, refused: Exception, viewer: Viewer, *, now: datetime) -> None:
    """Write down who asked for what, when, if the refusal is one that leaves a trace; a form is refused for its cause.

    Called after the request's transaction was rolled back. A firm that asked sees it among the looks at its own data.
    """
    refusal = refused.__cause__ if isinstance(refused, FormRefused) else refused
    if not isinstance(refusal, Refusal) or refusal.trace is None:
        return
    asked_for = str(refusal.facts[refusal.trace.fact])
    concerns_itself = viewer.is_one_of(OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)
    async with in_transaction(sessions) as session:
        await act_as(session, viewer, now=now)
        await audit.write_down(
            session,
            viewer,
            action=refusal.trace.action,
            subject_ids=[viewer.organisation_id] if concerns_itself else [],
            object_kind=refusal.trace.object_kind,
            object_id=asked_for if _CODE.fullmatch(asked_for) else NOT_A_CODE,
            now=now,
        )
