r"""Taking the records of many firms in: rows a second beside bare COPY, repeated and corrected, memory, a firm's read.

Three monthly tables (tax filings, social insurance, electricity) of 36 months, every row rule and lineage on. The peer
is ``psql \copy`` in binary of the very rows that were loaded, into a table of the same columns, checks and indexes,
without row-level security, in the same run. 100,000 synthetic firms; 300,000 with --full.
"""

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from benchmarks.measuring import Row, arguments, compare, finish
from benchmarks.sources import NOON, OPERATOR, as_admin, credit_code, psql, sessions_of, settings_of
from xinyidai.access.rules import OrganisationKind
from xinyidai.access.service import act_as_platform
from xinyidai.catalogue.rules import AccessClass, Category, Item, Topology
from xinyidai.consents import service as consents
from xinyidai.consents.rules import Grant, Purpose, effective_permission
from xinyidai.consents.rules.policies import PurposePolicy
from xinyidai.foundation.database import in_transaction, make_engine, make_sessions
from xinyidai.foundation.embedded import PostgresServer, start_postgres
from xinyidai.foundation.ids import derived_id
from xinyidai.foundation.migrating import bootstrap, migrate
from xinyidai.foundation.settings import DatabaseRole, Settings
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.sources import service
from xinyidai.sources.queries.records import records_of
from xinyidai.sources.rules import DeliveryKind
from xinyidai.sources.rules.records.kinds import KINDS

FIRMS: Final = 100_000
MANY_FIRMS: Final = 300_000
FEW_FIRMS: Final = 10_000
MONTHS: Final = 36
ON_CONSENT: Final = (
    *("tax_filing", "social_insurance", "housing_fund", "water", "electricity", "gas", "import_export", "logistics"),
    *("annual_report", "self_declared", "science_technology"),
)
ITEMS: Final = ("tax_filing", "social_insurance", "electricity")
CHANGED_SHARE: Final = 0.01
MEMORY_LIMIT_MB: Final = 2_048
READ_LIMIT_MS: Final = 20
PERMISSION_LIMIT_US: Final = 50
READS: Final = 60
CHECKS: Final = 2_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark, or, with ``--one-load``, one load in a process of its own, for its memory."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["--one-load"]:
        return one_load(words[1], words[2], Path(words[3]), int(words[4]))
    args = arguments("records", words)
    os.environ.setdefault("SECRET_KEY", "a key for benchmarks only, never for a deployment")
    firms = MANY_FIRMS if args.full else FIRMS
    with tempfile.TemporaryDirectory() as folder, start_postgres(Path(folder) / "pg") as server:
        few = loads(server, Path(folder), FEW_FIRMS, "few")
        many = loads(server, Path(folder), firms, "many")
        rows = firms * MONTHS
        return finish(
            [
                *(beside_copy(what, goal, many, rows) for what, goal in GOALS.items()),
                compare(
                    f"cost of a row at {firms:,} firms",
                    "us",
                    ours=many.seconds["first load"] / rows * 1e6,
                    peer=f"the same at {FEW_FIRMS:,} firms",
                    peer_value=few.seconds["first load"] / (FEW_FIRMS * MONTHS) * 1e6,
                    goal=1 / 1.15,
                    more_is_better=False,
                ),
                compare(
                    "memory of a load",
                    "MB",
                    ours=many.memory_mb,
                    peer="what was promised",
                    peer_value=MEMORY_LIMIT_MB,
                    goal=1.0,
                    more_is_better=False,
                ),
                *asyncio.run(reading(server, "records_many")),
                permission_check(),
            ],
            args,
        )


@dataclass(frozen=True)
class Measured:
    """Median seconds by what was done, and the most memory of a first load."""

    seconds: dict[str, float]
    memory_mb: float


GOALS: Final = {"first load": 0.6, "the same again": 0.25, "all again, 1 % changed": 0.25}


def beside_copy(what: str, goal: float, measured: Measured, rows: int) -> Row:
    """Return the row of one way of loading beside bare COPY."""
    copied = rows / measured.seconds["copy"]
    return compare(
        f"{what}, {rows:,} rows",
        "rows/s",
        ours=rows / measured.seconds[what],
        peer="psql \\copy binary, same table",
        peer_value=copied,
        limit=copied,
        goal=goal,
    )


def loads(server: PostgresServer, folder: Path, firms: int, name: str) -> Measured:
    """Load each item four ways, one after the other so that each stands beside its peer; return medians of the items.

    Each load is a process of its own: what it takes and its memory are its own.
    """
    database = f"records_{name}"
    asyncio.run(make_database(server, database, firms))
    seconds: dict[str, list[float]] = {key: [] for key in (*GOALS, "copy")}
    memory_mb = 0.0
    for item in ITEMS:
        path = folder / f"{item}.parquet"
        table = deliverable(item, firms)
        pa_parquet.write_table(table, path)
        took, used_mb = load(server, database, item, path)
        seconds["first load"].append(took)
        memory_mb = max(memory_mb, used_mb)
        seconds["copy"].append(copy_seconds(server, database, item, folder))
        # Another packing has another digest, so the same rows come as a new delivery.
        pa_parquet.write_table(table, path, compression="none")
        seconds["the same again"].append(load(server, database, item, path, hours=1)[0])
        pa_parquet.write_table(changed(item, table), path)
        seconds["all again, 1 % changed"].append(load(server, database, item, path, hours=2)[0])
        path.unlink()
    return Measured({key: statistics.median(values) for key, values in seconds.items()}, memory_mb)


