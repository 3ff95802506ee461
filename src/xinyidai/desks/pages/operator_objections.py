"""The operator's queue of objections and repairs: overdue ones first, each with its clock and its next step."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.desks.pages.names import AnyRequest, colleagues, names_of
from xinyidai.desks.pages.operator import BY_OFFICER, BY_OPERATOR, ROWS, who
from xinyidai.documents import queries as documents
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.pages.forms import Form, act_once, answering, press
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import Message, msg
from xinyidai.objections import queries, service
from xinyidai.objections.rules import OPEN, InvoiceCorrection, ObjectionRefusal, ObjectionState, Told, yuan_of
from xinyidai.objections.rules.repairs import REPAIR_OPEN, RepairRefusal, RepairState

PATH: Final = "/operator/objections"
BY_REVIEWER: Final = requires(OrganisationKind.OPERATOR, roles=(Role.OFFICER, Role.APPROVER))
BY_REVIEWER_PROVED: Final = requires(OrganisationKind.OPERATOR, roles=(Role.OFFICER, Role.APPROVER), fresh=True)
EARLIEST_ON: Final = date(1994, 1, 1)
MOST_NAME: Final = 200


class Answer(StrEnum):
    """How the source answers, on the operator's form for it."""

    CORRECT = "correct"
    VOID = "void"
    REFUSE = "refuse"


