"""Authorising, looking after what was authorised, and who read the firm's data."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.audit import queries as audit
from xinyidai.catalogue import queries as catalogue
from xinyidai.catalogue.rules import AccessClass, Item
from xinyidai.consents import queries, service
from xinyidai.consents.rules import ConsentState, ConsentView, Purpose, PurposePolicy, latest_expiry
from xinyidai.consents.texts import ConsentText, text_on
from xinyidai.demands import coverage
from xinyidai.demands import queries as demands
from xinyidai.demands.rules import ASKING, ITEMS_OPENED_TO_LENDERS
from xinyidai.desks.pages.firm import ALL, BY_FIRM, BY_OWNER, digest_in
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.pages.forms import Form, act_once, answering, press
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import msg
from xinyidai.loans import queries as loans
from xinyidai.loans.rules.life import TAKES_PAYMENTS
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PLATFORM_ID, PartyView
from xinyidai.products import queries as products
from xinyidai.scoring.service import outcomes
from xinyidai.sources import rules as sources
from xinyidai.sources.rules.offices.day_files import NAME as BENEFITS
from xinyidai.sources.rules.pulls import ITEMS_OF
from xinyidai.sources.rules.subscriptions import ITEMS as BENEFITS_ITEMS

PURPOSES = tuple(one for one in Purpose if one is not Purpose.CREDIT_QUERY)
"""A bank's own credit query is authorised one bank at a time, where the firm chooses that bank."""
OF_OFFICE = {**{source.value: items for source, items in ITEMS_OF.items()}, BENEFITS: BENEFITS_ITEMS}
"""What each office has."""
COLLECTED = frozenset({sources.ITEM, outcomes.ITEM}.union(*OF_OFFICE.values()))
"""Items that something brings here: what only stands in the catalogue so far is not asked for."""
MONTHS = (3, 6, 12, 24)
USUAL_MONTHS = "6"
DATA_LIVES = (30, 90, 180, 366)
BY_POLICY = "0"
"""In place of a number of days: as long as the policy of the purpose lets what was read be kept."""


class _Offered:
    """What may be authorised today: items, receivers, and of each purpose the text and the policy."""

    def __init__(
        self,
        items: Sequence[Item],
        receivers: Sequence[PartyView],
        text: ConsentText,
        policies: Mapping[Purpose, PurposePolicy],
    ) -> None:
        self.items, self.receivers, self.text = items, receivers, text
        self.policies = {purpose: policies[purpose] for purpose in PURPOSES if purpose in policies}
        self.most_months = max((one.most_months for one in self.policies.values()), default=0)
        self.months = [months for months in MONTHS if months <= self.most_months]


@get("/firm/authorise", guards=[BY_OWNER])
async def authorise_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    fill: FromQuery[str] = "",
) -> Response[bytes]:
    """Ask what may be read, by whom, for what, until when: everything off unless the firm asks for what is needed.

    Asked for one office's items, only the platform is ticked: so the consent can be taken back for that office alone.
    """
    offered = await _offered(session, now=now)
    ticked: dict[str, list[str]] = {}
    if fill == "needed":
        ticked = {"item": list(ITEMS_OPENED_TO_LENDERS), "receiver": [str(one.id) for one in offered.receivers]}
    elif fill in OF_OFFICE:
        ticked = {"item": list(OF_OFFICE[fill]), "receiver": [str(PLATFORM_ID)]}
    purpose = {"purpose": [Purpose.PRE_LOAN.value]} if ticked else {}
    return _show(request, Form(purpose | ticked), offered)


