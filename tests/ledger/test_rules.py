"""What a posting must look like, before any database is asked."""

from datetime import date

import pytest
from builders_ledger import MAKER, a_posting

from xinyidai.foundation.errors import Refusal
from xinyidai.ledger.rules import (
    AccountRefused,
    AccountUnknown,
    AmountOutOfRange,
    Book,
    BookTotal,
    Posting,
    PostingRefused,
    Turnover,
    UnbalancedJournal,
    check_account,
    check_posting,
    is_code_prefix,
)

MALFORMED = {
    "no key": (a_posting("", (1, 1), (2, -1)), PostingRefused),
    "key of 10 kB": (a_posting("k" * 10_000, (1, 1), (2, -1)), PostingRefused),
    "key with NUL": (a_posting("k\x00", (1, 1), (2, -1)), PostingRefused),
    "key with a lone surrogate": (a_posting("k\ud800", (1, 1), (2, -1)), PostingRefused),
    "kind in capitals": (a_posting("k", (1, 1), (2, -1), kind="Claim"), PostingRefused),
    "kind that is SQL": (a_posting("k", (1, 1), (2, -1), kind="x'; DROP TABLE"), PostingRefused),
    "day in the year 1": (a_posting("k", (1, 1), (2, -1), effective_on=date.min), PostingRefused),
    "day in the year 9999": (a_posting("k", (1, 1), (2, -1), effective_on=date.max), PostingRefused),
    "one person twice": (a_posting("k", (1, 1), (2, -1), checker_id=MAKER), PostingRefused),
    "subject of 5 kB": (a_posting("k", (1, 1), (2, -1), loan_id="x" * 5_000), PostingRefused),
    "subject with NUL": (a_posting("k", (1, 1), (2, -1), loan_id="\x00"), PostingRefused),
    "no legs": (a_posting("k"), UnbalancedJournal),
    "one leg": (a_posting("k", (1, 1)), UnbalancedJournal),
    "10,001 legs": (a_posting("k", *((n, 1) for n in range(1, 10_002))), PostingRefused),
    "not zero in sum": (a_posting("k", (1, 2), (2, -1)), UnbalancedJournal),
    "a zero leg": (a_posting("k", (1, 0), (2, 0)), PostingRefused),
    "an account twice": (a_posting("k", (1, 5), (1, 5), (2, -10)), PostingRefused),
    "2^63": (a_posting("k", (1, 2**63), (2, -(2**63))), AmountOutOfRange),
    "10^15 + 1": (a_posting("k", (1, 10**15 + 1), (2, -(10**15) - 1)), AmountOutOfRange),
    "a float": (a_posting("k", (1, 1.0), (2, -1.0)), AmountOutOfRange),  # type: ignore[arg-type]
    "NaN": (a_posting("k", (1, float("nan")), (2, 1)), AmountOutOfRange),  # type: ignore[arg-type]
    "infinity": (a_posting("k", (1, float("inf")), (2, 1)), AmountOutOfRange),  # type: ignore[arg-type]
    "a truth value": (a_posting("k", (1, True), (2, -1)), AmountOutOfRange),
    "a text": (a_posting("k", (1, "100"), (2, -100)), AmountOutOfRange),  # type: ignore[arg-type]
    "account 0": (a_posting("k", (0, 1), (2, -1)), AccountUnknown),
    "account 2^63": (a_posting("k", (2**63, 1), (2, -1)), AccountUnknown),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_posting_is_refused(name: str) -> None:
    posting, refusal = MALFORMED[name]

    with pytest.raises(refusal):
        check_posting(posting)


def test_well_formed_posting_is_let_through() -> None:
    longest: Posting = a_posting("键" * 200, (1, 10**15), (2**63 - 1, -(10**15)))

    check_posting(longest)


@pytest.mark.parametrize(
    ("code", "floor_fen", "ceiling_fen", "refusal"),
    [
        ("", None, None, AccountRefused),
        ("Cash", None, None, AccountRefused),
        ("cash fund", None, None, AccountRefused),
        ("c" * 201, None, None, AccountRefused),
        ("cash", 1, None, AccountRefused),
        ("cash", None, -1, AccountRefused),
        ("cash", -(2**63), None, AmountOutOfRange),
        ("cash", None, 2**63, AmountOutOfRange),
    ],
)
def test_malformed_account_is_refused(
    code: str, floor_fen: int | None, ceiling_fen: int | None, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        check_account(code, floor_fen, ceiling_fen)


def test_prefix_is_the_beginning_of_a_code() -> None:
    assert [is_code_prefix(prefix) for prefix in ("", "cash:", "cash%", "\x00", "现金")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_totals_add_up() -> None:
    assert Turnover(raised_fen=5, lowered_fen=7).net_fen == -2
    assert BookTotal(Book.CASH, 3, 10, -10).imbalance_fen == 0
