"""The operator's tables of data quality: pass rates, and which rules said no. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from xinyidai.foundation.pages.tables import Column, Sheet, Unit
from xinyidai.foundation.pages.words import Both, Message, Said, msg
from xinyidai.quality.rules import PassRate, Rule, RuleCount, Severity

SEVERITIES: Final[Mapping[Severity, Message]] = {
    Severity.ERROR: msg("差错"),
    Severity.WARNING: msg("警示"),
    Severity.NOTICE: msg("提示"),
}
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
)


def pass_rate_sheet(rows: Sequence[PassRate], items: Mapping[str, Said], senders: Mapping[str, str]) -> Sheet:
    """Return pass rates, one item, sender and month a row; `items` and `senders` are names by code and by id."""
    columns = (
        Column("month", msg("收到月份"), Unit.TEXT),
        Column("item", msg("信息项"), Unit.TEXT),
        Column("sender", msg("机构"), Unit.TEXT),
        *_FIGURES,
    )
    cells = [
        (
            f"{row.month:%Y-%m}",
            items.get(row.item_code, row.item_code),
            senders.get(str(row.sender_id), "—"),
            *(getattr(row, column.code) for column in _FIGURES),
        )
        for row in rows
    ]
    return Sheet(msg("数据质量"), columns, tuple(cells))


def rule_sheet(rows: Sequence[RuleCount], rules: Mapping[str, Rule]) -> Sheet:
    """Return how often each rule was asked and said no."""
    columns = (
        Column("rule", msg("规则"), Unit.TEXT),
        Column("severity", msg("程度"), Unit.TEXT),
        Column("checked", msg("检查（行）")),
        Column("failed", msg("不符（行）")),
    )
    cells = [
        (
            Both(rules[row.rule_code].name_zh, rules[row.rule_code].name_en),
            SEVERITIES[rules[row.rule_code].severity],
            row.checked,
            row.failed,
        )
        for row in rows
        if row.rule_code in rules
    ]
    return Sheet(msg("数据质量规则"), columns, tuple(cells))
