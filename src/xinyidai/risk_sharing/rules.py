"""Splitting a loss and a recovery, and the life of a claim: pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType
from uuid import UUID

from xinyidai.agreements.rules import RiskParts, RiskParty, Shares, grown_parts, parts_of
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.money import WHOLE_PPM, Fen

CoverId = NewType("CoverId", UUID)
ClaimId = NewType("ClaimId", UUID)


class CoverState(StrEnum):
    """The life of a cover: active while the loan lives, compensated once a claim is paid, ended with the loan."""

    ACTIVE = "active"
    COMPENSATED = "compensated"
    ENDED = "ended"


class ClaimStage(StrEnum):
    """At what stage of a claim a party's money moved, once each."""

    PAID = "paid"


class ClaimState(StrEnum):
    """The life of a claim: filed, reviewed twice, paid, recovered."""

    LODGED = "lodged"
    SECOND_REVIEW = "second_review"
    APPROVED = "approved"
    DENIED = "denied"
    PAID = "paid"
    RECOVERING = "recovering"
    SETTLED = "settled"
    LAPSED = "lapsed"


CLAIM_STEPS: dict[ClaimState, frozenset[ClaimState]] = {
    ClaimState.LODGED: frozenset({ClaimState.SECOND_REVIEW, ClaimState.DENIED, ClaimState.LAPSED}),
    ClaimState.SECOND_REVIEW: frozenset({ClaimState.APPROVED, ClaimState.DENIED, ClaimState.LAPSED}),
    ClaimState.APPROVED: frozenset({ClaimState.PAID, ClaimState.LAPSED}),
    ClaimState.PAID: frozenset({ClaimState.RECOVERING, ClaimState.SETTLED}),
    ClaimState.RECOVERING: frozenset({ClaimState.SETTLED}),
    ClaimState.DENIED: frozenset(),
    ClaimState.SETTLED: frozenset(),
    ClaimState.LAPSED: frozenset(),
}
UNPAID = (ClaimState.LODGED, ClaimState.SECOND_REVIEW, ClaimState.APPROVED)


class DenialCode(StrEnum):
    """Why a claim is denied."""

    OUT_OF_PRODUCT = "out_of_product"
    RATE_OVER_LIMIT = "rate_over_limit"
    PURPOSE_CHANGED = "purpose_changed"
    LENDER_BREACH = "lender_breach"
    LATE_CLAIM = "late_claim"
    REFINANCED_OLD_DEBT = "refinanced_old_debt"
    RELATED_PARTY = "related_party"
    EVIDENCE_MISSING = "evidence_missing"


class ClaimTooEarly(Refusal):
    """The loan is not overdue for as long as the agreement asks."""

    code = "claim_too_early"
    status = 409
    title_zh = "逾期 {days_past_due} 天，未达到协议约定的 {claim_after_days} 天"
    title_en = "The loan is {days_past_due} days past due; the agreement asks for {claim_after_days}"


class LoanNotCovered(Refusal):
    """No agreement covers the loan."""

    code = "loan_not_covered"
    status = 409
    title_zh = "该贷款未纳入风险分担"
    title_en = "The loan is covered by no agreement"


class ClaimAlreadyFiled(Refusal):
    """The loan has a claim that is not denied."""

    code = "claim_already_filed"
    status = 409
    title_zh = "该贷款已有代偿申请"
    title_en = "The loan already has a claim"


class ClaimStepRefused(Refusal):
    """The claim may not go from its state to the one asked for."""

    code = "claim_step_refused"
    status = 409
    title_zh = "代偿申请不能从 {state} 变为 {wanted}"
    title_en = "The claim cannot go from {state} to {wanted}"


class NothingLost(Refusal):
    """All principal is repaid: there is no loss to share."""

    code = "nothing_lost"
    status = 409
    title_zh = "贷款本金已全部归还，没有损失可分担"
    title_en = "All principal is repaid, so there is no loss to share"


class NothingToPay(Refusal):
    """Nobody who covers the loan has money to pay with; the claim stays approved."""

    code = "nothing_to_pay_with"
    status = 409
    title_zh = "资金池余额为零，代偿申请保持已批准状态"
    title_en = "The fund has no money; the claim stays approved"


