"""The regulator's tables: which figures stand in which table, under which head. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from xinyidai.foundation.pages.tables import Cell, Column, Sheet, Unit
from xinyidai.foundation.pages.words import Both, Message, Said, msg
from xinyidai.reporting.rules import DRIFT_METRICS, METRICS, Dimension, DriftRow, LendingRow, Metric, Reconciliation

DEFINED: Final = {metric.code: metric for metric in (*METRICS, *DRIFT_METRICS)}

HEADS: Final[Mapping[Dimension, Message]] = {
    Dimension.MONTH: msg("放款月份"),
    Dimension.LENDER: msg("银行"),
    Dimension.REGION: msg("区县"),
    Dimension.INDUSTRY: msg("行业"),
    Dimension.RISK_CLASS: msg("五级分类"),
}
RISK_CLASSES: Final[Mapping[str, Message]] = {
    "pass": msg("正常类"),
    "special_mention": msg("关注类"),
    "substandard": msg("次级类"),
    "doubtful": msg("可疑类"),
    "loss": msg("损失类"),
}
DIFFERENCES: Final[Mapping[str, Message]] = {
    "disbursement": msg("放款"),
    "repayment": msg("还款"),
    "recovery": msg("追偿"),
    "claim_paid": msg("代偿"),
    "cover": msg("风险分担"),
}

LENDING: Final = (
    Column("loans", msg("笔数")),
    Column("firms", msg("借款主体")),
    Column("disbursed_fen", msg("放款金额"), Unit.FEN),
    Column("weighted_rate_bp", msg("加权年利率"), Unit.BP),
    Column("outstanding_fen", msg("贷款余额"), Unit.FEN),
    Column("overdue_fen", msg("逾期余额"), Unit.FEN),
    Column("non_performing_fen", msg("不良余额"), Unit.FEN),
    Column("first_loans", msg("首贷笔数")),
    Column("attested_loans", msg("已证明笔数")),
    Column("covered_fen", msg("风险分担放款"), Unit.FEN),
    Column("claims_paid_fen", msg("已付代偿"), Unit.FEN),
    Column("returned_fen", msg("追偿返还"), Unit.FEN),
)
DRIFT: Final = (
    Column("indications", msg("意向报价")),
    Column("chosen", msg("被选定")),
    Column("binding_offers", msg("正式报价")),
    Column("inside", msg("意向之内")),
    Column("inside_share_ppm", msg("意向之内占比"), Unit.PPM),
    Column("median_amount_below_ppm", msg("金额低于下限（中位数）"), Unit.PPM),
    Column("median_rate_above_bp", msg("利率高于上限（中位数）"), Unit.BP),
    Column("declined_after_choice", msg("选定后婉拒")),
    Column("declined_after_choice_share_ppm", msg("选定后婉拒占比"), Unit.PPM),
    Column("silent_after_choice", msg("选定后超时")),
)
SUMS: Final = (
    ("loans_fen", msg("贷款台账放款本金")),
    ("ledger_fen", msg("会计账放款本金")),
    ("reported_fen", msg("统计报表放款本金")),
    ("covered_fen", msg("持有分担额度的放款本金")),
    ("covers_fen", msg("风险分担台账本金")),
    ("underway_fen", msg("刚放款、台账正在登记的本金")),
    ("claims_paid_fen", msg("已付代偿")),
    ("returned_fen", msg("追偿返还")),
    ("imbalance_fen", msg("借贷不平衡额")),
)

Names = Mapping[str, Said]


def lending_sheet(by: Dimension, rows: Sequence[LendingRow], total: LendingRow, names: Names) -> Sheet:
    """Return lending broken down, its total as the last row; `names` are those of the keys, where they have any."""
    cells = [(_name_of(by, row, names), *(getattr(row, column.code) for column in LENDING)) for row in rows]
    last: tuple[Cell, ...] = (msg("合计"), *(getattr(total, column.code) for column in LENDING))
    return Sheet(msg("放款统计"), (Column(by.value, HEADS[by], Unit.TEXT), *LENDING), (*cells, last))


def drift_sheet(rows: Sequence[DriftRow]) -> Sheet:
    """Return how far binding offers drifted from indications, a bank a row."""
    cells = [(row.lender_name, *(getattr(row, column.code) for column in DRIFT)) for row in rows]
    return Sheet(msg("报价偏差"), (Column("lender", HEADS[Dimension.LENDER], Unit.TEXT), *DRIFT), tuple(cells))


def reconciliation_sheet(found: Reconciliation) -> Sheet:
    """Return the totals beside one another, and each difference with what the room and the ledger say."""
    columns = (
        Column("what", msg("项目"), Unit.TEXT),
        Column("ref", msg("参考编号"), Unit.TEXT),
        Column("room_fen", msg("业务台账"), Unit.FEN),
        Column("ledger_fen", msg("会计账"), Unit.FEN),
    )
    sums: list[tuple[Cell, ...]] = [(label, "", getattr(found, code), None) for code, label in SUMS]
    apart: list[tuple[Cell, ...]] = [
        (DIFFERENCES.get(one.what, one.what), one.ref, one.room_fen, one.ledger_fen) for one in found.differences
    ]
    return Sheet(msg("对账"), columns, (*sums, *apart))


def definitions(sheet: Sheet) -> tuple[tuple[Said, Said], ...]:
    """Return what each figure of a sheet means, under its head with its version."""
    return tuple((column.title, meaning(DEFINED[column.code])) for column in sheet.columns if column.code in DEFINED)


def meaning(metric: Metric) -> Both:
    """Return a definition with its code and version."""
    mark = f"{metric.code} v{metric.version}: "
    return Both(mark + metric.zh, mark + metric.en)


def _name_of(by: Dimension, row: LendingRow, names: Names) -> Cell:
    if by is Dimension.RISK_CLASS:
        return RISK_CLASSES.get(row.key, row.key)
    if row.key == "unknown":
        return msg("未登记")
    return names.get(row.key, row.name or row.key)
