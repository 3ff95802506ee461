"""Who may read what, for what, until when: pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from xinyidai.catalogue.rules import Item, ItemNotListed, requires_usable
from xinyidai.foundation.clock import SHANGHAI, add_months
from xinyidai.foundation.errors import Refusal

ConsentId = NewType("ConsentId", UUID)

MAX_SUBJECTS = 1_000
MAX_RECEIVERS = 50
MAX_ITEMS = 50


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


class ConsentMissing(Refusal):
    """For some subject no consent covers the receiver, the purpose, every item and this moment. Nothing was read."""

    code = "consent_missing"
    status = 403
    title_zh = "缺少有效授权：{purpose}，{missing} 个主体，信息项 {items}"
    title_en = "No valid consent for {purpose}: {missing} subject(s), items {items}"


class ConsentTooWide(Refusal):
    """The consent asked for outlasts, or names more than, what one consent may."""

    code = "consent_too_wide"
    status = 422
    title_zh = "授权范围过宽：{field} 最多为 {most}"
    title_en = "The consent is too wide: {field} may be at most {most}"


class ConsentEmpty(Refusal):
    """The consent names no item, no receiver, or ends before it begins."""

    code = "consent_empty"
    status = 422
    title_zh = "授权内容为空：{field}"
    title_en = "The consent is empty: {field}"


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


class TooManySubjects(Refusal):
    """One permission covers at most a thousand subjects: one audit row names them all."""

    code = "too_many_subjects"
    status = 422
    title_zh = "一次最多查询 {most} 个主体"
    title_en = "At most {most} subjects at a time"


@dataclass(frozen=True)
class Grant:
    """What a stored consent allows, for the rule alone."""

    consent_id: UUID
    subject_id: UUID
    purpose: Purpose
    item_codes: frozenset[str]
    receiver_ids: frozenset[UUID]
    granted_at: datetime
    expires_at: datetime
    is_revoked: bool

    def allows(self, *, purpose: Purpose, receiver_id: UUID, at: datetime) -> bool:
        """Say whether it is in force at `at` for this purpose and receiver; expiry is exclusive."""
        return (
            not self.is_revoked
            and self.purpose is purpose
            and receiver_id in self.receiver_ids
            and self.granted_at <= at < self.expires_at
        )


@dataclass(frozen=True)
class Permission:
    """What `require` found: the bearer may read these items of these subjects, for this purpose, now."""

    subject_ids: frozenset[UUID]
    consent_ids: tuple[UUID, ...]
    purpose: Purpose
    receiver_id: UUID
    item_codes: tuple[str, ...]
    at: datetime
    grants: tuple[Grant, ...] = ()
    """The consents it stands on, by id, with what each allows and until when."""


@dataclass(frozen=True)
class ConsentView:
    """A consent as its subject and its receivers may see it."""

    id: ConsentId
    subject_id: UUID
    subject_kind: SubjectKind
    purpose: Purpose
    item_codes: tuple[str, ...]
    receiver_ids: tuple[UUID, ...]
    granted_by: UUID
    granted_at: datetime
    expires_at: datetime
    text_version: str
    text_digest: bytes
    state: ConsentState
    revoked_at: datetime | None

    def was_in_force(self, at: datetime) -> bool:
        """Say whether it was in force at a moment, now or in the past."""
        return self.granted_at <= at < min(self.expires_at, self.revoked_at or self.expires_at)


def effective_permission(
    *,
    subject_ids: Collection[UUID],
    receiver_id: UUID,
    purpose: Purpose,
    item_codes: Sequence[str],
    grants: Sequence[Grant],
    listed: Mapping[str, Item],
    at: datetime,
) -> Permission:
    """Return request and grant and purpose and catalogue and time together, or refuse: never a part of what was asked.

    An item may be covered by one consent and the next item by another. Open items need none.

    Raises
    ------
    ItemNotListed, ItemForbidden
        The catalogue has no such item on that day, or lists it as forbidden.
    ConsentMissing
        Some subject lacks a consent for some item; says how many, never which.
    TooManySubjects
        More than `MAX_SUBJECTS`.
    """
    if len(subject_ids) > MAX_SUBJECTS:
        raise TooManySubjects(most=MAX_SUBJECTS)
    wanted = frozenset(subject_ids)
    in_force = [
        grant
        for grant in grants
        if grant.subject_id in wanted and grant.allows(purpose=purpose, receiver_id=receiver_id, at=at)
    ]
    missing: set[UUID] = set()
    items_missing: list[str] = []
    used: dict[UUID, Grant] = {}
    for code in item_codes:
        if not _needs_consent(code, listed):
            continue
        covering = [grant for grant in in_force if code in grant.item_codes]
        uncovered = wanted - {grant.subject_id for grant in covering}
        used.update((grant.consent_id, grant) for grant in covering)
        if uncovered:
            missing |= uncovered
            items_missing.append(code)
    if missing or not wanted or not item_codes:
        raise ConsentMissing(purpose=purpose.value, missing=len(missing), items=items_missing or list(item_codes))
    stands_on = tuple(used[consent_id] for consent_id in sorted(used))
    return Permission(wanted, tuple(sorted(used)), purpose, receiver_id, tuple(item_codes), at, stands_on)


def _needs_consent(code: str, listed: Mapping[str, Item]) -> bool:
    if code not in listed:
        raise ItemNotListed(item=code)
    requires_usable(listed[code])
    return listed[code].needs_consent


def requires_narrow(
    *, item_codes: Sequence[str], receiver_ids: Sequence[UUID], expires_at: datetime, now: datetime, most_months: int
) -> None:
    """Refuse a consent that is empty, or wider than one consent may be."""
    for field, values, most in (("item_codes", item_codes, MAX_ITEMS), ("receiver_ids", receiver_ids, MAX_RECEIVERS)):
        if not values:
            raise ConsentEmpty(field=field)
        if len(values) > most:
            raise ConsentTooWide(field=field, most=most)
    if expires_at <= now:
        raise ConsentEmpty(field="expires_at")
    latest = latest_expiry(now, most_months)
    if expires_at > latest:
        raise ConsentTooWide(field="expires_at", most=latest.isoformat())


def latest_expiry(now: datetime, months: int) -> datetime:
    """Return the same Shanghai time of day, so many months later."""
    local = now.astimezone(SHANGHAI)
    return datetime.combine(add_months(local.date(), months), local.timetz()).astimezone(now.tzinfo)