class RecoveryRefused(Refusal):
    """A field of the recovery is out of range."""

    code = "recovery_refused"
    status = 422
    title_zh = "追偿登记字段 {field} 的值不被接受"
    title_en = "The recovery's {field} is refused"


class CostsAboveReceipts(Refusal):
    """More costs are claimed than money came in."""

    code = "costs_above_receipts"
    status = 422
    title_zh = "追偿费用 {costs_fen} 分超过收回金额 {received_fen} 分"
    title_en = "Costs of {costs_fen} fen are above the {received_fen} fen received"


class RecoveryReferenceReused(Refusal):
    """The lender's reference was used for another recovery of this claim."""

    code = "recovery_reference_reused"
    status = 409
    title_zh = "该追偿流水号已用于另一笔追偿"
    title_en = "This recovery reference was used for another recovery"


@dataclass(frozen=True)
class PayingPower:
    """What a covering party can pay: its free money, and what it still holds reserved for this loan."""

    cash_fen: Fen
    held_fen: Fen

    @property
    def most_fen(self) -> Fen:
        """Return the smaller of the two, never below zero."""
        return max(Fen(0), min(self.cash_fen, self.held_fen))


@dataclass(frozen=True)
class RecoverySplit:
    """Where a recovery goes: costs, then principal to those who bore it, then interest to the lender."""

    costs_fen: Fen
    principal: RiskParts
    interest_fen: Fen


def split_loss(lost_principal_fen: Fen, shares: Shares, *, fund: PayingPower, guarantor: PayingPower) -> RiskParts:
    """Share lost principal; what fund or guarantor cannot pay stays with the lender.

    Parameters
    ----------
    lost_principal_fen : Fen
        Unpaid principal at the recognition date. Never interest.
    fund, guarantor : PayingPower
        Each pays its share by largest remainders, at most its money and at most what it holds for this loan.

    Returns
    -------
    RiskParts
        Three amounts that sum exactly to `lost_principal_fen`.
    """
    by_shares = parts_of(lost_principal_fen, shares)
    fund_fen = min(by_shares.fund_fen, fund.most_fen)
    guarantor_fen = min(by_shares.guarantor_fen, guarantor.most_fen)
    return RiskParts(fund_fen, guarantor_fen, Fen(lost_principal_fen - fund_fen - guarantor_fen))


def split_recovery(received_fen: Fen, costs_fen: Fen, *, borne: RiskParts, recovered_before_fen: Fen) -> RecoverySplit:
    """Share out money collected after a claim was paid.

    Parameters
    ----------
    borne : RiskParts
        What each party has really lost: fund and guarantor by paying, the lender by what it was not paid.
    recovered_before_fen : Fen
        Principal that earlier recoveries have shared out.

    Returns
    -------
    RecoverySplit
        Costs first; then principal pro rata to what each bore, by cumulative splits that drift less than a fen over any
        number of recoveries and never give anybody more than it bore; what is left is the lender's interest.

    Raises
    ------
    CostsAboveReceipts
        There is less than nothing to share.
    """
    if costs_fen > received_fen:
        raise CostsAboveReceipts(costs_fen=costs_fen, received_fen=received_fen)
    net_fen = Fen(received_fen - costs_fen)
    principal_fen = min(net_fen, Fen(borne.total_fen - recovered_before_fen))
    weights = {party.value: borne.of(party) for party in RiskParty}
    before = grown_parts(recovered_before_fen, weights)
    after = grown_parts(Fen(recovered_before_fen + principal_fen), weights)
    fund, guarantor, lender = (Fen(after[party] - before[party]) for party in RiskParty)
    return RecoverySplit(costs_fen, RiskParts(fund, guarantor, lender), Fen(net_fen - principal_fen))


def check_claim_step(state: ClaimState, wanted: ClaimState) -> None:
    """Refuse a step of the claim that does not exist."""
    if wanted not in CLAIM_STEPS[state]:
        raise ClaimStepRefused(state=state.value, wanted=wanted.value)


def is_stop_loss_reached(paid_fen: Fen, disbursed_fen: Fen, stop_loss_ppm: int) -> bool:
    """Say whether claims paid have passed the agreed part of what was lent under the line (熔断)."""
    return paid_fen * WHOLE_PPM > disbursed_fen * stop_loss_ppm
