"""Proposing a line: its parties and terms, by one person; another opens it."""

from datetime import date, datetime
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.agreements import service
from xinyidai.agreements.rules import Shares, Terms
from xinyidai.agreements.service.opening import MAX_NAME_LENGTH, Proposal
from xinyidai.desks.pages.bank import rate_bp
from xinyidai.desks.pages.firm import ALL
from xinyidai.desks.pages.fund import BY_FUND
from xinyidai.desks.pages.names import AnyRequest
from xinyidai.foundation.money import WHOLE_PPM, Fen, Ppm
from xinyidai.foundation.pages.forms import Form, act_once, answering
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import msg
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PartyView

NO_GUARANTOR = "none"
MOST_CLAIM_DAYS = 720
MOST_RATE_BP = 3_600
PPM_OF_A_PERCENT = WHOLE_PPM // 100
Parties = tuple[tuple[PartyView, ...], tuple[PartyView, ...]]


@get("/fund/lines/new", guards=[BY_FUND])
async def propose_page(request: AnyRequest, session: NamedDependency[AsyncSession]) -> Response[bytes]:
    """Ask for parties and terms."""
    return _ask(request, Form(), await _parties(session))


@post("/fund/lines/new", guards=[BY_FUND], status_code=200)
async def propose(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Propose a line."""
    form, among = await Form.read(request), await _parties(session)
    with answering(form, lambda refused: _ask(request, refused, among)):
        name = form.text("name", missing=msg("请输入协议名称"), most=MAX_NAME_LENGTH)
        lender = _one_of(form, "lender", among[0], needed=True)
        guarantor = _one_of(form, "guarantor", among[1], needed=form.first("guarantor") != NO_GUARANTOR)
        terms = _terms(form)
        form.require_sound()
        assert lender is not None, "a form without a lender is not sound"
        proposal = Proposal(name, viewer.organisation_id, lender, guarantor, terms)

        async def act() -> str:
            agreement_id = await service.propose_agreement(session, viewer, proposal, now=now)
            flash(request, msg("协议已提议，须由另一位有复核权限的同事批准后生效。"))
            return f"/fund/lines/{agreement_id}"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


def _terms(form: Form) -> Terms:
    lender, fund, guarantor = (
        Ppm(form.whole(f"{party}_share", missing=msg("请输入分担比例"), least=0, most=100) * PPM_OF_A_PERCENT)
        for party in ("lender", "fund", "guarantor")
    )
    if lender + fund + guarantor != WHOLE_PPM and not form.faults_of("lender_share"):
        form.fault("lender_share", msg("三方比例合计须为 100%%"))
    first = date(2000, 1, 1)
    return Terms(
        shares=Shares(lender, fund, guarantor),
        capacity_fen=Fen(form.fen("capacity", missing=msg("请输入分担额度"), least_fen=1, most_fen=10**14)),
        per_firm_cap_fen=Fen(form.fen("firm_cap", missing=msg("请输入单户上限"), least_fen=1, most_fen=10**14)),
        claim_after_days=form.whole(
            "claim_days", missing=msg("请输入可申请代偿的逾期天数"), least=1, most=MOST_CLAIM_DAYS
        ),
        max_rate_bp=rate_bp(form, "max_rate", missing=msg("请输入年化利率"), least_bp=1, most_bp=MOST_RATE_BP),
        stop_loss_ppm=form.whole("stop_loss", missing=msg("请输入熔断比例"), least=1, most=100) * PPM_OF_A_PERCENT,
        valid_from=form.day("valid_from", missing=msg("请输入生效日期"), earliest_on=first),
        valid_to=form.day("valid_to", missing=msg("请输入到期日期"), earliest_on=first),
    )


def _one_of(form: Form, name: str, among: tuple[PartyView, ...], *, needed: bool) -> UUID | None:
    chosen = next((one.id for one in among if str(one.id) == form.first(name)), None)
    if chosen is None and needed:
        form.fault(name, msg("请选择机构"))
    return chosen


async def _parties(session: AsyncSession) -> Parties:
    lenders = await parties.party_page(session, kind=OrganisationKind.LENDER, cursor=None, limit=ALL)
    guarantors = await parties.party_page(session, kind=OrganisationKind.GUARANTOR, cursor=None, limit=ALL)
    return lenders.rows, guarantors.rows


def _ask(request: AnyRequest, form: Form, among: Parties) -> Response[bytes]:
    lenders, guarantors = among
    return page(
        request,
        "desks/fund_line_new.html",
        form=form,
        lenders=lenders,
        guarantors=guarantors,
        no_guarantor=NO_GUARANTOR,
    )


ROUTES = (propose_page, propose)
