"""The audit trail: written with the act, read by its subject, altered by nobody unseen."""

from uuid import UUID

import asyncpg
import pytest
from builders_doors import a_door
from builders_ledger import NOON, a_viewer
from conftest import Database
from sqlalchemy import text

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.audit import queries, service
from xinyidai.audit.models import RECORDS
from xinyidai.audit.routes import router
from xinyidai.audit.tasks import seal_streams
from xinyidai.foundation import timetable
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.ids import new_id
from xinyidai.foundation.paging import NEWEST
from xinyidai.foundation.sealing import Found, SealState, verify
from xinyidai.foundation.settings import DatabaseRole

BANK = a_viewer(OrganisationKind.LENDER, "bank")
OTHER_BANK = a_viewer(OrganisationKind.LENDER, "other bank")
FIRM = a_viewer(OrganisationKind.FIRM, "firm")
OTHER_FIRM = a_viewer(OrganisationKind.FIRM, "other firm")
CONSENT = new_id()


async def read_profile(database: Database, viewer: Viewer, *subjects: Viewer, purpose: str | None = "pre_loan") -> UUID:
    """Write down that the viewer read the subjects' profiles, and commit."""
    async with in_transaction(database.app) as session:
        await act_as(session, viewer, now=NOON)
        return await service.write_down(
            session,
            viewer,
            action="profiles.profile_read",
            subject_ids=[subject.organisation_id for subject in subjects],
            object_kind="profile",
            object_id="42",
            now=NOON,
            purpose=purpose,
            consent_ids=[CONSENT],
        )


async def seen(database: Database, viewer: Viewer, cursor: str | None = None, limit: int = 50) -> list[UUID]:
    """Return the ids of the looks that a viewer finds at its own data."""
    async with in_transaction(database.app) as session:
        await act_as(session, viewer, now=NOON)
        page = await queries.looks_at_subject(session, viewer, viewer.organisation_id, cursor=cursor, limit=limit)
        return [look.id for look in page.rows]


async def rows(database: Database, viewer: Viewer) -> int:
    """Count the records that bare SQL finds in a viewer's scope."""
    async with in_transaction(database.app) as session:
        await act_as(session, viewer, now=NOON)
        found = await session.execute(text("SELECT count(*) FROM audit.record"))
        return int(found.scalar_one())


