"""The house rules that a linter cannot say, each named with file and line."""

import ast
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

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
COMMITTERS = {"foundation/database.py"}
PLATFORM_ROOMS = {path.name for path in (ROOT / "src" / "xinyidai").iterdir() if path.is_dir()}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def nodes(*kinds: type[ast.AST], within: list[Path] | None = None) -> Iterator[tuple[Path, ast.AST]]:
    for path in within if within is not None else SOURCES:
        for node in ast.walk(tree_of(path)):
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

    assert found == []


def test_business_sql_never_asks_the_database_for_the_time() -> None:
    scripts = sorted((ROOT / "migrations" / "sql").rglob("*.sql"))
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in scripts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"\b(now\(\)|current_date|current_timestamp|localtimestamp)", line.split("--")[0], re.IGNORECASE)
    ]

    assert found == []


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
    }
    found = [
        place(path, node)
        for path, node in nodes(ast.ExceptHandler)
        if node.type is not None
        and isinstance(node.type, ast.Name)
        and node.type.id == "Exception"
        and path.relative_to(ROOT).as_posix() not in allowed
    ]

    assert found == []


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
        for outer in ast.walk(tree_of(path))
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
        for path, node in nodes(ast.ImportFrom)
        if (found := re.fullmatch(r"xinyidai\.(\w+)\.models", node.module or "")) and found.group(1) not in path.parts
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


@pytest.mark.parametrize("path", in_platform("schemas.py"), ids=lambda path: path.parent.name)
def test_wire_schemas_do_not_inherit_from_tables_and_forbid_the_unknown(path: Path) -> None:
    classes = [node for node in tree_of(path).body if isinstance(node, ast.ClassDef)]
    inputs = [node for node in classes if node.name.endswith("In")]
    inheriting = [place(path, node) for node in classes if "SQLModel" in ast.unparse(node).split(":")[0]]
    permissive = [place(path, node) for node in inputs if "forbid" not in ast.unparse(node) and not inherits_in(node)]

    assert inheriting == []
    assert permissive == []


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


def test_released_sql_is_never_changed() -> None:
    listed = dict(
        reversed(line.split("  ", 1))
        for line in (ROOT / "migrations" / "sql" / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    )
    folder = ROOT / "migrations" / "sql"
    actual = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.sql"))
    }

    assert actual == listed
