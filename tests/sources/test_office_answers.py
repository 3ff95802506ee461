"""What of an office's answer is believed, and by what name the rest is refused: pure."""

import csv
import gzip
import hashlib
import hmac
import io
import json
from base64 import b64encode
from datetime import UTC, date, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.sources.rules.offices import SAID, AnswerFault, AnswerRefused
from xinyidai.sources.rules.offices.court_answers import (
    CallbackSignatureWrong,
    CallbackTimeRefused,
    CallbackUnreadable,
    answer_in,
    check_callback,
    job_called_back,
)
from xinyidai.sources.rules.offices.day_files import (
    SOCIAL_INSURANCE,
    FileEntry,
    KeptRows,
    entries_in,
    refused_in,
    rows_kept,
    signed_list,
)
from xinyidai.sources.rules.offices.trade_documents import MAX_DOCUMENT_BYTES, TRADE, rows_in

OWN, OTHER = "91500101MAFP5000F9", "91500101MAT1X00026"
DAY = date(2025, 6, 17)
WALL = datetime(2026, 1, 1, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = KEY.public_key().public_bytes_raw()

MONTH = (
    '<月度 所属月份="2025-03"><出口额 币种="CNY" 单位="元">5792.76</出口额>'
    '<进口额 币种="CNY" 单位="元">12883.13</进口额><海关信用等级>常规管理企业</海关信用等级></月度>'
)


def a_document(inner: str = MONTH, *, before: str = "", code: str = OWN, encoding: str = "GBK") -> bytes:
    root = f'<进出口统计 统一社会信用代码="{code}" 生成时间="2025-06-16T09:00:00+08:00">{inner}</进出口统计>'
    return f'<?xml version="1.0" encoding="{encoding}"?>\n{before}{root}\n'.encode("gbk")


def fault_of(document: bytes) -> AnswerFault:
    with pytest.raises(AnswerRefused) as refused:
        rows_in(document, TRADE, credit_code=OWN)
    return refused.value.fault


def test_a_document_becomes_rows_of_a_delivery() -> None:
    rows = rows_in(a_document(), TRADE, credit_code=OWN)

    assert rows == [
        {
            "credit_code": OWN,
            "month": "2025-03",
            "exported_yuan": "5792.76",
            "imported_yuan": "12883.13",
            "customs_grade": "ordinary",
        }
    ]


def test_a_firm_without_a_month_has_no_rows() -> None:
    assert rows_in(a_document(""), TRADE, credit_code=OWN) == []


def test_a_grade_that_is_not_known_is_left_to_the_checks() -> None:
    rows = rows_in(a_document(MONTH.replace("常规管理企业", "新设等级")), TRADE, credit_code=OWN)

    assert rows[0]["customs_grade"] == "新设等级"


LAUGHS = '<!DOCTYPE x [<!ENTITY a "哈"><!ENTITY b "&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (a_document(before=LAUGHS), AnswerFault.UNSAFE),
        (a_document(before=OUTSIDE), AnswerFault.UNSAFE),
        (
            a_document("<月度 所属月份='2025-03'><出口额 币种='CNY' 单位='元'><a>1.00</a></出口额></月度>"),
            AnswerFault.UNSAFE,
        ),
        (a_document("<月度 所属月份='2025-03'/>"), AnswerFault.SCHEMA_CHANGED),
        (a_document(MONTH * 61), AnswerFault.TOO_LARGE),
        (a_document(" " * MAX_DOCUMENT_BYTES), AnswerFault.TOO_LARGE),
        (a_document(code=OTHER), AnswerFault.ANOTHER_FIRM),
        (a_document(MONTH.replace("出口额", "出口额合计")), AnswerFault.SCHEMA_CHANGED),
        (a_document(MONTH.replace("5792.76", "579276")), AnswerFault.UNIT_DOUBTFUL),
        (a_document(MONTH.replace('"元"', '"万元"')), AnswerFault.UNIT_DOUBTFUL),
        (a_document(MONTH.replace("CNY", "USD")), AnswerFault.UNIT_DOUBTFUL),
        (a_document().replace("进出口统计".encode("gbk"), "物流统计".encode("gbk")), AnswerFault.SCHEMA_CHANGED),
        (a_document(encoding="Big5"), AnswerFault.ENCODING_WRONG),
        (a_document().decode("gbk").encode(), AnswerFault.ENCODING_WRONG),
        (a_document() + "<再来/>".encode("gbk"), AnswerFault.UNREADABLE),
        (b"", AnswerFault.UNREADABLE),
    ],
)
def test_a_document_that_is_not_believed_is_named(document: bytes, fault: AnswerFault) -> None:
    assert fault_of(document) is fault