def deliverable(item: str, firms: int, seed: int = 1) -> pa.Table:
    """Return 36 months of every firm, firm by firm, as their owner would deliver them; synthetic."""
    random = np.random.default_rng(seed)
    count = firms * MONTHS
    codes = pa.array([credit_code(number) for number in range(1, firms + 1)])
    months = pa.array([f"{2022 + month // 12}-{month % 12 + 1:02d}" for month in range(MONTHS)])
    month_no = np.tile(np.arange(MONTHS), firms)
    columns: dict[str, pa.Array] = {
        "credit_code": codes.take(pa.array(np.repeat(np.arange(firms), MONTHS))),
        "month": months.take(pa.array(month_no)),
    }
    filed = np.datetime64("2022-02-01") + month_no * 30 + random.integers(0, 15, count)
    makers: dict[str, Callable[[], pa.Array]] = {
        "tax_kind": lambda: pa.array(["vat"]).take(pa.array(np.zeros(count, dtype=np.int8))),
        "filed_on": lambda: pa.array(filed.astype("datetime64[D]")),
        "is_cut_off": lambda: pa.array(["false"]).take(pa.array(np.zeros(count, dtype=np.int8))),
    }
    for column in KINDS[item].columns:
        name = column.delivered_as
        if name in makers:
            columns[name] = makers[name]()
        elif name.endswith("_yuan"):
            columns[name] = pa.array(np.round(random.lognormal(9, 1, count), 2))
        elif name not in columns:
            columns[name] = pa.array(random.integers(1, 500, count))
    return pa.table({name: columns[name] for name in KINDS[item].delivered})


def changed(item: str, table: pa.Table) -> pa.Table:
    """Return the table with one row in a hundred saying something else."""
    name = KINDS[item].columns[-2].delivered_as if item == "electricity" else KINDS[item].columns[3].delivered_as
    values = table[name].to_numpy().copy()
    values[:: int(1 / CHANGED_SHARE)] += 1
    return table.set_column(table.schema.get_field_index(name), name, pa.array(values))


async def make_database(server: PostgresServer, database: str, firms: int) -> None:
    """Make a migrated database in which every firm is registered and consents to every item."""
    await as_admin(server, f"CREATE DATABASE {database}")
    settings = settings_of(server, database)
    await bootstrap(settings)
    await migrate(settings.dsn(DatabaseRole.MIGRATE))
    ids = [derived_id(f"bench firm {number}") for number in range(1, firms + 1)]
    admin = await asyncpg.connect(server.dsn(database))
    await admin.copy_records_to_table(
        "party",
        schema_name="parties",
        columns=["id", "kind", "name", "credit_code", "is_simulated", "registered_at"],
        records=[
            (one, "firm", f"企业 {number}", credit_code(number), True, NOON) for number, one in enumerate(ids, start=1)
        ],
    )
    await grant_all(admin, ids)
    await admin.execute("ANALYZE parties.party; ANALYZE consents.consent")
    await admin.close()


async def grant_all(admin: asyncpg.Connection, ids: list[UUID]) -> None:
    """Write each firm's consent as `consents.service.grant` would, as the superuser: a hundred thousand at once."""
    granted = {
        "subject_kind": "firm",
        "purpose": "pre_loan",
        "item_codes": list(ON_CONSENT),
        "receiver_ids": [PLATFORM_ID],
        "granted_by": OPERATOR.principal_id,
        "granted_at": NOON - timedelta(days=1),
        "expires_at": NOON + timedelta(days=365),
        "text_version": "2025-01",
        "text_digest": b"",
        "state": "active",
    }
    await admin.copy_records_to_table(
        "consent",
        schema_name="consents",
        columns=["id", "subject_id", *granted],
        records=[(derived_id(f"bench consent {one}"), one, *granted.values()) for one in ids],
    )


def load(server: PostgresServer, database: str, item: str, path: Path, *, hours: int = 0) -> tuple[float, float]:
    """Take the file in as any sender would, in a process of its own; return seconds and its peak memory in MB."""
    words = ["--one-load", server.dsn(database), item, str(path), str(hours)]
    command = [sys.executable, "-m", "benchmarks.records", *words]
    took, used_mb = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return float(took), float(used_mb)


