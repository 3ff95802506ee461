"""Passing through (直连): a question goes to the owner of an item, its answer to who asked; a receipt stays. Pure."""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from xinyidai.consents.rules import Purpose
from xinyidai.foundation.canonical import Json
from xinyidai.foundation.errors import Refusal

HEADLINE: Final = "xinyidai.receipt.v1"
MOST_ANSWER_BYTES: Final = 1 << 20
LEAST_SALT_BYTES: Final = 16
MOST_CLOCK_DRIFT: Final = timedelta(minutes=5)


class ItemNotPassedThrough(Refusal):
    """In this province the item does not pass by: its records are held here, or it is computed at its owner."""

    code = "item_not_passed_through"
    status = 422
    title_zh = "本省该信息项不采用直连方式：{item}（{topology}）"
    title_en = "In this province the item {item} does not pass through ({topology})"


class AnswerUnfit(Refusal):
    """The provider's answer cannot be passed on: too long, without a salt, or of another moment."""

    code = "provider_answer_unfit"
    status = 502
    title_zh = "数据提供方的答复无法转交：{why}"
    title_en = "The provider's answer cannot be passed on: {why}"


@dataclass(frozen=True)
class Question:
    """What is asked of a provider: whose data, of which item and days, for whom, for what, under which consents."""

    id: UUID
    asker_id: UUID
    credit_code: str
    item_code: str
    purpose: Purpose
    consent_ids: tuple[UUID, ...]
    covers_from: date
    covers_to: date
    asked_at: datetime


@dataclass(frozen=True)
class SignedAnswer:
    """What a provider answers. `body` is for the asker's eyes; `signature` covers what stays in the receipt.

    `salt` goes to the asker with the body and is kept nowhere: without it, the digest of an answer that is one of a few
    (is it mortgaged?) would tell which.
    """

    body: bytes
    salt: bytes
    provider_id: UUID
    key_id: UUID
    answered_at: datetime
    signature: bytes

    @property
    def digest(self) -> bytes:
        """Return the SHA-256 of salt and body."""
        return hashlib.sha256(self.salt + self.body).digest()


@dataclass(frozen=True)
class ReceiptView:
    """What stays of a question that was passed through: all but what was answered."""

    id: UUID
    firm_id: UUID
    asker_id: UUID
    provider_id: UUID
    item_code: str
    purpose: Purpose
    consent_ids: tuple[UUID, ...]
    covers_from: date
    covers_to: date
    answer_digest: bytes
    key_id: UUID
    signature: bytes
    asked_at: datetime
    answered_at: datetime


@dataclass(frozen=True)
class Passed:
    """An answer in the hands of who asked, and the receipt that stays."""

    receipt: ReceiptView
    body: bytes
    salt: bytes


def receipt_words(question: Question, *, provider_id: UUID, answer_digest: bytes, answered_at: datetime) -> Json:
    """Return what a provider signs beside the headline: the whole question, and the answer by its digest."""
    return {
        "question_id": str(question.id),
        "provider_id": str(provider_id),
        "asker_id": str(question.asker_id),
        "credit_code": question.credit_code,
        "item": question.item_code,
        "purpose": question.purpose.value,
        "consent_ids": [str(one) for one in question.consent_ids],
        "covers_from": question.covers_from.isoformat(),
        "covers_to": question.covers_to.isoformat(),
        "asked_at": question.asked_at.isoformat(),
        "answer_sha256": answer_digest.hex(),
        "answered_at": answered_at.isoformat(),
    }


def requires_fit(question: Question, answer: SignedAnswer) -> None:
    """Refuse with `AnswerUnfit` an answer that is too long, unsalted, or not of the moment of the question."""
    if len(answer.body) > MOST_ANSWER_BYTES:
        raise AnswerUnfit(why="too_long")
    if len(answer.salt) < LEAST_SALT_BYTES:
        raise AnswerUnfit(why="without_salt")
    if answer.answered_at.tzinfo is None or abs(answer.answered_at - question.asked_at) > MOST_CLOCK_DRIFT:
        raise AnswerUnfit(why="of_another_moment")
