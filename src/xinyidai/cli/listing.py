"""`xinyidai reference`: docs/reference.md from the code, docs/sources.md from the catalogue."""

import dataclasses
import inspect
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

import click
from litestar import Litestar

from ml.features.invoices import INDICATORS
from ml.features.record_catalogue import RECORD_INDICATORS
from xinyidai.app import ROOMS_WITH_DOORS, create_app
from xinyidai.app.describing import describe
from xinyidai.catalogue import queries as catalogue
from xinyidai.catalogue.rules import OFFICIAL_CLASSES, Standard
from xinyidai.cli.surroundings import Connected, surroundings
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import in_transaction, make_engine, make_sessions
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.outbox import consumers
from xinyidai.foundation.sealing import streams
from xinyidai.foundation.settings import Settings, as_asyncpg
from xinyidai.foundation.timetable import jobs
from xinyidai.worker import load_rooms

HEAD = """# Reference

Written by `xinyidai reference` from the code; a test fails when the two differ. Do not edit.
"""
SOURCES_HEAD = """# Sources

Written by `xinyidai reference sources` from the catalogue; a test fails when the two differ. Do not edit. Nothing that
is not listed here can be collected, and what is listed as forbidden is refused. A field without a value is "no data",
never zero.
"""
WAYS = {
    "registration": "with the firm's own registration",
    "vat_invoice": "files (CSV, Parquet), HTTP, pulled from the tax provider",
    **dict.fromkeys(("tax_filing", "tax_grade", "tax_arrears"), "files, HTTP, pulled from the tax provider"),
    **dict.fromkeys(("electricity", "water", "gas"), "files, HTTP, pulled from the utilities"),
    **dict.fromkeys(("social_insurance", "housing_fund"), "files, HTTP, daily files of the benefits office"),
    **dict.fromkeys(("judgment", "enforcement"), "files, HTTP, asked of the courts, which call back"),
    **dict.fromkeys(("import_export", "logistics"), "files, HTTP, pulled from the customs office"),
    "loan_outcome": "HTTP from the lender",
}
"""How the data of an item arrive today; an item that is missing here has its terms, and no source yet."""
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
METHODS = ("get", "post", "put", "patch", "delete")


@click.command()
@click.argument("page", type=click.Choice(["reference", "sources"]), default="reference")
@click.pass_context
def reference(context: click.Context, page: str) -> None:
    """Print docs/reference.md, or docs/sources.md as the catalogue has it today."""
    group = context.parent.command if context.parent else None
    assert isinstance(group, click.Group)
    if page == "sources":
        with surroundings() as around:
            click.echo(around.run(_sources_today), nl=False)
    else:
        click.echo(reference_text(group), nl=False)


async def _sources_today(connected: Connected) -> str:
    async with in_transaction(connected.auditor) as session:
        return sources_text(await catalogue.standards(session, business_date(connected.clock.now())))


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


def sources_text(standards: Sequence[Standard]) -> str:
    """Return docs/sources.md: what may be collected, on what terms, and how much of the official lists that is."""
    found = {one.official_class for one in standards}
    covered = [name for name in OFFICIAL_CLASSES if name in found]
    missing = [name for name in OFFICIAL_CLASSES if name not in found]
    verified = sum(one.is_official_class_verified for one in standards)
    arriving = [one.item.code for one in standards if one.item.code in WAYS]
    coverage = (
        f"{len(covered)} of {len(OFFICIAL_CLASSES)} classes of the official lists have an item here; without one:"
        f" {'、'.join(missing) or 'none'}. {verified} of {len(standards)} items are verified against the annexes."
        f" Data of {len(arriving)} items arrive today ({', '.join(arriving)}); of the others only the terms stand.\n"
    )
    return "\n".join([SOURCES_HEAD, coverage, _items(standards), *[_fields_of(one) for one in standards if one.fields]])


def _items(standards: Sequence[Standard]) -> str:
    head = (
        "item",
        "信息项",
        "owner",
        "class",
        "rhythm",
        "expected after",
        "kept",
        "topology",
        "list",
        "basis",
        "arrives",
    )
    return _table("Items", head, [_item_row(one) for one in standards])


def _item_row(one: Standard) -> tuple[str, ...]:
    item, elsewhere = one.item, [f"{line.province_code or 'else'}: {line.topology}" for line in one.topologies]
    return (
        f"`{item.code}`",
        f"{item.name_zh}<br>{item.name_en}",
        f"{item.owner_zh}<br>{item.owner_en}",
        item.access_class.value,
        one.update_cycle.value,
        f"{one.delay_days} d",
        f"{item.retention_days} d",
        "<br>".join([item.topology.value, *elsewhere]),
        _unverified(one.official_class, is_verified=one.is_official_class_verified),
        _unverified(item.legal_basis, is_verified=item.is_basis_verified),
        WAYS.get(item.code, "-"),
    )


def _unverified(told: str | None, *, is_verified: bool) -> str:
    return "-" if told is None else told if is_verified else f"{told} (unverified)"


def _fields_of(one: Standard) -> str:
    head = ("field", "字段", "kind", "unit", "class")
    rows = [
        (
            f"`{field.code}`",
            f"{field.name_zh}<br>{field.name_en}",
            field.kind.value,
            field.unit or "",
            field.access_class,
        )
        for field in one.fields
    ]
    return _table(f"{one.item.code}: {one.item.name_zh}", head, rows)


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
    of_records = [
        (f"`{one.code}`", one.name_zh, one.name_en, one.unit.value, ", ".join((one.item, *one.beside)))
        for one in RECORD_INDICATORS
    ]
    return "\n".join(
        [
            _table("Indicators", ("code", "中文", "English", "unit"), rows),
            _table("Indicators from records", ("code", "中文", "English", "unit", "items"), of_records),
        ]
    )
