"""What the pages of fund and guarantor share: who may act, and who of one's own people did what."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.parties import queries as parties

FUND: Final = OrganisationKind.FUND
PAYERS: Final = (OrganisationKind.FUND, OrganisationKind.GUARANTOR)
STAFF: Final = (Role.OFFICER, Role.APPROVER)
BY_PAYER: Final = requires(*PAYERS)
BY_PAYER_STAFF: Final = requires(*PAYERS, roles=STAFF)
BY_PAYER_APPROVER_PROVED: Final = requires(*PAYERS, roles=(Role.APPROVER,), fresh=True)
BY_FUND: Final = requires(FUND, roles=STAFF)
BY_FUND_PROVED: Final = requires(FUND, roles=STAFF, fresh=True)
BY_FUND_APPROVER_PROVED: Final = requires(FUND, roles=(Role.APPROVER,), fresh=True)

ROWS: Final = 20


def who(viewer: Viewer) -> dict[str, object]:
    """Return what templates ask of who is signed in: which buttons to show and why one is missing."""
    return {
        "me": viewer.principal_id,
        "is_fund": viewer.is_one_of(FUND),
        "is_staff": bool(viewer.roles & set(STAFF)),
        "is_approver": Role.APPROVER in viewer.roles,
    }


async def colleagues(session: AsyncSession, viewer: Viewer, user_ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Return the names of those of the people who work for the viewer's organisation; others stay unnamed."""
    wanted = set(user_ids) - {None}
    found = (await parties.members(session, viewer.organisation_id)).rows if wanted else ()
    return {one.user_id: one.display_name for one in found if one.user_id in wanted}
