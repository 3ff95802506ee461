"""A data provider's desk: how its deliveries came through, what to correct and how, and asking for waivers."""

import hashlib
from datetime import datetime
from typing import Final
from uuid import UUID

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.desks.pages import quality as shared
from xinyidai.desks.pages.names import AnyRequest
from xinyidai.desks.pages.quality import ROWS, file_answer, filter_of, items_of, months_of, rules_of
from xinyidai.desks.quality_sheets import (
    finding_sheet,
    group_sheet,
    judged_sheet,
    message_of,
    pass_rate_sheet,
    returned_sheet,
    rule_name,
)
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.pages.forms import Form, act_once, answering
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.tables import FileKind, Sheet
from xinyidai.foundation.pages.words import Said, msg
from xinyidai.quality import queries, service
from xinyidai.quality.rules import MAX_REASON, PPM, FindingFilter, FindingState, Severity, WaiverState
from xinyidai.sources import queries as sources
from xinyidai.sources import service as receiving
from xinyidai.sources.rules import COLUMNS, ITEM, MAX_BODY_BYTES, DeliveryKind
from xinyidai.sources.rules.records.kinds import KINDS

BY_AGENCY: Final = requires(OrganisationKind.AGENCY)
BY_SENDER: Final = requires(OrganisationKind.AGENCY, roles=(Role.OFFICER, Role.ADMIN))
FORM_BYTES: Final = 4 * MAX_BODY_BYTES
"""A form with a file a little too large is still read, so that the page can say so."""


