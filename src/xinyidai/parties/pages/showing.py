"""What several pages of people show: a refusal at its field, a new secret, codes and links that are shown once."""

from litestar import Request, Response
from litestar.datastructures import State

from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.pages.forms import Form, Show
from xinyidai.foundation.pages.rendering import page
from xinyidai.foundation.pages.words import Both, Message, msg
from xinyidai.parties.pages.beginning import way_back
from xinyidai.parties.rules import MAX_PASSWORD, Enrolment, Invited
from xinyidai.parties.rules.identity import MIN_PASSWORD

AnyRequest = Request[object, object, State]
LINK_SCHEME = "otpauth://"
MAX_LINK = 500


def new_password(form: Form, name: str) -> str:
    """Return a password that is being set, as typed; blanks belong to it."""
    typed = form.first(name)
    if not typed:
        form.fault(name, msg("请输入新密码"))
    elif not MIN_PASSWORD <= len(typed) <= MAX_PASSWORD or len(set(typed)) < 2:
        form.fault(
            name,
            msg("密码须为 %(least)s 至 %(most)s 个字符，且不能是同一个字符", least=MIN_PASSWORD, most=MAX_PASSWORD),
        )
    return typed


def refused_page(form: Form, refusal: Refusal, field: str | None, show: Show) -> Response[bytes]:
    """Show the form again with a refusal that was committed before: the failure was counted."""
    form.fault(field, Both(refusal.sentence("zh"), refusal.sentence("en")))
    response = show(form)
    response.status_code = 422
    return response


def show_enrolment(request: AnyRequest, form: Form, enrolment: Enrolment | None, *, action: str) -> Response[bytes]:
    """Show a secret for the authenticator and ask for its first code; a refused form carries the secret itself."""
    secret = enrolment.secret if enrolment else form.first("secret")
    link = enrolment.provisioning_uri if enrolment else form.first("link")
    is_link = link.startswith(LINK_SCHEME) and len(link) <= MAX_LINK
    return page(
        request,
        "parties/enrolment.html",
        form=form,
        action=action,
        secret=secret,
        link=link if is_link else "",
        back=way_back(form),
    )


def show_codes(request: AnyRequest, codes: tuple[str, ...], form: Form) -> Response[bytes]:
    """Show recovery codes, this once."""
    return page(request, "parties/recovery_codes.html", codes=codes, back=way_back(form))


def show_link(request: AnyRequest, path: str, *, title: Message, words: Message) -> Response[bytes]:
    """Show a link to hand over outside the platform, this once."""
    link = str(request.base_url).rstrip("/") + path
    return page(request, "parties/link_once.html", link=link, title=title, words=words)


def show_invitation(request: AnyRequest, invited: Invited) -> Response[bytes]:
    """Show the link of a new invitation, this once."""
    return show_link(
        request,
        invited.path,
        title=msg("邀请链接"),
        words=msg("请把链接交给 %(email)s。链接 7 天内有效，只能使用一次。", email=invited.invitation.email),
    )
