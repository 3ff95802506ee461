"""What may be read now: request, grant, purpose policy, catalogue and time together. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from xinyidai.access.rules import OrganisationKind
from xinyidai.catalogue.rules import Item, ItemNotListed, requires_usable
from xinyidai.consents.rules.artefact import MAX_SUBJECTS, Purpose
from xinyidai.consents.rules.policies import PurposePolicy
from xinyidai.foundation.errors import Refusal


class ConsentMissing(Refusal):
    """For some subject no consent covers the receiver, the purpose, every item and this moment. Nothing was read."""

    code = "consent_missing"
    status = 403
    title_zh = "缺少有效授权：{purpose}，{missing} 个主体，信息项 {items}"
    title_en = "No valid consent for {purpose}: {missing} subject(s), items {items}"


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


def effective_permission(
    *,
    subject_ids: Collection[UUID],
    receiver_id: UUID,
    receiver_kind: OrganisationKind | None,
    purpose: Purpose,
    item_codes: Sequence[str],
    grants: Sequence[Grant],
    policy: PurposePolicy | None,
    listed: Mapping[str, Item],
    at: datetime,
) -> Permission:
    """Return request, grant, policy, catalogue and time together, or refuse: never a part of what was asked.

    An item may be covered by one consent and the next item by another. Open items need none. The policy in force at
    `at` narrows consents given under an earlier one: its items and kinds of receiver count at every read; its term and
    numbers counted once, when the consent was given.

    Parameters
    ----------
    receiver_kind : OrganisationKind or None
        What kind of party the receiver is; None for one that is not registered.
    policy : PurposePolicy or None
        Of the purpose, in force at `at`; without one no item that needs consent may be read.

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
    named = () if policy is None else policy.readable(listed.values(), purpose=purpose, by=receiver_kind, at=at)
    missing: set[UUID] = set()
    items_missing: list[str] = []
    used: dict[UUID, Grant] = {}
    for code in item_codes:
        if not _needs_consent(code, listed):
            continue
        covering = [grant for grant in in_force if code in grant.item_codes and code in named]
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
