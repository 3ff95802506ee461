"""The tables of data quality that senders and the operator take away: pass rates, findings, what came back. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from xinyidai.foundation.pages.figures import day_in_table
from xinyidai.foundation.pages.tables import Cell, Column, Sheet, Unit
from xinyidai.foundation.pages.words import Both, Message, Said, msg
from xinyidai.quality.rules import (
    FindingGroup,
    FindingState,
    FindingView,
    JudgedView,
    PassRate,
    Returned,
    Rule,
    RuleCount,
    Severity,
    WaiverState,
)

SEVERITIES: Final[Mapping[Severity, Message]] = {
    Severity.ERROR: msg("差错"),
    Severity.WARNING: msg("警示"),
    Severity.NOTICE: msg("提示"),
}
STATES: Final[Mapping[FindingState, Message]] = {
    FindingState.OPEN: msg("待更正"),
    FindingState.CORRECTED: msg("已更正"),
    FindingState.WAIVED: msg("已豁免"),
    FindingState.WITHDRAWN: msg("已撤回（规则停用）"),
}
WAIVERS: Final[Mapping[WaiverState, Message]] = {
    WaiverState.ASKED: msg("待审核"),
    WaiverState.GRANTED: msg("已同意"),
    WaiverState.REFUSED: msg("未同意"),
    WaiverState.EXPIRED: msg("已到期"),
}
DEFINITIONS: Final[Mapping[str, Message]] = {
    "offered": msg("计入的行是已检查的行与入口拒收的行；重复行和没有授权的行不计。"),
    "pass_rate_ppm": msg("合格率是没有差错的行占计入的行的比例，向下取整；警示和提示不影响合格。"),
    "wrong_code_ppm": msg("代码差错率是统一社会信用代码未登记的行占收到的行的比例，向上取整。"),
    "faulty_code_ppm": msg(
        "重错码率是代码未登记的行与同一文书号出现在过多企业名下的行之和，占收到的行的千分比，向上取整。"
    ),
    "corrected_ppm": msg("更正率是后来的报送已更正的问题占未豁免问题的比例，按首次发现的月份统计，向下取整。"),
}
Names = Mapping[str, Said]
Senders = Mapping[str, str]
Rules = Mapping[str, Rule]
_MONTH: Final = Column("month", msg("收到月份"), Unit.TEXT)
_ITEM: Final = Column("item", msg("信息项"), Unit.TEXT)
_SENDER: Final = Column("sender", msg("机构"), Unit.TEXT)
_OWNER: Final = Column("owner", msg("主管部门"), Unit.TEXT)
_RULE: Final = Column("rule", msg("规则"), Unit.TEXT)
_SEVERITY: Final = Column("severity", msg("程度"), Unit.TEXT)
_FIRST_SEEN: Final = Column("first_seen", msg("首次发现"), Unit.TEXT)
_DELIVERY: Final = Column("delivery_no", msg("批次号"))
_LINE: Final = Column("line_no", msg("行号"))
_STATE: Final = Column("state", msg("状态"), Unit.TEXT)
_COUNTED: Final = (
    Column("open", msg("待更正")),
    Column("corrected", msg("已更正")),
    Column("waived", msg("已豁免")),
)
_FIGURES: Final = (
    Column("deliveries", msg("批次")),
    Column("received", msg("收到（行）")),
    Column("offered", msg("计入（行）")),
    Column("passed", msg("合格（行）")),
    Column("failed", msg("有差错（行）")),
    Column("refused", msg("入口拒收（行）")),
    Column("pass_rate_ppm", msg("合格率"), Unit.PPM),
    Column("unknown_firm", msg("代码未登记（行）")),
    Column("wrong_code_ppm", msg("代码差错率"), Unit.PPM),
    Column("doubled", msg("文书重号（行）")),
    Column("faulty_code_ppm", msg("重错码率"), Unit.PER_MILLE),
)
_JUDGED: Final = (
    Column("received", msg("收到（行）")),
    Column("judged", msg("已检查（行）")),
    Column("failed", msg("有差错（行）")),
    Column("refused", msg("入口拒收（行）")),
    Column("pass_rate_ppm", msg("合格率"), Unit.PPM),
)


def pass_rate_sheet(
    rows: Sequence[PassRate], items: Names, senders: Senders | None = None, owners: Names | None = None
) -> Sheet:
    """Return pass rates, one item, sender and month a row; names are by code and by id, and left out where not given.

    A sender's own table has neither senders nor owners.
    """
    columns = (
        _MONTH,
        _ITEM,
        *(() if owners is None else (_OWNER,)),
        *(() if senders is None else (_SENDER,)),
        *_FIGURES,
    )
    cells = [
        (
            f"{row.month:%Y-%m}",
            items.get(row.item_code, row.item_code),
            *(() if owners is None else (owners.get(row.item_code, "—"),)),
            *(() if senders is None else (senders.get(str(row.sender_id), "—"),)),
            *(getattr(row, column.code) for column in _FIGURES),
        )
        for row in rows
    ]
    return _defined(Sheet(msg("数据质量"), columns, tuple(cells)))


def rule_sheet(rows: Sequence[RuleCount], rules: Rules) -> Sheet:
    """Return how often each rule was asked and said no."""
    columns = (_RULE, _SEVERITY, Column("checked", msg("检查（行）")), Column("failed", msg("不符（行）")))
    cells = [
        (rule_name(row.rule_code, rules), SEVERITIES[rules[row.rule_code].severity], row.checked, row.failed)
        for row in rows
        if row.rule_code in rules
    ]
    return Sheet(msg("数据质量规则"), columns, tuple(cells))


def group_sheet(rows: Sequence[FindingGroup], rules: Rules, items: Names, senders: Senders | None = None) -> Sheet:
    """Return findings by rule, with the place of one of them."""
    columns = (
        _RULE,
        _ITEM,
        *(() if senders is None else (_SENDER,)),
        _SEVERITY,
        *_COUNTED,
        _FIRST_SEEN,
        Column("delivery_no", msg("示例批次号")),
        Column("line_no", msg("示例行号")),
    )
    cells = [
        (
            rule_name(row.rule_code, rules),
            items.get(row.item_code, row.item_code),
            *(() if senders is None else (senders.get(str(row.sender_id), "—"),)),
            SEVERITIES[row.severity],
            *(getattr(row, column.code) for column in _COUNTED),
            day_in_table(row.first_seen_at),
            row.example_delivery_no,
            row.example_line_no,
        )
        for row in rows
    ]
    return Sheet(msg("质量问题"), columns, tuple(cells))


def finding_sheet(rows: Sequence[FindingView], rules: Rules, items: Names) -> Sheet:
    """Return findings one by one: the place to look up, what is wrong there, and how it stands."""
    columns = (
        _DELIVERY,
        _LINE,
        _ITEM,
        _RULE,
        _SEVERITY,
        _FIRST_SEEN,
        _STATE,
        Column("message", msg("说明"), Unit.TEXT),
    )
    cells = [
        (
            row.delivery_no,
            row.line_no,
            items.get(row.item_code, row.item_code),
            rule_name(row.rule_code, rules),
            SEVERITIES[row.severity],
            day_in_table(row.first_seen_at),
            STATES[row.state],
            message_of(row.rule_code, rules),
        )
        for row in rows
    ]
    return Sheet(msg("逐行问题"), columns, tuple(cells))


def returned_sheet(rows: Sequence[Returned], items: Names, senders: Senders | None = None) -> Sheet:
    """Return what was returned to senders and what came back, by item and month."""
    columns = (
        Column("month", msg("发现月份"), Unit.TEXT),
        _ITEM,
        *(() if senders is None else (_SENDER,)),
        Column("found", msg("退回")),
        *_COUNTED,
        Column("corrected_ppm", msg("更正率"), Unit.PPM),
    )
    cells = [
        (
            f"{row.month:%Y-%m}",
            items.get(row.item_code, row.item_code),
            *(() if senders is None else (senders.get(str(row.sender_id), "—"),)),
            row.found,
            *(getattr(row, column.code) for column in _COUNTED),
            row.corrected_ppm,
        )
        for row in rows
    ]
    return _defined(Sheet(msg("退回与更正"), columns, tuple(cells)))


def judged_sheet(rows: Sequence[JudgedView], items: Names) -> Sheet:
    """Return deliveries with how they came through."""
    columns = (_DELIVERY, Column("received_at", msg("收到时间"), Unit.TEXT), _ITEM, *_JUDGED)
    cells: list[tuple[Cell, ...]] = [
        (
            row.delivery_no,
            day_in_table(row.received_at),
            items.get(row.item_code, row.item_code),
            *(getattr(row, column.code) for column in _JUDGED),
        )
        for row in rows
    ]
    return _defined(Sheet(msg("报送批次"), columns, tuple(cells)))


def rule_name(code: str, rules: Rules) -> Cell:
    """Return a rule's name; its code where it is no longer in force."""
    return Both(rules[code].name_zh, rules[code].name_en) if code in rules else code


def message_of(code: str, rules: Rules) -> Cell:
    """Return what a rule's sender is to do."""
    return Both(rules[code].message_zh, rules[code].message_en) if code in rules else None


def _defined(sheet: Sheet) -> Sheet:
    """Return a sheet with what its figures mean above its heads."""
    told = tuple((one.title, DEFINITIONS[one.code]) for one in sheet.columns if one.code in DEFINITIONS)
    return Sheet(sheet.title, sheet.columns, sheet.rows, told)
