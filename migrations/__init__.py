"""Database migrations: Alembic revisions in versions/, functions and views in sql/, immutable once released."""
