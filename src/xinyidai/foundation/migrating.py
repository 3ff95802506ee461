"""Making and changing the database: roles once per cluster, then Alembic's revisions as the owner."""

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from xinyidai.foundation.places import migrations_folder
from xinyidai.foundation.settings import DatabaseRole, Settings

_SIGN_IN_ROLES = (DatabaseRole.MIGRATE, DatabaseRole.APP, DatabaseRole.WORKER, DatabaseRole.AUDITOR)


def newest_revision() -> str | None:
    """Return the newest revision that this code knows."""
    return ScriptDirectory(str(migrations_folder())).get_current_head()


async def bootstrap(settings: Settings) -> None:
    """Make the cluster's roles and give the database to the owner; safe to repeat and to run twice at once.

    Needs DATABASE_URL with an administrator's rights. Passwords are those of the roles' own URLs, or the local ones.
    """
    if settings.database_url is None:
        raise ValueError("bootstrap needs DATABASE_URL with an administrator's credentials")
    admin = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        async with admin.transaction():
            await admin.execute("SELECT pg_advisory_xact_lock(7310248851)")
            await _make_role(admin, DatabaseRole.OWNER, None)
            for role in _SIGN_IN_ROLES:
                await _make_role(admin, role, settings.dsn(role).password or "")
            await admin.execute(f"GRANT {DatabaseRole.OWNER} TO {DatabaseRole.MIGRATE}, CURRENT_USER")
            database = await admin.fetchval("SELECT quote_ident(current_database())")
            await admin.execute(f"ALTER DATABASE {database} OWNER TO {DatabaseRole.OWNER}")
            await admin.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
            names = ", ".join(_SIGN_IN_ROLES)
            await admin.execute(f"GRANT CONNECT ON DATABASE {database} TO {names}")
    finally:
        await admin.close()


async def _make_role(admin: asyncpg.Connection, role: DatabaseRole, password: str | None) -> None:
    exists = await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role.value)
    verb = "ALTER" if exists else "CREATE"
    shape = (
        "NOLOGIN"
        if password is None
        else "LOGIN PASSWORD " + await admin.fetchval("SELECT quote_literal($1)", password)
    )
    await admin.execute(f"{verb} ROLE {role} {shape} NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS")


async def migrate(dsn: URL, *, to: str = "head") -> None:
    """Run the revisions up to `to` (or down to it, when it lies behind) as the owner, in one transaction."""
    engine = create_async_engine(dsn, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(7310248852)"))
            await connection.execute(text(f"SET LOCAL ROLE {DatabaseRole.OWNER}"))
            await connection.run_sync(_run_revisions, to)
    finally:
        await engine.dispose()


def _run_revisions(connection: Connection, to: str) -> None:
    config = alembic_config(connection)
    if to == "head" or to.startswith("+"):
        command.upgrade(config, to)
    else:
        command.downgrade(config, to)


def alembic_config(connection: Connection) -> Config:
    """Return Alembic's configuration on an open connection; there is no alembic.ini."""
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.attributes["connection"] = connection
    return config
