"""What happens to deliveries."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class DeliveryLoaded:
    """A delivery was taken in; its facts wait to be sealed."""

    delivery_id: UUID
    delivery_no: int

    @property
    def aggregate(self) -> str:
        """Return the delivery."""
        return f"delivery:{self.delivery_id}"
