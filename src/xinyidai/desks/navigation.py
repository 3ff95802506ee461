"""What each kind of organisation finds on its desk. A new desk is one more entry here and a router of pages."""

from dataclasses import dataclass

from xinyidai.access.rules import OrganisationKind
from xinyidai.foundation.pages.words import Message, msg

NO_DESK_YET = "/desk"


@dataclass(frozen=True)
class NavItem:
    """A place on a desk; `short` is what the bar at the bottom of a phone says where `label` is too long for it."""

    path: str
    label: Message
    icon: str
    short: Message | None = None
    is_home: bool = False
    is_of_sandbox: bool = False

    def is_current(self, path: str) -> bool:
        """Say whether a page belongs to this place."""
        return path == self.path or (not self.is_home and path.startswith(f"{self.path}/"))


_FIRM = (
    NavItem("/firm", msg("首页"), "home", is_home=True),
    NavItem("/firm/demands", msg("融资需求"), "paper", msg("需求")),
    NavItem("/firm/profile", msg("信用画像"), "chart", msg("画像")),
    NavItem("/firm/loans", msg("我的贷款"), "coins", msg("贷款")),
    NavItem("/firm/consents", msg("授权管理"), "shield", msg("授权")),
    NavItem("/firm/objections", msg("异议与修复"), "inbox"),
    NavItem("/firm/looks", msg("谁查过我的数据"), "eye"),
)

_BANK = (
    NavItem("/bank", msg("首页"), "home", is_home=True),
    NavItem("/bank/applications", msg("融资申请"), "inbox", msg("申请")),
    NavItem("/bank/offers", msg("报价与放款"), "paper", msg("报价")),
    NavItem("/bank/loans", msg("贷后管理"), "coins", msg("贷款")),
    NavItem("/bank/claims", msg("代偿与追偿"), "shield", msg("代偿")),
    NavItem("/bank/products", msg("我的产品"), "gear"),
)
_FUND = (
    NavItem("/fund", msg("首页"), "home", is_home=True),
    NavItem("/fund/claims", msg("代偿申请"), "inbox", msg("代偿")),
    NavItem("/fund/lines", msg("分担协议"), "shield", msg("协议")),
    NavItem("/fund/pay-ins", msg("资金拨入"), "coins", msg("拨入")),
)
_REGULATOR = (
    NavItem("/regulator", msg("总览"), "home", is_home=True),
    NavItem("/regulator/lending", msg("放款统计"), "chart", msg("放款")),
    NavItem("/regulator/risk", msg("风险与代偿"), "shield", msg("风险")),
    NavItem("/regulator/drift", msg("报价偏差"), "coins", msg("偏差")),
    NavItem("/regulator/reconciliation", msg("对账"), "paper", msg("账务")),
    NavItem("/regulator/objections", msg("异议办理"), "inbox"),
    NavItem("/regulator/metrics", msg("指标口径"), "eye"),
)

_OPERATOR = (
    NavItem("/operator", msg("首页"), "home", is_home=True),
    NavItem("/operator/deliveries", msg("事件投递"), "inbox", msg("投递")),
    NavItem("/operator/jobs", msg("定时任务"), "gear", msg("任务")),
    NavItem("/operator/sources", msg("数据来源"), "paper", msg("来源")),
    NavItem("/operator/quality", msg("数据质量"), "chart", msg("质量")),
    NavItem("/operator/reviews", msg("待复核事项"), "eye", msg("待办")),
    NavItem("/operator/objections", msg("异议与修复"), "shield"),
    NavItem("/operator/reports", msg("报告"), "paper"),
    NavItem("/operator/models", msg("评分模型"), "chart"),
    NavItem("/operator/provider-keys", msg("签名密钥"), "shield"),
    NavItem("/operator/institutions", msg("机构与人员"), "people"),
    NavItem("/operator/city", msg("模拟城市"), "bank", is_of_sandbox=True),
)

_AGENCY = (
    NavItem("/agency", msg("首页"), "home", is_home=True),
    NavItem("/agency/findings", msg("质量问题"), "inbox", msg("问题")),
    NavItem("/agency/deliveries", msg("报送批次"), "paper", msg("批次")),
    NavItem("/agency/waivers", msg("豁免申请"), "shield", msg("豁免")),
)

DESKS: dict[OrganisationKind, tuple[NavItem, ...]] = {
    OrganisationKind.FIRM: _FIRM,
    OrganisationKind.SOLE_TRADER: _FIRM,
    OrganisationKind.LENDER: _BANK,
    OrganisationKind.FUND: _FUND,
    OrganisationKind.GUARANTOR: _FUND,
    OrganisationKind.AGENCY: _AGENCY,
    OrganisationKind.REGULATOR: _REGULATOR,
    OrganisationKind.OPERATOR: _OPERATOR,
}


def navigation_of(kind: OrganisationKind, *, in_sandbox: bool = False) -> tuple[NavItem, ...]:
    """Return the places of a desk, its home first; the first five are the phone's bottom bar."""
    places = DESKS.get(kind, (NavItem(NO_DESK_YET, msg("首页"), "home", is_home=True),))
    return tuple(place for place in places if in_sandbox or not place.is_of_sandbox)


def home_of(kind: OrganisationKind) -> str:
    """Return where a desk begins."""
    return navigation_of(kind)[0].path
