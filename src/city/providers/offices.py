"""The offices at whose counter a firm says yes, and for what."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Office:
    """What a consent page says: the office's name, what it calls a firm, its items, and what follows from a yes."""

    title: str
    holder: str
    items: Mapping[str, str]
    terms: str


OFFICES: Mapping[str, Office] = {
    "tax": Office(
        "模拟税务局",
        "纳税人",
        {
            "vat_invoices": "增值税发票数据",
            "tax_filing": "纳税申报数据",
            "tax_grade": "纳税缴费信用级别",
            "tax_arrears": "欠税公告",
        },
        "每月 15 日后可读取上月数据，授权 30 天内有效",
    ),
    "utilities": Office(
        "模拟水电气公司",
        "用户",
        {"electricity": "用电数据", "water": "用水数据", "gas": "用气数据"},
        "同意后取得用户授权号，交申请方查询；授权 365 天内有效，可随时撤回",
    ),
    "benefits": Office(
        "模拟社保与公积金中心",
        "缴费单位",
        {"social_insurance": "社会保险费缴纳数据", "housing_fund": "住房公积金缴存数据"},
        "同意后取得授权号，申请方凭此订阅每日文件；授权 365 天内有效，可随时撤回",
    ),
    "courts": Office(
        "模拟法院查询平台",
        "当事人",
        {"judgment": "裁判文书", "enforcement": "执行与失信信息"},
        "同意后取得授权号，交申请方查询；授权 365 天内有效，可随时撤回",
    ),
    "customs": Office(
        "模拟海关与物流单一窗口",
        "收发货人",
        {"import_export": "进出口数据", "logistics": "物流与仓储数据"},
        "同意后取得授权号，交申请方查询；授权 365 天内有效，可随时撤回",
    ),
}


def scope_of(provider: str, asked: str) -> str | None:
    """Return the items that are asked for in the office's order, None where one is not its own.

    The tax bureau's usual item are invoices; the others give all they have unless asked for less.
    """
    items = OFFICES[provider].items
    usual = "vat_invoices" if provider == "tax" else " ".join(items)
    wanted = set((asked or usual).split())
    return " ".join(item for item in items if item in wanted) if wanted and wanted <= set(items) else None