@given(st.integers(min_value=0, max_value=len(a_document()) - 2))
def test_a_document_cut_anywhere_is_no_document(end: int) -> None:
    assert fault_of(a_document()[:end]) is AnswerFault.UNREADABLE


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_fail_in_another_way(document: bytes) -> None:
    assert fault_of(document) in SAID


def an_answer(**bent: object) -> bytes:
    said = {
        "job_id": "job-1",
        "state": "done",
        "credit_code": OWN,
        "known_by": "2025-06-16",
        "judgments": [
            {
                "case_no": "案1",
                "role": "被告",
                "cause": "买卖合同",
                "claimed_yuan": "3267.00",
                "decided_on": "2021-11-23",
            }
        ],
        "enforcements": [
            {
                "case_no": "案2",
                "owed_yuan": "3267.00",
                "filed_on": "2022-01-16",
                "is_dishonest": "否",
                "ended_on": None,
            }
        ],
    }
    return json.dumps(said | bent, ensure_ascii=False).encode()


def court_rows(content: bytes) -> dict[str, list[dict[str, str | None]]] | None:
    found = answer_in(
        content, job_id="job-1", credit_code=OWN, item_codes=("judgment", "enforcement"), asked_on=date(2025, 6, 16)
    )
    return None if found is None else dict(found.rows)


def test_an_answer_of_the_courts_becomes_rows_by_item() -> None:
    rows = court_rows(an_answer())

    assert rows is not None
    assert rows["judgment"][0]["role"] == "defendant"
    assert rows["enforcement"][0] == {
        "credit_code": OWN,
        "case_no": "案2",
        "owed_yuan": "3267.00",
        "filed_on": "2022-01-16",
        "is_dishonest": "否",
        "ended_on": None,
    }


def test_a_job_that_is_not_done_has_no_answer_yet() -> None:
    assert court_rows(an_answer(state="pending")) is None


CASE = {"case_no": "案1", "role": "被告", "cause": "买卖合同", "decided_on": "2021-11-23"}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (an_answer()[:80], AnswerFault.UNREADABLE),
        (b"[]", AnswerFault.SCHEMA_CHANGED),
        (an_answer(job_id="job-2"), AnswerFault.SCHEMA_CHANGED),
        (an_answer(state="over"), AnswerFault.SCHEMA_CHANGED),
        (an_answer(credit_code=OTHER), AnswerFault.ANOTHER_FIRM),
        (an_answer(known_by="2025-03-16"), AnswerFault.STALE),
        (an_answer(known_by="lately"), AnswerFault.SCHEMA_CHANGED),
        (an_answer(judgments=None), AnswerFault.SCHEMA_CHANGED),
        (an_answer(judgments=["案1"]), AnswerFault.SCHEMA_CHANGED),
        (an_answer(judgments=[CASE | {"claimed_yuan_v2": "1.00"}]), AnswerFault.SCHEMA_CHANGED),
        (an_answer(judgments=[CASE | {"claimed_yuan": "326700"}]), AnswerFault.UNIT_DOUBTFUL),
        (an_answer(judgments=[CASE | {"claimed_yuan": "1.00"}] * 1001), AnswerFault.TOO_LARGE),
    ],
)
def test_an_answer_of_the_courts_that_is_not_believed_is_named(content: bytes, fault: AnswerFault) -> None:
    with pytest.raises(AnswerRefused) as refused:
        court_rows(content)

    assert refused.value.fault is fault


