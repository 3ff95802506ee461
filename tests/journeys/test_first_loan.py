"""The first loan, from consent to recovery, on a small synthetic city; and what an altered row does not survive."""

from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
from builders_script import make_script
from conftest import Database

from xinyidai.cli.checking import verify_everything
from xinyidai.cli.story.running import Told, as_json, as_table, tell_story
from xinyidai.cli.surroundings import Connected
from xinyidai.decisions.replay import replay_all
from xinyidai.worker import load_rooms

PROMISED = {
    "firms",
    "invoices",
    "rejected",
    "cv",
    "metrics",
    "loans",
    "allocated_fen",
    "expected_profit_fen",
    "upper_bound_fen",
    "lgd",
    "disbursed_fen",
    "claims_paid_fen",
    "recovered_fen",
    "fund_balance_fen",
    "ledger_imbalance_fen",
    "regulator_disbursed_fen",
    "replay",
    "seconds",
    "peak_rss_mb",
}
ALTER_ENTRY = "UPDATE ledger.entry SET amount_fen = amount_fen + 1 WHERE journal_id = 3 AND leg = 1"
ALTER_AUDIT = "UPDATE audit.record SET action = 'nothing.happened' WHERE id = $1"
ALTER_FACT = (
    "UPDATE sources.invoice_fact SET net_fen = net_fen + 1 WHERE (firm_id, delivery_no, line_no) = ($1, $2, $3)"
)


async def play(database: Database, folder: Path) -> tuple[Told, Connected, AsyncExitStack]:
    load_rooms()
    stack = AsyncExitStack()
    connected = Connected(database.settings, database.settings.clock(), stack)
    script = make_script(folder, seed=11, firms=70, with_outcome=50)
    return await tell_story(connected, script), connected, stack


async def test_the_story_ends_with_equal_books_and_names_every_altered_row(
    database: Database, admin: asyncpg.Connection, tmp_path: Path
) -> None:
    told, connected, stack = await play(database, tmp_path)
    figures = as_json(told)

    assert set(figures) >= PROMISED
    assert figures["invoices"] == figures["received"]
    assert len(told.lent.loans) > 0
    assert figures["disbursed_fen"] == figures["allocated_fen"] == figures["regulator_disbursed_fen"]
    assert figures["defaults"] == 1
    assert figures["ledger_imbalance_fen"] == 0
    assert figures["reconciliation_differences"] == []
    assert 0 < told.failed.returned_fen < told.failed.paid_fen < told.failed.claimed_fen
    assert [loan["firm"] for loan in figures["loans"]] == [firm.label for firm in told.script.applicants]
    assert {(one["firm"], one["fold"] in range(5)) for one in figures["cv"]} == {
        (firm, True) for firm in told.script.outcomes
    }
    assert told.planned.plan.expected_profit_fen * 100 >= told.planned.plan.upper_bound_fen * 99
    assert (told.ending.replay.different, figures["altered"]) == (0, 0)
    assert "¥" in as_table(told)

    borrower = told.people.viewers[told.failed.label].organisation_id
    fact = await admin.fetchrow(
        "SELECT * FROM sources.invoice_fact WHERE firm_id = $1 AND NOT is_void ORDER BY line_no LIMIT 1", borrower
    )
    record_id = await admin.fetchval("SELECT id FROM audit.record ORDER BY id LIMIT 1")
    assert fact is not None
    for table in ("ledger.entry", "audit.record", "sources.invoice_fact"):
        await admin.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    await admin.execute(ALTER_ENTRY)
    await admin.execute(ALTER_AUDIT, record_id)
    await admin.execute(ALTER_FACT, borrower, fact["delivery_no"], fact["line_no"])
    verified = await verify_everything(connected.auditor)
    replayed = await replay_all(connected.worker, now=told.script.starts_at)
    await stack.aclose()

    assert [(one.stream, one.ref) for one in verified.found] == [
        ("audit.record", f"record:{record_id}"),
        ("ledger.entry", "journal:3/leg:1"),
        ("sources.invoice_fact", f"invoice_fact:{borrower}/{fact['delivery_no']}.{fact['line_no']}"),
    ]
    assert any("journal:3" in fault for fault in verified.book_faults)
    assert {(one.subject_id, one.kind) for one in replayed.differences} == {(borrower, "score")}
    assert replayed.different == 1
