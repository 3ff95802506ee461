"""A report on paper: Chinese that can be read back, its font inside, its mark on every page."""

from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from xinyidai.foundation.pages import paper as papers
from xinyidai.foundation.pages.paper import FontMissing, Paper, pdf_of
from xinyidai.foundation.pages.tables import Column, Sheet, Unit
from xinyidai.foundation.pages.words import Both, Language

TITLE = Both("数据质量月报 2025-06", "Data quality in 2025-06")
MARK = Both("演示数据，非真实企业", "Simulated")
COLUMNS = (Column("what", Both("信息项", "Item"), Unit.TEXT), Column("fen", Both("金额", "Amount"), Unit.FEN))


def a_paper(rows: int, name: str = "增值税发票 <b>&") -> Paper:
    cells = tuple((f"{name} {number}", number * 1_000_000) for number in range(rows))
    return Paper(TITLE, ((Both("截至", "As of"), "2025-06-16"),), (Sheet(TITLE, COLUMNS, cells),), MARK)


def test_the_words_can_be_read_back_on_every_page() -> None:
    read = PdfReader(BytesIO(pdf_of(a_paper(80), Language.ZH)))
    pages = [page.extract_text() for page in read.pages]

    assert len(pages) > 1
    assert all("数据质量月报 2025-06" in page and "演示数据，非真实企业" in page for page in pages)
    assert "增值税发票 <b>& 79" in pages[-1]
    assert "79.00" in pages[-1]
    assert "信息项" in pages[-1]
    assert read.metadata is not None
    assert read.metadata.title == "数据质量月报 2025-06"


def test_the_font_is_inside_as_a_subset() -> None:
    made = pdf_of(a_paper(3), Language.ZH)
    fonts = [
        one.get_object()
        for page in PdfReader(BytesIO(made)).pages
        for one in page["/Resources"]["/Font"].values()  # type: ignore[index]
    ]
    chinese = [one for one in fonts if "NotoSansSC" in str(one["/BaseFont"])]

    assert chinese
    assert all("/FontFile2" in one["/FontDescriptor"] for one in chinese)
    assert all("+" in str(one["/BaseFont"]) for one in chinese)
    assert len(made) < 200_000


def test_without_the_font_it_is_refused_and_not_made_of_boxes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(papers, "templates_folder", lambda: tmp_path)

    with pytest.raises(FontMissing):
        pdf_of(a_paper(1), Language.EN)