def a_signature(secret: str, message_id: str, at: datetime, body: bytes) -> str:
    content = f"{message_id}.{int(at.timestamp())}.".encode() + body
    return f"v1,{b64encode(hmac.new(secret.encode(), content, hashlib.sha256).digest()).decode()}"


def check(body: bytes, *, signature: str, at: datetime = WALL, message_id: str = "job-1") -> None:
    stamp = str(int(at.timestamp()))
    check_callback("court secret", message_id=message_id, timestamp=stamp, signature=signature, body=body, wall_at=WALL)


def test_a_call_back_that_its_office_signed_lately_is_heard() -> None:
    good, body = a_signature("court secret", "job-1", WALL, b'{"job_id": "job-1"}'), b'{"job_id": "job-1"}'

    check(body, signature=good)
    check(body, signature=f"v1,bm9uZQ== {good}")

    assert job_called_back(body, message_id="job-1") == "job-1"


@given(st.binary(max_size=40), st.text(max_size=80))
def test_no_other_signature_passes(body: bytes, signature: str) -> None:
    with pytest.raises(CallbackSignatureWrong):
        check(body, signature=signature)


@pytest.mark.parametrize("off", [timedelta(minutes=-20), timedelta(minutes=6)])
def test_a_call_back_of_another_time_is_refused(off: timedelta) -> None:
    at = WALL + off

    with pytest.raises(CallbackTimeRefused):
        check(b"{}", signature=a_signature("court secret", "job-1", at, b"{}"), at=at)


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"job_id": 1}', b'{"job_id": "job-2"}', b"\xff"])
def test_a_signed_call_back_that_names_no_job_is_unreadable(body: bytes) -> None:
    with pytest.raises(CallbackUnreadable):
        job_called_back(body, message_id="job-1")


ROW = f"{OWN},202503,6,29244.00,10791.03,0.00"
STRAY = f"{OTHER},202503,\udcff,secret"


def a_file(*lines: str, header: str = ",".join(SOCIAL_INSURANCE.header)) -> bytes:
    text = "".join(f"{line}\r\n" for line in (header, *lines))
    return gzip.compress(text.encode(errors="surrogateescape"), mtime=0)


def kept(content: bytes, *, rows: int, whole: bytes | None = None) -> KeptRows:
    told = content if whole is None else whole
    entry = FileEntry(rows, len(told), hashlib.sha256(told).hexdigest())
    return rows_kept(content, entry, SOCIAL_INSURANCE, credit_codes={OWN})


def test_rows_of_others_are_counted_and_thrown_away_unread() -> None:
    found = kept(a_file(STRAY, ROW, STRAY), rows=3)

    assert (found.received, len(found.lines), found.discarded) == (3, 1, 2)
    assert OTHER.encode() not in found.content
    assert list(csv.DictReader(io.StringIO(found.content.decode()))) == [
        {
            "credit_code": OWN,
            "month": "2025-03",
            "insured": "6",
            "base_yuan": "29244.00",
            "paid_yuan": "10791.03",
            "owed_yuan": "0.00",
        }
    ]


def test_an_own_row_of_other_columns_is_left_to_the_checks() -> None:
    found = kept(a_file(f"{OWN},202503"), rows=1)

    assert found.content.decode().splitlines()[1] == f"{OWN},202503"


