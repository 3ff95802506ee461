"""Consents on the wire."""

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from xinyidai.access.rules import OrganisationKind
from xinyidai.catalogue.rules import Category
from xinyidai.consents.rules import (
    MAX_DATA_LIFE_DAYS,
    MAX_ITEMS,
    MAX_RECEIVERS,
    ConsentState,
    ConsentView,
    Purpose,
    PurposePolicy,
    SubjectKind,
    WithdrawnItem,
)
from xinyidai.consents.texts import ConsentText
from xinyidai.foundation.paging import Page

_ASKED: JsonDict = {
    "purpose": "pre_loan",
    "item_codes": ["vat_invoice"],
    "receiver_ids": ["01976f2c-2222-7c55-9a53-0c7d0a5f2b11"],
    "expires_at": "2025-12-16T04:00:00Z",
    "data_life_days": 180,
}
_CONSENT: JsonDict = {
    "id": "01976f2c-3333-7c55-9a53-0c7d0a5f2b11",
    "subject_id": "01976f2c-1111-7c55-9a53-0c7d0a5f2b11",
    "subject_kind": "firm",
    **_ASKED,
    "withdrawn": [{"item_code": "electricity", "withdrawn_at": "2025-06-20T04:00:00Z"}],
    "granted_at": "2025-06-16T04:00:00Z",
    "text_version": "2025-01",
    "text_digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "state": "active",
    "revoked_at": None,
}


class ConsentIn(BaseModel):
    """What a firm allows, to whom, for what, until when. One consent has one purpose."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {**_ASKED, "text_digest": _CONSENT["text_digest"]}}
    )

    purpose: Purpose = Field(description="What the data may be used for (授权目的)")
    item_codes: list[str] = Field(max_length=MAX_ITEMS, description="Items of the catalogue (信息项)")
    receiver_ids: list[UUID] = Field(max_length=MAX_RECEIVERS, description="Who may read them (接收方)")
    expires_at: AwareDatetime = Field(
        description="When the consent ends by itself: ListPurposePolicies says how far off at most"
    )
    data_life_days: int | None = Field(
        default=None,
        ge=1,
        le=MAX_DATA_LIFE_DAYS,
        description="How many days a receiver may keep what it reads; left out, as many as ListPurposePolicies says",
    )
    text_digest: str = Field(
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 of the text that was shown, from ShowConsentText: what was agreed to is what is in use",
    )


class WithdrawnItemOut(BaseModel):
    """An item that its subject took back of a consent, and when."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"item_code": "electricity", "withdrawn_at": "2025-06-20T04:00:00Z"}}
    )

    item_code: str
    withdrawn_at: datetime

    @classmethod
    def of(cls, withdrawn: WithdrawnItem) -> "WithdrawnItemOut":
        """Build from a withdrawal."""
        return cls(item_code=withdrawn.item_code, withdrawn_at=withdrawn.withdrawn_at)


class ConsentOut(BaseModel):
    """A consent as it is now: `item_codes` are what is left of it, `withdrawn` what was taken back one by one."""

    model_config = ConfigDict(json_schema_extra={"example": _CONSENT})

    id: UUID
    subject_id: UUID
    subject_kind: SubjectKind
    purpose: Purpose
    item_codes: list[str]
    withdrawn: list[WithdrawnItemOut]
    receiver_ids: list[UUID]
    granted_at: datetime
    expires_at: datetime
    data_life_days: int | None
    text_version: str
    text_digest: str
    state: ConsentState
    revoked_at: datetime | None

    @classmethod
    def of(cls, view: ConsentView) -> "ConsentOut":
        """Build from a consent."""
        return cls(
            id=view.id,
            subject_id=view.subject_id,
            subject_kind=view.subject_kind,
            purpose=view.purpose,
            item_codes=list(view.item_codes),
            withdrawn=[WithdrawnItemOut.of(one) for one in view.withdrawn],
            receiver_ids=list(view.receiver_ids),
            granted_at=view.granted_at,
            expires_at=view.expires_at,
            data_life_days=view.data_life_days,
            text_version=view.text_version,
            text_digest=view.text_digest.hex(),
            state=view.state,
            revoked_at=view.revoked_at,
        )


class ConsentPageOut(BaseModel):
    """A page of consents and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"consents": [_CONSENT], "next_cursor": None}})

    consents: list[ConsentOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[ConsentView]) -> "ConsentPageOut":
        """Build from a page."""
        return cls(consents=[ConsentOut.of(view) for view in page.rows], next_cursor=page.next_cursor)


class ConsentTextOut(BaseModel):
    """What a firm is shown before it agrees."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "version": "2025-01",
                "purpose": "pre_loan",
                "zh": "本主体授权所列接收方查询所列信息项……",
                "en": "The subject lets the named receivers read the named items ...",
                "digest": _CONSENT["text_digest"],
                "most_months": 24,
            }
        }
    )

    version: str
    purpose: Purpose
    zh: str
    en: str
    digest: str
    most_months: int

    @classmethod
    def of(cls, text: ConsentText, policy: PurposePolicy) -> "ConsentTextOut":
        """Build from a version of the text and the policy of the purpose on the same day."""
        purpose = policy.purpose
        return cls(
            version=text.version,
            purpose=purpose,
            zh=text.zh[purpose],
            en=text.en[purpose],
            digest=text.digest(purpose).hex(),
            most_months=policy.most_months,
        )


_POLICY: JsonDict = {
    "purpose": "model_training",
    "version": 1,
    "valid_from": "2016-01-01",
    "valid_to": None,
    "most_months": 24,
    "most_receivers": 1,
    "most_data_life_days": 1830,
    "categories": ["housing_fund", "social_insurance", "tax", "utilities"],
    "item_codes": ["loan_outcome"],
    "receiver_kinds": ["operator"],
    "legal_basis": "个人信息保护法第六条（最小范围）",
    "is_verified": False,
}


class PurposePolicyOut(BaseModel):
    """How wide a consent for one purpose may be: an item may be named by its category or by its code."""

    model_config = ConfigDict(json_schema_extra={"example": _POLICY})

    purpose: Purpose
    version: int
    valid_from: date
    valid_to: date | None
    most_months: int
    most_receivers: int
    most_data_life_days: int | None
    categories: list[Category]
    item_codes: list[str]
    receiver_kinds: list[OrganisationKind]
    legal_basis: str
    is_verified: bool

    @classmethod
    def of(cls, policy: PurposePolicy) -> "PurposePolicyOut":
        """Build from a policy."""
        return cls(
            purpose=policy.purpose,
            version=policy.version,
            valid_from=policy.valid_from,
            valid_to=policy.valid_to,
            most_months=policy.most_months,
            most_receivers=policy.most_receivers,
            most_data_life_days=policy.most_data_life_days,
            categories=sorted(policy.categories),
            item_codes=sorted(policy.item_codes),
            receiver_kinds=sorted(policy.receiver_kinds),
            legal_basis=policy.legal_basis,
            is_verified=policy.is_verified,
        )


class PurposePoliciesOut(BaseModel):
    """The policies of a Shanghai day."""

    model_config = ConfigDict(json_schema_extra={"example": {"on": "2025-06-16", "policies": [_POLICY]}})

    on: date
    policies: list[PurposePolicyOut]

    @classmethod
    def of(cls, on: date, found: Iterable[PurposePolicy]) -> "PurposePoliciesOut":
        """Build from policies."""
        return cls(on=on, policies=[PurposePolicyOut.of(one) for one in found])
