"""The city's files: synthetic, complete, and the same bytes for the same seed."""

from datetime import date
from pathlib import Path

import pandas as pd
from stdnum.cn import uscc

from city.__main__ import write_files
from city.firms import make_firms
from city.invoices import make_invoices

UNTIL = date(2025, 6, 16)


def test_the_same_seed_writes_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    for seed, name in ((7, "a"), (7, "b"), (8, "c")):
        write_files(seed, 6, 4, UNTIL, tmp_path / name)

    first, second, other = ((tmp_path / name / "invoices.csv").read_bytes() for name in "abc")

    assert first == second
    assert first != other


def test_credit_codes_are_valid_and_names_say_that_they_are_synthetic() -> None:
    firms = make_firms(3, 40, as_of=UNTIL)

    assert all(uscc.is_valid(firm.credit_code) for firm in firms)
    assert all(firm.name.startswith("合成") for firm in firms)
    assert len({firm.credit_code for firm in firms}) == 40


def test_a_firms_months_do_not_depend_on_the_others() -> None:
    few, many = make_firms(3, 5, as_of=UNTIL), make_firms(3, 50, as_of=UNTIL)
    firm = few[0]

    alone = make_invoices(3, firm, until=UNTIL)
    in_a_crowd = make_invoices(3, next(one for one in many if one.credit_code == firm.credit_code), until=UNTIL)

    pd.testing.assert_frame_equal(alone, in_a_crowd)


def test_amounts_add_up_and_no_invoice_lies_in_the_future() -> None:
    firm = make_firms(5, 1, as_of=UNTIL)[0]

    frame = make_invoices(5, firm, until=UNTIL)
    fen = {column: (frame[column].astype(float) * 100).round() for column in ("net_yuan", "tax_yuan", "gross_yuan")}

    assert (fen["net_yuan"] + fen["tax_yuan"] == fen["gross_yuan"]).all()
    assert frame["issued_on"].max() < UNTIL.isoformat()
