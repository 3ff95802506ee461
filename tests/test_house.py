"""The house rules that a linter cannot say, each named with file and line."""

import ast
import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import ARRAY, BigInteger
from sqlmodel import SQLModel

from xinyidai import tables

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [*sorted((ROOT / "src").rglob("*.py")), *sorted((ROOT / "ml").rglob("*.py"))]
FORBIDDEN_WORDS = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "misc",
    "base",
    "core",
    "manager",
    "handler",
    "data",
    "info",
    "process",
    "do",
}
CLOCK_READERS = {"now", "utcnow", "today", "time", "time_ns"}
CLOCKS = {ROOT / "src" / "xinyidai" / "foundation" / "clock.py", ROOT / "src" / "city" / "wall.py"}
MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 400
DATABASE_CLOCKS = re.compile(
    r"\b(now\(\)|current_(date|time|timestamp)\b|local(time|timestamp)\b|(clock|statement|transaction)_timestamp\()",
    re.IGNORECASE,
)
SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|VALUES|WHERE|DEFAULT|ALTER|CREATE)\b")
COMMITTERS = {"foundation/database.py"}
PLATFORM_ROOMS = {path.name for path in (ROOT / "src" / "xinyidai").iterdir() if path.is_dir()}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree_of(path)))


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def nodes(*kinds: type[ast.AST], within: list[Path] | None = None) -> Iterator[tuple[Path, ast.AST]]:
    for path in within if within is not None else SOURCES:
        for node in nodes_of(path):
            if isinstance(node, kinds):
                yield path, node


def in_platform(name: str) -> list[Path]:
    return [path for path in SOURCES if path.name == name and "xinyidai" in path.parts]


def test_no_module_is_named_for_nothing() -> None:
    named = [str(path.relative_to(ROOT)) for path in SOURCES if path.stem in FORBIDDEN_WORDS]

    assert named == []


def test_no_definition_is_named_for_nothing() -> None:
    found = [
        f"{place(path, node)} {node.name}"
        for path, node in nodes(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        for word in re.findall(r"[A-Z]?[a-z]+", node.name)[-1:]
        if word.lower() in FORBIDDEN_WORDS - {"data", "base", "do"}
    ]

    assert found == []


def test_only_the_clock_reads_a_clock() -> None:
    found = [
        place(path, node)
        for path, node in nodes(ast.Call)
        if isinstance(node.func, ast.Attribute)
        and node.func.attr in CLOCK_READERS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"datetime", "date", "time"}
        and path not in CLOCKS
    ]
    taken = [
        place(path, node)
        for path, node in nodes(ast.ImportFrom)
        if node.module == "time" and CLOCK_READERS & {alias.name for alias in node.names} and path not in CLOCKS
    ]

    assert found == []
    assert taken == []


def test_business_sql_never_asks_the_database_for_the_time() -> None:
    scripts = sorted((ROOT / "migrations" / "sql").rglob("*.sql"))
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in scripts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if DATABASE_CLOCKS.search(line.split("--")[0])
    ]
    revisions = sorted((ROOT / "migrations").rglob("*.py"))
    in_python = [
        place(path, node)
        for path, node in nodes(ast.Constant, within=[*SOURCES, *revisions])
        if isinstance(node.value, str) and SQL.search(node.value) and DATABASE_CLOCKS.search(node.value)
    ]

    assert found == []
    assert in_python == []


def test_functions_fit_on_a_screen() -> None:
    found = [
        f"{place(path, node)} {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for path, node in nodes(ast.FunctionDef, ast.AsyncFunctionDef)
        if node.end_lineno - node.lineno + 1 > MAX_FUNCTION_LINES
    ]

    assert found == []


def test_files_are_not_two_files() -> None:
    counted = [(path, len(path.read_text(encoding="utf-8").splitlines())) for path in SOURCES]
    found = [f"{path.relative_to(ROOT)} has {lines} lines" for path, lines in counted if lines > MAX_FILE_LINES]

    assert found == []


def test_nobody_commits_but_the_database_module() -> None:
    found = [
        place(path, node)
        for path, node in nodes(ast.Attribute)
        if node.attr in {"commit", "rollback"}
        and "xinyidai" in path.parts
        and not any(path.as_posix().endswith(one) for one in COMMITTERS)
    ]

    assert found == []


