"""The form kit: values as typed, faults beside their fields and on top, one act per filled-in form."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import TracebackType
from typing import Final, TypeVar
from uuid import UUID, uuid4

from litestar import Request, Response
from litestar.datastructures import State
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.foundation.canonical import Json
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.idempotency import once
from xinyidai.foundation.money import MAX_FEN
from xinyidai.foundation.pages.figures import fen_of, yuan
from xinyidai.foundation.pages.rendering import flash, see
from xinyidai.foundation.pages.words import Both, Message, Said, msg

AnyRequest = Request[object, object, State]
Choice = TypeVar("Choice", bound=StrEnum)
Show = Callable[["Form"], Response[bytes]]

TOKEN_FIELD: Final = "form_token"  # noqa: S105, the name of a field
MAX_FIELDS = 200
MAX_TEXT = 2_000


class FormStale(Refusal):
    """The form came without its token: an old tab, or not our page."""

    code = "form_stale"
    status = 422
    title_zh = "页面已过期，您填写的内容已保留，请核对后再次提交"
    title_en = "This page was out of date. What you typed is kept; check it and send it again"


@dataclass(frozen=True)
class Fault:
    """What is wrong, and with which field; None for the form as a whole."""

    field: str | None
    said: Said


class FormRefused(Exception):
    """The form is shown again with its faults, after the transaction has been rolled back."""

    def __init__(self, form: "Form", show: Show) -> None:
        self.form = form
        self.show = show
        super().__init__("a form was refused")

    def response(self) -> Response[bytes]:
        """Return the page with the form, its faults and status 422."""
        response = self.show(self.form)
        response.status_code = 422
        return response


class Form:
    """One filled-in form: what was typed, read field by field; every reader notes a fault and returns a neutral value.

    Read every field, then `require_sound`: the neutral values never get past it.
    """

    def __init__(self, values: Mapping[str, Iterable[str]] | None = None) -> None:
        self.values = {name: list(typed) for name, typed in (values or {}).items()}
        self.sent_token = self.first(TOKEN_FIELD)
        self.token = str(uuid4())
        self.faults: list[Fault] = []

    @classmethod
    async def read(cls, request: AnyRequest) -> "Form":
        """Read the request's form; files and fields past MAX_FIELDS are left out."""
        sent = await request.form()
        pairs = [(name, value) for name, value in sent.multi_items() if isinstance(value, str)][:MAX_FIELDS]
        values: dict[str, list[str]] = {}
        for name, value in pairs:
            values.setdefault(name, []).append(value)
        return cls(values)

    def first(self, name: str, default: str = "") -> str:
        """Return what was typed into a field, as it stands."""
        typed = self.values.get(name)
        return typed[0] if typed else default

    def has(self, name: str, value: str) -> bool:
        """Say whether a field holds a value: for ticks and choices shown again."""
        return value in self.values.get(name, [])

    def fault(self, field: str | None, said: Said) -> None:
        """Note a fault."""
        self.faults.append(Fault(field, said))

    def faults_of(self, field: str) -> list[Said]:
        """Return the faults of a field."""
        return [fault.said for fault in self.faults if fault.field == field]

    def text(self, name: str, *, missing: Message, most: int = MAX_TEXT, is_needed: bool = True) -> str:
        """Return a line of text."""
        typed = self.first(name).strip()
        if is_needed and not typed:
            self.fault(name, missing)
        if len(typed) > most:
            self.fault(name, msg("最多 %(most)s 个字", most=most))
        return typed[:most]

    def whole(self, name: str, *, missing: Message, least: int, most: int) -> int:
        """Return a whole number."""
        typed = self.first(name).strip()
        if not typed:
            self.fault(name, missing)
        elif not (typed.isascii() and typed.isdigit() and len(typed) <= 12 and least <= int(typed) <= most):
            self.fault(name, msg("请输入 %(least)s 至 %(most)s 之间的整数", least=least, most=most))
        else:
            return int(typed)
        return least

    def fen(self, name: str, *, missing: Message, least_fen: int, most_fen: int = MAX_FEN) -> int:
        """Return an amount in fen, typed in yuan or 万元 as the field ``<name>_unit`` says."""
        typed = self.first(name).strip()
        fen = fen_of(typed, self.first(f"{name}_unit", "wan"))
        if not typed:
            self.fault(name, missing)
        elif fen is None:
            self.fault(name, msg("请输入金额，只用数字，例如 50 或 12.5"))
        elif not least_fen <= fen <= most_fen:
            self.fault(name, msg("金额须在 %(least)s 至 %(most)s 之间", least=yuan(least_fen), most=yuan(most_fen)))
        else:
            return fen
        return least_fen

    def day(self, name: str, *, missing: Message, earliest_on: date) -> date:
        """Return a day."""
        typed = self.first(name).strip()
        if not typed:
            self.fault(name, missing)
            return earliest_on
        try:
            day = date.fromisoformat(typed)
        except ValueError:
            self.fault(name, msg("请输入日期，例如 2026-06-30"))
            return earliest_on
        if day < earliest_on:
            self.fault(name, msg("日期不能早于 %(earliest)s", earliest=earliest_on.isoformat()))
        return day

    def choice(self, name: str, options: type[Choice], *, missing: Message) -> Choice:
        """Return the chosen one of a closed list."""
        typed = self.first(name)
        known = list(options)
        if typed not in set(options):
            self.fault(name, missing)
            return known[0]
        return options(typed)

    def ids(self, name: str, *, missing: Message, among: Iterable[UUID], most: int) -> list[UUID]:
        """Return the ticked ones of a list of ids, at least one."""
        by_text = {str(one): one for one in among}
        chosen = [by_text[typed] for typed in dict.fromkeys(self.values.get(name, [])) if typed in by_text]
        if not chosen:
            self.fault(name, missing)
        elif len(chosen) > most:
            self.fault(name, msg("最多选择 %(most)s 项", most=most))
        return chosen[:most]

    def ticked(self, name: str, *, missing: Message | None = None) -> bool:
        """Say whether a box is ticked; with `missing` it has to be."""
        is_ticked = bool(self.values.get(name))
        if missing is not None and not is_ticked:
            self.fault(name, missing)
        return is_ticked

    def require_sound(self) -> None:
        """Stop here when a fault was noted; only inside `answering`."""
        if self.faults:
            raise _Unsound


