"""Nothing public is undocumented, and what the documents name exists."""

import re
from datetime import datetime
from pathlib import Path

import click
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.catalogue.queries import standards as standards_on
from xinyidai.cli import main
from xinyidai.cli.listing import WAYS, reference_text, sources_text
from xinyidai.desks.pages.firm_consents import COLLECTED
from xinyidai.foundation.clock import business_date

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "README.zh-CN.md"]


def test_the_reference_is_what_the_code_says() -> None:
    written = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")

    assert written == reference_text(main), "run `python3 run.py reference > docs/reference.md`"


async def test_the_sources_are_what_the_catalogue_says(session: AsyncSession, noon: datetime) -> None:
    written = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    standards = await standards_on(session, business_date(noon))

    assert written == sources_text(standards), "run `python3 run.py xinyidai reference sources > docs/sources.md`"
    assert set(WAYS) == COLLECTED | {"registration"} <= {one.item.code for one in standards}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8"))

    missing = [target for target in targets if not (document.parent / target).exists()]

    assert missing == []


def test_the_readme_names_the_commands_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:run\.py|xinyidai) ([a-z]+)", text)) - {"test", "bench", "check"}

    assert named <= set(main.list_commands(click.Context(main)))


def test_every_decision_is_numbered_once_and_in_order() -> None:
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))]

    assert numbers == list(range(1, len(numbers) + 1))


def test_no_document_or_source_names_this_workplace() -> None:
    folders = ("src", "ml", "tests", "docs", "migrations", "benchmarks", "examples", "frontend_templates")
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*"))]
    texts = [
        path for path in files if path.suffix in {".py", ".md", ".html", ".sql", ".css"} and path != Path(__file__)
    ]
    pattern = re.compile(r"(?<![\w.])/(?:work|tmp/bash_jobs)/|\bissue \d+\b|pypi\.org/simple|registry\.npmjs")

    named = [str(path.relative_to(ROOT)) for path in texts if pattern.search(path.read_text(encoding="utf-8"))]

    assert named == []
