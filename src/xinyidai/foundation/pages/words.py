"""The two languages of the pages: Chinese sentences are the message ids, English is a catalogue compiled at start."""

import gettext
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from litestar import Request
from litestar.datastructures import State

from xinyidai.foundation.places import templates_folder

AnyRequest = Request[object, object, State]

LANGUAGE_COOKIE: Final = "xinyidai_language"


class Language(StrEnum):
    """A language of the pages."""

    ZH = "zh"
    EN = "en"

    @property
    def tag(self) -> str:
        """Return what `<html lang>` says."""
        return "zh-CN" if self is Language.ZH else "en"


@dataclass(frozen=True)
class Message:
    """A Chinese sentence with ``%(name)s`` places, put into the reader's language only when it is shown."""

    text: str
    facts: dict[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True)
class Both:
    """A sentence that comes in both languages already, as refusals and reasons do."""

    zh: str
    en: str


Said = Message | Both


def msg(text: str, **facts: str | int) -> Message:
    """Mark a Chinese sentence in Python code for the catalogue."""
    return Message(text, facts)


def language_of(request: AnyRequest) -> Language:
    """Return the language chosen by cookie, else the first of Accept-Language that is ours, else Chinese."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in set(Language):
        return Language(chosen)
    for asked in request.headers.get("accept-language", "").split(",")[:10]:
        primary = asked.split(";")[0].strip().split("-")[0].lower()
        if primary in set(Language):
            return Language(primary)
    return Language.ZH


def in_language(said: Said | str, language: Language) -> str:
    """Return a sentence in a language; a plain string is taken as a Chinese message."""
    if isinstance(said, Both):
        return said.zh if language is Language.ZH else said.en
    message = Message(said) if isinstance(said, str) else said
    text = translations(language).gettext(message.text)
    return text % message.facts


def catalogue_files(language: Language) -> list[Path]:
    """Return a language's catalogues: messages.po of the ground, and one more a desk."""
    return sorted((templates_folder() / "locale" / language.value / "LC_MESSAGES").glob("*.po"))


@cache
def translations(language: Language) -> gettext.NullTranslations:
    """Return a language's catalogue; Chinese needs none."""
    if language is Language.ZH:
        return gettext.NullTranslations()
    catalogue = Catalog(locale=language.value)
    for path in catalogue_files(language):
        with path.open("rb") as file:
            for message in read_po(file, locale=language.value):
                if message.id:
                    catalogue.add(message.id, message.string)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
