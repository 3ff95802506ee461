"""A report on paper: sheets one after the other as a PDF, in a Chinese font that is embedded as a subset.

The font is installed with the pages' other third-party files (Noto Sans SC, OFL). Amounts are in ten thousand yuan, as
on the pages; whole fen are in the spreadsheet of the same report.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Final
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, LongTable, Paragraph, SimpleDocTemplate, Spacer, TableStyle

from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.pages.figures import grouped, percent, percent_of_ppm, wan
from xinyidai.foundation.pages.tables import Cell, Sheet, Unit
from xinyidai.foundation.pages.words import Language, Said, in_language, msg
from xinyidai.foundation.places import templates_folder

FONT: Final = "NotoSansSC"
_FILE: Final = "node_modules/@expo-google-fonts/noto-sans-sc/400Regular/NotoSansSC_400Regular.ttf"
_SIZE: Final = 8
_MARGIN: Final = 36
_LINE: Final = colors.HexColor("#c8ccd2")
_PLAIN: Final = ParagraphStyle("plain", fontName=FONT, fontSize=_SIZE, leading=12, wordWrap="CJK")
_RIGHT: Final = ParagraphStyle("right", parent=_PLAIN, alignment=2)
_SMALL: Final = ParagraphStyle("small", parent=_PLAIN, fontSize=7, leading=10, textColor=colors.HexColor("#555b63"))
_TITLE: Final = ParagraphStyle("title", parent=_PLAIN, fontSize=18, leading=26, spaceAfter=6)
_HEADING: Final = ParagraphStyle("heading", parent=_PLAIN, fontSize=12, leading=18, spaceBefore=12, spaceAfter=4)


class FontMissing(Refusal):
    """The Chinese font is not installed: a PDF would show boxes."""

    code = "font_missing"
    status = 503
    title_zh = "中文字体未安装，无法生成 PDF；请下载表格文件，或由运维安装页面文件"
    title_en = (
        "The Chinese font is not installed, so no PDF can be made; take the spreadsheet, or install the pages' files"
    )


@dataclass(frozen=True)
class Paper:
    """A report: what it is called, what must be known to read it, and its tables.

    `mark` stands on every page, for data that is not real.
    """

    title: Said
    notes: tuple[tuple[Said, Said | str], ...]
    sheets: tuple[Sheet, ...]
    mark: Said | None = None


def pdf_of(paper: Paper, language: Language) -> bytes:
    """Return the report as a PDF of A4 pages, each with the title, the mark and its number.

    Raises
    ------
    FontMissing
    """
    _require_font()
    out, title = BytesIO(), in_language(paper.title, language)
    mark = in_language(paper.mark, language) if paper.mark else ""

    def frame(canvas: Canvas, template: BaseDocTemplate) -> None:
        width, height = template.pagesize
        canvas.setFont(FONT, 7)
        canvas.drawString(_MARGIN, height - 24, title)
        canvas.drawRightString(width - _MARGIN, height - 24, mark)
        canvas.drawRightString(width - _MARGIN, 20, str(template.page))

    template = SimpleDocTemplate(
        out,
        pagesize=landscape(A4),
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN,
        title=title,
        lang=language.tag,
    )
    story: list[Flowable] = [Paragraph(escape(title), _TITLE)]
    story += [_note(label, said, language) for label, said in paper.notes]
    for sheet in paper.sheets:
        story += _table(sheet, language, template.width)
    template.build(story, onFirstPage=frame, onLaterPages=frame)
    return out.getvalue()


def _note(label: Said, said: Said | str, language: Language) -> Paragraph:
    told = said if isinstance(said, str) else in_language(said, language)
    colon = "：" if language is Language.ZH else ": "
    return Paragraph(escape(in_language(label, language) + colon + told), _SMALL)


def _table(sheet: Sheet, language: Language, width: float) -> list[Flowable]:
    story: list[Flowable] = [Paragraph(escape(in_language(sheet.title, language)), _HEADING)]
    if not sheet.rows:
        return [*story, Paragraph(escape(in_language(msg("没有数据"), language)), _PLAIN)]
    heads = [
        Paragraph(escape(in_language(one.title, language) + _unit(one.unit, language)), _style(one.unit))
        for one in sheet.columns
    ]
    rows = [
        [
            Paragraph(escape(shown(one.unit, cell, language)), _style(one.unit))
            for one, cell in zip(sheet.columns, row, strict=True)
        ]
        for row in sheet.rows
    ]
    # Texts need about twice the room of numbers.
    shares = [2.0 if one.unit is Unit.TEXT else 1.0 for one in sheet.columns]
    table = LongTable([heads, *rows], colWidths=[width * one / sum(shares) for one in shares], repeatRows=1)
    table.setStyle(
        TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, _LINE),
                ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#f1f3f5")),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 3),
                ("RIGHTPADDING", (0, 0), (-1, -1), 3),
            ]
        )
    )
    notes: Sequence[Flowable] = [_note(label, said, language) for label, said in sheet.notes]
    return [*story, table, Spacer(0, 4), *notes]


def shown(unit: Unit, cell: Cell, language: Language) -> str:
    """Return a cell as it is read: amounts in ten thousand yuan, shares in percent or thousandths."""
    if cell is None:
        return "—"
    if not isinstance(cell, int):
        return cell if isinstance(cell, str) else in_language(cell, language)
    if unit is Unit.FEN:
        return wan(cell)
    if unit is Unit.BP:
        return percent(cell)
    if unit is Unit.PPM:
        return percent_of_ppm(cell)
    return f"{cell / 1_000:.3f}" if unit is Unit.PER_MILLE else grouped(cell)


def _unit(unit: Unit, language: Language) -> str:
    if unit is Unit.FEN:
        return "（万元）" if language is Language.ZH else " (10,000 yuan)"
    return "（‰）" if unit is Unit.PER_MILLE else ""


def _style(unit: Unit) -> ParagraphStyle:
    return _PLAIN if unit is Unit.TEXT else _RIGHT


def _require_font() -> None:
    if not (templates_folder() / _FILE).is_file():
        raise FontMissing
    _register()


@cache
def _register() -> None:
    """Read the font once a process: of its ten megabytes only the glyphs that a report uses go into its file."""
    pdfmetrics.registerFont(TTFont(FONT, str(templates_folder() / _FILE)))
