"""The texts that subjects agree to, by version: never edited once shown, only followed by another."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from xinyidai.consents.rules import Purpose


@dataclass(frozen=True)
class ConsentText:
    """One version of the text for every purpose, in both languages; how long it may last is the purpose policy's."""

    version: str
    valid_from: date
    zh: Mapping[Purpose, str]
    en: Mapping[Purpose, str]

    def digest(self, purpose: Purpose) -> bytes:
        """Return the SHA-256 of what was shown for a purpose: the Chinese text, a form feed, the English text."""
        return hashlib.sha256(f"{self.zh[purpose]}\f{self.en[purpose]}".encode()).digest()


_TAKE_BACK_ZH = (
    "授权仅用于上述目的，到期自动失效；本主体可随时在平台撤回，撤回后立即停止新的查询，不影响撤回前已完成的处理。"
)
_TAKE_BACK_EN = (
    " The consent is for this purpose alone and ends by itself. The subject may take it back on the platform at any"
    " time; new reads stop at once, what was done before stays lawful."
)
_ZH = {
    Purpose.PRE_LOAN: "用于受理本主体的融资申请、贷前审核和信用评分。",
    Purpose.POST_LOAN: "用于本主体未结清贷款的贷后管理和风险预警。",
    Purpose.EVALUATION: "用于对本主体的公共信用综合评价。",
    Purpose.MODEL_TRAINING: "以去标识化方式用于训练和检验评分模型。",
}
_AUTHORITY_ZH = (
    "本主体书面授权所列一家放款机构，为审查本笔融资申请，以其自身渠道查询本主体的信用报告（贷前征信查询）；"
    "本授权不含平台所存任何信息项，不得转授。申请办结、被拒或撤回后不得再行查询。"
)
_EN = {
    Purpose.PRE_LOAN: "to handle its request for finance, review it before lending and score it.",
    Purpose.POST_LOAN: "to look after its outstanding loans and warn of risk.",
    Purpose.EVALUATION: "for its public credit evaluation.",
    Purpose.MODEL_TRAINING: "under a pseudonym, to train and test scoring models.",
}

_AUTHORITY_EN = (
    "The subject authorises in writing the one named lender to query the subject's credit report through the lender's"
    " own channels, to examine this request for finance (credit query before lending). It opens no item kept on this"
    " platform and cannot be passed on. Once the request is settled, refused or withdrawn, no further query is made."
)

_FIRST = ConsentText(
    version="2025-01",
    valid_from=date(2016, 1, 1),
    zh=MappingProxyType(
        {purpose: f"本主体授权所列接收方查询所列信息项，{what}{_TAKE_BACK_ZH}" for purpose, what in _ZH.items()}
        | {Purpose.CREDIT_QUERY: f"{_AUTHORITY_ZH}{_TAKE_BACK_ZH}"}
    ),
    en=MappingProxyType(
        {
            purpose: f"The subject lets the named receivers read the named items {what}{_TAKE_BACK_EN}"
            for purpose, what in _EN.items()
        }
        | {Purpose.CREDIT_QUERY: f"{_AUTHORITY_EN}{_TAKE_BACK_EN}"}
    ),
)

TEXTS: tuple[ConsentText, ...] = (_FIRST,)


def text_on(day: date) -> ConsentText:
    """Return the text in use on a Shanghai day."""
    return max((text for text in TEXTS if text.valid_from <= day), key=lambda text: text.valid_from)
