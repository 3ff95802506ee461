"""Where the firm's indicators come from, and what one of its facts went into."""

from datetime import datetime

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.desks.pages.firm import BY_FIRM
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.foundation.errors import NotFound, ValueRefused
from xinyidai.foundation.pages.rendering import page
from xinyidai.objections import queries as objections
from xinyidai.objections.rules import FactKind
from xinyidai.profiles import model, queries
from xinyidai.profiles import service as profiles
from xinyidai.profiles.rules.readings import in_words_en, in_words_zh
from xinyidai.sources.rules.origins import FactRef

FACTS_SHOWN = 30


@get("/firm/profile/indicators/{code:str}", guards=[BY_FIRM])
async def where_from(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    code: FromPath[str],
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """Show the facts that an indicator rests on, newest first, with where each came from."""
    try:
        text = queries.indicator_text(code)
    except ValueRefused as refused:
        raise NotFound from refused
    found = await profiles.show_lineage(
        session, viewer, code, firm_id=viewer.organisation_id, cursor=cursor, limit=FACTS_SHOWN, now=now
    )
    disputed = await objections.disputed_refs(session, [viewer.organisation_id], now)
    reading = found.reading
    context = {
        "text": text,
        "found": found,
        "disputed": {(one.delivery_no, one.line_no) for one in disputed if one.kind is FactKind.VAT_INVOICE},
        "value": (in_words_zh(reading.measure, reading.value), in_words_en(reading.measure, reading.value)),
        "names": await names_of(session, [fact.origin.sender_id for fact in found.facts.rows]),
    }
    return page(request, "desks/lineage.html", context)


@get("/firm/profile/fact", guards=[BY_FIRM])
async def where_to(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    name: FromQuery[str],
) -> Response[bytes]:
    """Show what a fact went into: indicators, decisions, profiles; and what it replaced."""
    try:
        ref = FactRef.read(name)
    except ValueRefused as refused:
        raise NotFound from refused
    found = await profiles.show_impact(session, viewer, ref, now=now)
    traced = {text.code: text for text in model.indicator_texts()}
    texts = traced | {text.code: text for text in model.record_texts()}
    parties = [found.life.origin.sender_id, *(look.receiver_id for look in found.looks)]
    context = {
        "found": found,
        "life": found.life,
        "indicators": [(texts[code], code in traced) for code in found.indicators],
        "own": viewer.organisation_id,
        "names": await names_of(session, parties),
    }
    return page(request, "desks/impact.html", context)


ROUTES = (where_from, where_to)
