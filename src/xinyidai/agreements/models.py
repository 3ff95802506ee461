"""Tables of agreements: policy, lines, changes of lines, money paid in, reservations."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from xinyidai.agreements.rules import LineReason, LineState, PayInState, ReservationState
from xinyidai.foundation.database import one_of, type_of_fen, type_of_moment
from xinyidai.foundation.ids import new_id


class SharingPolicyRow(SQLModel, table=True):
    """The least that policy asks, from a day on; unverified rows say so."""

    __tablename__ = "sharing_policy"
    __table_args__ = {"schema": "agreements"}

    effective_from: date = Field(primary_key=True)
    least_lender_ppm: int
    stop_loss_ppm: int
    source: str
    is_verified: bool


class Agreement(SQLModel, table=True):
    """A line: parties, terms that never change, and a state. New terms are a new agreement."""

    __tablename__ = "agreement"
    __table_args__ = (
        one_of("state", LineState),
        CheckConstraint("lender_ppm + fund_ppm + guarantor_ppm = 1000000", name="shares_whole"),
        CheckConstraint("lender_ppm >= 0 AND fund_ppm > 0 AND guarantor_ppm >= 0", name="shares_sane"),
        CheckConstraint("opened_by IS NULL OR opened_by <> proposed_by", name="two_people"),
        Index("ix_agreement_lender_id", "lender_id"),
        {"schema": "agreements"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    name: str
    version: int = 1
    fund_id: UUID
    lender_id: UUID
    guarantor_id: UUID | None = None
    fund_ppm: int
    lender_ppm: int
    guarantor_ppm: int
    capacity_fen: int = Field(sa_type=type_of_fen)
    per_firm_cap_fen: int = Field(sa_type=type_of_fen)
    claim_after_days: int
    max_rate_bp: int
    stop_loss_ppm: int
    valid_from: date
    valid_to: date
    state: str = LineState.PROPOSED
    proposed_by: UUID
    proposed_at: datetime = Field(sa_type=type_of_moment)
    opened_by: UUID | None = None
    opened_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    reopening_proposed_by: UUID | None = None


class LineChange(SQLModel, table=True):
    """One change of a line's state: from what, to what, why, by whom. Append-only."""

    __tablename__ = "line_change"
    __table_args__ = (
        one_of("reason", LineReason),
        Index("ix_line_change_agreement_id", "agreement_id"),
        {"schema": "agreements"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    agreement_id: UUID = Field(foreign_key="agreements.agreement.id")
    from_state: str
    to_state: str
    reason: str
    maker_id: UUID
    checker_id: UUID | None = None
    changed_at: datetime = Field(sa_type=type_of_moment)


class PayIn(SQLModel, table=True):
    """Money that a fund or guarantor set aside to pay claims with."""

    __tablename__ = "pay_in"
    __table_args__ = (
        one_of("state", PayInState),
        UniqueConstraint("payer_id", "reference"),
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("confirmed_by IS NULL OR confirmed_by <> declared_by", name="two_people"),
        {"schema": "agreements"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    payer_id: UUID
    reference: str
    amount_fen: int = Field(sa_type=type_of_fen)
    paid_on: date
    state: str = PayInState.DECLARED
    declared_by: UUID
    declared_at: datetime = Field(sa_type=type_of_moment)
    confirmed_by: UUID | None = None
    confirmed_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class Reservation(SQLModel, table=True):
    """What one accepted offer, later one loan, holds of a line: frozen shares, parts, and what became of them.

    Of every covering part, ``part = open + released + paid``, and what was recovered lies within what was paid.
    """

    __tablename__ = "reservation"
    __table_args__ = (
        one_of("state", ReservationState),
        UniqueConstraint("offer_id"),
        CheckConstraint("lender_ppm + fund_ppm + guarantor_ppm = 1000000", name="shares_whole"),
        CheckConstraint("lender_part_fen + fund_part_fen + guarantor_part_fen = principal_fen", name="parts_whole"),
        CheckConstraint("released_principal_fen BETWEEN 0 AND principal_fen", name="released_within"),
        CheckConstraint(
            "fund_released_fen >= 0 AND fund_paid_fen >= 0 AND fund_released_fen + fund_paid_fen <= fund_part_fen",
            name="fund_within",
        ),
        CheckConstraint(
            "guarantor_released_fen >= 0 AND guarantor_paid_fen >= 0"
            " AND guarantor_released_fen + guarantor_paid_fen <= guarantor_part_fen",
            name="guarantor_within",
        ),
        CheckConstraint(
            "fund_returned_fen BETWEEN 0 AND fund_paid_fen AND guarantor_returned_fen BETWEEN 0 AND guarantor_paid_fen",
            name="returned_within",
        ),
        Index("ix_reservation_agreement_id_firm_id", "agreement_id", "firm_id"),
        {"schema": "agreements"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    agreement_id: UUID = Field(foreign_key="agreements.agreement.id")
    scheme_version: int
    offer_id: UUID
    loan_id: UUID | None = None
    firm_id: UUID
    lender_id: UUID
    fund_id: UUID
    guarantor_id: UUID | None = None
    principal_fen: int = Field(sa_type=type_of_fen)
    rate_bp: int
    lender_ppm: int
    fund_ppm: int
    guarantor_ppm: int
    lender_part_fen: int = Field(sa_type=type_of_fen)
    fund_part_fen: int = Field(sa_type=type_of_fen)
    guarantor_part_fen: int = Field(sa_type=type_of_fen)
    state: str = ReservationState.RESERVED
    released_principal_fen: int = Field(default=0, sa_type=type_of_fen)
    fund_released_fen: int = Field(default=0, sa_type=type_of_fen)
    guarantor_released_fen: int = Field(default=0, sa_type=type_of_fen)
    fund_paid_fen: int = Field(default=0, sa_type=type_of_fen)
    guarantor_paid_fen: int = Field(default=0, sa_type=type_of_fen)
    fund_returned_fen: int = Field(default=0, sa_type=type_of_fen)
    guarantor_returned_fen: int = Field(default=0, sa_type=type_of_fen)
    reserved_at: datetime = Field(sa_type=type_of_moment)
    changed_at: datetime = Field(sa_type=type_of_moment)
