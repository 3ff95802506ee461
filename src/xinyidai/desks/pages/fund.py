"""What the pages of fund and guarantor share: who may act."""

from typing import Final

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer

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
