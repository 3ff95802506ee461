"""Shares, states and the arithmetic of reserving and giving back capacity: pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NewType
from uuid import UUID

from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.money import WHOLE_PPM, Fen, Ppm, fraction_half_up, share_out

AgreementId = NewType("AgreementId", UUID)
ReservationId = NewType("ReservationId", UUID)


class RiskParty(StrEnum):
    """The parts that a party may take in a loss. The order of the values is the order of ties."""

    FUND = "fund"
    GUARANTOR = "guarantor"
    LENDER = "lender"


COVERING = (RiskParty.FUND, RiskParty.GUARANTOR)
"""Those who cover the lender. Capacity counts what both of them carry, never the lender's own part."""


class LineState(StrEnum):
    """The life of a line (额度线): proposed by one, opened by another, paused by stop-loss (熔断) or people, ended."""

    PROPOSED = "proposed"
    OPEN = "open"
    WATCH = "watch"
    PAUSED = "paused"
    ENDED = "ended"


LINE_STEPS: dict[LineState, frozenset[LineState]] = {
    LineState.PROPOSED: frozenset({LineState.OPEN, LineState.ENDED}),
    LineState.OPEN: frozenset({LineState.WATCH, LineState.PAUSED, LineState.ENDED}),
    LineState.WATCH: frozenset({LineState.OPEN, LineState.PAUSED, LineState.ENDED}),
    LineState.PAUSED: frozenset({LineState.OPEN, LineState.WATCH, LineState.ENDED}),
    LineState.ENDED: frozenset(),
}
TAKES_NEW_LOANS = frozenset({LineState.OPEN, LineState.WATCH})


class ReservationState(StrEnum):
    """The life of one loan's capacity, from the accepted offer to the last fen."""

    RESERVED = "reserved"
    COVERED = "covered"
    CLAIMED = "claimed"
    PAID = "paid"
    RELEASED = "released"


RESERVATION_STEPS: dict[ReservationState, frozenset[ReservationState]] = {
    ReservationState.RESERVED: frozenset({ReservationState.COVERED, ReservationState.RELEASED}),
    ReservationState.COVERED: frozenset({ReservationState.CLAIMED, ReservationState.RELEASED}),
    ReservationState.CLAIMED: frozenset({ReservationState.COVERED, ReservationState.PAID, ReservationState.RELEASED}),
    ReservationState.PAID: frozenset(),
    ReservationState.RELEASED: frozenset(),
}


class LineReason(StrEnum):
    """Why a line changed its state."""

    AGREED = "agreed"
    STOP_LOSS = "stop_loss"
    UNDER_REVIEW = "under_review"
    REVIEW_PASSED = "review_passed"
    TERMINATED = "terminated"


class PayInState(StrEnum):
    """Money paid in: declared by one person, confirmed on the bank statement by another."""

    DECLARED = "declared"
    CONFIRMED = "confirmed"


class SharesRefused(Refusal):
    """The shares are negative, or do not make a whole, or a share has no party to bear it."""

    code = "shares_refused"
    status = 422
    title_zh = "分担比例必须为非负数且合计 1000000 ppm，并且每一份都有承担方（现合计 {sum_ppm}）"
    title_en = "Shares must be non-negative, sum to 1,000,000 ppm and each have a party (they sum to {sum_ppm})"


class SharesBelowPolicy(Refusal):
    """The lender's share is below what policy asks on the day the agreement begins."""

    code = "shares_below_policy"
    status = 422
    title_zh = "银行分担比例 {lender_ppm} ppm 低于政策下限 {least_ppm} ppm"
    title_en = "The lender's share of {lender_ppm} ppm is below the policy minimum of {least_ppm} ppm"


class TermsRefused(Refusal):
    """A term of the agreement is out of range."""

    code = "agreement_terms_refused"
    status = 422
    title_zh = "协议条款 {field} 的值不被接受"
    title_en = "The agreement's term {field} is refused"


class NoAgreement(Refusal):
    """The lender has no line that takes this loan on this day."""

    code = "no_agreement"
    status = 409
    title_zh = "该机构当日没有可用的风险分担协议：{why}"
    title_en = "The lender has no agreement that takes this loan today: {why}"


class CapacityExhausted(Refusal):
    """The line has less capacity left than the covered part of this loan."""

    code = "capacity_exhausted"
    status = 409
    title_zh = "风险分担额度不足"
    title_en = "The agreement has no capacity left for this loan"


class FirmCapReached(Refusal):
    """With this loan one firm would carry more principal under the agreement than one firm may."""

    code = "firm_cap_reached"
    status = 409
    title_zh = "单户额度已达上限 {cap_fen} 分"
    title_en = "With this loan the firm would pass the cap of {cap_fen} fen a firm"


