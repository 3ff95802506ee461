"""Who may act for a lender or a firm in matching."""

from xinyidai.access.rules import (
    OrganisationKind,
    PrincipalKind,
    Role,
    Viewer,
    requires_kind,
    requires_role,
    requires_scope,
)

LENDER_WRITES = "offers:write"
FIRM_WRITES = "demands:write"


def requires_lender_desk(viewer: Viewer) -> None:
    """Refuse with `NotAllowed` who is no officer of a lender, or a client without the scope."""
    _requires(viewer, LENDER_WRITES, (OrganisationKind.LENDER,), Role.OFFICER)


def requires_lender_checker(viewer: Viewer) -> None:
    """Refuse with `NotAllowed` who is no approver of a lender; a machine is one only where it plays a person."""
    requires_kind(viewer, OrganisationKind.LENDER)
    requires_role(viewer, Role.APPROVER)


def requires_firm(viewer: Viewer) -> None:
    """Refuse with `NotAllowed` who does not act for a firm or sole trader."""
    kinds = (OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)
    _requires(viewer, FIRM_WRITES, kinds, Role.OWNER, Role.OFFICER)


def _requires(viewer: Viewer, scope: str, kinds: tuple[OrganisationKind, ...], *roles: Role) -> None:
    requires_kind(viewer, *kinds)
    requires_scope(viewer, scope)
    if viewer.principal_kind is not PrincipalKind.CLIENT:
        requires_role(viewer, *roles)
