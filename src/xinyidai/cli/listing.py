"""`xinyidai reference`: docs/reference.md, written from the code, so that nothing public goes undocumented."""

import dataclasses
import inspect
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

import click
from litestar import Litestar

from ml.features.invoices import INDICATORS
from xinyidai.app import ROOMS_WITH_DOORS, create_app
from xinyidai.app.describing import describe
from xinyidai.foundation.database import make_engine, make_sessions
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.outbox import consumers
from xinyidai.foundation.sealing import streams
from xinyidai.foundation.settings import Settings, as_asyncpg
from xinyidai.foundation.timetable import jobs
from xinyidai.worker import load_rooms

HEAD = """# Reference

Written by `xinyidai reference` from the code; a test fails when the two differ. Do not edit.
"""
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
METHODS = ("get", "post", "put", "patch", "delete")


@click.command()
@click.pass_context
def reference(context: click.Context) -> None:
    """Print docs/reference.md."""
    group = context.parent.command if context.parent else None
    assert isinstance(group, click.Group)
    click.echo(reference_text(group), nl=False)


def reference_text(group: click.Group) -> str:
    """Return the whole page."""
    load_rooms()
    settings = Settings(database_url=NOWHERE, secret_key="for the listing only")  # noqa: S106
    app = create_app(settings, make_sessions(make_engine(as_asyncpg(NOWHERE))))
    parts = [
        HEAD,
        _commands(group),
        _settings(),
        _routes(app),
        _refusals(),
        _events(),
        _jobs(),
        _streams(),
        _indicators(),
    ]
    return "\n".join(parts)


def _table(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"## {title}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _commands(group: click.Group) -> str:
    rows = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = sorted(command.commands.items()) if isinstance(command, click.Group) else []
        rows.append((f"`xinyidai {name}`", command.get_short_help_str(limit=200)))
        rows += [(f"`xinyidai {name} {sub}`", one.get_short_help_str(limit=200)) for sub, one in inner]
    return _table("Commands", ("command", "what it does"), rows)


def _settings() -> str:
    rows = [
        (f"`{name.upper()}`", "required" if field.is_required() else f"`{field.default}`", field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    rows += [
        ("`LOG_LEVEL`", "`WARNING`", "how much is logged on standard error"),
        ("`LOG_FORMAT`", "`console`", "`console` or `json`"),
    ]
    return _table("Settings", ("variable (or `_FILE`)", "default", "meaning"), rows)


def _routes(app: Litestar) -> str:
    rows = [
        (f"`{method.upper()}`", f"`{path}`", str(item[method].get("summary") or ""))
        for path, item in sorted(describe(app)["paths"].items())
        for method in METHODS
        if method in item
    ]
    return _table("Routes", ("method", "path", "what it does"), rows)


def _refusals() -> str:
    rows = [
        (f"`{code}`", str(refusal.status), refusal.title_zh, refusal.title_en)
        for code, refusal in sorted(Refusal.registry.items())
        if refusal.__module__.startswith("xinyidai.")
    ]
    return _table("Refusals", ("code", "status", "中文", "English"), rows)


def _events() -> str:
    woken: dict[str, list[str]] = {}
    for consumer in consumers():
        if not consumer.name.startswith("tests."):
            woken.setdefault(consumer.event_name, []).append(consumer.name)
    rows = []
    for room in ROOMS_WITH_DOORS:
        if find_spec(f"xinyidai.{room}.events") is None:
            continue
        module = import_module(f"xinyidai.{room}.events")
        for name, event in sorted(vars(module).items()):
            if dataclasses.is_dataclass(event) and event.__module__ == module.__name__:
                says = (inspect.getdoc(event) or "").split("\n")[0]
                rows.append((f"`{name}`", room, says, ", ".join(sorted(woken.get(name, []))) or "–"))
    return _table("Events", ("event", "room", "what happened", "wakes"), rows)


def _jobs() -> str:
    rows = [
        (f"`{job.name}`", job.rhythm.value, (inspect.getdoc(job.run) or "").split("\n")[0])
        for job in jobs()
        if not job.name.startswith("tests.")
    ]
    return _table("Timetable", ("job", "every", "what it does"), rows)


def _streams() -> str:
    rows = [(f"`{stream.name}`", f"`{stream.view}`") for stream in streams() if not stream.name.startswith("tests.")]
    return _table("Sealed streams", ("stream", "view"), rows)


def _indicators() -> str:
    rows = [(f"`{one.code}`", one.name_zh, one.name_en, one.unit.value) for one in INDICATORS]
    return _table("Indicators", ("code", "中文", "English", "unit"), rows)