@pytest.mark.parametrize(
    ("content", "rows", "whole", "fault"),
    [
        (a_file(ROW)[:60], 1, a_file(ROW), AnswerFault.DIGEST_WRONG),
        (a_file(ROW)[:60], 1, None, AnswerFault.UNREADABLE),
        (a_file(ROW) + b"more", 1, None, AnswerFault.UNREADABLE),
        (b"no gzip", 1, None, AnswerFault.UNREADABLE),
        (
            gzip.compress(",".join(SOCIAL_INSURANCE.header).encode() + b"\r\n" + ROW.encode()),
            1,
            None,
            AnswerFault.UNREADABLE,
        ),
        (a_file(ROW), 2, None, AnswerFault.ROWS_MISSING),
        (a_file(ROW, header="统一社会信用代码,月份"), 1, None, AnswerFault.SCHEMA_CHANGED),
        (a_file(ROW.replace(".00", "00").replace(".03", "03")), 1, None, AnswerFault.UNIT_DOUBTFUL),
        (a_file(f"{OWN},\udcff"), 1, None, AnswerFault.ENCODING_WRONG),
    ],
)
def test_a_file_that_is_not_believed_is_named(
    content: bytes, rows: int, whole: bytes | None, fault: AnswerFault
) -> None:
    with pytest.raises(AnswerRefused) as refused:
        kept(content, rows=rows, whole=whole)

    assert refused.value.fault is fault


def a_manifest(**bent: object) -> bytes:
    files = [
        {"name": f"{item}.csv.gz", "rows": 1, "bytes": 2, "sha256": "ab"}
        for item in ("social_insurance", "housing_fund")
    ]
    return json.dumps({"day": DAY.isoformat(), "files": files} | bent).encode()


def signed_by(key: Ed25519PrivateKey, manifest: bytes) -> str:
    return b64encode(key.sign(manifest)).decode()


def test_a_manifest_says_what_each_file_is() -> None:
    found = entries_in(a_manifest(), signed_by(KEY, a_manifest()) + "\n", public_key=PUBLIC, day=DAY)

    assert found == {code: FileEntry(1, 2, "ab") for code in ("social_insurance", "housing_fund")}


STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"1")


@pytest.mark.parametrize(
    ("manifest", "signature", "fault"),
    [
        (a_manifest(), signed_by(STRANGER, a_manifest()), AnswerFault.SIGNATURE_WRONG),
        (a_manifest()[:50], signed_by(KEY, a_manifest()), AnswerFault.SIGNATURE_WRONG),
        (a_manifest(), signed_by(KEY, a_manifest())[:40], AnswerFault.SIGNATURE_WRONG),
        (a_manifest(), "签名", AnswerFault.SIGNATURE_WRONG),
        (a_manifest(day="2025-06-14"), signed_by(KEY, a_manifest(day="2025-06-14")), AnswerFault.ANOTHER_DAY),
        (a_manifest(files=[]), signed_by(KEY, a_manifest(files=[])), AnswerFault.SCHEMA_CHANGED),
        (b"{}", signed_by(KEY, b"{}"), AnswerFault.SCHEMA_CHANGED),
    ],
)
def test_a_manifest_that_is_not_believed_is_named(manifest: bytes, signature: str, fault: AnswerFault) -> None:
    with pytest.raises(AnswerRefused) as refused:
        entries_in(manifest, signature, public_key=PUBLIC, day=DAY)

    assert refused.value.fault is fault


def test_the_list_is_signed_and_the_same_whatever_the_order() -> None:
    first, signature = signed_list([(OWN, "SBGJJ1"), (OTHER, "SBGJJ2")], "secret")
    again, _ = signed_list([(OTHER, "SBGJJ2"), (OWN, "SBGJJ1")], "secret")

    assert first == again
    assert signature == hmac.new(b"secret", first, hashlib.sha256).hexdigest()


def test_the_answer_to_a_list_accounts_for_every_firm() -> None:
    answer = json.dumps({"accepted": 1, "refused": [{"credit_code": OTHER, "error": "not_authorised"}]}).encode()

    assert refused_in(answer, sent=[OWN, OTHER]) == {OTHER}
    with pytest.raises(AnswerRefused):
        refused_in(answer, sent=[OWN])
    with pytest.raises(AnswerRefused):
        refused_in(answer[:10], sent=[OWN, OTHER])


def test_every_fault_has_its_words_in_both_languages() -> None:
    assert set(SAID) == set(AnswerFault)
    assert all(chinese and english for chinese, english in SAID.values())
