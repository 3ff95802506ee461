"""The firm asks that a record it has made good is let go."""

from datetime import date, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.desks.pages.firm import BY_FIRM, BY_FIRM_STAFF
from xinyidai.desks.pages.firm_objections import FORM_BYTES, evidence_of, keep_evidence
from xinyidai.desks.pages.names import AnyRequest
from xinyidai.documents import queries as documents
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.pages.forms import Form, act_once, answering, press
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import msg
from xinyidai.objections import queries, service
from xinyidai.objections.rules import MAX_TEXT, FactKind, FactRef
from xinyidai.objections.rules.repairs import Severity

MOST_LINES: Final = 2**31 - 1
EARLIEST_ON: Final = date(2000, 1, 1)


class RecordKind(StrEnum):
    """Records against a firm that the form offers."""

    PENALTY = FactKind.PENALTY.value
    ENFORCEMENT = FactKind.ENFORCEMENT.value
    HONOUR_LIST = FactKind.HONOUR_LIST.value


@get("/firm/repairs/new", guards=[BY_FIRM_STAFF])
async def repair_page(
    request: AnyRequest, session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> Response[bytes]:
    """Ask which record, how grave, and what was done about it; say what the rule in force asks and ends."""
    return page(request, "desks/repair_new.html", await _asked(session, now=now), form=Form())


@post("/firm/repairs/new", guards=[BY_FIRM_STAFF], status_code=200, request_max_body_size=FORM_BYTES)
async def ask_for_repair(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Keep the evidence and file the repair, together."""
    form = await Form.read(request)
    evidence = await evidence_of(request, form)
    context = await _asked(session, now=now)
    with answering(form, lambda refused: page(request, "desks/repair_new.html", context, form=refused)):
        kind = form.choice("kind", RecordKind, missing=msg("请选择记录类型"))
        delivery_no = form.whole("delivery_no", missing=msg("请输入数据批次号"), least=1, most=MOST_LINES)
        line_no = form.whole("line_no", missing=msg("请输入行号"), least=1, most=MOST_LINES)
        severity = form.choice("severity", Severity, missing=msg("请选择失信程度"))
        listed_on = form.day("listed_on", missing=msg("请输入认定日期"), earliest_on=EARLIEST_ON)
        text = form.text("text", missing=msg("请说明已如何纠正"), most=MAX_TEXT)
        is_declared = form.ticked("declared", missing=msg("请作出声明和承诺"))
        form.require_sound()

        async def act() -> str:
            filed = await service.file_repair(
                session,
                viewer,
                FactRef(FactKind(kind.value), viewer.organisation_id, delivery_no, line_no),
                severity=severity,
                listed_on=listed_on,
                text=text,
                document_ids=await keep_evidence(session, viewer, evidence, now=now),
                is_declared=is_declared,
                now=now,
            )
            flash(request, msg("信用修复申请已提交，%(day)s 前答复。", day=filed.due_on.isoformat()))
            return f"/firm/repairs/{filed.id}"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


@get("/firm/repairs/{repair_id:uuid}", guards=[BY_FIRM])
async def show_repair(
    request: AnyRequest,
    repair_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show one repair: what was asked, and what became of it."""
    return page(request, "desks/repair.html", await _context(session, viewer, repair_id, now=now), form=Form())


@post("/firm/repairs/{repair_id:uuid}/withdraw", guards=[BY_FIRM_STAFF], status_code=200)
async def withdraw_repair(
    request: AnyRequest,
    repair_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Take a repair back."""
    context = await _context(session, viewer, repair_id, now=now)
    return await press(
        request,
        session,
        lambda form: page(request, "desks/repair.html", context, form=form),
        lambda: service.withdraw_repair(session, viewer, repair_id, now=now),
        by=viewer.organisation_id,
        said=msg("信用修复申请已撤回。"),
        to=f"/firm/repairs/{repair_id}",
    )


async def _asked(session: AsyncSession, *, now: datetime) -> dict[str, object]:
    today = business_date(now)
    return {
        "kinds": list(RecordKind),
        "severities": list(Severity),
        "rules": await queries.repair_rules_on(session, today),
        "clock": await queries.clock_on(session, today),
    }


async def _context(session: AsyncSession, viewer: Viewer, repair_id: UUID, *, now: datetime) -> dict[str, object]:
    found, told = await service.read_repair(session, viewer, repair_id, now=now)
    if found.ref.firm_id != viewer.organisation_id:
        raise NotFound
    return {
        "found": found,
        "told": told,
        "evidence": await documents.documents_by_id(session, viewer, found.document_ids),
        "today": business_date(now),
    }


ROUTES = (repair_page, ask_for_repair, show_repair, withdraw_repair)
