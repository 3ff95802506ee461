r"""Taking invoices in: rows a second with checks and lineage beside bare COPY, memory, one firm's read, sealing.

Peer of the load is ``psql \copy`` in binary of the very rows that were loaded into a table of the same columns, checks
and indexes, without row-level security. Uses the CUMCM 2020-C invoices where they are (XINYIDAI_SHARED_DATA names
the folder), else as many synthetic ones from a seed.
"""

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import numpy as np
import pandas as pd
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.measuring import Row, arguments, compare, finish, measure
from xinyidai.access.rules import OrganisationKind, PrincipalKind, Role, Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.consents import service as consents
from xinyidai.consents.rules import Permission, Purpose
from xinyidai.foundation.database import Sessions, in_transaction, make_engine, make_sessions
from xinyidai.foundation.embedded import PostgresServer, start_postgres
from xinyidai.foundation.ids import derived_id, new_id
from xinyidai.foundation.migrating import bootstrap, migrate
from xinyidai.foundation.server_binaries import find_postgres
from xinyidai.foundation.settings import DatabaseRole, Settings
from xinyidai.parties import service as parties
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.sources import queries, service

NOON = datetime(2025, 6, 16, 4, 0, tzinfo=UTC)
TEMPLATE = "bench_template"
ROWS = 1_099_441
FIRMS = 425
READS = 60
MEMORY_LIMIT_MB = 1_536
OPERATOR = Viewer(
    derived_id("bench operator"),
    PrincipalKind.SYSTEM,
    PLATFORM_ID,
    OrganisationKind.OPERATOR,
    frozenset({Role.OFFICER}),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark, or, with ``--one-load``, one load in a process of its own, for its memory."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["--one-load"]:
        return one_load(words[1], Path(words[2]))
    args = arguments("sources", words)
    os.environ.setdefault("SECRET_KEY", "a key for benchmarks only, never for a deployment")
    with tempfile.TemporaryDirectory() as folder, start_postgres(Path(folder) / "pg") as server:
        path = Path(folder) / "invoices.parquet"
        frame = deliverable()
        frame.to_parquet(path, index=False)
        print(f"{len(frame):,} invoices of {frame['credit_code'].nunique()} firms", file=sys.stderr)
        asyncio.run(make_template(server, sorted(frame["credit_code"].unique())))
        return finish([*loading(server, path, len(frame), args.rounds), *reading(server)], args)


def deliverable() -> pd.DataFrame:
    """Return the invoices as a delivery: the real ones where they are at hand."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    real = Path(os.environ.get("XINYIDAI_SHARED_DATA", beside)) / "cumcm2020c" / "invoices.parquet"
    if not real.exists():
        print("no real invoices here: synthetic ones", file=sys.stderr)
        return synthetic()
    invoices = pd.read_parquet(real)
    codes = {firm: credit_code(number) for number, firm in enumerate(invoices["firm"].cat.categories, 1)}
    return pd.DataFrame(
        {
            "credit_code": invoices["firm"].cat.rename_categories(codes).astype(str),
            "invoice_no": invoices["invoice_no"].astype(str),
            "direction": invoices["direction"].astype(str),
            "issued_on": invoices["issued_on"],
            "counterparty": invoices["counterparty"].astype(str),
            "net_yuan": invoices["amount_yuan"],
            "tax_yuan": invoices["tax_yuan"],
            "gross_yuan": invoices["total_yuan"],
            "status": invoices["status"].astype(str),
        }
    )


def synthetic(seed: int = 1) -> pd.DataFrame:
    """Return as many invoices of the same shape: skewed firm sizes, 1 % exact duplicates, 6 % void."""
    random = np.random.default_rng(seed)
    weights = random.pareto(0.9, FIRMS) + 0.01
    firm = np.sort(random.choice(FIRMS, ROWS, p=weights / weights.sum()))
    net = np.round(random.lognormal(8.3, 2.2, ROWS), 2)
    tax = np.round(net * random.choice([0.03, 0.06, 0.13, 0.17], ROWS), 2)
    day = np.datetime64("2016-10-04") + random.integers(0, 1235, ROWS)
    frame = pd.DataFrame(
        {
            "credit_code": np.array([credit_code(number) for number in range(1, FIRMS + 1)])[firm],
            "invoice_no": random.integers(43, 99_999_999, ROWS).astype(str),
            "direction": np.where(random.random(ROWS) < 0.55, "进项", "销项"),
            "issued_on": day.astype("datetime64[us]"),
            "counterparty": np.char.add("C", random.integers(1, 110_000, ROWS).astype(str)),
            "net_yuan": net,
            "tax_yuan": tax,
            "gross_yuan": np.round(net + tax, 2),
            "status": np.where(random.random(ROWS) < 0.06, "作废发票", "有效发票"),
        }
    )
    copied = random.choice(ROWS - 1, ROWS // 100, replace=False)
    frame.iloc[copied + 1] = frame.iloc[copied].to_numpy()
    return frame.sort_values("credit_code", kind="stable", ignore_index=True)


def credit_code(number: int) -> str:
    """Return the number-th firm's code, with its check digit (GB 32100-2015)."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    start = f"91500103{number:09d}"
    total = sum(alphabet.index(letter) * pow(3, place, 31) for place, letter in enumerate(start))
    return start + alphabet[(31 - total) % 31]


def settings_of(server: PostgresServer, database: str) -> Settings:
    """Return settings that point at one database of the server."""
    return Settings(database_url=server.dsn(database))


def sessions_of(settings: Settings) -> Sessions:
    """Return a worker's sessions."""
    return make_sessions(make_engine(settings.dsn(DatabaseRole.WORKER), pool_size=1))


async def make_template(server: PostgresServer, codes: list[str]) -> None:
    """Make a migrated database in which every firm is registered and consents."""
    await as_admin(server, f"CREATE DATABASE {TEMPLATE}")
    settings = settings_of(server, TEMPLATE)
    await bootstrap(settings)
    await migrate(settings.dsn(DatabaseRole.MIGRATE))
    sessions = sessions_of(settings)
    async with in_transaction(sessions) as session:
        await act_as_platform(session, now=NOON)
        for number, code in enumerate(codes):
            firm = await parties.register_party(
                session,
                kind=OrganisationKind.FIRM,
                name=f"企业 {number}",
                credit_code=code,
                region_code="500103",
                is_simulated=True,
                now=NOON,
            )
            owner = Viewer(new_id(), PrincipalKind.SYSTEM, firm, OrganisationKind.FIRM, frozenset({Role.OWNER}))
            await consents.grant(
                session,
                owner,
                purpose=Purpose.PRE_LOAN,
                item_codes=["vat_invoice"],
                receiver_ids=[PLATFORM_ID],
                expires_at=NOON + timedelta(days=365),
                now=NOON,
            )
    await sessions.kw["bind"].dispose()


async def as_admin(server: PostgresServer, statement: str) -> None:
    """Run one statement as the superuser."""
    admin = await asyncpg.connect(server.dsn("postgres"))
    await admin.execute(statement)
    await admin.close()


def clones(server: PostgresServer, kind: str, count: int) -> Iterator[str]:
    """Make databases ahead, so that only the load itself is timed; yield their names."""
    names = [f"bench_{kind}_{number}" for number in range(count)]
    for name in names:
        asyncio.run(as_admin(server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER xinyidai_owner"))
    yield from names


def loading(server: PostgresServer, path: Path, count: int, rounds: int) -> list[Row]:
    """Time the load beside bare COPY, each into an empty database of its own every round."""
    ours, theirs = clones(server, "ours", rounds + 2), clones(server, "copy", rounds + 1)
    first = next(ours)
    memory_mb = load_alone(server, first, path)
    copied = path.with_suffix(".bin")
    psql(server, first, f"\\copy (SELECT * FROM sources.invoice_fact) TO '{copied}' (FORMAT binary)")
    timings = measure(
        {
            "load with checks and lineage": lambda: asyncio.run(load(server, next(ours), path)),
            "psql copy binary": lambda: copy(server, next(theirs), copied),
        },
        rounds,
    )
    return [
        compare(
            "load VAT invoices",
            "rows/s",
            ours=timings["load with checks and lineage"].per_second(count),
            peer="psql \\copy binary, same table",
            peer_value=timings["psql copy binary"].per_second(count),
            limit=timings["psql copy binary"].per_second(count),
            goal=0.4,
        ),
        compare(
            "memory of the load",
            "MB",
            ours=memory_mb,
            peer="what was promised",
            peer_value=MEMORY_LIMIT_MB,
            goal=1.0,
            more_is_better=False,
        ),
    ]


async def load(server: PostgresServer, database: str, path: Path) -> None:
    """Take the file in as any sender would."""
    sessions = sessions_of(settings_of(server, database))
    report = await service.receive_file(sessions, OPERATOR, path, now=NOON)
    assert report.received == report.loaded + report.rejected_rows
    await sessions.kw["bind"].dispose()


def one_load(dsn: str, path: Path) -> int:
    """Load once and print this process's peak memory in MB."""

    async def run() -> None:
        sessions = make_sessions(make_engine(Settings(database_url=dsn).dsn(DatabaseRole.WORKER), pool_size=1))
        report = await service.receive_file(sessions, OPERATOR, path, now=NOON)
        print(report.rejected, report.flagged, file=sys.stderr)

    asyncio.run(run())
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return 0


def load_alone(server: PostgresServer, database: str, path: Path) -> float:
    """Load in a process of its own and return its peak memory in MB."""
    command = [sys.executable, "-m", "benchmarks.sources", "--one-load", server.dsn(database), str(path)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def psql(server: PostgresServer, database: str, command: str) -> None:
    """Run one psql command as the superuser."""
    program = str(find_postgres().folder / "psql")
    subprocess.run([program, "-X", "-q", "-c", command, server.dsn(database)], check=True)


def copy(server: PostgresServer, database: str, copied: Path) -> None:
    """Copy the loaded rows into a table of the same definition."""
    psql(server, database, "CREATE TABLE sources.peer (LIKE sources.invoice_fact INCLUDING ALL)")
    psql(server, database, f"\\copy sources.peer FROM '{copied}' (FORMAT binary)")


def reading(server: PostgresServer) -> list[Row]:
    """Time one firm's read, everybody's read, sealing and verifying on the first loaded database."""
    return asyncio.run(_reading(settings_of(server, "bench_ours_0"), server.dsn("bench_ours_0")))


async def _reading(settings: Settings, dsn: str) -> list[Row]:
    sessions = sessions_of(settings)
    admin = await asyncpg.connect(dsn)
    await admin.execute("ANALYZE sources.invoice_fact")
    middling = await admin.fetchval(
        "SELECT firm_id FROM sources.invoice_fact GROUP BY firm_id ORDER BY abs(count(*) - 3000), firm_id LIMIT 1"
    )
    everybody = [row[0] for row in await admin.fetch("SELECT DISTINCT firm_id FROM sources.invoice_fact")]
    facts = await admin.fetchval("SELECT count(*) FROM sources.invoice_fact")
    one, peer_one = [], []
    async with in_transaction(sessions) as session:
        await act_as_platform(session, now=NOON)
        permission = await permitted(session, [middling])
        for _read in range(READS):
            started = time.perf_counter()
            await queries.invoices(session, permission, before=NOON, known_at=NOON)
            one.append(time.perf_counter() - started)
            started = time.perf_counter()
            await admin.fetch("SELECT * FROM sources.invoice_fact WHERE firm_id = $1", middling)
            peer_one.append(time.perf_counter() - started)
        permission = await permitted(session, everybody)
        started = time.perf_counter()
        await queries.invoices(session, permission, before=NOON, known_at=NOON)
        all_s = time.perf_counter() - started
    started = time.perf_counter()
    await admin.fetch("SELECT * FROM sources.invoice_fact")
    peer_all_s = time.perf_counter() - started
    seal_s, verify_s = await _sealing(sessions)
    started = time.perf_counter()
    await admin.fetchval("SELECT sum(length(sha256(convert_to(f::text, 'UTF8')))) FROM sources.invoice_fact AS f")
    peer_hash_s = time.perf_counter() - started
    await admin.close()
    await sessions.kw["bind"].dispose()
    return [
        compare(
            "one firm's read, 3,000 rows, p50",
            "ms",
            ours=statistics.median(one) * 1e3,
            peer="asyncpg fetch, no policy",
            peer_value=statistics.median(peer_one) * 1e3,
            more_is_better=False,
        ),
        compare(
            "everybody's read",
            "rows/s",
            ours=facts / all_s,
            peer="asyncpg fetch, no policy",
            peer_value=facts / peer_all_s,
        ),
        compare("seal", "rows/s", ours=facts / seal_s, peer="sha256 of each row", peer_value=facts / peer_hash_s),
        compare("verify", "rows/s", ours=facts / verify_s, peer="sha256 of each row", peer_value=facts / peer_hash_s),
    ]


async def permitted(session: AsyncSession, firms: list[UUID]) -> Permission:
    """Return the platform's permission to read the firms' invoices."""
    return await consents.require(
        session,
        receiver_id=PLATFORM_ID,
        subject_ids=firms,
        purpose=Purpose.PRE_LOAN,
        item_codes=["vat_invoice"],
        now=NOON,
    )


async def _sealing(sessions: Sessions) -> tuple[float, float]:
    async with in_transaction(sessions) as session:
        await act_as_platform(session, now=NOON)
        started = time.perf_counter()
        await service.seal_facts(session, now=NOON)
        seal_s = time.perf_counter() - started
    async with in_transaction(sessions) as session:
        started = time.perf_counter()
        state = await service.verify_facts(session)
        assert state.found == ()
        return seal_s, time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
