"""What a simulated city asks of a sandbox: whether a signed-in person has something to do, or waits for bots."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from litestar import Router, get
from litestar.di import NamedDependency
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import Viewer
from xinyidai.desks.waiting import pending
from xinyidai.foundation.errors import NotFound


class WaitsFor(StrEnum):
    """Whom the time waits for, or who should hurry."""

    PERSON = "person"
    BOTS = "bots"


class PersonPendingOut(BaseModel):
    """An organisation with a signed-in person, and who is to act in its business."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"organisation_id": "01976f2c-3333-7c55-9a53-0c7d0a5f2b11", "waits_for": "person"}
        }
    )

    organisation_id: UUID
    waits_for: WaitsFor


class PendingOut(BaseModel):
    """Whom the time should wait for: a person before bots; null where nobody signed in has anything open."""

    model_config = ConfigDict(json_schema_extra={"example": {"waits_for": None, "persons": []}})

    waits_for: WaitsFor | None
    persons: list[PersonPendingOut]


@get(
    "/pending",
    operation_id="ShowPending",
    summary="Whom the simulated time waits for",
    description="In a sandbox only, for the simulated city: signed-in persons with an indication to choose from, an"
    " offer to accept, a dispatch opened or a claim on their desk; and firms whose demand waits for banks. A firm that"
    " may choose while other banks still have to answer stands in the list once for each.",
    guards=[requires(scope="parties:read")],
)
async def show_pending(
    viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> PendingOut:
    """Show whom the time waits for."""
    if not viewer.is_simulated:
        raise NotFound
    found = await pending(session, now=now)
    persons = [PersonPendingOut(organisation_id=one, waits_for=WaitsFor.PERSON) for one in found.to_act]
    persons += [PersonPendingOut(organisation_id=one, waits_for=WaitsFor.BOTS) for one in found.waiting]
    return PendingOut(waits_for=persons[0].waits_for if persons else None, persons=persons)


sandbox_router = Router(path="/sandbox", route_handlers=[show_pending], tags=["sandbox"])
