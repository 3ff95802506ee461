"""The firm disputes a record about itself: which one, why, with what evidence; and follows what becomes of it."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.desks.pages.firm import BY_FIRM, BY_FIRM_STAFF
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.desks.tracking import Step
from xinyidai.documents import queries as documents
from xinyidai.documents import service as keeping
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.pages.forms import Form, act_once, answering, press
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import msg
from xinyidai.objections import queries, service
from xinyidai.objections.rules import (
    MAX_EVIDENCE,
    MAX_TEXT,
    FactKind,
    FactRef,
    ObjectionReason,
    ObjectionState,
    ObjectionView,
)
from xinyidai.sources.queries.invoice_facts import MAX_NUMBER

ROWS: Final = 20
FORM_BYTES: Final = 25 << 20
"""All evidence of one form together; more goes through the API, one file a call."""

Evidence = Sequence[tuple[str, bytes]]


@get("/firm/objections", guards=[BY_FIRM])
async def list_objections(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """List what the firm objected to and asked to be let go, with the last day of each answer."""
    return page(
        request,
        "desks/objections.html",
        found=await queries.objections(session, viewer, cursor=cursor, limit=ROWS),
        repairs=(await queries.repairs(session, viewer, limit=ROWS)).rows,
        today=business_date(now),
    )


@get("/firm/objections/new", guards=[BY_FIRM_STAFF])
async def choose_invoice(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    number: FromQuery[str] = "",
) -> Response[bytes]:
    """List the firm's newest invoices, or those of a number, to point at the wrong one."""
    asked = number.strip()[:MAX_NUMBER]
    found = await service.list_invoices(session, viewer, invoice_no=asked, now=now)
    disputed = await queries.disputed_refs(session, [viewer.organisation_id], now)
    return page(
        request,
        "desks/objection_choose.html",
        found=found,
        number=asked,
        disputed={(one.delivery_no, one.line_no) for one in disputed},
    )


