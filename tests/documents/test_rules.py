"""What a file is, its bytes say: whole kinds pass, all else is refused, whatever its name."""

import struct
import zipfile
from io import BytesIO

import pytest
from builders_documents import WHOLE, a_docx, a_jpeg, a_pdf, a_png, packed
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.documents.rules import (
    MAX_BYTES,
    DocumentBursts,
    DocumentEmpty,
    DocumentNameDisagrees,
    DocumentNameRefused,
    DocumentTooLarge,
    DocumentType,
    DocumentTypeRefused,
    check_name_agrees,
    check_size,
    clean_name,
)
from xinyidai.documents.rules.sniffing import MAX_PARTS, type_of
from xinyidai.foundation.errors import Refusal

NAMES = st.text(min_size=1, max_size=60)


@given(st.sampled_from(list(DocumentType)), st.text(max_size=200))
def test_a_whole_file_is_told_by_its_bytes_whatever_it_says(kind: DocumentType, words: str) -> None:
    assert type_of(WHOLE[kind](words.encode("utf-8", "replace").decode())) is kind


@given(st.binary(max_size=4_000))
def test_bytes_at_random_are_refused_and_never_an_accident(content: bytes) -> None:
    with pytest.raises(DocumentTypeRefused):
        type_of(content)


@given(st.sampled_from(list(DocumentType)), st.data())
def test_a_file_that_is_cut_off_is_refused(kind: DocumentType, data: st.DataObject) -> None:
    whole = WHOLE[kind]("words")
    kept = data.draw(st.integers(0, len(whole) - 8))

    with pytest.raises(Refusal) as refused:
        type_of(whole[:kept])

    assert refused.type in (DocumentTypeRefused, DocumentBursts)


@given(st.sampled_from(list(DocumentType)), st.data())
def test_a_file_with_one_changed_byte_is_told_or_refused_and_never_an_accident(
    kind: DocumentType, data: st.DataObject
) -> None:
    changed = bytearray(WHOLE[kind]("words"))
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))

    try:
        told: DocumentType | type[Refusal] = type_of(bytes(changed))
    except Refusal as refused:
        told = type(refused)

    assert told in {*DocumentType, DocumentTypeRefused, DocumentBursts}


@pytest.mark.parametrize(
    "content",
    [
        b"MZ\x90\x00 a program",
        b"<html><script>alert(1)</script></html>",
        b"junk before %PDF-1.7 %%EOF",
        b"GIF89a" + bytes(40),
        packed({"run.exe": b"MZ"}),
        packed({"[Content_Types].xml": b"<Types/>", "ppt/presentation.xml": b"slides"}),
        a_docx(more={"word/vbaProject.bin": b"macro"}),
    ],
    ids=["program", "page", "hidden PDF", "GIF", "archive", "slides", "macros"],
)
def test_what_is_not_on_the_list_is_refused(content: bytes) -> None:
    with pytest.raises(DocumentTypeRefused):
        type_of(content)


def test_a_packed_file_that_would_burst_is_refused_although_it_is_small() -> None:
    bomb = a_docx(more={"word/media/image1.png": bytes(120 * 1024 * 1024)})

    assert len(bomb) < 200_000
    with pytest.raises(DocumentBursts):
        type_of(bomb)


def test_a_packed_file_that_lies_about_its_size_is_measured() -> None:
    bomb = bytearray(a_docx(more={"word/media/image1.png": bytes(120 * 1024 * 1024)}))
    with zipfile.ZipFile(BytesIO(bytes(bomb))) as opened:
        said = struct.pack("<L", opened.getinfo("word/media/image1.png").file_size)
    lying = bytes(bomb).replace(said, struct.pack("<L", 100))

    with pytest.raises((DocumentBursts, DocumentTypeRefused)):
        type_of(lying)


def test_a_packed_file_of_too_many_parts_is_refused() -> None:
    with pytest.raises(DocumentBursts):
        type_of(a_docx(more={f"word/{number}.xml": b"" for number in range(MAX_PARTS)}))


def test_a_packed_file_behind_a_password_is_refused() -> None:
    locked = bytearray(a_docx())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        found = locked.find(mark)
        while found >= 0:
            locked[found + offset] |= 1
            found = locked.find(mark, found + 1)

    with pytest.raises(DocumentTypeRefused):
        type_of(bytes(locked))


def test_no_bytes_and_too_many_are_refused() -> None:
    check_size(1)
    check_size(MAX_BYTES)
    with pytest.raises(DocumentEmpty):
        check_size(0)
    with pytest.raises(DocumentTooLarge):
        check_size(MAX_BYTES + 1)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.pdf", DocumentType.PDF),
        ("照片.JPG", DocumentType.JPEG),
        ("a.jpeg", DocumentType.JPEG),
        ("b.a.ofd", DocumentType.OFD),
    ],
)
def test_a_name_agrees_by_its_suffix(name: str, kind: DocumentType) -> None:
    check_name_agrees(name, kind)

    assert WHOLE[kind]("x")


@pytest.mark.parametrize("name", ["a.png", "a", "a.pdf.exe", "pdf", "a."])
def test_a_name_that_says_something_else_is_refused(name: str) -> None:
    with pytest.raises(DocumentNameDisagrees):
        check_name_agrees(name, type_of(a_pdf()))


@pytest.mark.parametrize(
    "name", ["", "  ", "../a.pdf", "a\\b.pdf", "a\x00.pdf", "a\n.pdf", "fdp.\u202eexe", "..", "x" * 201]
)
def test_names_that_no_file_should_have_are_refused(name: str) -> None:
    with pytest.raises(DocumentNameRefused):
        clean_name(name)


@given(NAMES)
def test_a_clean_name_stays_as_it_is(name: str) -> None:
    try:
        cleaned = clean_name(name)
    except DocumentNameRefused:
        return

    assert clean_name(cleaned) == cleaned
    assert not set(cleaned) & set("/\\\x00\n\r")


def test_the_kinds_do_not_pass_for_each_other() -> None:
    assert type_of(a_jpeg()) is DocumentType.JPEG
    assert type_of(a_png()) is DocumentType.PNG
    with pytest.raises(DocumentTypeRefused):
        type_of(a_png()[8:])