class RateAboveAgreement(Refusal):
    """The offer's rate is above what the agreement allows."""

    code = "rate_above_agreement"
    status = 409
    title_zh = "利率 {rate_bp} bp 高于协议上限 {max_rate_bp} bp"
    title_en = "The rate of {rate_bp} bp is above the agreement's {max_rate_bp} bp"


class LineStepRefused(Refusal):
    """The line may not go from its state to the one asked for."""

    code = "line_step_refused"
    status = 409
    title_zh = "协议不能从 {state} 变为 {wanted}"
    title_en = "The line cannot go from {state} to {wanted}"


class ReservationStepRefused(Refusal):
    """The reservation may not go from its state to the one asked for."""

    code = "reservation_step_refused"
    status = 409
    title_zh = "额度占用不能从 {state} 变为 {wanted}"
    title_en = "The reservation cannot go from {state} to {wanted}"


class ReleaseTooLarge(Refusal):
    """More is given back than is held."""

    code = "release_too_large"
    status = 409
    title_zh = "释放金额超过剩余占用 {open_fen} 分"
    title_en = "More is released than the {open_fen} fen of principal still held"


class PayInStepRefused(Refusal):
    """The payment was confirmed before."""

    code = "pay_in_already_confirmed"
    status = 409
    title_zh = "该笔拨款已确认"
    title_en = "This payment was confirmed before"


class PayInReferenceReused(Refusal):
    """The reference names another payment of this payer."""

    code = "pay_in_reference_reused"
    status = 409
    title_zh = "该拨款编号已用于另一笔拨款"
    title_en = "This reference was used for another payment"


class OfferReservedOtherwise(Refusal):
    """The offer already holds capacity, for another amount, firm or lender."""

    code = "offer_reserved_otherwise"
    status = 409
    title_zh = "该要约已按不同条件占用额度"
    title_en = "The offer already holds capacity on other terms"


@dataclass(frozen=True)
class Shares:
    """Who bears which part of lost principal, in ppm; frozen on the reservation."""

    lender_ppm: Ppm
    fund_ppm: Ppm
    guarantor_ppm: Ppm

    def by_party(self) -> dict[str, Ppm]:
        """Return the shares keyed by party, as the splits take them."""
        return {
            RiskParty.FUND.value: self.fund_ppm,
            RiskParty.GUARANTOR.value: self.guarantor_ppm,
            RiskParty.LENDER.value: self.lender_ppm,
        }


@dataclass(frozen=True)
class SharingPolicy:
    """The least that policy asks from a day on."""

    effective_from: date
    least_lender_ppm: int
    stop_loss_ppm: int
    source: str
    is_verified: bool


@dataclass(frozen=True)
class Terms:
    """What two people sign when a line is opened; without a stop-loss of its own the policy's counts."""

    shares: Shares
    capacity_fen: Fen
    per_firm_cap_fen: Fen
    claim_after_days: int
    max_rate_bp: int
    stop_loss_ppm: int | None
    valid_from: date
    valid_to: date


@dataclass(frozen=True)
class RiskParts:
    """An amount of principal, by who bears it."""

    fund_fen: Fen
    guarantor_fen: Fen
    lender_fen: Fen

    @property
    def covered_fen(self) -> Fen:
        """Return what fund and guarantor carry together."""
        return Fen(self.fund_fen + self.guarantor_fen)

    @property
    def total_fen(self) -> Fen:
        """Return the whole."""
        return Fen(self.covered_fen + self.lender_fen)

    def of(self, party: RiskParty) -> Fen:
        """Return one party's part."""
        return {
            RiskParty.FUND: self.fund_fen,
            RiskParty.GUARANTOR: self.guarantor_fen,
            RiskParty.LENDER: self.lender_fen,
        }[party]

    def __sub__(self, other: "RiskParts") -> "RiskParts":
        """Return the difference, part by part."""
        return RiskParts(
            Fen(self.fund_fen - other.fund_fen),
            Fen(self.guarantor_fen - other.guarantor_fen),
            Fen(self.lender_fen - other.lender_fen),
        )


