"""Clock, ids, canonical bytes, cipher, paging and settings."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.foundation.canonical import canonical_bytes, digest
from xinyidai.foundation.cipher import Cipher, CiphertextAltered, new_key
from xinyidai.foundation.clock import AnchoredClock, WallClock, add_months, business_date, clock_of, start_of_day
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.ids import derived_id, new_id
from xinyidai.foundation.paging import CursorRefused, after_id, limit_of, page_of
from xinyidai.foundation.settings import DatabaseRole, Settings, read_secret_files

NOON = datetime(2025, 6, 16, 4, 0, tzinfo=UTC)


def test_an_anchored_clock_runs_at_its_rate() -> None:
    clock = AnchoredClock(NOON, datetime(2025, 1, 6, tzinfo=UTC), 1440.0, lambda: NOON + timedelta(minutes=1))

    assert clock.now() == datetime(2025, 1, 7, tzinfo=UTC)


def test_simulated_time_needs_a_sandbox_and_both_anchors() -> None:
    without_sandbox = clock_of(sandbox=False, wall_anchor=NOON, business_anchor=NOON)
    without_anchor = clock_of(sandbox=True, wall_anchor=None, business_anchor=NOON)
    with_both = clock_of(sandbox=True, wall_anchor=NOON, business_anchor=NOON)

    assert isinstance(without_sandbox, WallClock)
    assert isinstance(without_anchor, WallClock)
    assert isinstance(with_both, AnchoredClock)


def test_the_day_is_shanghais() -> None:
    assert business_date(datetime(2025, 6, 15, 16, 0, tzinfo=UTC)) == date(2025, 6, 16)
    assert start_of_day(date(2025, 6, 16)) == datetime(2025, 6, 15, 16, 0, tzinfo=UTC)


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.integers(0, 360))
def test_months_later_is_the_same_day_or_the_months_last(day: date, months: int) -> None:
    later = add_months(day, months)

    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later + timedelta(days=1)).day == 1


def test_ids_are_version_seven_and_do_not_repeat() -> None:
    made = [new_id() for _ in range(1000)]

    assert {one.version for one in made} == {7}
    assert {one.variant for one in made} == {"specified in RFC 4122"}
    assert len(set(made)) == 1000


def test_a_derived_id_is_the_same_for_the_same_words_only() -> None:
    assert derived_id("offer", "1") == derived_id("offer", "1")
    assert derived_id("offer", "1") != derived_id("offer1", "")


def test_canonical_bytes_know_no_order_of_keys_and_no_floats() -> None:
    assert canonical_bytes({"b": 1, "a": ["重庆", None, True]}) == '{"a":["重庆",null,true],"b":1}'.encode()
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    with pytest.raises(TypeError, match="float"):
        digest({"a": [0.1]})  # type: ignore[list-item]


def test_a_ciphertext_opens_under_its_key_and_row_only() -> None:
    cipher = Cipher(new_key())
    sealed = cipher.seal("应纳税额".encode(), bound_to=b"row 1")

    assert cipher.open(sealed, bound_to=b"row 1") == "应纳税额".encode()
    with pytest.raises(CiphertextAltered):
        cipher.open(sealed, bound_to=b"row 2")
    with pytest.raises(CiphertextAltered):
        Cipher(new_key()).open(sealed, bound_to=b"row 1")
    with pytest.raises(CiphertextAltered):
        cipher.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), bound_to=b"row 1")


def test_the_extra_row_of_a_page_only_says_that_there_is_more() -> None:
    ids = sorted(new_id() for _ in range(3))

    first = page_of(ids, limit=2, id_of=lambda one: one)
    last = page_of(ids[2:], limit=2, id_of=lambda one: one)

    assert first.rows == (ids[0], ids[1])
    assert after_id(first.next_cursor) == ids[1]
    assert last.next_cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "é", "a" * 10_000, "AAAA"])
def test_a_cursor_not_of_ours_is_refused(cursor: str) -> None:
    with pytest.raises(CursorRefused):
        after_id(cursor)


def test_a_page_holds_one_to_two_hundred_rows() -> None:
    assert (limit_of(-5), limit_of(50), limit_of(10**9)) == (1, 50, 200)
    assert after_id(None) == UUID(int=0)


def test_a_refusal_without_sentences_or_with_a_taken_code_is_not_even_defined() -> None:
    with pytest.raises(TypeError, match="needs code"):
        type("Silent", (Refusal,), {"code": "silent"})
    with pytest.raises(TypeError, match="already"):
        type("Copycat", (Refusal,), {"code": "not_found", "title_zh": "无", "title_en": "None"})


def test_a_role_signs_in_with_its_own_url_or_the_local_password() -> None:
    settings = Settings(
        database_url="postgresql://admin:hunter2@127.0.0.1/x",  # type: ignore[arg-type]
        worker_database_url="postgresql://w:p@db/x",  # type: ignore[arg-type]
    )

    app, worker = settings.dsn(DatabaseRole.APP), settings.dsn(DatabaseRole.WORKER)

    assert (app.username, app.password) == ("xinyidai_app", settings.local_password(DatabaseRole.APP))
    assert (worker.username, worker.password, worker.host) == ("w", "p", "db")
    assert "hunter2" not in repr(settings)


def test_a_secret_may_come_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broker").write_text("redis://kept-in-a-file\n", encoding="utf-8")
    monkeypatch.setenv("BROKER_URL_FILE", str(tmp_path / "broker"))
    monkeypatch.delenv("BROKER_URL", raising=False)

    read_secret_files()

    url = Settings().broker_url
    monkeypatch.delenv("BROKER_URL")
    assert url is not None
    assert url.get_secret_value() == "redis://kept-in-a-file"
