"""The page on which a person agrees, at whichever office, that data of a firm are handed on. Plain HTML, no script."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from urllib.parse import urlencode, urlsplit

from litestar import Response, get, post
from litestar.response import Redirect

from city.consenting import CODE_MINUTES, digest_of, give_reference, issue_code
from city.living.city import City
from city.providers.answers import AnyRequest, city_of
from city.providers.offices import OFFICES, scope_of
from city.store import Granted

FORM = "form"
"""The client under whose name the tickets of open forms are kept: no real client may be called so."""
MOST_STATE = 500
PATHS = [f"/{provider}/authorize" for provider in OFFICES]

Html = Response[str]


@dataclass(frozen=True)
class Wish:
    """What a client asks a person for. Without an address to go back to, the person is shown the number instead."""

    provider: str
    client_id: str
    credit_code: str
    redirect_uri: str
    state: str
    scope: str

    def bound(self) -> str:
        """Return what a form's ticket binds besides the firm."""
        return "\n".join((self.provider, self.client_id, self.scope, self.redirect_uri))


@get(PATHS, sync_to_thread=False)
def show_consent_page(request: AnyRequest) -> Html:
    """Ask a person whether items may be read; the query is as OAuth has it, with the firm's `credit_code`."""
    city, provider = city_of(request), _provider(request)
    wish = _wish(provider, {name: str(value) for name, value in request.query_params.items()})
    fault = _fault(city, wish)
    if fault:
        return _html(provider, f"<h1>无法办理</h1><p>{escape(fault)}</p>", status_code=400)
    ticket = secrets.token_urlsafe(32)
    expires_at = city.ground.wall() + timedelta(minutes=CODE_MINUTES)
    city.store.keep_code(digest_of(ticket), Granted(FORM, wish.credit_code, wish.bound(), expires_at))
    hidden = {"ticket": ticket, "client_id": wish.client_id, "redirect_uri": wish.redirect_uri}
    hidden |= {"scope": wish.scope, "state": wish.state}
    fields = "".join(f'<input type="hidden" name="{name}" value="{escape(text)}">' for name, text in hidden.items())
    firm, office = city.registry[wish.credit_code], OFFICES[provider]
    items = "、".join(office.items[item] for item in wish.scope.split())
    page = (
        f"<h1>{office.title}：数据授权</h1><p>{office.holder}：{escape(firm.name)}（{escape(wish.credit_code)}）</p>"
        f"<p>{escape(wish.client_id)} 申请读取贵单位的{items}。{office.terms}。</p>"
        f'<form method="post" action="/{provider}/authorize">{fields}'
        '<p><button name="answer" value="yes">同意</button> <button name="answer" value="no">拒绝</button></p></form>'
        "<p>模拟系统，所有数据均为合成数据。</p>"
    )
    return _html(provider, page, redirect_uri=wish.redirect_uri)


@post(PATHS)
async def take_answer(request: AnyRequest) -> Redirect | Html:
    """Send the person back with a code or a number, or with a no. Each form is good once."""
    city, provider, form = city_of(request), _provider(request), await request.form()
    fields = {str(name): value for name, value in form.items() if isinstance(value, str)}
    shown = city.store.take_code(digest_of(fields.get("ticket", "")))
    wish = _wish(provider, fields | {"credit_code": shown.credit_code if shown is not None else ""})
    is_stale = (
        shown is None
        or shown.client_id != FORM
        or shown.scope != wish.bound()
        or shown.expires_at <= city.ground.wall()
    )
    fault = "页面已失效，请重新发起授权。" if is_stale else _fault(city, wish)
    if fault:
        return _html(provider, f"<h1>无法办理</h1><p>{escape(fault)}</p>", status_code=400)
    told = {"error": "access_denied"} if fields.get("answer") != "yes" else grant(city, wish)
    if not wish.redirect_uri:
        said = told.get("reference")
        words = "您未同意授权。" if said is None else f"授权号：<strong>{escape(said)}</strong>，请交给申请方。"
        return _html(provider, f"<h1>{OFFICES[provider].title}</h1><p>{words}</p>")
    told |= {"state": wish.state} if wish.state else {}
    joined = "&" if urlsplit(wish.redirect_uri).query else "?"
    way_back = f"{wish.redirect_uri}{joined}{urlencode(told)}"
    return Redirect(way_back, status_code=303, headers={"Cache-Control": "no-store"})


def grant(city: City, wish: Wish) -> dict[str, str]:
    """Turn a firm's yes into a code at the tax bureau and into a reference elsewhere."""
    if wish.provider == "tax":
        return {"code": issue_code(city.store, wish.client_id, wish.credit_code, wish.scope, wall=city.ground.wall())}
    reference, expires_at = give_reference(
        city.store, wish.provider, wish.client_id, wish.credit_code, wish.scope, business=city.clock.now()
    )
    return {"reference": reference, "scope": wish.scope, "expires_at": expires_at.isoformat()}


def _wish(provider: str, fields: dict[str, str]) -> Wish:
    names = ("client_id", "credit_code", "redirect_uri", "state")
    client_id, credit_code, redirect_uri, state = (fields.get(name, "") for name in names)
    scope = scope_of(provider, fields.get("scope", ""))
    return Wish(provider, client_id, credit_code, redirect_uri, state, scope or "")


def _fault(city: City, wish: Wish) -> str:
    """Return what is wrong with a request, empty where nothing is. A wrong address is never sent back to."""
    client = city.city_file.clients.get(wish.provider)
    needs_no_way_back = wish.provider != "tax" and not wish.redirect_uri
    if client is None or wish.client_id != client.client_id:
        return "未登记的申请方"
    if wish.redirect_uri not in client.redirect_uris and not needs_no_way_back:
        return "未登记的返回地址"
    if wish.credit_code not in city.registry:
        return f"查无此{OFFICES[wish.provider].holder}"
    if not wish.scope or len(wish.state) > MOST_STATE:
        return "请求参数不正确"
    return ""


def _provider(request: AnyRequest) -> str:
    return request.url.path.split("/")[1]


def _html(provider: str, body: str, *, redirect_uri: str = "", status_code: int = 200) -> Html:
    parts = urlsplit(redirect_uri)
    # A browser holds the redirect after a form to form-action too, so the way back must be named.
    back = f" {parts.scheme}://{parts.netloc}" if parts.netloc else ""
    policy = f"default-src 'none'; form-action 'self'{back}; base-uri 'none'; frame-ancestors 'none'"
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    title = OFFICES[provider].title
    head = f'<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>{title}</title></head>'
    page = f"{head}<body>{body}</body></html>"
    return Response(page, media_type="text/html; charset=utf-8", status_code=status_code, headers=headers)
