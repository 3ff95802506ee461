"""Access (权限): who is asking, in which organisation and roles, and what scope the database is told.

No tables and no look-ups: parties and partners build a `Viewer`, every other room reads it. Row scope is in the query
and once more in PostgreSQL's row-level security, which reads what `act_as` and `act_as_platform` set.
"""