def one_load(dsn: str, item: str, path: Path, hours: int) -> int:
    """Load once and print how long it took and this process's peak memory in MB."""

    async def run() -> float:
        sessions = make_sessions(make_engine(Settings(database_url=dsn).dsn(DatabaseRole.WORKER), pool_size=1))
        began = time.perf_counter()
        report = await service.receive_file(
            sessions, OPERATOR, path, kind=DeliveryKind(item), now=NOON + timedelta(hours=hours)
        )
        took = time.perf_counter() - began
        assert set(report.rejected) <= {"duplicate_row"}, report.rejected
        print(f"{item}: {report.loaded:,} of {report.received:,} rows in {took:.1f} s", file=sys.stderr)
        return took

    print(asyncio.run(run()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return 0


def copy_seconds(server: PostgresServer, database: str, item: str, folder: Path) -> float:
    """Copy the loaded rows into a table of the same definition and return how long it took."""
    table, copied = f"sources.{KINDS[item].table}", folder / "copied.bin"
    psql(server, database, f"\\copy (SELECT * FROM {table}) TO '{copied}' (FORMAT binary)")
    psql(server, database, f"CREATE TABLE sources.peer (LIKE {table} INCLUDING ALL)")
    began = time.perf_counter()
    psql(server, database, f"\\copy sources.peer FROM '{copied}' (FORMAT binary)")
    took = time.perf_counter() - began
    psql(server, database, "DROP TABLE sources.peer")
    copied.unlink()
    return took


async def reading(server: PostgresServer, database: str) -> list[Row]:
    """Time the read of all that is known of one firm, as of a moment at which a part had not been corrected yet."""
    sessions = sessions_of(settings_of(server, database))
    admin = await asyncpg.connect(server.dsn(database))
    await admin.execute("ANALYZE")
    one, peer = [], []
    async with in_transaction(sessions) as session:
        await act_as_platform(session, now=NOON)
        for number in range(1, READS + 1):
            firm = derived_id(f"bench firm {number}")
            permission = await consents.require(
                session,
                receiver_id=PLATFORM_ID,
                subject_ids=[firm],
                purpose=Purpose.PRE_LOAN,
                item_codes=sorted(KINDS),
                now=NOON,
            )
            began = time.perf_counter()
            found = await records_of(session, permission, known_at=NOON + timedelta(minutes=90))
            one.append(time.perf_counter() - began)
            assert {item: len(frame) for item, frame in found.items()} == dict.fromkeys(ITEMS, MONTHS)
            began = time.perf_counter()
            for item in ITEMS:
                await admin.fetch(f"SELECT * FROM sources.{KINDS[item].table} WHERE firm_id = $1", firm)
            peer.append(time.perf_counter() - began)
    await admin.close()
    await sessions.kw["bind"].dispose()
    ours_ms, peer_ms = statistics.median(one) * 1e3, statistics.median(peer) * 1e3
    return [
        compare(
            "all records of one firm at a moment, p50",
            "ms",
            ours=ours_ms,
            peer="what was promised",
            peer_value=READ_LIMIT_MS,
            limit=peer_ms,
            goal=1.0,
            more_is_better=False,
        )
    ]


def permission_check() -> Row:
    """Time the rule that says what may be read, with the grants of one firm at hand."""
    codes = sorted(KINDS)
    firm = derived_id("bench firm 1")
    grants = [
        Grant(
            derived_id(f"bench grant {number}"),
            firm,
            Purpose.PRE_LOAN,
            frozenset(codes),
            frozenset({PLATFORM_ID}),
            NOON - timedelta(days=1),
            NOON + timedelta(days=1),
            is_revoked=False,
        )
        for number in range(3)
    ]
    listed = {code: listed_item(code) for code in codes}
    policy = PurposePolicy(
        purpose=Purpose.PRE_LOAN,
        version=1,
        valid_from=date(2016, 1, 1),
        valid_to=None,
        most_months=24,
        most_receivers=50,
        most_data_life_days=366,
        categories=frozenset({Category.UTILITIES}),
        item_codes=frozenset(),
        receiver_kinds=frozenset({OrganisationKind.OPERATOR}),
        legal_basis="-",
        is_verified=False,
    )
    began = time.perf_counter()
    for _check in range(CHECKS):
        effective_permission(
            subject_ids=[firm],
            receiver_id=PLATFORM_ID,
            receiver_kind=OrganisationKind.OPERATOR,
            purpose=Purpose.PRE_LOAN,
            item_codes=codes[:3],
            grants=grants,
            policy=policy,
            listed=listed,
            at=NOON,
        )
    return compare(
        "permission check",
        "us",
        ours=(time.perf_counter() - began) / CHECKS * 1e6,
        peer="what was promised",
        peer_value=PERMISSION_LIMIT_US,
        goal=1.0,
        more_is_better=False,
    )


def listed_item(code: str) -> Item:
    """Return an item on consent as the catalogue lists it."""
    return Item(
        code=code,
        version=1,
        name_zh=code,
        name_en=code,
        owner_zh="",
        owner_en="",
        access_class=AccessClass.ON_CONSENT,
        legal_basis="",
        is_basis_verified=False,
        topology=Topology.HELD_COPY,
        retention_days=1,
        valid_from=date(2016, 1, 1),
        valid_to=None,
        category=Category.UTILITIES,
    )


if __name__ == "__main__":
    sys.exit(main())
