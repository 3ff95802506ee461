"""What an office's answer may have wrong with it, by name: such an answer is none, and nothing of it is kept."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from xinyidai.foundation.errors import SourceUnavailable


class AnswerFault(StrEnum):
    """Why an answer, a file or a call back is not believed."""

    SIGNATURE_WRONG = "signature_wrong"
    TIME_REFUSED = "time_refused"
    DIGEST_WRONG = "digest_wrong"
    ANOTHER_DAY = "another_day"
    ANOTHER_FIRM = "another_firm"
    ROWS_MISSING = "rows_missing"
    SCHEMA_CHANGED = "schema_changed"
    UNIT_DOUBTFUL = "unit_doubtful"
    STALE = "stale"
    ENCODING_WRONG = "encoding_wrong"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    UNSAFE = "unsafe"


SAID: Final[Mapping[AnswerFault, tuple[str, str]]] = {
    AnswerFault.SIGNATURE_WRONG: (
        "签名不符，可能被伪造或截断；未保存任何内容",
        "The signature is wrong: forged or cut off; nothing was kept",
    ),
    AnswerFault.TIME_REFUSED: ("时间戳偏差过大，已拒绝", "The timestamp is too far off; refused"),
    AnswerFault.DIGEST_WRONG: (
        "文件与清单的摘要不符，文件不完整；未保存任何内容",
        "The file is not the one that its manifest names: cut off or altered; nothing was kept",
    ),
    AnswerFault.ANOTHER_DAY: (
        "文件不是所要日期的；未保存任何内容",
        "The file is of another day; nothing was kept",
    ),
    AnswerFault.ANOTHER_FIRM: (
        "应答是另一企业的；未保存任何内容",
        "The answer is another firm's; nothing was kept",
    ),
    AnswerFault.ROWS_MISSING: (
        "文件行数与清单不符；未保存任何内容",
        "The file has other rows than its manifest counts; nothing was kept",
    ),
    AnswerFault.SCHEMA_CHANGED: (
        "对方更改了字段；在确认前不猜测其含义，未保存任何内容",
        "The office changed its fields; their meaning is not guessed and nothing was kept",
    ),
    AnswerFault.UNIT_DOUBTFUL: (
        "金额单位存疑（应为元、两位小数）；未保存任何内容",
        "The unit of amounts is doubtful (yuan with two decimals were promised); nothing was kept",
    ),
    AnswerFault.STALE: (
        "应答是旧数据；为免覆盖较新的数据，未保存任何内容",
        "The answer is old; nothing was kept, lest it replace what is newer",
    ),
    AnswerFault.ENCODING_WRONG: (
        "文字编码与约定不符；未保存任何内容",
        "The text is not in the agreed encoding; nothing was kept",
    ),
    AnswerFault.UNREADABLE: (
        "应答不完整或无法读取；未保存任何内容",
        "The answer is cut off or cannot be read; nothing was kept",
    ),
    AnswerFault.TOO_LARGE: ("应答过大，已拒绝", "The answer is too large; refused"),
    AnswerFault.UNSAFE: (
        "文档含有不允许的声明或嵌套过深，已拒绝",
        "The document declares what it must not, or is nested too deeply; refused",
    ),
}
"""What firm and operator are told of each, Chinese and English."""


class AnswerRefused(SourceUnavailable):
    """An answer came that is not believed; `fault` says why, `where` what gave it away: a field, a byte, a count."""

    def __init__(self, source: str, fault: AnswerFault, where: str = "") -> None:
        self.fault = fault
        self.where = where
        super().__init__(source, f"{fault.value}{': ' if where else ''}{where}")


def is_without_decimals(amount: str) -> bool:
    """Say whether an amount is a whole number: so fen look where offices promise yuan with two decimals."""
    return amount.strip().removeprefix("-").isdigit()
