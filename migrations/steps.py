"""What a revision does besides tables: schemas, functions, rights, row-level security, append-only triggers.

Every table gets its rights here and nowhere else, so that one look at a revision says who may do what.
"""

from pathlib import Path

from alembic import op

SQL = Path(__file__).parent / "sql"

OWNER = "xinyidai_owner"
APP = "xinyidai_app"
WORKER = "xinyidai_worker"
AUDITOR = "xinyidai_auditor"


def create_schema(schema: str) -> None:
    """Create a room's schema, which all roles may look into."""
    op.execute(f"CREATE SCHEMA {schema}")
    op.execute(f"GRANT USAGE ON SCHEMA {schema} TO {APP}, {WORKER}, {AUDITOR}")


def drop_schema(schema: str) -> None:
    """Drop a room's schema with all that is in it."""
    op.execute(f"DROP SCHEMA {schema} CASCADE")


def apply_sql(name: str, *, replaces: bool = False) -> None:
    """Run a file of migrations/sql, for example ``"ledger/post_v1.sql"``; it may hold several statements.

    `replaces` is for a downgrade to an earlier version of a function that policies or triggers stand on.
    """
    script = (SQL / name).read_text(encoding="utf-8")
    if replaces:
        script = script.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    op.get_bind().connection.run_async(lambda driver: driver.execute(script))


def grant(table: str, rights: str, *roles: str) -> None:
    """Grant rights on a table, for example ``grant("ledger.account", "SELECT", steps.APP)``."""
    op.execute(f"GRANT {rights} ON {table} TO {', '.join(roles)}")


def readable(table: str) -> None:
    """Let app, worker and auditor read a table."""
    grant(table, "SELECT", APP, WORKER, AUDITOR)


def writable(table: str, rights: str = "INSERT, UPDATE") -> None:
    """Let app and worker read and write a table, the auditor read it. Nobody is given DELETE unless said so."""
    readable(table)
    grant(table, rights, APP, WORKER)


def protect(table: str, using: str, *, check: str | None = None) -> None:
    """Switch on row-level security, FORCE: a row is for the viewers that `using` names and for platform scope.

    The owner, which cannot sign in, passes: migrations and SECURITY DEFINER functions run as it. The auditor reads all.
    """
    platform = "(SELECT access.is_platform())"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY viewer ON {table} TO {APP}, {WORKER} USING ({platform} OR ({using}))"
        f" WITH CHECK ({platform} OR ({check or using}))"
    )
    op.execute(f"CREATE POLICY owner ON {table} TO {OWNER} USING (true) WITH CHECK (true)")
    op.execute(f"CREATE POLICY auditor ON {table} FOR SELECT TO {AUDITOR} USING (true)")


def unprotect(table: str) -> None:
    """Undo `protect`, for a downgrade."""
    for policy in ("viewer", "owner", "auditor"):
        op.execute(f"DROP POLICY {policy} ON {table}")
    op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")


VIEWER = "(SELECT access.organisation_id())"
"""The viewer's organisation inside a policy; the sub-select makes PostgreSQL ask once per query, not per row."""


def renews_reference(table: str) -> None:
    """Let every change of a table make processes read anew what they keep of it (foundation/reference.py)."""
    name = f"{table.split('.')[-1]}_renews_reference"
    op.execute(
        f"CREATE TRIGGER {name} AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION foundation.renew_reference()"
    )
    op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")


def append_only(table: str) -> None:
    """Stop every UPDATE, DELETE and TRUNCATE, the owner's included, also under session_replication_role = replica."""
    name = table.split(".")[-1]
    op.execute(
        f"CREATE TRIGGER {name}_append_only BEFORE UPDATE OR DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION foundation.refuse_change()"
    )
    op.execute(
        f"CREATE TRIGGER {name}_no_truncate BEFORE TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION foundation.refuse_change()"
    )
    op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}_append_only")
    op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}_no_truncate")
