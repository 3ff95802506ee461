"""Agreements on the wire."""

from datetime import date
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictInt
from pydantic.config import JsonDict

from xinyidai.agreements.queries import AgreementView, PayInView
from xinyidai.agreements.rules import LineState, PayInState, Shares, Terms
from xinyidai.foundation.money import MAX_FEN, WHOLE_PPM, Fen, Ppm
from xinyidai.foundation.paging import Page

_PARTIES: JsonDict = {
    "name": "渝中区小微企业贷款风险分担协议",
    "fund_id": "01976f2c-1111-7c55-9a53-0c7d0a5f2b11",
    "lender_id": "01976f2c-2222-7c55-9a53-0c7d0a5f2b11",
    "guarantor_id": "01976f2c-3333-7c55-9a53-0c7d0a5f2b11",
}
_TERMS: JsonDict = {
    "fund_share_ppm": 300_000,
    "lender_share_ppm": 200_000,
    "guarantor_share_ppm": 500_000,
    "capacity_fen": 10_000_000_000,
    "per_firm_cap_fen": 300_000_000,
    "claim_after_days": 180,
    "max_rate_bp": 600,
    "stop_loss_ppm": 50_000,
    "valid_from": "2025-06-16",
    "valid_to": "2026-06-16",
}
_ID = "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11"
_LINE: JsonDict = {"id": _ID, **_PARTIES, **_TERMS, "state": "open", "version": 1}
_PAY_IN: JsonDict = {
    "payer_id": "01976f2c-1111-7c55-9a53-0c7d0a5f2b11",
    "reference": "渝财拨2025-014",
    "amount_fen": 3_000_000_000,
    "paid_on": "2025-06-16",
}


class AgreementIn(BaseModel):
    """The terms of a line. Shares in parts per million must make a whole; amounts are principal."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {**_PARTIES, **_TERMS}})

    name: str = Field(min_length=1, max_length=120)
    fund_id: UUID
    lender_id: UUID
    guarantor_id: UUID | None = None
    fund_share_ppm: StrictInt = Field(ge=0, le=WHOLE_PPM)
    lender_share_ppm: StrictInt = Field(ge=0, le=WHOLE_PPM)
    guarantor_share_ppm: StrictInt = Field(ge=0, le=WHOLE_PPM)
    capacity_fen: StrictInt = Field(
        ge=1, le=MAX_FEN, description="Covered principal that fund and guarantor carry at once"
    )
    per_firm_cap_fen: StrictInt = Field(ge=1, le=MAX_FEN, description="Principal that one firm may owe under the line")
    claim_after_days: StrictInt = Field(ge=1, le=720, description="Days past due before a claim")
    max_rate_bp: StrictInt = Field(ge=1, le=3_600)
    stop_loss_ppm: StrictInt | None = Field(
        default=None, ge=1, le=WHOLE_PPM, description="Claims paid per principal lent that pause the line; the policy's"
    )
    valid_from: date
    valid_to: date

    def terms(self) -> Terms:
        """Return the terms as a value."""
        return Terms(
            shares=Shares(Ppm(self.lender_share_ppm), Ppm(self.fund_share_ppm), Ppm(self.guarantor_share_ppm)),
            capacity_fen=Fen(self.capacity_fen),
            per_firm_cap_fen=Fen(self.per_firm_cap_fen),
            claim_after_days=self.claim_after_days,
            max_rate_bp=self.max_rate_bp,
            stop_loss_ppm=self.stop_loss_ppm,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
        )


class AgreementOut(BaseModel):
    """A line."""

    model_config = ConfigDict(json_schema_extra={"example": _LINE})

    id: UUID
    name: str
    version: int
    fund_id: UUID
    lender_id: UUID
    guarantor_id: UUID | None
    fund_share_ppm: int
    lender_share_ppm: int
    guarantor_share_ppm: int
    capacity_fen: int
    per_firm_cap_fen: int
    claim_after_days: int
    max_rate_bp: int
    stop_loss_ppm: int
    valid_from: date
    valid_to: date
    state: LineState

    @classmethod
    def of(cls, view: AgreementView) -> "AgreementOut":
        """Build from a line."""
        return cls(
            id=view.id,
            name=view.name,
            version=view.version,
            fund_id=view.fund_id,
            lender_id=view.lender_id,
            guarantor_id=view.guarantor_id,
            fund_share_ppm=view.shares.fund_ppm,
            lender_share_ppm=view.shares.lender_ppm,
            guarantor_share_ppm=view.shares.guarantor_ppm,
            capacity_fen=view.capacity_fen,
            per_firm_cap_fen=view.per_firm_cap_fen,
            claim_after_days=view.claim_after_days,
            max_rate_bp=view.max_rate_bp,
            stop_loss_ppm=view.stop_loss_ppm,
            valid_from=view.valid_from,
            valid_to=view.valid_to,
            state=view.state,
        )


class AgreementPageOut(BaseModel):
    """A page of lines and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"agreements": [_LINE], "next_cursor": None}})

    agreements: list[AgreementOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[AgreementView]) -> "AgreementPageOut":
        """Build from a page."""
        return cls(agreements=[AgreementOut.of(view) for view in page.rows], next_cursor=page.next_cursor)


class CapacityOut(BaseModel):
    """A line's capacity: granted, and still free."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"agreement_id": _ID, "capacity_fen": 10_000_000_000, "available_fen": 9_200_000_000}
        }
    )

    agreement_id: UUID
    capacity_fen: int
    available_fen: int


class PayInIn(BaseModel):
    """Money that a fund or guarantor paid in; the reference names it once."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _PAY_IN})

    payer_id: UUID
    reference: str = Field(min_length=1, max_length=100)
    amount_fen: StrictInt = Field(ge=1, le=MAX_FEN)
    paid_on: date


class PayInOut(BaseModel):
    """Money paid in, declared or confirmed."""

    model_config = ConfigDict(json_schema_extra={"example": {"id": _ID, **_PAY_IN, "state": "declared"}})

    id: UUID
    payer_id: UUID
    reference: str
    amount_fen: int
    paid_on: date
    state: PayInState

    @classmethod
    def of(cls, view: PayInView) -> "PayInOut":
        """Build from a payment."""
        return cls(
            id=view.id,
            payer_id=view.payer_id,
            reference=view.reference,
            amount_fen=view.amount_fen,
            paid_on=view.paid_on,
            state=view.state,
        )


class CashOut(BaseModel):
    """The money a fund or guarantor can pay claims with."""

    model_config = ConfigDict(json_schema_extra={"example": {"payer_id": _ID, "cash_fen": 2_998_800_000}})

    payer_id: UUID
    cash_fen: int
