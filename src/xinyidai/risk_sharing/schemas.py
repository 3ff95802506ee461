"""Claims and recoveries on the wire."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictInt
from pydantic.config import JsonDict

from xinyidai.agreements.rules import RiskParts
from xinyidai.foundation.paging import Page
from xinyidai.risk_sharing.queries import ClaimView, RecoveryView
from xinyidai.risk_sharing.rules import ClaimState, DenialCode
from xinyidai.risk_sharing.service.recovering import MAX_RECEIVED_FEN

_ID = "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11"
_PARTS: JsonDict = {"fund_fen": 3_600_000, "guarantor_fen": 6_000_000, "lender_fen": 2_400_000}
_NOTHING: JsonDict = {"fund_fen": 0, "guarantor_fen": 0, "lender_fen": 0}
_CLAIM: JsonDict = {
    "id": _ID,
    "loan_id": "01976f2c-1111-7c55-9a53-0c7d0a5f2b11",
    "agreement_id": "01976f2c-2222-7c55-9a53-0c7d0a5f2b11",
    "firm_id": "01976f2c-3333-7c55-9a53-0c7d0a5f2b11",
    "lender_id": "01976f2c-4444-7c55-9a53-0c7d0a5f2b11",
    "fund_id": "01976f2c-5555-7c55-9a53-0c7d0a5f2b11",
    "guarantor_id": "01976f2c-6666-7c55-9a53-0c7d0a5f2b11",
    "state": "paid",
    "days_past_due": 181,
    "claimed_fen": 12_000_000,
    "denial_code": None,
    "filed_at": "2025-06-16T04:00:00Z",
    "paid_at": "2025-07-10T04:00:00Z",
    "borne": _PARTS,
    "returned": _NOTHING,
}
_RECOVER: JsonDict = {
    "received_fen": 1_000_050,
    "costs_fen": 50,
    "received_on": "2025-09-01",
    "reference": "ZC-2025-0901",
}
_RECOVERY: JsonDict = {
    "id": _ID,
    "claim_id": _ID,
    **_RECOVER,
    "principal": {"fund_fen": 300_000, "guarantor_fen": 500_000, "lender_fen": 200_000},
    "interest_fen": 0,
}


class ClaimIn(BaseModel):
    """The overdue loan whose principal is claimed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"loan_id": _CLAIM["loan_id"]}})

    loan_id: UUID


class DenialIn(BaseModel):
    """Why a claim is denied."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"code": "late_claim"}})

    code: DenialCode


class RecoveryIn(BaseModel):
    """Money that the lender collected after a claim; its reference names it once for the claim."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _RECOVER})

    received_fen: StrictInt = Field(ge=1, le=MAX_RECEIVED_FEN)
    costs_fen: StrictInt = Field(default=0, ge=0, le=MAX_RECEIVED_FEN, description="Costs of recovery, taken off first")
    received_on: date
    reference: str | None = Field(default=None, min_length=1, max_length=100)


class PartsOut(BaseModel):
    """An amount of principal, by who bears it."""

    model_config = ConfigDict(json_schema_extra={"example": _PARTS})

    fund_fen: int
    guarantor_fen: int
    lender_fen: int

    @classmethod
    def of(cls, parts: RiskParts) -> "PartsOut":
        """Build from parts."""
        return cls(fund_fen=parts.fund_fen, guarantor_fen=parts.guarantor_fen, lender_fen=parts.lender_fen)


class ClaimOut(BaseModel):
    """A claim. `borne` and `returned` are zero until it is paid."""

    model_config = ConfigDict(json_schema_extra={"example": _CLAIM})

    id: UUID
    loan_id: UUID
    agreement_id: UUID
    firm_id: UUID
    lender_id: UUID
    fund_id: UUID
    guarantor_id: UUID | None
    state: ClaimState
    days_past_due: int
    claimed_fen: int
    denial_code: DenialCode | None
    filed_at: datetime
    paid_at: datetime | None
    borne: PartsOut
    returned: PartsOut

    @classmethod
    def of(cls, view: ClaimView) -> "ClaimOut":
        """Build from a claim."""
        return cls(
            id=view.id,
            loan_id=view.loan_id,
            agreement_id=view.agreement_id,
            firm_id=view.firm_id,
            lender_id=view.lender_id,
            fund_id=view.fund_id,
            guarantor_id=view.guarantor_id,
            state=view.state,
            days_past_due=view.days_past_due,
            claimed_fen=view.claimed_fen,
            denial_code=view.denial_code,
            filed_at=view.filed_at,
            paid_at=view.paid_at,
            borne=PartsOut.of(view.borne),
            returned=PartsOut.of(view.returned),
        )


class ClaimPageOut(BaseModel):
    """A page of claims and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"claims": [_CLAIM], "next_cursor": None}})

    claims: list[ClaimOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[ClaimView]) -> "ClaimPageOut":
        """Build from a page."""
        return cls(claims=[ClaimOut.of(view) for view in page.rows], next_cursor=page.next_cursor)


class RecoveryOut(BaseModel):
    """A recovery and where it went."""

    model_config = ConfigDict(json_schema_extra={"example": _RECOVERY})

    id: UUID
    claim_id: UUID
    reference: str
    received_fen: int
    costs_fen: int
    principal: PartsOut
    interest_fen: int
    received_on: date

    @classmethod
    def of(cls, view: RecoveryView) -> "RecoveryOut":
        """Build from a recovery."""
        return cls(
            id=view.id,
            claim_id=view.claim_id,
            reference=view.reference,
            received_fen=view.received_fen,
            costs_fen=view.costs_fen,
            principal=PartsOut.of(view.principal),
            interest_fen=view.interest_fen,
            received_on=view.received_on,
        )


class ClaimDetailOut(BaseModel):
    """A claim with its recoveries."""

    model_config = ConfigDict(json_schema_extra={"example": {"claim": _CLAIM, "recoveries": [_RECOVERY]}})

    claim: ClaimOut
    recoveries: list[RecoveryOut]
