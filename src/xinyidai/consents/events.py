"""What happens to consents."""

from dataclasses import dataclass
from uuid import UUID

from xinyidai.consents.rules import Purpose


@dataclass(frozen=True)
class ConsentGranted:
    """A subject allowed receivers to read items."""

    consent_id: UUID
    subject_id: UUID
    purpose: Purpose

    @property
    def aggregate(self) -> str:
        """Return the subject: its grants and revocations come in order."""
        return f"subject:{self.subject_id}"


@dataclass(frozen=True)
class ItemWithdrawn:
    """A subject took one item of a consent back; reads of it are refused from the commit on, the rest stands."""

    consent_id: UUID
    subject_id: UUID
    purpose: Purpose
    item_code: str

    @property
    def aggregate(self) -> str:
        """Return the subject: its grants and revocations come in order."""
        return f"subject:{self.subject_id}"


@dataclass(frozen=True)
class ConsentRevoked:
    """A subject took a consent back; reads under it are refused from the commit on."""

    consent_id: UUID
    subject_id: UUID
    purpose: Purpose

    @property
    def aggregate(self) -> str:
        """Return the subject: its grants and revocations come in order."""
        return f"subject:{self.subject_id}"