@get(PATH, guards=[BY_OPERATOR])
async def list_cases(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    status: FromQuery[ObjectionState | None] = None,
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """List objections, those that wait unless a state is asked for, and repairs that wait."""
    states = (status,) if status else OPEN
    found = await queries.objections(session, viewer, states=states, cursor=cursor, limit=ROWS)
    repairs = (await queries.repairs(session, viewer, states=REPAIR_OPEN)).rows
    counts = await queries.objection_counts(session, viewer)
    ids = [one.ref.firm_id for one in repairs]
    ids += [party_id for one in found.rows for party_id in (one.ref.firm_id, one.sender_id)]
    return page(
        request,
        "desks/operator_objections.html",
        who(viewer),
        found=found,
        repairs=repairs,
        shown=status,
        clock=await queries.clock_on(session, business_date(now)),
        counts={one: counts.get(one, 0) for one in ObjectionState},
        names=await names_of(session, ids),
        today=business_date(now),
    )


@get(PATH + "/{objection_id:uuid}", guards=[BY_OPERATOR])
async def show_case(
    request: AnyRequest,
    objection_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show one objection with its evidence, and the one step that is next."""
    context = await _context(session, viewer, objection_id, now=now)
    return page(request, "desks/operator_objection.html", context, form=_filled(context["told"]))


@post(PATH + "/{objection_id:uuid}/accept", guards=[BY_OFFICER], status_code=200)
async def accept(
    request: AnyRequest,
    objection_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Accept for checking."""

    async def do() -> object:
        return await service.accept_objection(session, viewer, objection_id, now=now)

    return await _press(request, session, viewer, objection_id, do, msg("已受理，请向来源核实。"), now=now)


@post(PATH + "/{objection_id:uuid}/ask", guards=[BY_OFFICER], status_code=200)
async def ask(
    request: AnyRequest,
    objection_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Ask the source."""

    async def do() -> object:
        return await service.ask_source(session, viewer, objection_id, now=now)

    return await _press(
        request, session, viewer, objection_id, do, msg("已转来源核实，来源可以查看异议和材料。"), now=now
    )


@post(PATH + "/{objection_id:uuid}/close", guards=[BY_OFFICER], status_code=200)
async def close_case(
    request: AnyRequest,
    objection_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Close an answered objection."""

    async def do() -> object:
        return await service.close_objection(session, viewer, objection_id, now=now)

    return await _press(request, session, viewer, objection_id, do, msg("已办结。"), now=now)


@post(PATH + "/{objection_id:uuid}/answer", guards=[BY_OFFICER], status_code=200)
async def answer(
    request: AnyRequest,
    objection_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Write down the source's answer: right it, void it, or keep the record with a reason."""
    form = await Form.read(request)
    context = await _context(session, viewer, objection_id, now=now)
    with answering(form, lambda refused: page(request, "desks/operator_objection.html", context, form=refused)):
        chosen = form.choice("answer", Answer, missing=msg("请选择核实结果"))
        correction = _correction(form) if chosen is Answer.CORRECT else None
        code = ObjectionRefusal.RECORD_RIGHT
        if chosen is Answer.REFUSE:
            code = form.choice("code", ObjectionRefusal, missing=msg("请选择不予更正的原因"))
        form.require_sound()

        async def act() -> str:
            if chosen is Answer.REFUSE:
                await service.refuse_objection(session, viewer, objection_id, code=code, now=now)
            else:
                await service.uphold_objection(session, viewer, objection_id, correction=correction, now=now)
            flash(request, msg("核实结果已登记，企业会看到。"))
            return f"{PATH}/{objection_id}"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


@get("/operator/repairs/{repair_id:uuid}", guards=[BY_OPERATOR])
async def show_repair_case(
    request: AnyRequest,
    repair_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show one repair with its evidence and its two reviews."""
    context = await _repair_context(session, viewer, repair_id, now=now)
    return page(request, "desks/operator_repair.html", context, form=Form())


@post("/operator/repairs/{repair_id:uuid}/approve", guards=[BY_REVIEWER_PROVED], status_code=200)
async def pass_repair(
    request: AnyRequest,
    repair_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Pass the first or the second review."""
    context = await _repair_context(session, viewer, repair_id, now=now)
    return await press(
        request,
        session,
        lambda form: page(request, "desks/operator_repair.html", context, form=form),
        lambda: service.approve_repair(session, viewer, repair_id, now=now),
        by=viewer.organisation_id,
        said=msg("审核意见已登记。"),
        to=f"/operator/repairs/{repair_id}",
        must_tick=("checked", msg("请确认您已核对记录、期限和材料")),
    )


@post("/operator/repairs/{repair_id:uuid}/refuse", guards=[BY_REVIEWER], status_code=200)
async def refuse_repair_case(
    request: AnyRequest,
    repair_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Refuse a repair, with a reason of the closed list."""
    form = await Form.read(request)
    context = await _repair_context(session, viewer, repair_id, now=now)
    with answering(form, lambda refused: page(request, "desks/operator_repair.html", context, form=refused)):
        code = form.choice("code", RepairRefusal, missing=msg("请选择不予修复的原因"))
        form.require_sound()

        async def act() -> str:
            await service.refuse_repair(session, viewer, repair_id, code=code, now=now)
            flash(request, msg("已不予修复，企业会看到原因。"))
            return f"/operator/repairs/{repair_id}"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


def _filled(told: object) -> Form:
    """Return the form with what the disputed invoice says: a correction changes one figure of it, rarely all."""
    if not isinstance(told, Told) or told.fact is None:
        return Form()
    typed = {name: [told.fact[name]] for name in ("issued_on", "counterparty")}
    for name in ("net", "tax", "gross"):
        typed |= {name: [yuan_of(int(told.fact[f"{name}_fen"]))], f"{name}_unit": ["yuan"]}
    return Form(typed)


def _correction(form: Form) -> InvoiceCorrection:
    """Read what the invoice should have said; what is negative is typed with its sign in the API only."""
    return InvoiceCorrection(
        issued_on=form.day("issued_on", missing=msg("请输入开票日期"), earliest_on=EARLIEST_ON),
        counterparty=form.text("counterparty", missing=msg("请输入对方名称"), most=MOST_NAME),
        net_fen=form.fen("net", missing=msg("请输入不含税金额"), least_fen=0),
        tax_fen=form.fen("tax", missing=msg("请输入税额"), least_fen=0),
        gross_fen=form.fen("gross", missing=msg("请输入价税合计"), least_fen=0),
    )


async def _press(
    request: AnyRequest,
    session: AsyncSession,
    viewer: Viewer,
    objection_id: UUID,
    do: Callable[[], Awaitable[object]],
    said: Message,
    *,
    now: datetime,
) -> Response[bytes]:
    context = await _context(session, viewer, objection_id, now=now)
    return await press(
        request,
        session,
        lambda form: page(request, "desks/operator_objection.html", context, form=form),
        do,
        by=viewer.organisation_id,
        said=said,
        to=f"{PATH}/{objection_id}",
    )


async def _context(session: AsyncSession, viewer: Viewer, objection_id: UUID, *, now: datetime) -> dict[str, object]:
    found, told = await service.read_objection(session, viewer, objection_id, now=now)
    return who(viewer) | {
        "found": found,
        "told": told,
        "evidence": await documents.documents_by_id(session, viewer, found.document_ids),
        "names": await names_of(session, [found.ref.firm_id, found.sender_id]),
        "answers": list(Answer),
        "codes": list(ObjectionRefusal),
        "today": business_date(now),
    }


async def _repair_context(
    session: AsyncSession, viewer: Viewer, repair_id: UUID, *, now: datetime
) -> dict[str, object]:
    found, told = await service.read_repair(session, viewer, repair_id, now=now)
    is_second = found.state is RepairState.SECOND_REVIEW
    return who(viewer) | {
        "found": found,
        "told": told,
        "evidence": await documents.documents_by_id(session, viewer, found.document_ids),
        "names": await names_of(session, [found.ref.firm_id]),
        "people": await colleagues(session, viewer, [found.first_reviewed_by, found.second_reviewed_by]),
        "codes": list(RepairRefusal),
        "is_second": is_second,
        "may_review": found.is_open
        and (Role.APPROVER in viewer.roles or (Role.OFFICER in viewer.roles and not is_second))
        and found.first_reviewed_by != viewer.principal_id,
        "today": business_date(now),
    }


ROUTES = (
    list_cases,
    show_case,
    accept,
    ask,
    close_case,
    answer,
    show_repair_case,
    pass_repair,
    refuse_repair_case,
)
