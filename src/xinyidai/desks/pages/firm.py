"""What the firm's pages share: who may act, names of counterparties, the firm's own unfinished business."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from litestar import Request
from litestar.datastructures import State
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role
from xinyidai.foundation.paging import MAX_PAGE
from xinyidai.parties import queries as parties

AnyRequest = Request[object, object, State]

FIRMS: Final = (OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)
BY_FIRM: Final = requires(*FIRMS)
BY_FIRM_STAFF: Final = requires(*FIRMS, roles=(Role.OWNER, Role.OFFICER))
BY_FIRM_STAFF_PROVED: Final = requires(*FIRMS, roles=(Role.OWNER, Role.OFFICER), fresh=True)
BY_OWNER: Final = requires(*FIRMS, roles=(Role.OWNER,))
ALL: Final = MAX_PAGE


def digest_in(typed: str) -> bytes:
    """Return the digest of the text that was shown; what is none matches no text and is refused as outdated."""
    try:
        return bytes.fromhex(typed)
    except ValueError:
        return b""


async def names_of(session: AsyncSession, party_ids: Iterable[UUID | None]) -> dict[str, str]:
    """Return the registered names of organisations by their id as text, which is how outcomes hold ids too."""
    found = await parties.parties_by_id(session, {one for one in party_ids if one is not None})
    return {str(party_id): view.name for party_id, view in found.items()}
