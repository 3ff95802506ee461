"""Documents are kept once and sealed, read by whom they are for, and destroyed with a digest left."""

import asyncio
import hashlib
from datetime import datetime

import asyncpg
import pytest
from builders_documents import WHOLE, a_document, a_pdf
from builders_parties import a_firm, a_lender, a_regulator
from conftest import Database
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.documents import queries, service
from xinyidai.documents.rules import (
    DocumentAltered,
    DocumentDestroyed,
    DocumentInUse,
    DocumentNameDisagrees,
    DocumentType,
    DocumentView,
)
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound
from xinyidai.foundation.ids import new_id


async def test_a_file_comes_back_as_it_was_handed_in_and_each_look_is_written_down(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm = await a_firm(session, now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        kept = await service.hand_in(session, firm, name=" 判决书.pdf ", content=a_pdf(), now=noon)

    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        read = await service.read(session, firm, kept.id, now=noon)
        listed = await queries.documents(session, firm)

    assert read.plain == a_pdf()
    assert read.view == kept == listed.rows[0]
    assert (kept.kind, kept.name, kept.digest) == (DocumentType.PDF, "判决书.pdf", hashlib.sha256(a_pdf()).digest())
    actions = await admin.fetch(
        "SELECT action, subject_ids FROM audit.record WHERE object_kind = 'document' ORDER BY id"
    )
    assert [(row["action"], row["subject_ids"]) for row in actions] == [
        ("documents.handed_in", [firm.organisation_id]),
        ("documents.read", [firm.organisation_id]),
    ]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(list(DocumentType)), words=st.text(st.characters(codec="utf-8"), max_size=300))
async def test_every_kind_goes_round(session: AsyncSession, noon: datetime, kind: DocumentType, words: str) -> None:
    firm = await a_firm(session, now=noon)
    content = WHOLE[kind](words)

    kept = await service.hand_in(session, firm, name=f"文件.{kind.value}", content=content, now=noon)

    assert (await service.read(session, firm, kept.id, now=noon)).plain == content
    assert (kept.kind, kept.byte_count) == (kind, len(content))


async def test_nothing_of_a_document_can_be_read_in_the_table(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    secret = "王某某欠款壹拾万元的判决"
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await a_document(session, await a_firm(session, now=noon), secret, name="王某某判决书.pdf", now=noon)

    rows = await admin.fetch("SELECT * FROM documents.document")
    stored = b"\x00".join(value for row in rows for value in row.values() if isinstance(value, bytes))
    texts = "\x00".join(str(value) for row in rows for value in row.values())

    assert len(rows) == 1
    assert len(stored) > len(a_pdf(secret))
    for plain in (secret, "王某某", "%PDF"):
        assert plain.encode() not in stored
        assert plain not in texts


async def test_the_same_bytes_of_one_owner_are_kept_once_also_when_they_come_at_once(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firms = [await a_firm(session, now=noon) for _number in range(2)]

    async def hand_in(firm: Viewer, name: str) -> DocumentView:
        async with in_transaction(database.app) as session:
            await act_as(session, firm, now=noon)
            return await service.hand_in(session, firm, name=name, content=a_pdf(), now=noon)

    kept = await asyncio.gather(
        *[hand_in(firms[0], f"{number}.pdf") for number in range(4)], hand_in(firms[1], "x.pdf")
    )

    assert len({view.id for view in kept[:4]}) == 1
    assert kept[4].id != kept[0].id
    assert await admin.fetchval("SELECT count(*) FROM documents.document") == 2


async def test_a_document_is_for_its_owner_and_for_whom_a_case_opened_it_while_the_case_is_open(
    database: Database, noon: datetime
) -> None:
    case_id = new_id()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm, stranger = await a_firm(session, now=noon), await a_firm(session, now=noon)
        bank = (await a_lender(session, now=noon)).maker
        kept = await a_document(session, firm, now=noon)

    async def sees(viewer: Viewer) -> bool:
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            try:
                return (await service.read(session, viewer, kept.id, now=noon)).plain == a_pdf()
            except NotFound:
                return False

    before = [await sees(one) for one in (firm, bank, stranger)]
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        await service.open_for_case(
            session, firm, [kept.id], to=[bank.organisation_id], object_kind="case", object_id=case_id, now=noon
        )
    during = [await sees(one) for one in (firm, bank, stranger)]
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await service.close_case(session, object_kind="case", object_id=case_id, now=noon)
    after = [await sees(one) for one in (firm, bank, stranger)]

    assert before == after == [True, False, False]
    assert during == [True, True, False]


async def test_nobody_opens_what_is_not_theirs(session: AsyncSession, noon: datetime) -> None:
    firm, thief = await a_firm(session, now=noon), await a_firm(session, now=noon)
    kept = await a_document(session, firm, now=noon)

    with pytest.raises(NotFound):
        await service.open_for_case(
            session, thief, [kept.id], to=[thief.organisation_id], object_kind="case", object_id=new_id(), now=noon
        )


async def test_destroying_takes_key_name_and_bytes_and_leaves_the_digest(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm = await a_firm(session, now=noon)
        kept = await a_document(session, firm, now=noon)

    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        gone = await service.destroy(session, firm, kept.id, now=noon)
        with pytest.raises(DocumentDestroyed):
            await service.read(session, firm, kept.id, now=noon)
        with pytest.raises(DocumentDestroyed):
            await service.destroy(session, firm, kept.id, now=noon)
        again = await service.hand_in(session, firm, name="again.pdf", content=a_pdf(), now=noon)

    row = await admin.fetchrow("SELECT * FROM documents.document WHERE id = $1", kept.id)
    assert row is not None
    assert (gone.digest, gone.name, gone.destroyed_at) == (kept.digest, None, noon)
    assert (row["wrapped_key"], row["name_sealed"], row["content_sealed"]) == (None, None, None)
    assert again.id != kept.id


async def test_what_an_open_case_rests_on_is_not_destroyed(session: AsyncSession, noon: datetime) -> None:
    firm = await a_firm(session, now=noon)
    kept = await a_document(session, firm, now=noon)
    bank, case_id = (await a_lender(session, now=noon)).id, new_id()
    await service.open_for_case(session, firm, [kept.id], to=[bank], object_kind="case", object_id=case_id, now=noon)

    with pytest.raises(DocumentInUse):
        await service.destroy(session, firm, kept.id, now=noon)
    await service.close_case(session, object_kind="case", object_id=case_id, now=noon)
    gone = await service.destroy(session, firm, kept.id, now=noon)

    assert gone.destroyed_at == noon


async def test_of_opening_and_destroying_at_once_one_wins(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm, bank = await a_firm(session, now=noon), (await a_lender(session, now=noon)).id
        kept = await a_document(session, firm, now=noon)

    async def destroy() -> str:
        async with in_transaction(database.app) as session:
            await act_as(session, firm, now=noon)
            await service.destroy(session, firm, kept.id, now=noon)
        return "destroyed"

    async def open_up() -> str:
        async with in_transaction(database.app) as session:
            await act_as(session, firm, now=noon)
            await service.open_for_case(
                session, firm, [kept.id], to=[bank], object_kind="case", object_id=new_id(), now=noon
            )
        return "opened"

    answers = await asyncio.gather(destroy(), open_up(), return_exceptions=True)

    lost = {"destroyed": DocumentDestroyed, "opened": DocumentInUse}
    (won,) = [one for one in answers if isinstance(one, str)]
    assert [type(one) for one in answers if not isinstance(one, str)] == [lost[won]]
    assert await admin.fetchval("SELECT count(*) FROM documents.opened_to") == (won == "opened")


@pytest.mark.parametrize("column", ["content_sealed", "wrapped_key", "name_sealed", "digest"])
async def test_what_was_altered_in_the_table_is_shown_to_nobody(
    database: Database, admin: asyncpg.Connection, noon: datetime, column: str
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm = await a_firm(session, now=noon)
        kept = await a_document(session, firm, now=noon)
    await admin.execute("ALTER TABLE documents.document DISABLE TRIGGER ALL")
    await admin.execute(f"UPDATE documents.document SET {column} = set_byte({column}, 20, get_byte({column}, 20) # 1)")

    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        with pytest.raises(DocumentAltered):
            await service.read(session, firm, kept.id, now=noon)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE documents.document SET kind = 'png'",
        "UPDATE documents.document SET owner_id = gen_random_uuid()",
        "UPDATE documents.document SET content_sealed = content_sealed || '\\x00'",
        "DELETE FROM documents.document",
    ],
)
async def test_the_database_lets_nobody_change_a_document_but_destroy_it(
    database: Database, admin: asyncpg.Connection, noon: datetime, change: str
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await a_document(session, await a_firm(session, now=noon), now=noon)

    with pytest.raises(asyncpg.RestrictViolationError):
        await admin.execute(change)


async def test_who_has_no_evidence_to_hand_in_is_refused(session: AsyncSession, noon: datetime) -> None:
    regulator, lender = await a_regulator(session, now=noon), await a_lender(session, now=noon)

    for viewer in (regulator.maker, lender.checker):
        with pytest.raises(NotAllowed):
            await service.hand_in(session, viewer, name="a.pdf", content=a_pdf(), now=noon)


async def test_a_name_that_disagrees_keeps_nothing(session: AsyncSession, noon: datetime) -> None:
    firm = await a_firm(session, now=noon)

    with pytest.raises(DocumentNameDisagrees):
        await service.hand_in(session, firm, name="photo.png", content=a_pdf(), now=noon)

    assert (await queries.documents(session, firm)).rows == ()