def test_signatures_say_what_they_take() -> None:
    found = [
        f"{place(path, node)} {node.name}"
        for path, node in nodes(ast.FunctionDef, ast.AsyncFunctionDef)
        for annotation in [*(argument.annotation for argument in node.args.args + node.args.kwonlyargs), node.returns]
        if annotation is not None and re.search(r"\bAny\b", ast.unparse(annotation))
    ]

    assert found == []


def test_run_time_annotations_are_real() -> None:
    found = [
        place(path, node)
        for path, node in nodes(ast.ImportFrom)
        if node.module == "__future__" or any(alias.name == "TYPE_CHECKING" for alias in node.names)
    ]

    assert found == []


def test_exceptions_are_swallowed_only_at_batch_loops() -> None:
    allowed = {
        "src/xinyidai/foundation/outbox.py",
        "src/xinyidai/foundation/timetable.py",
        "src/city/living/flowing.py",
        "src/xinyidai/rights/service/carrying_out.py",
    }
    found = [
        place(path, node)
        for path, node in nodes(ast.ExceptHandler)
        if (node.type is None or re.search(r"\b(Base)?Exception\b", ast.unparse(node.type)))
        and not passes_it_on(node)
        and path.relative_to(ROOT).as_posix() not in allowed
    ]

    assert found == []


def passes_it_on(handler: ast.ExceptHandler) -> bool:
    """Say whether the handler cleans up and ends with a bare raise."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_public_functions_have_docstrings() -> None:
    found = [
        f"{place(path, node)} {node.name}"
        for path, node in nodes(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        if not node.name.startswith("_") and ast.get_docstring(node) is None and not is_nested(path, node)
    ]

    assert found == []


@cache
def nested_definitions(path: Path) -> frozenset[int]:
    inside = (
        inner.lineno
        for outer in nodes_of(path)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(outer, ast.ClassDef) and outer.name.startswith("_"))
        for inner in ast.walk(outer)
        if inner is not outer and isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    )
    return frozenset(inside)


def is_nested(path: Path, node: ast.AST) -> bool:
    return getattr(node, "lineno", 0) in nested_definitions(path)


def test_tables_are_touched_by_their_own_room_only() -> None:
    found = [
        place(path, node)
        for path, node in nodes(ast.Import, ast.ImportFrom)
        for room in rooms_whose_models_it_takes(node)
        if room not in path.parts
    ]

    assert found == []


def rooms_whose_models_it_takes(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Return the rooms whose `models` an import takes, in whichever of the three ways."""
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    else:
        modules = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [found.group(1) for name in modules if (found := re.fullmatch(r"xinyidai\.(\w+)\.models(\..*)?", name))]


READERS_OF_RECORDS = {"sources", "profiles"}
"""Who computed from records read elsewhere would use repaired ones: `profiles.usable_records` leaves them out."""


