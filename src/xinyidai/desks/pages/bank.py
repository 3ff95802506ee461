"""What the pages of a lender share: who may act, the queues, rates as people type them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.demands import queries as demands
from xinyidai.demands.queries import DemandView
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.pages.figures import percent
from xinyidai.foundation.pages.forms import Form
from xinyidai.foundation.pages.words import Message, msg
from xinyidai.matching.queries import DispatchView
from xinyidai.matching.rules.states import OPEN_TO_LENDER, DispatchState, OfferState
from xinyidai.products.queries import ProductView

BANK: Final = OrganisationKind.LENDER
BY_BANK: Final = requires(BANK)
BY_OFFICER: Final = requires(BANK, roles=(Role.OFFICER,))
BY_APPROVER_PROVED: Final = requires(BANK, roles=(Role.APPROVER,), fresh=True)
BY_STAFF: Final = requires(BANK, roles=(Role.OFFICER, Role.APPROVER))
BY_STAFF_PROVED: Final = requires(BANK, roles=(Role.OFFICER, Role.APPROVER), fresh=True)

ROWS: Final = 20
CONFIRM: Final = "confirm"
EDIT: Final = "edit"


class Queue(StrEnum):
    """The stages at which a demand lies before a lender."""

    NEW = "new"
    REVIEW = "review"
    INDICATED = "indicated"
    CHOSEN = "chosen"
    OFFERED = "offered"
    OVER = "over"


QUEUES: Final[Mapping[Queue, Sequence[DispatchState]]] = {
    Queue.NEW: (DispatchState.SENT,),
    Queue.REVIEW: (DispatchState.IN_REVIEW,),
    Queue.INDICATED: (DispatchState.INDICATED,),
    Queue.CHOSEN: (DispatchState.CHOSEN,),
    Queue.OFFERED: (DispatchState.OFFERED,),
    Queue.OVER: (
        DispatchState.DECLINED,
        DispatchState.TIMED_OUT,
        DispatchState.REDISPATCHED,
        DispatchState.ENDED,
    ),
}


class Stage(StrEnum):
    """The stages of a lender's own offers."""

    TO_CHECK = "to_check"
    ISSUED = "issued"
    TO_DISBURSE = "to_disburse"
    DISBURSED = "disbursed"
    OVER = "over"


STAGES: Final[Mapping[Stage, Sequence[OfferState]]] = {
    Stage.TO_CHECK: (OfferState.PROPOSED,),
    Stage.ISSUED: (OfferState.ISSUED,),
    Stage.TO_DISBURSE: (OfferState.ACCEPTED,),
    Stage.DISBURSED: (OfferState.DISBURSED,),
    Stage.OVER: (OfferState.DECLINED, OfferState.EXPIRED, OfferState.WITHDRAWN, OfferState.LAPSED),
}


def who(viewer: Viewer) -> dict[str, object]:
    """Return what templates ask of who is signed in: which buttons to show and why one is missing."""
    return {
        "me": viewer.principal_id,
        "is_officer": Role.OFFICER in viewer.roles,
        "is_approver": Role.APPROVER in viewer.roles,
    }


async def demand_shown(
    session: AsyncSession, viewer: Viewer, dispatch: DispatchView, *, now: datetime
) -> DemandView | None:
    """Return the demand behind a dispatch while it is open to the lender; None afterwards."""
    if dispatch.state not in OPEN_TO_LENDER:
        return None
    try:
        return await demands.demand(session, viewer, dispatch.demand_id, now=now)
    except NotFound:
        return None


def most_amount_fen(product: ProductView, demand: DemandView) -> int:
    """Return the most that may be indicated or offered: what was asked, within the product."""
    return min(product.max_amount_fen, demand.amount_fen)


def rate_bp(form: Form, name: str, *, missing: Message, least_bp: int, most_bp: int) -> int:
    """Return a rate in basis points, typed as percent a year."""
    typed = form.first(name).strip().rstrip("%％")
    if not typed:
        form.fault(name, missing)
        return least_bp
    try:
        bp = Decimal(typed) * 100 if len(typed) <= 8 and set(typed) <= set("0123456789.") else None
    except InvalidOperation:
        bp = None
    if bp is None or bp != bp.to_integral_value():
        form.fault(name, msg("请输入年化利率，最多两位小数，例如 3.85"))
    elif not least_bp <= bp <= most_bp:
        form.fault(name, msg("利率须在 %(least)s 至 %(most)s 之间", least=percent(least_bp), most=percent(most_bp)))
    else:
        return int(bp)
    return least_bp
