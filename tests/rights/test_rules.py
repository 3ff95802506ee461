"""The archive's form, and adding holdings up."""

import io
import zipfile
from datetime import timedelta

from builders_consents import NOW

from xinyidai.rights.rules import Holding, Sheet, pack, together
from xinyidai.sources.rules.keeping import KeptFor


def test_a_text_that_a_spreadsheet_would_run_is_marked_and_numbers_are_not() -> None:
    packed = pack([Sheet("s", ("a", "b"), [("=1+1", -5), ("@x", None), ("好", True)])], {}, made_at=NOW)

    lines = zipfile.ZipFile(io.BytesIO(packed)).read("s.csv").decode("utf-8-sig").splitlines()
    assert lines == ["a,b", "'=1+1,-5", "'@x,", "好,true"]


def test_the_same_archive_has_the_same_bytes() -> None:
    sheets = [Sheet("s", ("a",), [(1,)])]

    assert pack(sheets, {"d": {"x": 1}}, made_at=NOW) == pack(sheets, {"d": {"x": 1}}, made_at=NOW)


def test_holdings_of_an_item_and_reason_are_one_until_the_last_of_their_ends() -> None:
    later = NOW + timedelta(days=1)
    held = [
        Holding("gas", 2, KeptFor.CONSENT, NOW),
        Holding("gas", 3, KeptFor.CONSENT, later),
        Holding("gas", 0, None, None),
        Holding("gas", 1, KeptFor.LOAN, None),
    ]

    assert together(held) == (Holding("gas", 5, KeptFor.CONSENT, later), Holding("gas", 1, KeptFor.LOAN, None))