@get("/firm/objections/new/{delivery_no:int}/{line_no:int}", guards=[BY_FIRM_STAFF])
async def objection_page(
    request: AnyRequest,
    delivery_no: FromPath[int],
    line_no: FromPath[int],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Ask what is wrong with one invoice."""
    return _ask(request, Form(), await _invoice(session, viewer, delivery_no, line_no, now=now))


@post(
    "/firm/objections/new/{delivery_no:int}/{line_no:int}",
    guards=[BY_FIRM_STAFF],
    status_code=200,
    request_max_body_size=FORM_BYTES,
)
async def object_to(
    request: AnyRequest,
    delivery_no: FromPath[int],
    line_no: FromPath[int],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Keep the evidence and file the objection, together."""
    form = await Form.read(request)
    evidence = await evidence_of(request, form)
    invoice = await _invoice(session, viewer, delivery_no, line_no, now=now)
    with answering(form, lambda refused: _ask(request, refused, invoice)):
        reason = form.choice("reason", ObjectionReason, missing=msg("请选择哪里不对"))
        text = form.text("text", missing=msg("请说明哪里不对、正确的是什么"), most=MAX_TEXT)
        form.require_sound()

        async def act() -> str:
            filed = await service.file_objection(
                session,
                viewer,
                FactRef(FactKind.VAT_INVOICE, viewer.organisation_id, delivery_no, line_no),
                reason=reason,
                text=text,
                document_ids=await keep_evidence(session, viewer, evidence, now=now),
                now=now,
            )
            flash(request, msg("异议已提交，%(day)s 前答复。", day=filed.due_on.isoformat()))
            return f"/firm/objections/{filed.id}"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


@get("/firm/objections/{objection_id:uuid}", guards=[BY_FIRM])
async def show_objection(
    request: AnyRequest,
    objection_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show one objection: what was said, where it is, who has to answer until when."""
    return page(request, "desks/objection.html", await _context(session, viewer, objection_id, now=now), form=Form())


@post("/firm/objections/{objection_id:uuid}/withdraw", guards=[BY_FIRM_STAFF], status_code=200)
async def withdraw(
    request: AnyRequest,
    objection_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Take an objection back."""
    context = await _context(session, viewer, objection_id, now=now)
    return await press(
        request,
        session,
        lambda form: page(request, "desks/objection.html", context, form=form),
        lambda: service.withdraw_objection(session, viewer, objection_id, now=now),
        by=viewer.organisation_id,
        said=msg("异议已撤回。"),
        to=f"/firm/objections/{objection_id}",
    )


@post("/firm/objections/{objection_id:uuid}/close", guards=[BY_FIRM_STAFF], status_code=200)
async def close(
    request: AnyRequest,
    objection_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Close an objection whose answer was read."""
    context = await _context(session, viewer, objection_id, now=now)
    return await press(
        request,
        session,
        lambda form: page(request, "desks/objection.html", context, form=form),
        lambda: service.close_objection(session, viewer, objection_id, now=now),
        by=viewer.organisation_id,
        said=msg("异议已办结，证明材料只有本企业可以查看。"),
        to=f"/firm/objections/{objection_id}",
    )


async def evidence_of(request: AnyRequest, form: Form) -> Evidence:
    """Return the files that came with a form; their digests join what was typed, so that pressing twice is one act."""
    sent = await request.form()
    files = [one for one in sent.getall("evidence", []) if isinstance(one, UploadFile) and one.filename]
    evidence = [(one.filename, await one.read()) for one in files[: MAX_EVIDENCE + 1]]
    form.values["evidence_digest"] = [hashlib.sha256(content).hexdigest() for _name, content in evidence]
    return evidence


async def keep_evidence(session: AsyncSession, viewer: Viewer, evidence: Evidence, *, now: datetime) -> list[UUID]:
    """Hand in the files of a form and return their ids; too many are refused by the room that they are for."""
    kept = [await keeping.hand_in(session, viewer, name=name, content=content, now=now) for name, content in evidence]
    return [one.id for one in kept]


def steps_of(found: ObjectionView, source: str) -> list[Step]:
    """Return an objection's way: filed, accepted, asked, answered; the first that is not done has the turn."""
    moments = (
        (msg("提交异议"), found.filed_at),
        (msg("平台受理"), found.accepted_at or found.decided_at),
        (msg("向来源核实：%(source)s", source=source), found.asked_at or found.decided_at),
        (msg("答复"), found.decided_at),
    )
    turn = next((place for place, (_words, at) in enumerate(moments) if at is None), len(moments))
    return [
        Step(words, "done" if at else "now" if place == turn and found.is_open else "later", at)
        for place, (words, at) in enumerate(moments)
    ]


async def _invoice(
    session: AsyncSession, viewer: Viewer, delivery_no: int, line_no: int, *, now: datetime
) -> dict[str, object]:
    return {
        "invoice": await service.show_invoice(session, viewer, delivery_no=delivery_no, line_no=line_no, now=now),
        "clock": await queries.clock_on(session, business_date(now)),
        "reasons": list(ObjectionReason),
    }


def _ask(request: AnyRequest, form: Form, context: dict[str, object]) -> Response[bytes]:
    return page(request, "desks/objection_new.html", context, form=form)


async def _context(session: AsyncSession, viewer: Viewer, objection_id: UUID, *, now: datetime) -> dict[str, object]:
    found, told = await service.read_objection(session, viewer, objection_id, now=now)
    if found.ref.firm_id != viewer.organisation_id:
        raise NotFound
    names = await names_of(session, [found.sender_id])
    return {
        "found": found,
        "told": told,
        "steps": steps_of(found, names.get(str(found.sender_id), "—")),
        "evidence": await documents.documents_by_id(session, viewer, found.document_ids),
        "is_answered": found.state in (ObjectionState.UPHELD, ObjectionState.REFUSED),
        "today": business_date(now),
    }


ROUTES = (list_objections, choose_invoice, objection_page, object_to, show_objection, withdraw, close)