def test_records_are_read_through_the_door_that_leaves_repaired_ones_out() -> None:
    taken = {"xinyidai.sources.queries.records"}
    found = [
        place(path, node)
        for path, node in nodes(ast.ImportFrom)
        if taken & {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
        and not READERS_OF_RECORDS & set(path.parts)
    ]

    assert found == []


def test_sql_names_the_tables_of_its_own_room_only() -> None:
    tables = re.compile(rf"\b(?:FROM|JOIN|INTO|UPDATE)\s+({'|'.join(sorted(PLATFORM_ROOMS))})\.(\w+)")
    allowed_readers = {"reporting", "cli"}
    found = [
        f"{place(path, node)} {schema}.{table}"
        for path, node in nodes(ast.Constant)
        if isinstance(node.value, str) and "xinyidai" in path.parts
        for schema, table in tables.findall(node.value)
        if schema not in path.parts and not allowed_readers & set(path.parts)
    ]

    assert found == []


WIRE = [
    path for path in SOURCES if "xinyidai" in path.parts and (path.stem == "schemas" or path.parent.name == "schemas")
]


@pytest.mark.parametrize("path", WIRE, ids=lambda path: "/".join(path.relative_to(ROOT).parts[2:]))
def test_wire_schemas_do_not_inherit_from_tables_and_forbid_the_unknown(path: Path) -> None:
    classes = [node for node in tree_of(path).body if isinstance(node, ast.ClassDef)]
    inputs = [node for node in classes if node.name.endswith("In")]
    inheriting = [place(path, node) for node in classes if "SQLModel" in ast.unparse(node).split(":")[0]]
    permissive = [
        place(path, node) for node in inputs if not FORBIDDING.search(ast.unparse(node)) and not inherits_in(node)
    ]

    assert inheriting == []
    assert permissive == []


FORBIDDING = re.compile(r"forbid|= with_example\(")
"""A configuration that lets nothing unknown in; `with_example` of parties builds one."""


def inherits_in(node: ast.ClassDef) -> bool:
    return any(ast.unparse(parent).endswith("In") for parent in node.bases)


def test_every_room_says_what_it_is_for() -> None:
    rooms = [path for path in (ROOT / "src" / "xinyidai").iterdir() if (path / "__init__.py").exists()]
    silent = [room.name for room in rooms if len(ast.get_docstring(tree_of(room / "__init__.py")) or "") < 40]

    assert silent == []


def test_the_city_and_the_platform_never_meet_in_an_import() -> None:
    city = [path for path in SOURCES if path.is_relative_to(ROOT / "src" / "city")]
    met = [
        place(path, node)
        for path, node in nodes(ast.ImportFrom)
        if (node.module or "").split(".")[0] == ("xinyidai" if path in city else "city")
    ]

    assert met == []


def test_the_hidden_truth_is_read_by_benchmarks_only() -> None:
    telling = re.compile(r"city[\"', ]+truth|city\.truth|write_truth")
    allowed = {ROOT / "src" / "city" / "__main__.py", ROOT / "src" / "city" / "truth.py"}
    others = [path for path in SOURCES if path not in allowed and path.name != "__init__.py"]
    found = [place(path, tree_of(path)) for path in others if telling.search(path.read_text(encoding="utf-8"))]

    assert found == []


def test_tests_do_not_branch() -> None:
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    found = [
        f"{place(path, node)} {node.name}"
        for path, node in nodes(ast.FunctionDef, ast.AsyncFunctionDef, within=files)
        if node.name.startswith("test_") and any(isinstance(inner, ast.If) for inner in ast.walk(node))
    ]

    assert found == []


LIST = "migrations/sql/SHA256SUMS"
BEFORE_THE_FIRST_VERSION = {
    "ledger/check_entries_v1.sql as of a40d85952d55",
    "ledger/post_v1.sql as of a40d85952d55",
    "parties/viewer_of_session_v1.sql as of a3f63f682800",
}
"""Listed while their rooms were still being built, and edited before anybody could have installed them."""


def digests_of(listed: str) -> dict[str, str]:
    """Return digests by path from the text of a list."""
    return dict(reversed(line.split("  ", 1)) for line in listed.splitlines())


def test_released_sql_is_what_its_list_says() -> None:
    folder = (ROOT / LIST).parent
    actual = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((*folder.rglob("*.sql"), *folder.rglob("*.csv")))
    }

    assert actual == digests_of((ROOT / LIST).read_text(encoding="utf-8"))


