"""Every sentence of the pages is in the catalogue, in both languages, and no template speaks past it."""

import re
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

from xinyidai.foundation.pages.rendering import environment
from xinyidai.foundation.pages.words import Language, catalogue_files, in_language, msg
from xinyidai.foundation.places import templates_folder

ROOT = Path(__file__).resolve().parents[2]
FOLDER = templates_folder()
TEMPLATES = sorted(
    path for path in FOLDER.rglob("*.html") if "node_modules" not in path.parts and "reference" not in path.parts
)
# Names that are the same in both languages, and the language switch, which speaks to who cannot read the page.
NAMES = {"English", "中文"}
PLACES = re.compile(r"%\((\w+)\)[sd]")


def said_by_templates() -> Iterator[tuple[str, str]]:
    options = {"trimmed": "true", "extensions": "jinja2.ext.i18n", "silent": "false"}
    for path in TEMPLATES:
        for _, text, _, _ in extract_from_file("jinja2.ext:babel_extract", path, options=options):
            yield str(text), str(path.relative_to(FOLDER))


def said_by_code() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "src" / "xinyidai").rglob("*.py")):
        for _, text, _, _ in extract_from_file("python", path, keywords={"msg": None}):
            yield str(text), str(path.relative_to(ROOT))


def wanted() -> dict[str, str]:
    return dict([*said_by_templates(), *said_by_code()])


def said_by_catalogues() -> list[tuple[str, str]]:
    return [
        (str(message.id), str(message.string))
        for path in catalogue_files(Language.EN)
        for message in read_po(BytesIO(path.read_bytes()), locale="en")
        if message.id
    ]


def catalogue() -> dict[str, str]:
    return dict(said_by_catalogues())


def test_every_sentence_is_translated_and_none_is_left_over() -> None:
    asked, known = wanted(), catalogue()

    untranslated = {text: place for text, place in asked.items() if not known.get(text)}
    unused = sorted(set(known) - set(asked))

    assert untranslated == {}
    assert unused == []


def test_a_sentence_stands_in_one_catalogue_only() -> None:
    counted = Counter(text for text, _ in said_by_catalogues())

    assert [text for text, times in counted.items() if times > 1] == []


def test_both_languages_have_the_same_places_to_fill() -> None:
    different = {
        text: other for text, other in catalogue().items() if set(PLACES.findall(text)) != set(PLACES.findall(other))
    }

    assert different == {}


def test_english_is_english_and_chinese_is_chinese() -> None:
    han = re.compile(r"[\u4e00-\u9fff]")
    known = catalogue()

    assert [other for other in known.values() if han.search(other)] == []
    assert [text for text in known if not han.search(text)] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_no_template_speaks_past_the_catalogue(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    for pattern in (
        r"\{#.*?#\}",
        r"\{%-?\s*trans.*?endtrans\s*-?%\}",
        r"\{\{.*?\}\}",
        r"\{%.*?%\}",
        r"<[^>]*>",
        r'[a-z-]+="[^"]*"',
    ):
        source = re.sub(pattern, "\x00", source, flags=re.DOTALL)
    attributes = re.findall(r'\s(?:title|alt|aria-label|placeholder)="([^"{]*[^\W\d_][^"{]*)"', path.read_text("utf-8"))
    words = [piece.strip() for piece in source.split("\x00") if re.search(r"[^\W\d_]", piece)]

    assert [word for word in words + attributes if word not in NAMES] == []


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_every_template_compiles(path: Path, language: Language) -> None:
    template = environment(language).get_template(str(path.relative_to(FOLDER)))

    assert template.name is not None


def test_no_template_carries_script_or_style_of_its_own() -> None:
    inline = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:")

    assert [str(path) for path in TEMPLATES if inline.search(path.read_text(encoding="utf-8"))] == []


def test_a_sentence_from_code_is_put_into_the_readers_language() -> None:
    said = msg("最多 %(most)s 个字", most=10)

    assert in_language(said, Language.ZH) == "最多 10 个字"
    assert in_language(said, Language.EN) == "At most 10 characters"
