"""How wide a consent may be for its purpose: the purpose policy (授权目的规则), data with an effective date. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from xinyidai.access.rules import OrganisationKind
from xinyidai.catalogue.rules import Category, Item
from xinyidai.consents.rules.artefact import MAX_ITEMS, Purpose
from xinyidai.foundation.clock import SHANGHAI, add_months, business_date
from xinyidai.foundation.errors import Refusal


class ConsentEmpty(Refusal):
    """The consent names no item, no receiver, or ends before it begins, as may the life of what is read."""

    code = "consent_empty"
    status = 422
    title_zh = "授权内容为空：{field}"
    title_en = "The consent is empty: {field}"


class PurposeNotOffered(Refusal):
    """No policy is in force for the purpose, so nothing may be consented to for it."""

    code = "purpose_not_offered"
    status = 422
    title_zh = "目前不接受该目的的授权：{purpose}"
    title_en = "No consent is taken for this purpose today: {purpose}"


@dataclass(frozen=True)
class Told:
    """One side of an excess: as programs read it, and in words of either language."""

    code: str
    zh: str
    en: str


@dataclass(frozen=True)
class Excess:
    """One thing that is wider than the policy lets it be: the field, what was asked, the most there may be."""

    field: str
    asked: Told
    most: Told


class ConsentTooWide(Refusal):
    """The consent asked for is wider than its purpose lets it be; names everything that is, each with the most.

    Facts: ``fields``, ``asked`` and ``most``, side by side; items, categories and kinds of receiver by their codes.
    """

    code = "consent_too_wide"
    status = 422
    title_zh = "授权范围过宽：{too_wide}"
    title_en = "The consent is too wide: {too_wide}"

    def __init__(self, found: Sequence[Excess]) -> None:
        self.found = tuple(found)
        super().__init__(
            fields=[one.field for one in found],
            asked=[one.asked.code for one in found],
            most=[one.most.code for one in found],
        )

    def sentence(self, language: str) -> str:
        """Return everything that is too wide in one sentence."""
        if language == "zh":
            told = [f"{_FIELDS[one.field][0]}（申请 {one.asked.zh}，最多 {one.most.zh}）" for one in self.found]
            return self.title_zh.format(too_wide="；".join(told))
        told = [f"{_FIELDS[one.field][1]} ({one.asked.en} asked, at most {one.most.en})" for one in self.found]
        return self.title_en.format(too_wide="; ".join(told))


_FIELDS = {
    "item_codes": ("信息项", "items"),
    "receiver_ids": ("接收方数量", "number of receivers"),
    "receiver_kinds": ("接收方类别", "kinds of receiver"),
    "expires_at": ("到期时间", "end"),
    "data_life_days": ("数据保存天数", "days that data may be kept"),
}
_KINDS_ZH = {
    OrganisationKind.FIRM: "企业",
    OrganisationKind.SOLE_TRADER: "个体工商户",
    OrganisationKind.LENDER: "银行",
    OrganisationKind.GUARANTOR: "担保机构",
    OrganisationKind.FUND: "风险补偿资金",
    OrganisationKind.AGENCY: "数据部门",
    OrganisationKind.REGULATOR: "监管部门",
    OrganisationKind.OPERATOR: "平台运营",
}
_CATEGORIES_ZH = {
    Category.REGISTRATION: "登记注册",
    Category.ADMINISTRATIVE: "行政管理",
    Category.JUDICIAL: "司法",
    Category.TAX: "纳税",
    Category.SOCIAL_INSURANCE: "社会保险",
    Category.HOUSING_FUND: "住房公积金",
    Category.UTILITIES: "水电气",
    Category.REAL_ESTATE: "不动产",
    Category.INTELLECTUAL_PROPERTY: "知识产权",
    Category.SCIENCE_TECHNOLOGY: "科技研发",
    Category.IMPORT_EXPORT: "进出口",
    Category.ENVIRONMENT: "生态环境",
    Category.LOGISTICS: "交通物流",
    Category.TENDER: "招标投标",
    Category.FARM: "农业",
    Category.HONOURS_AND_LISTS: "荣誉与名单",
    Category.COMMITMENTS: "信用承诺",
    Category.SELF_DECLARED: "自主申报",
    Category.BANK_EVIDENCE: "银行持有",
    Category.FORBIDDEN: "禁止归集",
}


@dataclass(frozen=True)
class PurposePolicy:
    """One version of what a consent may allow for a purpose, in force from a Shanghai day until before another.

    Parameters
    ----------
    most_data_life_days : int or None
        How long what was read may be kept at most; None for a purpose that opens no item.
    categories, item_codes : frozenset
        An item may be named when its category is among the first or its code among the second.
    """

    purpose: Purpose
    version: int
    valid_from: date
    valid_to: date | None
    most_months: int
    most_receivers: int
    most_data_life_days: int | None
    categories: frozenset[Category]
    item_codes: frozenset[str]
    receiver_kinds: frozenset[OrganisationKind]
    legal_basis: str
    is_verified: bool

    def may_name(self, item: Item) -> bool:
        """Say whether a consent for the purpose may name the item."""
        return item.category in self.categories or item.code in self.item_codes

    def readable(
        self, items: Iterable[Item], *, purpose: Purpose, by: OrganisationKind | None, at: datetime
    ) -> frozenset[str]:
        """Return the codes of those items that a receiver of a kind may be allowed to read at a moment."""
        if self.purpose is not purpose or by not in self.receiver_kinds or not self.in_force_on(business_date(at)):
            return frozenset()
        return frozenset(item.code for item in items if self.may_name(item))

    def in_force_on(self, day: date) -> bool:
        """Say whether it is in force on a Shanghai day; the last day is exclusive."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True)
