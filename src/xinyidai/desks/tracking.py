"""A demand's way from posting to repaying, as the firm follows it: pure composition of what the rooms say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from xinyidai.demands.queries import DemandView
from xinyidai.demands.rules import ASKING, DemandState
from xinyidai.foundation.pages.words import Message, msg
from xinyidai.loans.queries import LoanView
from xinyidai.loans.rules.life import LoanState
from xinyidai.matching.rules.states import TAKEN, DispatchState, OfferState
from xinyidai.matching.rules.views import DispatchView, IndicationView, OfferView


@dataclass(frozen=True)
class Step:
    """One step: `state` is done, now or later; `detail` says whose turn it is and until when."""

    words: Message
    state: str
    at: datetime | None = None
    detail: Message | None = None


_OVER = frozenset({DemandState.WITHDRAWN, DemandState.EXPIRED, DemandState.REJECTED_ALL})

_GONE = frozenset({DispatchState.DECLINED, DispatchState.TIMED_OUT, DispatchState.REDISPATCHED})


def tracker_of(
    demand: DemandView,
    dispatches: Sequence[DispatchView],
    indications: Sequence[IndicationView],
    offers: Sequence[OfferView],
    loan: LoanView | None,
) -> list[Step]:
    """Return the steps of a demand, the first one that is not done being the one in progress unless all is over."""
    sent = [one for one in dispatches if one.sent_at is not None]
    issued = [one for one in offers if one.state is not OfferState.PROPOSED]
    taken = next((one for one in offers if one.state in TAKEN), None)
    is_repaid = loan is not None and loan.state is LoanState.CLOSED
    chosen = [one.chosen_at for one in dispatches if one.chosen_at is not None]
    reached = [
        (msg("提交需求"), demand.submitted_at is not None, demand.submitted_at, None),
        (
            msg("派送银行"),
            bool(sent),
            min((one.sent_at for one in sent if one.sent_at), default=None),
            _waiting(sent) if sent and not indications and not issued else None,
        ),
        (
            msg("意向报价"),
            bool(indications or issued),
            min((one.made_at for one in indications), default=None),
            None,
        ),
        (
            msg("选择银行并授权查询征信"),
            bool(chosen or issued),
            min(chosen, default=None),
            msg("%(count)s 家银行等您选择", count=len(indications)) if indications and not chosen else None,
        ),
        (msg("正式报价"), bool(issued), min((one.made_at for one in issued), default=None), None),
        (msg("接受报价"), taken is not None, taken.accepted_at if taken else None, _to_choose(issued, taken)),
        (msg("银行放款"), loan is not None, None, _to_disburse(taken) if loan is None else None),
        (msg("还清贷款"), is_repaid, None, None),
    ]
    done = [is_done for _, is_done, _, _ in reached]
    current = done.index(False) if False in done and demand.state not in _OVER else -1
    return [
        Step(words, "done" if is_done else "now" if place == current else "later", at=at, detail=detail)
        for place, (words, is_done, at, detail) in enumerate(reached)
    ]


def chosen_and_gone(demand: DemandView, dispatches: Sequence[DispatchView]) -> list[DispatchView]:
    """Return the dispatches of lenders that the firm had chosen and that said no or let their day pass.

    Only while that matters: the firm is still asking, or nobody is left to ask.
    """
    if demand.state not in ASKING and demand.state is not DemandState.REJECTED_ALL:
        return []
    return [one for one in dispatches if one.chosen_at is not None and one.state in _GONE]


def _waiting(sent: Sequence[DispatchView]) -> Message:
    return msg(
        "已派送 %(count)s 家银行，最迟 %(due)s 前答复", count=len(sent), due=max(one.due_on for one in sent).isoformat()
    )


def _to_choose(issued: Sequence[OfferView], taken: OfferView | None) -> Message | None:
    open_ones = [one for one in issued if one.state is OfferState.ISSUED]
    return msg("%(count)s 份报价等您选择", count=len(open_ones)) if open_ones and taken is None else None


def _to_disburse(taken: OfferView | None) -> Message | None:
    if taken is None or taken.disburse_by is None:
        return None
    return msg("银行应在 %(day)s 前放款", day=taken.disburse_by.isoformat())
