"""Beginning a session after a sign-in, and how what was typed into a form survives one."""

import json
from dataclasses import dataclass
from typing import Final

from litestar import Request, Response
from litestar.datastructures import State

from xinyidai.foundation.pages.forms import Form
from xinyidai.foundation.pages.rendering import is_own_path, own_path, page, see
from xinyidai.parties.routes.session_ids import PARTY_NAME, TOKEN
from xinyidai.parties.rules import PartyId, SignedIn

AnyRequest = Request[object, object, State]

RESUME_FIELD: Final = "resume"
NEXT_FIELD: Final = "next"
MAX_RESUME = 60_000
TYPED_ANEW: Final = frozenset({"password", "current", "new", "code"})
"""Fields that are never carried along: who comes back to the form types them again."""


def begin_session(request: AnyRequest, signed_in: SignedIn) -> None:
    """Keep the session's token, and the organisation's name for the frame."""
    names = {one.party_id: one.name for one in signed_in.organisations}
    name = names.get(PartyId(signed_in.viewer.organisation_id), "")
    request.set_session({TOKEN: signed_in.token, PARTY_NAME: name})


def agent_of(request: AnyRequest) -> str:
    """Return what the browser says of itself."""
    return request.headers.get("user-agent", "")


@dataclass(frozen=True)
class Interrupted:
    """A form that was sent without a session: it goes with the sign-in page and is offered again after it.

    It travels in the reader's own browser and is kept nowhere else.
    """

    path: str
    form: Form

    def packed(self) -> str:
        """Return it as one hidden field's value; nothing where it is too long to carry."""
        values = {name: typed for name, typed in self.form.values.items() if name not in TYPED_ANEW}
        packed = json.dumps({"path": self.path, "values": values}, ensure_ascii=False)
        return packed if len(packed) <= MAX_RESUME else ""


def unpacked(value: str) -> Interrupted | None:
    """Return the interrupted form from its hidden field; None for anything that is not one of ours."""
    try:
        told = json.loads(value) if value and len(value) <= MAX_RESUME else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or not isinstance(told.get("path"), str) or not is_own_path(told["path"]):
        return None
    values = told.get("values")
    if not isinstance(values, dict):
        return None
    read = {
        str(name): [str(one) for one in typed] for name, typed in list(values.items())[:200] if isinstance(typed, list)
    }
    return Interrupted(told["path"], Form(read))


def way_back(form: Form) -> dict[str, str]:
    """Return where the form's sender was going: an address, and the form that was interrupted."""
    return {NEXT_FIELD: own_path(form.first(NEXT_FIELD), ""), RESUME_FIELD: form.first(RESUME_FIELD)}


def go_on(request: AnyRequest, form: Form, *, otherwise: str, is_proof: bool = False) -> Response[bytes]:
    """Offer the interrupted form again, or go to where its sender was going, else to `otherwise`."""
    interrupted = unpacked(form.first(RESUME_FIELD))
    if interrupted is not None:
        return page(request, "parties/resume.html", interrupted=interrupted, is_proof=is_proof)
    return see(own_path(form.first(NEXT_FIELD), otherwise))
