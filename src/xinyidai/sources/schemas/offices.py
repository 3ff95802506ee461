"""Subscriptions, daily files and calls back on the wire."""

from datetime import date, datetime
from typing import Literal, cast
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from xinyidai.sources.rules.subscriptions import (
    MAX_REFERENCE,
    DayFileState,
    DayFileView,
    SentListView,
    SubscriptionEnd,
    SubscriptionState,
    SubscriptionView,
)

BenefitItem = Literal["social_insurance", "housing_fund"]
_SUBSCRIPTION: JsonDict = {
    "id": "01976f2c-4444-7c55-9a53-0c7d0a5f2b14",
    "state": "listed",
    "reason": None,
    "asked_at": "2025-06-16T04:00:00Z",
    "listed_from": "2025-06-17",
    "rests_on": None,
    "ended_at": None,
    "said_zh": "已在名单上，自所示日期起每日接收数据",
    "said_en": "On the list; data come daily from the day shown on",
}
_DAY_FILE: JsonDict = {
    "day": "2025-06-17",
    "item": "social_insurance",
    "state": "loaded",
    "reason": None,
    "tries": 1,
    "received": 36,
    "discarded": 1,
    "outdated": 0,
    "loaded": 35,
    "delivery_id": "01976f2c-4444-7c55-9a53-0c7d0a5f2b11",
    "settled_at": "2025-06-17T01:00:00Z",
    "said_zh": "已入库；名单外的行已计数并丢弃，未读取",
    "said_en": "Loaded; rows off the list were thrown away unread",
}
_LIST: JsonDict = {
    "day": "2025-06-17",
    "tries": 1,
    "reason": None,
    "named": 12,
    "refused": 1,
    "sent_at": "2025-06-17T01:00:00Z",
    "said_zh": "名单已报送",
    "said_en": "The list was sent",
}


class SubscriptionIn(BaseModel):
    """The firm's authorisation number at the office (授权号)."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reference": "SBGJJ4402139981170255"}})

    reference: str = Field(min_length=1, max_length=MAX_REFERENCE, description="The number that the office gave")


class SubscriptionOut(BaseModel):
    """A firm's place on the list for daily files."""

    model_config = ConfigDict(json_schema_extra={"example": _SUBSCRIPTION})

    id: UUID
    state: SubscriptionState
    reason: SubscriptionEnd | None
    asked_at: datetime
    listed_from: date | None = Field(description="Day of the first file that the firm is in")
    rests_on: date | None = Field(
        description="Day whose list leaves the firm out for once, so that its history comes anew after a lost file"
    )
    ended_at: datetime | None
    said_zh: str = Field(description="How it stands, in Chinese")
    said_en: str = Field(description="How it stands, in English")

    @classmethod
    def of(cls, view: SubscriptionView) -> "SubscriptionOut":
        """Build it from the view."""
        return cls(
            id=view.id,
            state=view.state,
            reason=view.reason,
            asked_at=view.asked_at,
            listed_from=view.listed_from,
            rests_on=view.rests_on,
            ended_at=view.ended_at,
            said_zh=view.sentence("zh"),
            said_en=view.sentence("en"),
        )


class SubscriptionsOut(BaseModel):
    """A firm's places on the list, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"rows": [_SUBSCRIPTION]}})

    rows: list[SubscriptionOut]


class DayFileOut(BaseModel):
    """One item's file of one day: what was received is what was discarded, outdated, loaded, or known already."""

    model_config = ConfigDict(json_schema_extra={"example": _DAY_FILE})

    day: date
    item: BenefitItem
    state: DayFileState
    reason: str | None = Field(description="What is wrong with it, or why it could not be had")
    tries: int = Field(description="How often it was asked for today")
    received: int | None
    discarded: int | None = Field(description="Rows of firms that are not on the list, thrown away unread")
    outdated: int | None = Field(description="Rows that a later day's file, which came first, told better")
    loaded: int | None
    delivery_id: UUID | None
    settled_at: datetime | None
    said_zh: str = Field(description="How it stands, in Chinese")
    said_en: str = Field(description="How it stands, in English")

    @classmethod
    def of(cls, view: DayFileView) -> "DayFileOut":
        """Build it from the view."""
        return cls(
            day=view.day,
            item=cast(BenefitItem, view.item_code),
            state=view.state,
            reason=view.reason,
            tries=view.tries,
            received=view.received,
            discarded=view.discarded,
            outdated=view.outdated,
            loaded=view.loaded,
            delivery_id=view.delivery_id,
            settled_at=view.settled_at,
            said_zh=view.sentence("zh"),
            said_en=view.sentence("en"),
        )


class SentListOut(BaseModel):
    """One day's list: how many firms it named, and how many the office did not know; no firm is named here."""

    model_config = ConfigDict(json_schema_extra={"example": _LIST})

    day: date
    tries: int
    reason: str | None = Field(description="Why it could not be sent yet")
    named: int | None
    refused: int | None
    sent_at: datetime | None
    said_zh: str = Field(description="How it stands, in Chinese")
    said_en: str = Field(description="How it stands, in English")

    @classmethod
    def of(cls, view: SentListView) -> "SentListOut":
        """Build it from the view."""
        return cls(
            day=view.day,
            tries=view.tries,
            reason=view.reason,
            named=view.named,
            refused=view.refused,
            sent_at=view.sent_at,
            said_zh=view.sentence("zh"),
            said_en=view.sentence("en"),
        )


class DayFilesOut(BaseModel):
    """The lists and the daily files of the last 30 days, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"lists": [_LIST], "files": [_DAY_FILE]}})

    lists: list[SentListOut]
    files: list[DayFileOut]