@get("/agency", guards=[BY_AGENCY])
async def home(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Say what waits to be corrected, then how rows came through and what came back, by item and month."""
    groups = await queries.finding_groups(session, viewer, FindingFilter(state=FindingState.OPEN))
    first_month, last_month = months_of(request, now)
    rates = await queries.pass_rates(session, viewer, from_month=first_month, to_month=last_month)
    offered, passed = sum(one.offered for one in rates), sum(one.passed for one in rates)
    return page(
        request,
        "desks/agency_home.html",
        open=sum(one.open for one in groups),
        errors=sum(one.open for one in groups if one.severity is Severity.ERROR),
        pass_rate_ppm=passed * PPM // offered if offered else None,
        rates=pass_rate_sheet(rates, await items_of(session, now)),
        returned=await _table(request, session, viewer, "returned", now=now),
        first_month=first_month,
        last_month=last_month,
        address=f"from_month={first_month:%Y-%m}&to_month={last_month:%Y-%m}",
    )


@get("/agency/findings", guards=[BY_AGENCY])
async def list_findings(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show what was found by rule, with the place of one row."""
    sought, items = filter_of(request), await items_of(session, now)
    groups = await queries.finding_groups(session, viewer, sought)
    every = await queries.finding_groups(session, viewer, FindingFilter())
    codes = sorted({one.item_code for one in every})
    return page(
        request,
        "desks/agency_findings.html",
        sheet=group_sheet(groups, await rules_of(session, now), items),
        links=[f"/agency/rules/{one.rule_code}" for one in groups],
        sought=sought,
        items=[(code, items.get(code, code)) for code in codes],
        address=request.url.query,
    )


@get("/agency/rules/{rule_code:str}", guards=[BY_AGENCY])
async def show_rule(
    request: AnyRequest,
    rule_code: FromPath[str],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """Show what a rule demands, and the own rows that it found."""
    rules = await rules_of(session, now)
    if rule_code not in rules:
        raise NotFound
    found = await queries.findings(session, viewer, FindingFilter(rule_code=rule_code), cursor=cursor, limit=ROWS)
    return page(
        request,
        "desks/agency_rule.html",
        rule=rules[rule_code],
        item=(await items_of(session, now)).get(rules[rule_code].item_code, rules[rule_code].item_code),
        found=found,
    )


@get("/agency/findings/{finding_id:uuid}", guards=[BY_AGENCY])
async def show_finding(
    request: AnyRequest,
    finding_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show one finding, and the form that asks for a waiver."""
    told = await _finding(session, viewer, finding_id, now=now)
    return page(request, "desks/agency_finding.html", told, form=Form())


@post("/agency/findings/{finding_id:uuid}", guards=[BY_SENDER], status_code=200)
async def ask_waiver(
    request: AnyRequest,
    finding_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Ask that a finding be waived."""
    form = await Form.read(request)
    told = await _finding(session, viewer, finding_id, now=now)
    with answering(form, lambda refused: page(request, "desks/agency_finding.html", told, form=refused)):
        reason = form.text("reason", missing=msg("请说明为什么这一行无需更正"), most=MAX_REASON)
        form.require_sound()

        async def act() -> str:
            await service.ask_waiver(session, viewer, finding_id, reason, now=now)
            flash(request, msg("豁免申请已提交，由平台运营审核。"))
            return f"/agency/findings/{finding_id}"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


@get("/agency/waivers", guards=[BY_AGENCY])
async def list_waivers(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show what was asked to be waived, and what was decided."""
    found = [
        (state, await queries.findings(session, viewer, FindingFilter(waiver=state), limit=ROWS))
        for state in WaiverState
    ]
    rules = await rules_of(session, now)
    rows = [(one, rule_name(one.rule_code, rules), state) for state, listed in found for one in listed.rows]
    return page(request, "desks/agency_waivers.html", rows=rows, most=ROWS)


@get("/agency/deliveries", guards=[BY_AGENCY])
async def list_deliveries(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    before: FromQuery[int | None] = None,
) -> Response[bytes]:
    """List the deliveries that were judged, newest first."""
    found = await queries.judged_deliveries(session, viewer, before_no=before, limit=ROWS)
    return page(
        request,
        "desks/agency_deliveries.html",
        sheet=judged_sheet(found, await items_of(session, now)),
        links=[f"/agency/deliveries/{one.delivery_id}" for one in found],
        older=found[-1].delivery_no if len(found) == ROWS else None,
    )


@get("/agency/deliveries/new", guards=[BY_SENDER])
async def show_upload(
    request: AnyRequest, session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> Response[bytes]:
    """Show how a file is made and sent, a corrected one too."""
    return page(request, "desks/agency_upload.html", await _kinds(session, now), form=Form())


@post("/agency/deliveries/new", guards=[BY_SENDER], status_code=200, request_max_body_size=FORM_BYTES)
async def upload(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Take a file in by the ordinary door."""
    form = await Form.read(request)
    sent = (await request.form()).get("file")
    content = await sent.read() if isinstance(sent, UploadFile) else b""
    form.values["digest"] = [hashlib.sha256(content).hexdigest()]
    told = await _kinds(session, now)
    with answering(form, lambda refused: page(request, "desks/agency_upload.html", told, form=refused)):
        kind = form.choice("kind", DeliveryKind, missing=msg("请选择信息项"))
        if not content:
            form.fault("file", msg("请选择要报送的 CSV 文件"))
        if len(content) > MAX_BODY_BYTES:
            form.fault("file", msg("文件超过 1 MB，请分成几份，或通过接口和文件投递报送"))
        form.require_sound()

        async def act() -> str:
            report = await receiving.receive_csv(session, viewer, content, kind=kind, now=now)
            flash(
                request,
                msg(
                    "收到 %(received)s 行，入库 %(loaded)s 行，隔离 %(kept)s 行。",
                    received=report.received,
                    loaded=report.loaded,
                    kept=report.rejected_rows,
                ),
            )
            return f"/agency/deliveries/{report.delivery_id}"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


@get("/agency/deliveries/{delivery_id:uuid}", guards=[BY_SENDER])
async def show_delivery(
    request: AnyRequest,
    delivery_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """Show what is to be corrected of one delivery: rows kept aside at the door, and rows that a rule found."""
    report = await sources.delivery(session, viewer, delivery_id)
    judged = await queries.judged_delivery(session, viewer, delivery_id)
    sheet = await _sheet_of_delivery(session, viewer, delivery_id, ROWS, now=now)
    return page(
        request,
        "desks/agency_delivery.html",
        report=report,
        judged=judged,
        sheet=sheet,
        rejected=await sources.rejected_rows(session, viewer, delivery_id, cursor=cursor, limit=ROWS),
    )


@get("/agency/deliveries/{delivery_id:uuid}/files/{kind:str}", guards=[BY_SENDER])
async def download_delivery(
    request: AnyRequest,
    delivery_id: FromPath[UUID],
    kind: FromPath[FileKind],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Return what a rule found in a delivery, line by line, as a file to correct by."""
    await sources.delivery(session, viewer, delivery_id)
    sheet = await _sheet_of_delivery(session, viewer, delivery_id, shared.MOST_ROWS, now=now)
    return file_answer(request, sheet, kind, f"delivery-{delivery_id}")


@get("/agency/files/{table:str}/{kind:str}", guards=[BY_AGENCY])
async def download(
    request: AnyRequest,
    table: FromPath[str],
    kind: FromPath[FileKind],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Return a table of the desk as a file."""
    return file_answer(request, await _table(request, session, viewer, table, now=now), kind, f"quality-{table}")


async def _table(request: AnyRequest, session: AsyncSession, viewer: Viewer, table: str, *, now: datetime) -> Sheet:
    """Return a table under the filters of the address; `NotFound` for one that the desk does not have."""
    items = await items_of(session, now)
    if table == "findings":
        groups = await queries.finding_groups(session, viewer, filter_of(request))
        return group_sheet(groups, await rules_of(session, now), items)
    first_month, last_month = months_of(request, now)
    if table == "rates":
        rates = await queries.pass_rates(session, viewer, from_month=first_month, to_month=last_month)
        return pass_rate_sheet(rates, items)
    if table == "returned":
        back = await queries.returned(session, viewer, from_month=first_month, to_month=last_month)
        return returned_sheet(back, items)
    raise NotFound


async def _finding(session: AsyncSession, viewer: Viewer, finding_id: UUID, *, now: datetime) -> dict[str, object]:
    """Return what the page of a finding shows."""
    one, rules = await queries.finding(session, viewer, finding_id), await rules_of(session, now)
    items = await items_of(session, now)
    return {
        "one": one,
        "rule": rule_name(one.rule_code, rules),
        "message": message_of(one.rule_code, rules),
        "item": items.get(one.item_code, one.item_code),
        "may_ask": one.state is FindingState.OPEN and bool({Role.OFFICER, Role.ADMIN} & viewer.roles),
    }


async def _sheet_of_delivery(
    session: AsyncSession, viewer: Viewer, delivery_id: UUID, most: int, *, now: datetime
) -> Sheet:
    judged = await queries.judged_delivery(session, viewer, delivery_id)
    sought = FindingFilter(delivery_no=judged.delivery_no) if judged else None
    found = await shared.found_of(session, viewer, sought, most=most) if sought else []
    by_line = sorted(found, key=lambda one: (one.line_no or 0, one.rule_code))
    return finding_sheet(by_line, await rules_of(session, now), await items_of(session, now))


async def _kinds(session: AsyncSession, now: datetime) -> dict[str, object]:
    """Return what may be delivered, each with its name and the heads of its file."""
    items = await items_of(session, now)
    named: list[tuple[str, Said | str, str]] = []
    for kind in DeliveryKind:
        heads = COLUMNS if kind.item_code == ITEM else KINDS[kind.value].delivered
        name = msg("增值税发票的更正") if kind is DeliveryKind.CORRECTION else items.get(kind.item_code, kind.value)
        named.append((kind.value, name, ",".join(heads)))
    return {"kinds": named}


ROUTES = (
    home,
    list_findings,
    show_rule,
    show_finding,
    ask_waiver,
    list_waivers,
    list_deliveries,
    show_upload,
    upload,
    show_delivery,
    download_delivery,
    download,
)
