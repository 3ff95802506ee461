"""Why a firm scored as it did, in a sentence of each language: pure."""

from dataclasses import dataclass
from enum import StrEnum

from xinyidai.foundation.canonical import Json
from xinyidai.profiles.rules.readings import IndicatorText, in_words_en, in_words_zh

MAX_REASONS = 4


class Side(StrEnum):
    """Which way an indicator moved the risk, against the firms the model was trained on."""

    RAISES = "raises"
    LOWERS = "lowers"


@dataclass(frozen=True)
class Share:
    """One indicator's exact share in a score.

    `share_micro` is the share in the calibrated log-odds of default, in millionths; `value` is the integer of the
    indicator's measure, None for no data.
    """

    code: str
    side: Side
    share_micro: int
    value: int | None


def reason_of(share: Share, text: IndicatorText) -> dict[str, Json]:
    """Return a reason as it is recorded and shown: the indicator, its value, and advice where it can be acted on."""
    zh = f"{text.name_zh}为 {in_words_zh(text.measure, share.value)}，{_MOVES_ZH[share.side]}"
    en = f"{text.name_en}: {in_words_en(text.measure, share.value)}; this {_MOVES_EN[share.side]}"
    if text.is_mutable and share.side is Side.RAISES:
        zh += f"。建议：{text.advice_zh}"
        en += f". Advice: {text.advice_en}"
    return {
        "code": share.code,
        "side": share.side.value,
        "share_micro": share.share_micro,
        "value": share.value,
        "measure": text.measure.value,
        "zh": zh,
        "en": en,
    }


_MOVES_ZH = {Side.RAISES: "提高了违约风险", Side.LOWERS: "降低了违约风险"}
_MOVES_EN = {Side.RAISES: "raises the risk of default", Side.LOWERS: "lowers the risk of default"}
