"""What happens to a firm's requests."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class RightAsked:
    """A firm asked for an export or a deletion; a job is to carry it out."""

    request_id: UUID
    firm_id: UUID

    @property
    def aggregate(self) -> str:
        """Return the firm: its grants, revocations, purges and requests come in order."""
        return f"subject:{self.firm_id}"
