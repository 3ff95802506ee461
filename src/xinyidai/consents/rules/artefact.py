"""What a consent says: purpose, subject, items, receivers, term. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from xinyidai.foundation.errors import Refusal

ConsentId = NewType("ConsentId", UUID)

MAX_SUBJECTS = 1_000
MAX_RECEIVERS = 50
MAX_ITEMS = 50
MAX_DATA_LIFE_DAYS = 10 * 366


class Purpose(StrEnum):
    """What a consent is for. A consent has one; nothing is read for another."""

    PRE_LOAN = "pre_loan"
    POST_LOAN = "post_loan"
    EVALUATION = "evaluation"
    MODEL_TRAINING = "model_training"
    CREDIT_QUERY = "credit_query"


class SubjectKind(StrEnum):
    """Whose data a consent is about."""

    FIRM = "firm"
    SOLE_TRADER = "sole_trader"
    OWNER = "owner"
    GUARANTOR = "guarantor"


class ConsentState(StrEnum):
    """The life of a consent. Only active and revoked are stored: time alone makes it expire."""

    ACTIVE = "active"
    REVOKED = "revoked"
    EXPIRED = "expired"


class ConsentTextOutdated(Refusal):
    """The text that was shown is no longer, or never was, the text in use."""

    code = "consent_text_outdated"
    title_zh = "授权文本已更新为 {version} 版，请重新阅读并确认"
    title_en = "The text of the consent is now version {version}: read it and agree again"


class AuthorityNeedsChoice(Refusal):
    """A credit query is authorised for one lender when the firm chooses it, and in no other way."""

    code = "authority_needs_choice"
    status = 422
    title_zh = "征信查询授权须在选定机构时单独作出"
    title_en = "A credit query is authorised when a lender is chosen, one lender at a time"


class AuthorityMissing(Refusal):
    """No written authority for this lender's own credit query is in force: never given, taken back, or over."""

    code = "authority_missing"
    status = 403
    title_zh = "该机构没有有效的征信查询授权"
    title_en = "The lender holds no authority in force for its credit query"


class ReceiverUnfit(Refusal):
    """A receiver must be a registered organisation that is not itself a firm seeking finance."""

    code = "receiver_unfit"
    status = 422
    title_zh = "接收方不存在或不能作为接收方：{receiver_id}"
    title_en = "No such receiver, or it cannot be one: {receiver_id}"


class ItemNotInConsent(Refusal):
    """The consent does not name the item, so it cannot be taken back of it."""

    code = "item_not_in_consent"
    status = 422
    title_zh = "该授权不包含信息项：{item}"
    title_en = "The consent does not name the item {item}"


@dataclass(frozen=True)
class WithdrawnItem:
    """An item that was taken back of a consent, and when."""

    item_code: str
    withdrawn_at: datetime


@dataclass(frozen=True)
class ConsentView:
    """A consent as its subject and its receivers may see it; `item_codes` without those taken back one by one.

    `data_life_days` is how long a receiver may keep what it read: a duty of the receiver, which nobody can check from
    here. None where the consent opens no item, or was given before it was asked.
    """

    id: ConsentId
    subject_id: UUID
    subject_kind: SubjectKind
    purpose: Purpose
    item_codes: tuple[str, ...]
    withdrawn: tuple[WithdrawnItem, ...]
    receiver_ids: tuple[UUID, ...]
    granted_by: UUID
    granted_at: datetime
    expires_at: datetime
    data_life_days: int | None
    text_version: str
    text_digest: bytes
    state: ConsentState
    revoked_at: datetime | None

    def covered(self, item_code: str, at: datetime) -> bool:
        """Say whether it was in force for an item at a moment, now or in the past."""
        taken_back = [one.withdrawn_at for one in self.withdrawn if one.item_code == item_code]
        is_named = item_code in self.item_codes or bool(taken_back)
        revoked = [self.revoked_at] if self.revoked_at else []
        return is_named and self.granted_at <= at < min([self.expires_at, *revoked, *taken_back])
