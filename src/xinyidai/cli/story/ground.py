"""What the story needs under its feet: a platform at the newest revision with nobody on it yet."""

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from xinyidai.access.service import act_as_platform
from xinyidai.cli.surroundings import Connected
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.migrating import newest_revision
from xinyidai.parties.rules import PLATFORM_ID


class PlatformNotEmpty(Refusal):
    """Somebody or something is on the platform already; the story would mix with it."""

    code = "platform_not_empty"
    title_zh = "该数据库不是空的（{found}）；demo 与 case 只在空库上运行，请在 DATABASE_URL 中给出一个新库"
    title_en = "This database is not empty ({found}); demo and case need an empty one: name a new one in DATABASE_URL"


class PlatformNotMigrated(Refusal):
    """There is no platform in the database, or one of another release."""

    code = "platform_not_migrated"
    title_zh = "该数据库尚未迁移到版本 {newest}；请先运行 `xinyidai migrate --bootstrap`"
    title_en = "This database is not at revision {newest}; run `xinyidai migrate --bootstrap` first"


async def require_empty(connected: Connected) -> None:
    """Refuse a platform that is not empty or not there, before anything is written to it.

    Raises
    ------
    PlatformNotEmpty, PlatformNotMigrated
    """
    traces = text(
        "SELECT (SELECT count(*) FROM parties.party WHERE id <> :platform) AS parties,"
        " (SELECT count(*) FROM parties.platform_user) AS people,"
        " (SELECT count(*) FROM ledger.journal) AS journals,"
        " (SELECT count(*) FROM audit.record) AS audit_records,"
        " (SELECT count(*) FROM foundation.outbox_event) AS events"
    )
    try:
        async with in_transaction(connected.worker) as session:
            current = (await session.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
    except (SQLAlchemyError, OSError) as error:
        raise PlatformNotMigrated(newest=newest_revision() or "") from error
    if current != newest_revision():
        raise PlatformNotMigrated(newest=newest_revision() or "")
    async with in_transaction(connected.worker) as session:
        await act_as_platform(session, now=connected.clock.now())
        counts = (await session.execute(traces, {"platform": PLATFORM_ID})).mappings().one()
    found = ", ".join(f"{name}: {count}" for name, count in counts.items() if count)
    if found:
        raise PlatformNotEmpty(found=found)
