"""What the catalogue says of an item: pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from xinyidai.foundation.errors import Refusal, Trace

OFFICIAL_CLASSES = (
    "登记注册",
    "行政管理",
    "司法",
    "纳税",
    "社会保险费和住房公积金缴纳",
    "水电气",
    "不动产",
    "知识产权",
    "科技研发",
    "金融资产交易",
    "公共资源交易",
    "进出口",
    "生态环境",
    "交通与仓储物流",
    "农业经营主体",
    "荣誉与名单",
    "信用承诺与自主申报",
)
"""Classes of the official lists (国办发〔2021〕52号, 国办发〔2024〕15号), as a working list has them.

The annexes' own tables could not be read: names and number are to be checked against them."""
EVERY_OTHER = ""
"""In place of a province's code: every province that has no line of its own."""


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


class Category(StrEnum):
    """To which kind of information an item belongs: the classes of the plan, and two of our own at the end."""

    REGISTRATION = "registration"
    ADMINISTRATIVE = "administrative"
    JUDICIAL = "judicial"
    TAX = "tax"
    SOCIAL_INSURANCE = "social_insurance"
    HOUSING_FUND = "housing_fund"
    UTILITIES = "utilities"
    REAL_ESTATE = "real_estate"
    INTELLECTUAL_PROPERTY = "intellectual_property"
    SCIENCE_TECHNOLOGY = "science_technology"
    IMPORT_EXPORT = "import_export"
    ENVIRONMENT = "environment"
    LOGISTICS = "logistics"
    TENDER = "tender"
    FARM = "farm"
    HONOURS_AND_LISTS = "honours_and_lists"
    COMMITMENTS = "commitments"
    SELF_DECLARED = "self_declared"
    BANK_EVIDENCE = "bank_evidence"
    FORBIDDEN = "forbidden"


class UpdateCycle(StrEnum):
    """How often an owner has something new; `on_change` and `on_request` follow no calendar."""

    ON_CHANGE = "on_change"
    DAILY = "daily"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    YEARLY = "yearly"
    ON_REQUEST = "on_request"


class FieldKind(StrEnum):
    """What a field holds; amounts and quantities are whole numbers of their unit."""

    TEXT = "text"
    CODE = "code"
    DATE = "date"
    MONTH = "month"
    COUNT = "count"
    AMOUNT = "amount"
    QUANTITY = "quantity"
    FLAG = "flag"


class ItemNotListed(Refusal):
    """The catalogue does not list the item on that day, so the platform neither collects nor reads it."""

    code = "item_not_listed"
    status = 422
    title_zh = "信息目录中没有该信息项：{item}"
    title_en = "The catalogue does not list the item {item}"
    trace = Trace("catalogue.unlisted_item_asked", "item", "item")


class ItemForbidden(Refusal):
    """The catalogue lists the item as one that nobody may collect or read here."""

    code = "item_forbidden"
    status = 422
    title_zh = "该信息项禁止归集和使用：{item}"
    title_en = "The item {item} may not be collected or used"
    trace = Trace("catalogue.forbidden_item_asked", "item", "item")


class ItemNotHeldHere(Refusal):
    """In this province the item stays with its owner or passes by: the platform keeps no copy of it."""

    code = "item_not_held_here"
    status = 422
    title_zh = "本省平台不保存该信息项的副本：{item}（{topology}）"
    title_en = "This province's platform keeps no copy of the item {item} ({topology})"


@dataclass(frozen=True)
class Item:
    """One version of one item, valid from a Shanghai day until before another; `category` is its standard's, if any."""

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
    category: Category | None

    @property
    def needs_consent(self) -> bool:
        """Say whether the subject must have agreed before anybody else reads the item."""
        return self.access_class is not AccessClass.OPEN


@dataclass(frozen=True)
class ItemField:
    """One field of an item: what it holds, in which unit, and under which condition it may be read."""

    code: str
    name_zh: str
    name_en: str
    kind: FieldKind
    unit: str | None
    access_class: AccessClass


@dataclass(frozen=True)
class ProvinceTopology:
    """How an item reaches a lender in one province; without a province, in every other one."""

    province_code: str
    topology: Topology
    basis: str


@dataclass(frozen=True)
class ItemRhythm:
    """How often an owner has something new, and how many days after a period's end it is expected to."""

    cycle: UpdateCycle
    delay_days: int


@dataclass(frozen=True)
class Standard:
    """The standard of one version of an item (信息项标准).

    `delay_days` are the days after a period's end, or after the event, until the owner is expected to have it;
    `official_class` is the class of the official lists that it belongs to, None for what they do not list.
    """

    item: Item
    category: Category
    update_cycle: UpdateCycle
    delay_days: int
    official_class: str | None
    is_official_class_verified: bool
    fields: tuple[ItemField, ...]
    topologies: tuple[ProvinceTopology, ...]

    def topology_in(self, province_code: str) -> Topology:
        """Return how the item reaches a lender in a province, by its two digits of GB/T 2260."""
        return topology_among(self.topologies, province_code, otherwise=self.item.topology)


def topology_among(told: Sequence[ProvinceTopology], province_code: str, *, otherwise: Topology) -> Topology:
    """Return what a province's line says, else the line of every other province, else what the item says itself."""
    known = {one.province_code: one.topology for one in told}
    return known.get(province_code, known.get(EVERY_OTHER, otherwise))


def is_usable(item: Item) -> bool:
    """Say whether anybody may collect or read the item at all."""
    return item.access_class is not AccessClass.FORBIDDEN


def requires_usable(item: Item) -> None:
    """Refuse with `ItemForbidden` an item that nobody may collect or read."""
    if not is_usable(item):
        raise ItemForbidden(item=item.code)