@post("/firm/authorise", guards=[BY_OWNER], status_code=200)
async def authorise(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Grant one consent a purpose."""
    form, offered = await Form.read(request), await _offered(session, now=now)
    with answering(form, lambda refused: _show(request, refused, offered)):
        purposes = [one for one in offered.policies if form.has("purpose", one.value)]
        # Also what the page does not offer: who asks for it is refused, which is written down, rather than overheard.
        items = list(dict.fromkeys(form.values.get("item", [])))
        if not purposes:
            form.fault("purpose", msg("请选择至少一个授权目的"))
        if not items:
            form.fault("item", msg("请选择至少一项数据"))
        receivers = form.ids(
            "receiver", missing=msg("请选择至少一个接收方"), among=[one.id for one in offered.receivers], most=50
        )
        months = form.whole("months", missing=msg("请选择授权期限"), least=1, most=offered.most_months)
        life_days = form.whole("life", missing=msg("请选择数据最多保存多久"), least=0, most=max(DATA_LIVES))
        form.ticked("agrees", missing=msg("请阅读授权文本并勾选同意"))
        form.require_sound()

        async def act() -> str:
            for purpose in purposes:
                await service.grant(
                    session,
                    viewer,
                    purpose=purpose,
                    item_codes=items,
                    receiver_ids=receivers,
                    expires_at=latest_expiry(now, months),
                    data_life_days=life_days or None,
                    text_digest=digest_in(form.first(f"digest_{purpose.value}")),
                    now=now,
                )
            flash(request, msg("已授权。您可随时在授权管理中撤回。"))
            return "/firm/data"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


@get("/firm/consents", guards=[BY_FIRM])
async def list_consents(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """List what the firm authorised."""
    given = await queries.consents_of(session, viewer, now=now, cursor=cursor, limit=20)
    covered = await coverage.own_coverage(session, viewer, now=now)
    context = await _named(session, given.rows, now=now)
    return page(request, "desks/consents.html", context, given=given, covered=covered)


@get("/firm/consents/{consent_id:uuid}", guards=[BY_FIRM])
async def show_consent(
    request: AnyRequest,
    consent_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show one consent, its text, and what taking it back would do."""
    context = await _consent_context(session, viewer, consent_id, now=now)
    return page(request, "desks/consent.html", context, form=Form())


@post("/firm/consents/{consent_id:uuid}/revoke", guards=[BY_OWNER], status_code=200)
async def revoke_consent(
    request: AnyRequest,
    consent_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Take a consent back."""
    context = await _consent_context(session, viewer, consent_id, now=now)
    return await press(
        request,
        session,
        lambda form: page(request, "desks/consent.html", context, form=form),
        lambda: service.revoke(session, viewer, consent_id, now=now),
        by=viewer.organisation_id,
        said=msg("授权已撤回，新的查询已立即停止。"),
        to=f"/firm/consents/{consent_id}",
        must_tick=("sure", msg("请确认您了解撤回的影响")),
    )


@get("/firm/consents/{consent_id:uuid}/items/{code:str}", guards=[BY_FIRM])
async def show_item(
    request: AnyRequest,
    consent_id: FromPath[UUID],
    code: FromPath[str],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Say what taking one item of a consent back would do, and ask whether the firm is sure."""
    context = await _item_context(session, viewer, consent_id, code, now=now)
    return page(request, "desks/consent_item.html", context, form=Form())


@post("/firm/consents/{consent_id:uuid}/items/{code:str}/withdraw", guards=[BY_OWNER], status_code=200)
async def withdraw_item(
    request: AnyRequest,
    consent_id: FromPath[UUID],
    code: FromPath[str],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Take one item of a consent back."""
    context = await _item_context(session, viewer, consent_id, code, now=now)
    return await press(
        request,
        session,
        lambda form: page(request, "desks/consent_item.html", context, form=form),
        lambda: service.withdraw_item(session, viewer, consent_id, code, now=now),
        by=viewer.organisation_id,
        said=msg("这项数据的授权已撤回，新的查询已立即停止。"),
        to=f"/firm/consents/{consent_id}",
        must_tick=("sure", msg("请确认您了解撤回的影响")),
    )


@get("/firm/looks", guards=[BY_FIRM])
async def looks(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """Show who read or changed the firm's data, newest first."""
    found = await audit.looks_at_subject(session, viewer, viewer.organisation_id, cursor=cursor, limit=30)
    names = await names_of(session, [one.organisation_id for one in found.rows])
    return page(request, "desks/looks.html", found=found, names=names, own=viewer.organisation_id)


async def _offered(session: AsyncSession, *, now: datetime) -> _Offered:
    """Return what may be authorised: items that need consent; the platform, and the banks with an open product."""
    today = business_date(now)
    listed = [
        one
        for one in await catalogue.items(session, today)
        if one.needs_consent and one.access_class is not AccessClass.FORBIDDEN and one.code in COLLECTED
    ]
    lenders = {one.lender_id for one in await products.open_products(session, today)}
    found = await parties.parties_by_id(session, {PLATFORM_ID, *lenders})
    receivers = sorted(found.values(), key=lambda one: (one.kind is not OrganisationKind.OPERATOR, one.name))
    return _Offered(listed, receivers, text_on(today), await queries.policies(session, today))


def _show(request: AnyRequest, form: Form, offered: _Offered) -> Response[bytes]:
    return page(
        request,
        "desks/authorise.html",
        form=form,
        offered=offered,
        usual_months=USUAL_MONTHS,
        lives=DATA_LIVES,
        by_policy=BY_POLICY,
    )


async def _named(session: AsyncSession, given: Sequence[ConsentView], *, now: datetime) -> dict[str, object]:
    items = {one.code: one for one in await catalogue.items(session, business_date(now))}
    return {"items": items, "names": await names_of(session, [one for row in given for one in row.receiver_ids])}


async def _consent_context(
    session: AsyncSession, viewer: Viewer, consent_id: UUID, *, now: datetime
) -> dict[str, object]:
    consent = await queries.consent(session, viewer, consent_id, now=now)
    asking = await demands.demands_of(session, viewer, states=ASKING, limit=ALL)
    owed = (await loans.loans(session, viewer, state=None, cursor=None, limit=ALL)).rows
    return {
        "consent": consent,
        "is_active": consent.state is ConsentState.ACTIVE,
        "text": text_on(business_date(consent.granted_at)),
        "asking": len(asking.rows) if consent.purpose is Purpose.PRE_LOAN else 0,
        "owed": sum(one.state in TAKES_PAYMENTS for one in owed) if consent.purpose is Purpose.POST_LOAN else 0,
        **await _named(session, [consent], now=now),
    }


async def _item_context(
    session: AsyncSession, viewer: Viewer, consent_id: UUID, code: str, *, now: datetime
) -> dict[str, object]:
    """Return what the page of one item of a consent shows; one that the consent never named is not there."""
    context = await _consent_context(session, viewer, consent_id, now=now)
    consent = context["consent"]
    assert isinstance(consent, ConsentView), "it was just put there"
    if code not in {*consent.item_codes, *(one.item_code for one in consent.withdrawn)}:
        raise NotFound
    return context | {
        "code": code,
        "is_last": consent.item_codes == (code,),
        "ends_dispatches": bool(context["asking"]) and code in ITEMS_OPENED_TO_LENDERS,
    }


ROUTES = (
    authorise_page,
    authorise,
    list_consents,
    show_consent,
    revoke_consent,
    show_item,
    withdraw_item,
    looks,
)
