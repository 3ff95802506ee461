"""Names that every desk shows: of organisations, and of one's own people."""

from collections.abc import Iterable
from uuid import UUID

from litestar import Request
from litestar.datastructures import State
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.parties import queries as parties

AnyRequest = Request[object, object, State]


async def names_of(session: AsyncSession, party_ids: Iterable[UUID | None]) -> dict[str, str]:
    """Return the registered names of organisations by their id as text, which is how outcomes hold ids too."""
    found = await parties.parties_by_id(session, {one for one in party_ids if one is not None})
    return {str(party_id): view.name for party_id, view in found.items()}


async def colleagues(session: AsyncSession, viewer: Viewer, user_ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Return the names of those of the people who work for the viewer's organisation; others stay unnamed."""
    wanted = set(user_ids) - {None}
    found = (await parties.members(session, viewer.organisation_id)).rows if wanted else ()
    return {one.user_id: one.display_name for one in found if one.user_id in wanted}
