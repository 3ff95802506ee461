"""What the operator's pages share: who may act, and which buttons to show."""

from typing import Final

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer

_OPERATOR: Final = OrganisationKind.OPERATOR
BY_OPERATOR: Final = requires(_OPERATOR)
BY_OFFICER: Final = requires(_OPERATOR, roles=(Role.OFFICER,))
BY_OFFICER_PROVED: Final = requires(_OPERATOR, roles=(Role.OFFICER,), fresh=True)
BY_APPROVER_PROVED: Final = requires(_OPERATOR, roles=(Role.APPROVER,), fresh=True)
BY_ADMIN: Final = requires(_OPERATOR, roles=(Role.ADMIN,))
BY_ADMIN_PROVED: Final = requires(_OPERATOR, roles=(Role.ADMIN,), fresh=True)

ROWS: Final = 20


def who(viewer: Viewer) -> dict[str, object]:
    """Return what templates ask of who is signed in: which buttons to show and why one is missing."""
    return {
        "me": viewer.principal_id,
        "is_officer": Role.OFFICER in viewer.roles,
        "is_approver": Role.APPROVER in viewer.roles,
        "is_admin": Role.ADMIN in viewer.roles,
    }
