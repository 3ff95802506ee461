"""The tables of the platform's reports that no other page has: what happened in a year, and what data came. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from xinyidai.desks.sheets import meaning
from xinyidai.foundation.pages.figures import in_yuan
from xinyidai.foundation.pages.tables import Cell, Column, Sheet, Unit
from xinyidai.foundation.pages.words import Message, Said, msg
from xinyidai.quality.rules import PPM, PassRate
from xinyidai.reporting.rules import ACTIVITY_METRICS, Activity, LendingRow

ACTIVITIES: Final[Mapping[str, Message]] = {
    "demands": msg("提交的融资需求"),
    "dispatches": msg("派送给银行"),
    "answered_in_time": msg("银行按时答复"),
    "timed_out": msg("银行超时未答复"),
    "claims_filed": msg("提出的代偿申请"),
    "claims_paid": msg("已支付的代偿申请"),
    "claims_paid_fen": msg("支付的代偿（元）"),
    "consents_given": msg("给出的授权"),
    "consents_revoked": msg("撤回的授权"),
}


def activity_sheet(found: Activity) -> Sheet:
    """Return what happened, a figure a row with its definition."""
    columns = (
        Column("what", msg("项目"), Unit.TEXT),
        Column("value", msg("数值"), Unit.TEXT),
        Column("definition", msg("口径"), Unit.TEXT),
    )
    rows: list[tuple[Cell, ...]] = []
    for metric in ACTIVITY_METRICS:
        value = getattr(found, metric.code)
        told = in_yuan(value) if metric.code.endswith("_fen") else f"{value:,}"
        rows.append((ACTIVITIES[metric.code], told, meaning(metric)))
    return Sheet(msg("撮合、分担与授权"), columns, tuple(rows))


def data_sheet(rows: Sequence[PassRate], items: Mapping[str, Said], owners: Mapping[str, Said]) -> Sheet:
    """Return what data came, an item a row, also those of the catalogue of which nothing came."""
    columns = (
        Column("item", msg("信息项"), Unit.TEXT),
        Column("owner", msg("主管部门"), Unit.TEXT),
        Column("senders", msg("报送机构（家）")),
        Column("deliveries", msg("批次")),
        Column("received", msg("收到（行）")),
        Column("pass_rate_ppm", msg("合格率"), Unit.PPM),
    )
    cells: list[tuple[Cell, ...]] = []
    for code, name in items.items():
        mine = [one for one in rows if one.item_code == code]
        offered = sum(one.offered for one in mine)
        cells.append(
            (
                name,
                owners.get(code, "—"),
                len({one.sender_id for one in mine}),
                sum(one.deliveries for one in mine),
                sum(one.received for one in mine),
                sum(one.passed for one in mine) * PPM // offered if offered else None,
            )
        )
    covered = sum(1 for code in items if any(one.item_code == code for one in rows))
    notes = (
        (msg("信息项覆盖"), msg("目录 %(listed)s 项，有报送 %(covered)s 项", listed=len(items), covered=covered)),
        (msg("合格率"), msg("合格率是没有差错的行占计入的行的比例，向下取整；警示和提示不影响合格。")),
    )
    return Sheet(msg("数据归集"), columns, tuple(cells), notes)


def headline(total: LendingRow) -> Message:
    """Return a year's lending in one sentence."""
    return msg(
        "放款 %(loans)s 笔，借款主体 %(firms)s 家，放款金额 %(amount)s 元",
        loans=f"{total.loans:,}",
        firms=f"{total.firms:,}",
        amount=in_yuan(total.disbursed_fen),
    )