async def state(database: Database) -> SealState:
    """Seal what has committed, then verify."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=NOON)
        return await verify(session, RECORDS)


async def seal(database: Database) -> None:
    """Run the sealing job."""
    async with in_transaction(database.worker) as session:
        await seal_streams(session, NOON)


async def test_subject_sees_who_looked_at_its_data_newest_first(database: Database) -> None:
    first = await read_profile(database, BANK, FIRM)
    second = await read_profile(database, OTHER_BANK, FIRM, OTHER_FIRM)
    await read_profile(database, BANK, OTHER_FIRM)

    assert await seen(database, FIRM) == [second, first]


async def test_looks_are_paged(database: Database) -> None:
    written = [await read_profile(database, BANK, FIRM) for _ in range(5)]
    async with in_transaction(database.app) as session:
        await act_as(session, FIRM, now=NOON)
        firm_id = FIRM.organisation_id
        first = await queries.looks_at_subject(session, FIRM, firm_id, limit=3)
        second = await queries.looks_at_subject(session, FIRM, firm_id, limit=3, cursor=first.next_cursor)

    assert [look.id for look in (*first.rows, *second.rows)] == written[::-1]
    assert second.next_cursor is None


async def test_look_names_the_organisation_but_neither_its_staff_nor_other_firms(database: Database) -> None:
    await read_profile(database, BANK, FIRM, OTHER_FIRM)
    await read_profile(database, BANK, FIRM)
    async with a_door(database, router, FIRM, now=NOON) as door:
        answer = await door.get("/audit/looks")

    alone, in_a_batch = answer.json()["looks"]
    assert answer.status_code == 200
    assert alone["organisation_id"] == str(BANK.organisation_id)
    assert alone["consent_ids"] == [str(CONSENT)]
    assert in_a_batch["consent_ids"] == []
    assert str(BANK.principal_id) not in answer.text
    assert str(OTHER_FIRM.organisation_id) not in answer.text


async def test_looks_at_anothers_data_are_not_shown(database: Database) -> None:
    await read_profile(database, BANK, FIRM)

    async with in_transaction(database.app) as session:
        await act_as(session, OTHER_FIRM, now=NOON)
        with pytest.raises(NotFound):
            await queries.looks_at_subject(session, OTHER_FIRM, FIRM.organisation_id)
        bare = await session.execute(
            text("SELECT count(*) FROM audit.looks_at(:firm, :last, 10)"),
            {"firm": FIRM.organisation_id, "last": NEWEST},
        )
        assert bare.scalar_one() == 0


REFUSED: list[tuple[Viewer | None, str, int, str]] = [
    (None, "/audit/looks", 401, "sign_in_needed"),
    (BANK, "/audit/looks", 403, "not_allowed"),
    (FIRM, "/audit/looks?cursor=x", 422, "cursor_refused"),
]


async def test_looks_are_for_firms(database: Database) -> None:
    answers = []
    for viewer, path, _status, _code in REFUSED:
        async with a_door(database, router, viewer, now=NOON) as door:
            answers.append(await door.get(path))

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (status, code) for _viewer, _path, status, code in REFUSED
    ]


async def test_organisation_sees_its_own_acts_only(database: Database) -> None:
    await read_profile(database, BANK, FIRM)
    await read_profile(database, BANK, OTHER_FIRM)
    await read_profile(database, OTHER_BANK, FIRM)

    assert [await rows(database, viewer) for viewer in (BANK, OTHER_BANK, FIRM)] == [2, 1, 0]


async def test_nobody_writes_in_anothers_name(database: Database) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, BANK, now=NOON)
        with pytest.raises(asyncpg.PostgresError, match="row-level security"):
            await service.write_down(
                session,
                OTHER_BANK,
                action="profiles.profile_read",
                subject_ids=[],
                object_kind="profile",
                object_id="1",
                now=NOON,
            )
        await session.rollback()
    assert await rows(database, OTHER_BANK) == 0


async def test_platform_writes_for_itself_without_a_viewer(database: Database) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=NOON)
        written = await service.write_down(
            session,
            None,
            action="scoring.firm_scored",
            subject_ids=[FIRM.organisation_id],
            object_kind="score",
            object_id="1",
            now=NOON,
        )

    assert await seen(database, FIRM) == [written]


async def test_record_goes_when_the_act_is_rolled_back(database: Database) -> None:
    async with database.app() as session:
        await act_as(session, BANK, now=NOON)
        await service.write_down(
            session,
            BANK,
            action="profiles.profile_read",
            subject_ids=[FIRM.organisation_id],
            object_kind="profile",
            object_id="1",
            now=NOON,
        )
        await session.rollback()

    assert await seen(database, FIRM) == []


async def test_more_than_a_thousand_subjects_are_for_several_rows(database: Database) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, BANK, now=NOON)
        with pytest.raises(ValueError, match="1000"):
            await service.write_down(
                session,
                BANK,
                action="profiles.profile_read",
                subject_ids=[new_id() for _ in range(1_001)],
                object_kind="profile",
                object_id="1",
                now=NOON,
            )


@pytest.mark.parametrize("role", [DatabaseRole.APP, DatabaseRole.WORKER, DatabaseRole.AUDITOR])
async def test_no_role_changes_the_trail_or_backdates_a_row(database: Database, role: DatabaseRole) -> None:
    url = database.settings.dsn(role).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))

    for statement in (
        "UPDATE audit.record SET purpose = NULL",
        "DELETE FROM audit.record",
        "TRUNCATE audit.record",
        "INSERT INTO audit.record (id, xid) VALUES (gen_random_uuid(), '3')",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)

    await connection.close()


@pytest.mark.parametrize("replication_role", ["origin", "replica"])
async def test_even_a_superuser_meets_the_triggers(
    database: Database, admin: asyncpg.Connection, replication_role: str
) -> None:
    await read_profile(database, BANK, FIRM)
    await admin.execute(f"SET session_replication_role = {replication_role}")

    for statement in ("UPDATE audit.record SET purpose = NULL", "DELETE FROM audit.record", "TRUNCATE audit.record"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await admin.execute(statement)


EDITS = [
    "action = 'other'",
    "principal_id = NULL",
    "principal_kind = 'client'",
    "organisation_id = NULL",
    "organisation_kind = NULL",
    "subject_ids = '{}'",
    "object_kind = 'other'",
    "object_id = '43'",
    "purpose = NULL",
    "consent_ids = '{}'",
    "happened_at = happened_at + interval '1 microsecond'",
    "recorded_at = recorded_at + interval '1 microsecond'",
    "xid = '3'",
]


async def test_every_edited_record_is_named_and_no_other(database: Database, admin: asyncpg.Connection) -> None:
    written = [await read_profile(database, BANK, FIRM) for _ in range(20)]
    await seal(database)
    await admin.execute("ALTER TABLE audit.record DISABLE TRIGGER ALL")
    for record_id, edit in zip(written, EDITS, strict=False):
        await admin.execute(f"UPDATE audit.record SET {edit} WHERE id = $1", record_id)

    verified = await state(database)

    assert verified.sealed == 20
    assert set(verified.found) == {
        Found("audit.record", f"record:{record_id}", "changed")
        for record_id, _edit in zip(written, EDITS, strict=False)
    }


async def test_deleted_and_slipped_in_records_are_named(database: Database, admin: asyncpg.Connection) -> None:
    written = [await read_profile(database, BANK, FIRM) for _ in range(3)]
    await seal(database)
    slipped_in = new_id()
    await admin.execute("ALTER TABLE audit.record DISABLE TRIGGER ALL")
    await admin.execute("CREATE TEMP TABLE copied AS SELECT * FROM audit.record WHERE id = $1", written[0])
    await admin.execute("UPDATE copied SET id = $1", slipped_in)
    await admin.execute("INSERT INTO audit.record SELECT * FROM copied")
    await admin.execute("DELETE FROM audit.record WHERE id = $1", written[1])

    verified = await state(database)

    assert set(verified.found) == {
        Found("audit.record", f"record:{slipped_in}", "inserted"),
        Found("audit.record", f"record:{written[1]}", "missing"),
    }


async def test_sealing_runs_every_minute_from_the_timetable(database: Database) -> None:
    await read_profile(database, BANK, FIRM)

    await timetable.tick(database.worker, now=NOON, act_as=act_as_platform)

    verified = await state(database)
    assert (verified.sealed, verified.unsealed, verified.found) == (1, 0, ())
