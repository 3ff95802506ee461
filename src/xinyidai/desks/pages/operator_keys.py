"""Providers' signing keys: one person proposes, another approves by the fingerprint, either retires at once."""

from base64 import b64decode
from binascii import Error
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.access.service import platform_scope
from xinyidai.desks.pages.names import AnyRequest, colleagues, names_of
from xinyidai.desks.pages.operator import BY_APPROVER_PROVED, BY_OFFICER, BY_OFFICER_PROVED, BY_OPERATOR, ROWS, who
from xinyidai.foundation.clock import business_date, start_of_day
from xinyidai.foundation.pages.forms import Form, act_once, answering, press
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import Message, msg
from xinyidai.foundation.paging import MAX_PAGE
from xinyidai.foundation.signatures import is_public_key
from xinyidai.parties import queries as parties
from xinyidai.sources import service
from xinyidai.sources.queries import keys
from xinyidai.sources.rules.keys import MOST_VALIDITY, KeyState

PATH: Final = "/operator/provider-keys"
BY_EITHER_PROVED: Final = requires(OrganisationKind.OPERATOR, roles=(Role.OFFICER, Role.APPROVER), fresh=True)
USUAL_DAYS: Final = 365
MOST_BASE64: Final = 64


@get(PATH, guards=[BY_OPERATOR])
async def list_keys(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """List the keys of every provider, newest first."""
    found = await keys.keys(session, viewer, cursor=cursor, limit=ROWS)
    names = await names_of(session, [one.provider_id for one in found.rows])
    waits = sum(one.state is KeyState.PROPOSED for one in found.rows)
    return page(request, "desks/operator_keys.html", who(viewer), found=found, names=names, waits=waits, now=now)


@get(PATH + "/new", guards=[BY_OFFICER])
async def new_key(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Ask whose key it is, what it is, and how long it is valid."""
    return _ask(request, Form(), await _providers(session, viewer), business_date(now))


@post(PATH + "/new", guards=[BY_OFFICER_PROVED], status_code=200)
async def propose_key(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Propose a key."""
    form, providers = await Form.read(request), await _providers(session, viewer)
    today = business_date(now)
    with answering(form, lambda refused: _ask(request, refused, providers, today)):
        chosen = form.ids("provider_id", missing=msg("请选择机构"), among=map(UUID, providers), most=1)
        public_key = _key_in(form)
        begins = form.day("begins_on", missing=msg("请输入生效日期"), earliest_on=today - MOST_VALIDITY)
        ends = form.day("ends_on", missing=msg("请输入失效日期"), earliest_on=today + timedelta(days=1))
        if not begins < ends <= begins + MOST_VALIDITY:
            form.fault("ends_on", msg("失效日期须晚于生效日期，且不超过 %(days)s 天", days=MOST_VALIDITY.days))
        form.ticked("checked", missing=msg("请确认您已当面核实密钥属于该机构"))
        form.require_sound()

        async def act() -> str:
            proposed = await service.propose_key(
                session,
                viewer,
                provider_id=chosen[0],
                public_key=public_key,
                valid_from_at=start_of_day(begins),
                valid_until=start_of_day(ends),
                now=now,
            )
            flash(request, msg("密钥已提交，须由另一位有复核权限的同事批准。"))
            return f"{PATH}/{proposed.id}"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


@get(PATH + "/{provider_key_id:uuid}", guards=[BY_OPERATOR])
async def show_key(
    request: AnyRequest,
    provider_key_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show a key, its whole fingerprint, and who proposed, approved and retired it."""
    context = await _context(session, viewer, provider_key_id, now=now)
    return page(request, "desks/operator_key.html", context, form=Form())


@post(PATH + "/{provider_key_id:uuid}/approve", guards=[BY_APPROVER_PROVED], status_code=200)
async def approve_key(
    request: AnyRequest,
    provider_key_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Approve a key that another person proposed."""

    async def do() -> object:
        return await service.approve_key(session, viewer, provider_key_id, now=now)

    said, box = msg("密钥已批准，在有效期内的签名即被接受。"), msg("请确认您已向机构核对指纹")
    return await _press(request, session, viewer, provider_key_id, do, said, ("compared", box), now=now)


@post(PATH + "/{provider_key_id:uuid}/retire", guards=[BY_EITHER_PROVED], status_code=200)
async def retire_key(
    request: AnyRequest,
    provider_key_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Retire a key at once and for good."""

    async def do() -> object:
        return await service.retire_key(session, viewer, provider_key_id, now=now)

    said, box = msg("密钥已停用，此后的签名不再被接受。"), msg("请确认停用此密钥，停用后不能恢复")
    return await _press(request, session, viewer, provider_key_id, do, said, ("sure", box), now=now)


def _key_in(form: Form) -> bytes:
    """Read an Ed25519 key in base64; a certificate or another kind of key is a fault of the field."""
    typed = form.text("public_key", missing=msg("请输入公钥"), most=MOST_BASE64)
    try:
        public_key = b64decode(typed, validate=True)
    except (Error, ValueError):
        public_key = b""
    if typed and not is_public_key(public_key):
        form.fault("public_key", msg("不是 Ed25519 公钥：须为 32 字节的 Base64，共 44 个字符"))
    return public_key


def _ask(request: AnyRequest, form: Form, providers: dict[str, str], today: date) -> Response[bytes]:
    return page(
        request,
        "desks/operator_key_new.html",
        form=form,
        providers=providers,
        begins_on=today.isoformat(),
        ends_on=(today + timedelta(days=USUAL_DAYS)).isoformat(),
        most_days=MOST_VALIDITY.days,
    )


async def _providers(session: AsyncSession, viewer: Viewer) -> dict[str, str]:
    """Return who may sign, by id: the agencies, and the platform itself, which delivers for some."""
    async with platform_scope(session):
        found = await parties.party_page(session, kind=OrganisationKind.AGENCY, cursor=None, limit=MAX_PAGE)
    return {str(one.id): one.name for one in found.rows} | await names_of(session, [viewer.organisation_id])


async def _press(
    request: AnyRequest,
    session: AsyncSession,
    viewer: Viewer,
    key_id: UUID,
    do: Callable[[], Awaitable[object]],
    said: Message,
    must_tick: tuple[str, Message],
    *,
    now: datetime,
) -> Response[bytes]:
    context = await _context(session, viewer, key_id, now=now)
    return await press(
        request,
        session,
        lambda form: page(request, "desks/operator_key.html", context, form=form),
        do,
        by=viewer.organisation_id,
        said=said,
        to=f"{PATH}/{key_id}",
        must_tick=must_tick,
    )


async def _context(session: AsyncSession, viewer: Viewer, key_id: UUID, *, now: datetime) -> dict[str, object]:
    one = await keys.key(session, viewer, key_id)
    return {
        **who(viewer),
        "one": one,
        "name": (await names_of(session, [one.provider_id])).get(str(one.provider_id), "—"),
        "people": await colleagues(session, viewer, [one.proposed_by, one.approved_by, one.retired_by]),
        "now": now,
    }


ROUTES = (list_keys, new_key, propose_key, show_key, approve_key, retire_key)
