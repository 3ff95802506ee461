"""Every room's tables, for Alembic only."""

from importlib import import_module
from importlib.util import find_spec

ROOMS = (
    "audit",
    "ledger",
    "decisions",
    "parties",
    "partners",
    "catalogue",
    "documents",
    "consents",
    "agreements",
    "sources",
    "objections",
    "quality",
    "profiles",
    "scoring",
    "products",
    "rights",
    "demands",
    "matching",
    "loans",
    "risk_sharing",
)
SCHEMAS = {"foundation", "access", "reporting", *ROOMS}

for _module in (
    "foundation.idempotency",
    "foundation.outbox",
    "foundation.reference",
    "foundation.sealing",
    "foundation.timetable",
):
    import_module(f"xinyidai.{_module}")
for _room in ROOMS:
    if find_spec(f"xinyidai.{_room}") and find_spec(f"xinyidai.{_room}.models"):
        import_module(f"xinyidai.{_room}.models")