class Wish:
    """The consent that a subject is asked for, or asks to give."""

    items: Sequence[Item]
    receivers: Mapping[UUID, OrganisationKind]
    expires_at: datetime
    data_life_days: int | None = None
    """How long what is read may be kept; None leaves it to the policy."""


def excesses(wish: Wish, policy: PurposePolicy, *, now: datetime) -> list[Excess]:
    """Return everything in which a consent given now would be wider than the policy, in a fixed order."""
    found: list[Excess] = []
    beyond = [item for item in wish.items if not policy.may_name(item)]
    if beyond:
        found.append(Excess("item_codes", _items(beyond), _nameable(policy)))
    if len(wish.items) > MAX_ITEMS:
        found.append(Excess("item_codes", _plain(len(wish.items)), _plain(MAX_ITEMS)))
    if len(wish.receivers) > policy.most_receivers:
        found.append(Excess("receiver_ids", _plain(len(wish.receivers)), _plain(policy.most_receivers)))
    unfit = set(wish.receivers.values()) - policy.receiver_kinds
    if unfit:
        found.append(Excess("receiver_kinds", _kinds(unfit), _kinds(policy.receiver_kinds)))
    latest = latest_expiry(now, policy.most_months)
    if wish.expires_at > latest:
        found.append(Excess("expires_at", _moment(wish.expires_at), _moment(latest)))
    most_life = policy.most_data_life_days or 0
    if wish.data_life_days is not None and wish.data_life_days > most_life:
        found.append(Excess("data_life_days", _plain(wish.data_life_days), _plain(most_life)))
    return found


def requires_narrow(wish: Wish, policy: PurposePolicy, *, now: datetime) -> None:
    """Refuse a consent that is empty, or wider than its purpose lets it be.

    Raises
    ------
    ConsentEmpty
    ConsentTooWide
        One for all that is too wide.
    """
    for field, values in (("item_codes", wish.items), ("receiver_ids", wish.receivers)):
        if not values:
            raise ConsentEmpty(field=field)
    if wish.expires_at <= now:
        raise ConsentEmpty(field="expires_at")
    if wish.data_life_days is not None and wish.data_life_days <= 0:
        raise ConsentEmpty(field="data_life_days")
    found = excesses(wish, policy, now=now)
    if found:
        raise ConsentTooWide(found)


def latest_expiry(now: datetime, months: int) -> datetime:
    """Return the same Shanghai time of day, so many months later."""
    local = now.astimezone(SHANGHAI)
    return datetime.combine(add_months(local.date(), months), local.timetz()).astimezone(now.tzinfo)


def _plain(number: int) -> Told:
    return Told(str(number), str(number), str(number))


def _moment(at: datetime) -> Told:
    local = f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
    return Told(at.isoformat(), local, f"{local} in Shanghai")


def _items(items: Sequence[Item]) -> Told:
    names_zh, names_en = "、".join(one.name_zh for one in items), ", ".join(one.name_en for one in items)
    return Told(", ".join(one.code for one in items), names_zh, names_en)


def _nameable(policy: PurposePolicy) -> Told:
    codes = [*sorted(policy.categories), *sorted(policy.item_codes)]
    words_zh = [*(_CATEGORIES_ZH[one] for one in sorted(policy.categories)), *sorted(policy.item_codes)]
    return Told(", ".join(codes), "、".join(words_zh), _spaced(codes))


def _kinds(kinds: Iterable[OrganisationKind]) -> Told:
    codes = sorted(kinds)
    return Told(", ".join(codes), "、".join(_KINDS_ZH[one] for one in codes), _spaced(codes))


def _spaced(codes: Iterable[str]) -> str:
    return ", ".join(code.replace("_", " ") for code in codes)
