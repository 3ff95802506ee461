"""Who may come through the doors of objections."""

from typing import Final

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role
from xinyidai.objections.queries import OVERSEES
from xinyidai.objections.service.desk import FIRMS, READS, WRITES

_OPERATOR, _AGENCY = OrganisationKind.OPERATOR, OrganisationKind.AGENCY

BY_FIRM: Final = requires(*FIRMS, roles=(Role.OWNER, Role.OFFICER), scope=WRITES)
BY_OPERATOR: Final = requires(_OPERATOR, roles=(Role.OFFICER,))
BY_ANSWERER: Final = requires(_OPERATOR, _AGENCY, roles=(Role.OFFICER, Role.ADMIN), scope=WRITES)
BY_CLOSER: Final = requires(*FIRMS, _OPERATOR, roles=(Role.OWNER, Role.OFFICER), scope=WRITES)
BY_REVIEWER: Final = requires(_OPERATOR, roles=(Role.OFFICER, Role.APPROVER))
BY_REVIEWER_PROVED: Final = requires(_OPERATOR, roles=(Role.OFFICER, Role.APPROVER), fresh=True)
BY_PARTIES: Final = requires(*FIRMS, _OPERATOR, _AGENCY, OrganisationKind.REGULATOR, scope=READS)
BY_OVERSEERS: Final = requires(*OVERSEES, scope=READS)
NEEDS_KEY: Final = " Needs the header Idempotency-Key."