def check_terms(terms: Terms, policy: SharingPolicy | None, *, has_guarantor: bool) -> None:
    """Refuse terms that do not add up or lie below policy.

    Raises
    ------
    SharesRefused, SharesBelowPolicy, TermsRefused
        Which of them, and which field.
    """
    shares = terms.shares
    listed = shares.by_party().values()
    if sum(listed) != WHOLE_PPM or min(listed) < 0 or shares.fund_ppm == 0:
        raise SharesRefused(sum_ppm=sum(listed))
    if (shares.guarantor_ppm > 0) != has_guarantor:
        raise SharesRefused(sum_ppm=sum(listed))
    if policy is not None and shares.lender_ppm < policy.least_lender_ppm:
        raise SharesBelowPolicy(lender_ppm=shares.lender_ppm, least_ppm=policy.least_lender_ppm)
    for field, is_fine in (
        ("capacity_fen", 0 < terms.capacity_fen <= 10**14),
        ("per_firm_cap_fen", 0 < terms.per_firm_cap_fen <= 10**14),
        ("claim_after_days", 1 <= terms.claim_after_days <= 720),
        ("max_rate_bp", 1 <= terms.max_rate_bp <= 3_600),
        ("stop_loss_ppm", terms.stop_loss_ppm is not None and 1 <= terms.stop_loss_ppm <= WHOLE_PPM),
        ("valid_to", terms.valid_from < terms.valid_to),
    ):
        if not is_fine:
            raise TermsRefused(field=field)


def parts_of(principal_fen: Fen, shares: Shares) -> RiskParts:
    """Split principal by frozen shares, largest remainder first, ties in the order fund, guarantor, lender."""
    parts = share_out(principal_fen, shares.by_party())
    return RiskParts(parts[RiskParty.FUND], parts[RiskParty.GUARANTOR], parts[RiskParty.LENDER])


def grown_parts(total_fen: Fen, weights: Mapping[str, Fen]) -> dict[str, Fen]:
    """Split a total that grows instalment by instalment, so that no part ever shrinks.

    Parameters
    ----------
    total_fen : Fen
        What has come in so far, between zero and the sum of the weights.
    weights : mapping of key to Fen
        What each is to have when everything has come in; taken in the order of their keys.

    Returns
    -------
    dict
        Parts that sum exactly to `total_fen`, each within one fen of its exact proportion, none falling when the total
        rises, and equal to the weights once the total is their sum.

    Notes
    -----
    The first key takes its proportion rounded half up, the next takes its proportion of what is left, and so on.
    Largest remainders would be as exact but are not monotone: a part can fall by a fen when the total rises by one,
    and a ledger would have to take money back.
    """
    left_fen = int(total_fen)
    left_weight = sum(int(weight) for weight in weights.values())
    if not 0 <= left_fen <= left_weight:
        raise ValueError("the total must lie between zero and the sum of the weights")
    parts: dict[str, Fen] = {}
    for key in sorted(weights):
        part = fraction_half_up(Fen(left_fen), weights[key], left_weight) if left_weight else Fen(0)
        parts[key] = part
        left_fen -= part
        left_weight -= weights[key]
    return parts


def released_by(repaid_fen: Fen, reserved: RiskParts) -> RiskParts:
    """Return how much of each part is given back once `repaid_fen` of the principal is repaid."""
    weights = {party.value: reserved.of(party) for party in RiskParty}
    parts = grown_parts(repaid_fen, weights)
    return RiskParts(parts[RiskParty.FUND], parts[RiskParty.GUARANTOR], parts[RiskParty.LENDER])


def check_line_step(state: LineState, wanted: LineState) -> None:
    """Refuse a step of the line that does not exist."""
    if wanted not in LINE_STEPS[state]:
        raise LineStepRefused(state=state.value, wanted=wanted.value)


def check_reservation_step(state: ReservationState, wanted: ReservationState) -> None:
    """Refuse a step of the reservation that does not exist."""
    if wanted not in RESERVATION_STEPS[state]:
        raise ReservationStepRefused(state=state.value, wanted=wanted.value)


def limit_code(agreement_id: UUID) -> str:
    """Return the code of the account against which a line's capacity was granted."""
    return f"exposure:agreement:{agreement_id}:limit"


def available_code(agreement_id: UUID) -> str:
    """Return the code of a line's free capacity; floor zero."""
    return f"exposure:agreement:{agreement_id}:available"


def exposure_code(agreement_id: UUID, held: ReservationState, party: RiskParty) -> str:
    """Return the code of what a party carries under a line: reserved (covered too), claimed or paid; floor zero."""
    kind = ReservationState.RESERVED if held is ReservationState.COVERED else held
    return f"exposure:agreement:{agreement_id}:{kind.value}:{party.value}"


def cash_code(payer_id: UUID) -> str:
    """Return the code of the money a fund or guarantor has paid in to pay claims with; floor zero."""
    return f"cash:payer:{payer_id}"


def capital_code(payer_id: UUID) -> str:
    """Return the code of the other side of what was paid in."""
    return f"cash:payer:{payer_id}:capital"
