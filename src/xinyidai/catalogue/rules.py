"""What the catalogue says of an item: pure."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from xinyidai.foundation.errors import Refusal


class AccessClass(StrEnum):
    """Under which condition an item may be read."""

    OPEN = "open"
    ON_CONSENT = "on_consent"
    SENSITIVE = "sensitive"
    FORBIDDEN = "forbidden"


class Topology(StrEnum):
    """Where an item lives while it is used: held here, computed at its owner, or passed by without being kept."""

    HELD_COPY = "held_copy"
    IN_DOMAIN = "in_domain"
    PASS_THROUGH = "pass_through"  # noqa: S105 - a topology, not a password


class ItemNotListed(Refusal):
    """The catalogue does not list the item on that day, so the platform neither collects nor reads it."""

    code = "item_not_listed"
    status = 422
    title_zh = "信息目录中没有该信息项：{item}"
    title_en = "The catalogue does not list the item {item}"


class ItemForbidden(Refusal):
    """The catalogue lists the item as one that nobody may collect or read here."""

    code = "item_forbidden"
    status = 422
    title_zh = "该信息项禁止归集和使用：{item}"
    title_en = "The item {item} may not be collected or used"


@dataclass(frozen=True)
class Item:
    """One version of one item, valid from a Shanghai day until before another."""

    code: str
    version: int
    name_zh: str
    name_en: str
    owner_zh: str
    owner_en: str
    access_class: AccessClass
    legal_basis: str
    is_basis_verified: bool
    topology: Topology
    retention_days: int
    valid_from: date
    valid_to: date | None

    @property
    def needs_consent(self) -> bool:
        """Say whether the subject must have agreed before anybody else reads the item."""
        return self.access_class is not AccessClass.OPEN


def requires_usable(item: Item) -> None:
    """Refuse with `ItemForbidden` an item that nobody may collect or read."""
    if item.access_class is AccessClass.FORBIDDEN:
        raise ItemForbidden(item=item.code)