def git(*words: str) -> str:
    """Return what git says of this repository."""
    program = shutil.which("git")
    assert program is not None
    return subprocess.run([program, *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.mark.skipif(
    not (ROOT / ".git").exists() or shutil.which("git") is None,
    reason="an unpacked archive has no history: whoever changed a file could have changed the list beside it",
)
def test_released_sql_is_never_changed() -> None:
    """Released is what any earlier version of the list names; it must be there with the same digest today.

    A shallow clone knows only the versions it fetched.
    """
    listed = digests_of((ROOT / LIST).read_text(encoding="utf-8"))
    commits = git("log", "--first-parent", "--format=%H", "--", LIST).split()

    broken = {
        f"{name} as of {commit[:12]}"
        for commit in commits
        for name, digest in digests_of(git("show", f"{commit}:{LIST}")).items()
        if listed.get(name) != digest
    }

    assert commits
    assert broken - BEFORE_THE_FIRST_VERSION == set()


MOMENTS = re.compile(r"(^|_)(at|until|since|before|now|as_of|from|anchor|moment|known_at)$")
DAYS = re.compile(r"(^|_)(on|from|to|by|since|until|day|today|month)$")
UNITS = {
    "datetime": MOMENTS,
    "date": DAYS,
    "Fen": re.compile(r"fen$"),
    "Ppm": re.compile(r"ppm$"),
    "BasisPoints": re.compile(r"bp$"),
}
IN_WHOLE_NUMBERS = re.compile(r"_(fen|bp|ppm|days|months)$")


UNIT_LESS = {
    "src/xinyidai/loans/rules/repayment.py principal: Fen": "a private helper's argument",
    "src/xinyidai/sources/schemas/__init__.py issued_on: str": "text as delivered, judged row by row afterwards",
}


def named_values() -> Iterator[tuple[Path, ast.AST, str, str]]:
    """Return every field and argument of the platform with its name and annotation, `| None` and wrappers taken off."""
    for path, node in nodes(ast.arg, ast.AnnAssign):
        name = node.arg if isinstance(node, ast.arg) else ast.unparse(node.target)
        if "xinyidai" in path.parts and node.annotation is not None and name.isidentifier():
            kind = ast.unparse(node.annotation).removesuffix(" | None")
            yield path, node, name, re.sub(r"^(FromQuery|FromPath|NamedDependency)\[(.*?)( \| None)?\]$", r"\2", kind)


def told(path: Path, name: str, kind: str) -> str:
    """Return a value as `UNIT_LESS` names it."""
    return f"{path.relative_to(ROOT)} {name}: {kind}"


def test_names_end_with_the_unit_of_their_type() -> None:
    values = list(named_values())
    found = [
        f"{place(path, node)} {name}: {kind}"
        for path, node, name, kind in values
        if kind in UNITS and not UNITS[kind].search(name) and told(path, name, kind) not in UNIT_LESS
    ]

    assert len(values) > 2_000
    assert found == []


def test_what_has_a_whole_unit_is_a_whole_number_and_what_has_a_time_is_a_time() -> None:
    found = [
        f"{place(path, node)} {name}: {kind}"
        for path, node, name, kind in named_values()
        if (
            (IN_WHOLE_NUMBERS.search(name) and kind in {"float", "str", "Decimal", "bool", "Yuan"})
            or (name.endswith("_at") and kind in {"date", "str", "int", "float"})
            or (name.endswith("_on") and kind in {"datetime", "str", "int", "float"})
        )
        and told(path, name, kind) not in UNIT_LESS
    ]

    assert found == []


FLOATS_ALLOWED = {
    "src/xinyidai/sources/rules/amounts.py": "Parquet brings floats; more than two decimals are refused",
    "src/xinyidai/sources/rules/workbooks.py": "Excel keeps numbers as floats; they are written out as text",
    "src/xinyidai/sources/adapters/wire.py": "seconds of a time-out",
    "src/xinyidai/quality/rules/columns.py": "a rule's condition has rates, and its bands are no money",
    "src/xinyidai/desks/pages/clock.py": "the speed of a simulated clock",
    "src/xinyidai/desks/pages/start.py": "joins a path",
}


def test_business_counts_in_whole_numbers() -> None:
    rooms = [
        path
        for path in SOURCES
        if "xinyidai" in path.parts
        and not {"cli", "app", "foundation"} & set(path.parts)
        and path.name not in {"model.py", "worker.py"}
        and path.relative_to(ROOT).as_posix() not in FLOATS_ALLOWED
    ]
    found = [
        place(path, node)
        for path, node in nodes(
            ast.Name,
            ast.Constant,
            ast.BinOp,
            ast.AugAssign,
            within=[*rooms, ROOT / "src" / "xinyidai" / "foundation" / "money.py"],
        )
        if (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div))
    ]

    assert len(rooms) > 100
    assert found == []


def test_columns_of_fen_hold_sixty_four_bits() -> None:
    columns = [
        (f"{table.fullname}.{column.name}", column.type.item_type if isinstance(column.type, ARRAY) else column.type)
        for table in SQLModel.metadata.sorted_tables
        for column in table.columns
        if column.name.endswith("fen") and table.schema in tables.SCHEMAS
    ]

    assert len(columns) > 20
    assert [name for name, kind in columns if not isinstance(kind, BigInteger)] == []
