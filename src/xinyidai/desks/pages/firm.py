"""What the firm's pages share: who may act, and texts that were shown."""

from typing import Final

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role
from xinyidai.foundation.paging import MAX_PAGE

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
