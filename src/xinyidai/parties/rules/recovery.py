"""Recovering an account: by two administrators, by two people of the operator, or for a one-person desk by a code."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from xinyidai.access.rules import OrganisationKind
from xinyidai.foundation.errors import Refusal
from xinyidai.parties.rules.identity import PartyId, UserId
from xinyidai.parties.rules.people import ONE_PERSON_DESKS

ASKING_LASTS: Final = timedelta(hours=24)
"""From the first administrator's asking to the second's confirming."""
LINK_LASTS: Final = timedelta(minutes=30)
MESSAGE_LASTS: Final = timedelta(minutes=10)
RECOVERY_PATH: Final = "/account-recovery/{token}"


class RecoveryKind(StrEnum):
    """Who vouches: the person's own desk, the operator's desk, or a code by message (sandbox only)."""

    DESK = "desk"
    OPERATOR = "operator"
    MESSAGE = "message"


class AccountRecoveryNeedsOperator(Refusal):
    """The account cannot be recovered on this path: two people of the platform's operator must do it."""

    code = "account_recovery_needs_operator"
    title_zh = "此账户须由平台运营方两名人员协助恢复，请联系平台"
    title_en = "Two people of the platform's operator must recover this account: contact the platform"


class AccountRecoveryRefused(Refusal):
    """Unknown email, wrong or used code, shut account, or an account that its desk recovers: one answer for all."""

    code = "account_recovery_refused"
    status = 403
    title_zh = "无法以此邮箱和验证码恢复账户；连续 5 次失败后账户锁定 15 分钟"
    title_en = "Email and code recover no account; five failures in a row shut an account for 15 minutes"


class AccountRecoveryOver(Refusal):
    """The request or link was used, replaced, has expired, or never was one."""

    code = "account_recovery_over"
    status = 410
    title_zh = "恢复申请或链接无效：已使用、已更换或已过期"
    title_en = "This recovery is over: used, replaced or expired"


@dataclass(frozen=True)
class RecoveryView:
    """A recovery that waits for the second administrator; `expires_at` is wall time."""

    id: UUID
    kind: RecoveryKind
    user_id: UserId
    email: str
    display_name: str
    asked_by: UserId
    asked_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class RecoveryLink:
    """The one-time token of a confirmed recovery, shown this once to the administrator who confirmed."""

    recovery_id: UUID
    token: str
    expires_at: datetime

    @property
    def path(self) -> str:
        """Return the path of the link to hand over."""
        return RECOVERY_PATH.format(token=self.token)


@dataclass(frozen=True)
class SimulatedMessage:
    """A text message of the sandbox, which goes to a page and to no phone."""

    id: UUID
    email: str
    text_zh: str
    text_en: str
    sent_at: datetime


def recovery_kind(desk_id: PartyId, *, is_operator: bool, held: Collection[PartyId]) -> RecoveryKind:
    """Say in which capacity an organisation's administrators may recover the account of somebody who holds these.

    A desk recovers only people who belong to it alone: whoever sets a new password acts for every organisation of the
    person, so two administrators of one could otherwise enter another by way of a member they share.

    Raises
    ------
    AccountRecoveryNeedsOperator
        The person belongs to another organisation too.
    """
    if set(held) == {desk_id}:
        return RecoveryKind.DESK
    if is_operator:
        return RecoveryKind.OPERATOR
    raise AccountRecoveryNeedsOperator


def may_recover_alone(kinds: Collection[OrganisationKind]) -> bool:
    """Say whether a person recovers by a code alone: only people of one-person desks, who have no colleague to ask."""
    return bool(kinds) and all(kind in ONE_PERSON_DESKS for kind in kinds)
