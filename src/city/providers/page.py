"""The page on which a person agrees at the tax bureau that invoices are handed on. Plain HTML, no script."""

import secrets
from datetime import timedelta
from html import escape
from urllib.parse import urlencode, urlsplit

from litestar import Response, get, post
from litestar.response import Redirect

from city.consenting import CODE_MINUTES, SCOPE, digest_of, issue_code
from city.living.city import City
from city.providers.answers import AnyRequest, city_of
from city.store import Granted

FORM = "form"
"""The client under whose name the tickets of open forms are kept: no real client may be called so."""
MOST_STATE = 500

Html = Response[str]


@get("/tax/authorize", sync_to_thread=False)
def show_consent_page(request: AnyRequest) -> Html:
    """Ask a person whether the invoices may be read; the query is as OAuth has it, with the firm's `credit_code`."""
    city, query = city_of(request), request.query_params
    names = ("client_id", "credit_code", "redirect_uri", "state")
    client_id, credit_code, redirect_uri, state = (str(query.get(name, "")) for name in names)
    fault = _fault(city, client_id, credit_code, redirect_uri, state, str(query.get("scope", SCOPE)))
    if fault:
        return _html(f"<h1>无法办理</h1><p>{escape(fault)}</p>", redirect_uri="", status_code=400)
    ticket = secrets.token_urlsafe(32)
    expires_at = city.ground.wall() + timedelta(minutes=CODE_MINUTES)
    city.store.keep_code(digest_of(ticket), Granted(FORM, credit_code, redirect_uri, expires_at))
    hidden = {"ticket": ticket, "client_id": client_id, "redirect_uri": redirect_uri, "state": state}
    fields = "".join(f'<input type="hidden" name="{name}" value="{escape(text)}">' for name, text in hidden.items())
    firm = city.registry[credit_code]
    page = (
        f"<h1>模拟税务局：数据授权</h1><p>纳税人：{escape(firm.name)}（{escape(credit_code)}）</p>"
        f"<p>{escape(client_id)} 申请读取贵单位的增值税发票数据，每月 15 日后可读取上月数据，授权 30 天内有效。</p>"
        f'<form method="post" action="/tax/authorize">{fields}'
        '<p><button name="answer" value="yes">同意</button> <button name="answer" value="no">拒绝</button></p></form>'
        "<p>模拟系统，所有数据均为合成数据。</p>"
    )
    return _html(page, redirect_uri=redirect_uri)


@post("/tax/authorize")
async def take_answer(request: AnyRequest) -> Redirect | Html:
    """Send the person back with a code, or with a no. Each form is good once."""
    city, form = city_of(request), await request.form()
    fields = {name: str(form.get(name, "")) for name in ("ticket", "client_id", "redirect_uri", "state", "answer")}
    shown = city.store.take_code(digest_of(fields["ticket"]))
    is_stale = (
        shown is None
        or shown.client_id != FORM
        or shown.scope != fields["redirect_uri"]
        or shown.expires_at <= city.ground.wall()
    )
    if shown is None or is_stale:
        return _html("<h1>无法办理</h1><p>页面已失效，请重新发起授权。</p>", redirect_uri="", status_code=400)
    fault = _fault(city, fields["client_id"], shown.credit_code, shown.scope, fields["state"], SCOPE)
    if fault:
        return _html(f"<h1>无法办理</h1><p>{escape(fault)}</p>", redirect_uri="", status_code=400)
    told = {"state": fields["state"]} if fields["state"] else {}
    if fields["answer"] == "yes":
        told["code"] = issue_code(city.store, fields["client_id"], shown.credit_code, wall=city.ground.wall())
    else:
        told["error"] = "access_denied"
    joined = "&" if urlsplit(shown.scope).query else "?"
    return Redirect(f"{shown.scope}{joined}{urlencode(told)}", status_code=303, headers={"Cache-Control": "no-store"})


def _fault(city: City, client_id: str, credit_code: str, redirect_uri: str, state: str, scope: str) -> str:
    """Return what is wrong with a request, empty where nothing is. A wrong address is never sent back to."""
    tax = city.city_file.tax
    if tax is None or client_id != tax.client_id:
        return "未登记的申请方"
    if redirect_uri not in tax.redirect_uris:
        return "未登记的返回地址"
    if credit_code not in city.registry:
        return "查无此纳税人"
    if scope != SCOPE or len(state) > MOST_STATE:
        return "请求参数不正确"
    return ""


def _html(body: str, *, redirect_uri: str, status_code: int = 200) -> Html:
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
    head = '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>模拟税务局</title></head>'
    page = f"{head}<body>{body}</body></html>"
    return Response(page, media_type="text/html; charset=utf-8", status_code=status_code, headers=headers)