class _Unsound(Exception):
    """The form has faults of its own."""


class answering:  # noqa: N801, a verb, as it reads after `with`
    """Turn faults and refusals inside into the form shown again with them on top, nothing typed lost.

    `show` may use only values read before: it runs after the transaction was rolled back. Who must sign in first is
    passed on, for the application to send there. Nothing that is raised inside is ever swallowed.
    """

    def __init__(self, form: Form, show: Show) -> None:
        self._form = form
        self._show = show

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, _kind: type[BaseException] | None, raised: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Raise `FormRefused` in place of a fault or a refusal."""
        if isinstance(raised, _Unsound):
            raise FormRefused(self._form, self._show) from raised
        if not isinstance(raised, Refusal) or raised.status == 401:
            return
        named = raised.facts.get("field")
        field = named if isinstance(named, str) and named in self._form.values else None
        self._form.fault(field, Both(raised.sentence("zh"), raised.sentence("en")))
        raise FormRefused(self._form, self._show) from raised


class _WentTo(BaseModel):
    """Where the form's sender was sent."""

    path: str


async def act_once(
    request: AnyRequest, session: AsyncSession, form: Form, act: Callable[[], Awaitable[str]], *, by: UUID
) -> Response[bytes]:
    """Do what a form asks once, and send its sender on with 303; pressed twice, both times to the same place.

    `by` is the organisation that acts; `act` returns the path to go to.

    Raises
    ------
    FormStale, KeyReused, TwinInFlight
    """
    if len(form.sent_token) != len(form.token):
        raise FormStale
    sent: dict[str, Json] = {name: list(typed) for name, typed in form.values.items() if name != TOKEN_FIELD}
    asked: Json = {"path": request.url.path, "form": sent}

    async def acted() -> _WentTo:
        return _WentTo(path=await act())

    answer = await once(session, organisation_id=by, key=f"form:{form.sent_token}", request=asked, act=acted)
    return see(str(answer.body["path"]))


async def press(
    request: AnyRequest,
    session: AsyncSession,
    show: Show,
    do: Callable[[], Awaitable[object]],
    *,
    by: UUID,
    said: Message,
    to: str,
    must_tick: tuple[str, Message] | None = None,
) -> Response[bytes]:
    """Do once what a button asks: say so and go on, or show its page again with the refusal.

    It has no fields, or a box alone: `must_tick` is that box's name and what is said where it is not ticked.
    """
    form = await Form.read(request)
    with answering(form, show):
        if must_tick is not None:
            box, missing = must_tick
            form.ticked(box, missing=missing)
            form.require_sound()

        async def act() -> str:
            await do()
            flash(request, said)
            return to

        return await act_once(request, session, form, act, by=by)
