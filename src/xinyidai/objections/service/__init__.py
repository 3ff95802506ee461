"""Verbs of objections. Lock order: the firm's cases, the case, its documents, then the door of deliveries."""

from xinyidai.objections.service.answering import (
    accept_objection,
    ask_source,
    refuse_objection,
    uphold_objection,
)
from xinyidai.objections.service.filing import (
    close_objection,
    file_objection,
    list_invoices,
    show_invoice,
    withdraw_objection,
)
from xinyidai.objections.service.holding import disputed_facts
from xinyidai.objections.service.overdue import (
    note_overdue_objections,
    note_overdue_repairs,
    overdue_objections,
    overdue_repairs,
)
from xinyidai.objections.service.reading import read_objection, read_repair
from xinyidai.objections.service.repairing import approve_repair, file_repair, refuse_repair, withdraw_repair

__all__ = [
    "accept_objection",
    "approve_repair",
    "ask_source",
    "close_objection",
    "disputed_facts",
    "file_objection",
    "file_repair",
    "list_invoices",
    "note_overdue_objections",
    "note_overdue_repairs",
    "overdue_objections",
    "overdue_repairs",
    "read_objection",
    "read_repair",
    "refuse_objection",
    "refuse_repair",
    "show_invoice",
    "uphold_objection",
    "withdraw_objection",
    "withdraw_repair",
]
