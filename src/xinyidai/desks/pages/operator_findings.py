"""The operator's pages of findings over all senders, of waivers by two people, and of the rules with their versions."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.desks.pages.operator import BY_OPERATOR
from xinyidai.desks.pages.quality import ROWS, file_answer, filter_of, items_of, rules_of
from xinyidai.desks.quality_sheets import group_sheet, message_of, rule_name
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.pages.forms import Form, act_once, answering
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.tables import FileKind
from xinyidai.foundation.pages.words import msg
from xinyidai.quality import queries, service
from xinyidai.quality.rules import MAX_WAIVER_DAYS, FindingFilter, WaiverState

WAIVERS: Final = "/operator/quality/waivers"
BY_DECIDER: Final = requires(OrganisationKind.OPERATOR, roles=(Role.OFFICER, Role.APPROVER))


@get("/operator/quality/findings", guards=[BY_OPERATOR])
async def list_findings(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show findings over all senders by rule, under the filters of the address."""
    sought, items = filter_of(request), await items_of(session, now)
    groups = await queries.finding_groups(session, viewer, sought)
    every = await queries.finding_groups(session, viewer, FindingFilter())
    senders = await names_of(session, [one.sender_id for one in every])
    codes = sorted({one.item_code for one in every})
    return page(
        request,
        "desks/operator_findings.html",
        sheet=group_sheet(groups, await rules_of(session, now), items, senders),
        links=[f"/operator/quality/rules?item={one.item_code}#{one.rule_code}" for one in groups],
        sought=sought,
        items=[(code, items.get(code, code)) for code in codes],
        senders=sorted(senders.items(), key=lambda one: one[1]),
        address=request.url.query,
    )


@get("/operator/quality/findings/files/{kind:str}", guards=[BY_OPERATOR])
async def download_findings(
    request: AnyRequest,
    kind: FromPath[FileKind],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Return the findings as a file."""
    groups = await queries.finding_groups(session, viewer, filter_of(request))
    senders = await names_of(session, [one.sender_id for one in groups])
    sheet = group_sheet(groups, await rules_of(session, now), await items_of(session, now), senders)
    return file_answer(request, sheet, kind, "findings")


@get("/operator/quality/rules", guards=[BY_OPERATOR])
async def list_rules(
    request: AnyRequest, session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> Response[bytes]:
    """Show the rules of one item: what each demands, its two examples, and the versions before."""
    items, sought = await items_of(session, now), filter_of(request).item_code
    every = await queries.rule_versions(session)
    codes = sorted({rule.item_code for rule in every})
    chosen = sought if sought in codes else codes[0] if codes else None
    shown = [rule for rule in every if rule.item_code == chosen]
    today = business_date(now)
    return page(
        request,
        "desks/operator_rules.html",
        rules=[rule for rule in shown if rule.valid_to is None or today < rule.valid_to],
        past=[rule for rule in shown if rule.valid_to is not None and rule.valid_to <= today],
        chosen=chosen,
        items=[(code, items.get(code, code)) for code in codes],
        count=len({rule.code for rule in every}),
    )


@get(WAIVERS, guards=[BY_OPERATOR])
async def list_waivers(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show what was asked to be waived, by how it stands."""
    found = [
        (one, state)
        for state in WaiverState
        for one in (await queries.findings(session, viewer, FindingFilter(waiver=state), limit=ROWS)).rows
    ]
    rules, senders = await rules_of(session, now), await names_of(session, [one.sender_id for one, _state in found])
    rows = [(one, rule_name(one.rule_code, rules), senders.get(str(one.sender_id), "—"), at) for one, at in found]
    return page(request, "desks/operator_waivers.html", rows=rows, most=ROWS)


@get(f"{WAIVERS}/{{finding_id:uuid}}", guards=[BY_OPERATOR])
async def show_waiver(
    request: AnyRequest,
    finding_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show what is to be waived and why, with the two answers."""
    told = await _waiver(session, viewer, finding_id, now=now)
    return page(request, "desks/operator_waiver.html", told, form=Form())


@post(f"{WAIVERS}/{{finding_id:uuid}}", guards=[BY_DECIDER], status_code=200)
async def decide_waiver(
    request: AnyRequest,
    finding_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Grant a waiver until a day, or refuse it."""
    form = await Form.read(request)
    told = await _waiver(session, viewer, finding_id, now=now)
    with answering(form, lambda refused: page(request, "desks/operator_waiver.html", told, form=refused)):
        is_granted = form.first("answer") == "grant"
        if form.first("answer") not in {"grant", "refuse"}:
            form.fault("answer", msg("请选择同意或不同意"))
        tomorrow = business_date(now) + timedelta(days=1)
        until_on = form.day("until_on", missing=msg("请填写豁免的截止日"), earliest_on=tomorrow) if is_granted else None
        form.require_sound()

        async def act() -> str:
            await service.decide_waiver(session, viewer, finding_id, is_granted=is_granted, until_on=until_on, now=now)
            flash(request, msg("已同意豁免。") if is_granted else msg("未同意豁免，问题仍待更正。"))
            return WAIVERS

        return await act_once(request, session, form, act, by=viewer.organisation_id)


async def _waiver(session: AsyncSession, viewer: Viewer, finding_id: UUID, *, now: datetime) -> dict[str, object]:
    one, rules = await queries.finding(session, viewer, finding_id), await rules_of(session, now)
    items, senders = await items_of(session, now), await names_of(session, [one.sender_id])
    return {
        "one": one,
        "rule": rule_name(one.rule_code, rules),
        "message": message_of(one.rule_code, rules),
        "item": items.get(one.item_code, one.item_code),
        "sender": senders.get(str(one.sender_id), "—"),
        "may_decide": one.waiver_state is WaiverState.ASKED and bool({Role.OFFICER, Role.APPROVER} & viewer.roles),
        "last_on": business_date(now) + timedelta(days=MAX_WAIVER_DAYS),
        "usual_on": business_date(now) + timedelta(days=183),
    }


ROUTES = (list_findings, download_findings, list_rules, list_waivers, show_waiver, decide_waiver)
