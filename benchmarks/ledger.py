"""Posting journals: the whole of `ledger.post` against the least that could move the same money.

The limit is a bare function of the same server, in the same run, over as many accounts: four updates and four inserts
in id order, no key, no check, no journal, no trigger, no version. Both are called over asyncpg on eight connections,
each journal a transaction of its own. The figures that count are of a durable server; the second set gives up fsync
and so shows processor time alone.
"""

import asyncio
import random
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from itertools import count
from pathlib import Path
from uuid import UUID

import asyncpg

from benchmarks.measuring import Row, Timing, arguments, compare, finish, measure
from xinyidai.foundation.embedded import start_postgres
from xinyidai.foundation.migrating import bootstrap, migrate
from xinyidai.foundation.settings import DatabaseRole, Settings

CONNECTIONS = 8
ACCOUNTS = 1_000
LEGS = 4
AMOUNTS_FEN = [3, 5, -1, -7]
NOON = datetime(2025, 6, 16, 4, 0, tzinfo=UTC)
TODAY = date(2025, 6, 16)
MAKER = UUID(int=1)
SUBJECT = '{"loan_id": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11"}'

POST = "SELECT journal_id FROM ledger.post('main', $1, 'benchmark', $2, $3, $4, NULL, $5::jsonb, $6, $7)"
BARE = """
CREATE SCHEMA bare;
CREATE TABLE bare.account (id bigint PRIMARY KEY, balance_fen bigint NOT NULL) WITH (fillfactor = 50);
CREATE TABLE bare.entry (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account_id bigint NOT NULL, amount_fen bigint NOT NULL
);
CREATE FUNCTION bare.post(p_account_ids bigint[], p_amounts_fen bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR leg IN 1..4 LOOP
        UPDATE bare.account SET balance_fen = balance_fen + p_amounts_fen[leg] WHERE id = p_account_ids[leg];
        INSERT INTO bare.entry (account_id, amount_fen) VALUES (p_account_ids[leg], p_amounts_fen[leg]);
    END LOOP;
END
$$;
GRANT USAGE ON SCHEMA bare TO xinyidai_app;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA bare TO xinyidai_app;
"""

Call = Callable[[asyncpg.Connection], Coroutine[object, object, object]]


@dataclass
class Bench:
    """Eight connections, the accounts, and a seeded source of journals."""

    runner: asyncio.Runner
    connections: list[asyncpg.Connection]
    account_ids: list[int]
    journals: int
    dice: random.Random = field(default_factory=lambda: random.Random(20250616))  # noqa: S311 - a seed, no secret
    keys: Iterator[int] = field(default_factory=count)

    def drawn(self, *, is_hot: bool = False) -> list[int]:
        """Draw four distinct accounts in id order; the hot one has the highest id and so is locked last."""
        if is_hot:
            return [*sorted(self.dice.sample(self.account_ids[:-1], LEGS - 1)), self.account_ids[-1]]
        return sorted(self.dice.sample(self.account_ids, LEGS))

    def run(self, make_call: Callable[[], Call]) -> None:
        """Make `journals` calls, shared out over the connections."""
        calls = iter([make_call() for _ in range(self.journals)])

        async def work(connection: asyncpg.Connection) -> None:
            for call in calls:
                await call(connection)

        async def all_work() -> None:
            await asyncio.gather(*(work(connection) for connection in self.connections))

        self.runner.run(all_work())

    def post(self, *, is_hot: bool = False, key: str | None = None, account_ids: list[int] | None = None) -> Call:
        """Make a call of the ledger's function; a new key unless one is given."""
        chosen = account_ids or self.drawn(is_hot=is_hot)
        sent = (key or f"benchmark/{next(self.keys)}", TODAY, NOON, MAKER, SUBJECT, chosen, AMOUNTS_FEN)
        return lambda connection: connection.fetchval(POST, *sent)

    def bare(self, *, is_hot: bool = False) -> Call:
        """Make a call of the bare function."""
        sent = (self.drawn(is_hot=is_hot), AMOUNTS_FEN)
        return lambda connection: connection.execute("SELECT bare.post($1, $2)", *sent)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure on a durable server and on one without fsync; print and write the rows."""
    args = arguments("ledger", argv)
    journals = 8_000 if args.full else 1_600
    rows: list[Row] = []
    for fast in (False, True):
        print("without fsync" if fast else "durable", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
            rows += measure_server(Path(folder), runner, fast=fast, journals=journals, rounds=args.rounds)
    return finish(rows, args)


def measure_server(folder: Path, runner: asyncio.Runner, *, fast: bool, journals: int, rounds: int) -> list[Row]:
    """Start a server, fill it, measure everything in interleaved rounds, stop it."""
    with start_postgres(folder / "postgres", fast=fast) as server:
        settings = Settings(database_url=server.dsn("postgres"), secret_key="a key for a benchmark only")  # noqa: S106
        account_ids = runner.run(prepare(settings))
        url = settings.dsn(DatabaseRole.APP).set(drivername="postgresql").render_as_string(hide_password=False)
        connections = [runner.run(asyncpg.connect(url)) for _ in range(CONNECTIONS)]
        bench = Bench(runner, connections, account_ids, journals)
        known = [(f"known/{number}", bench.drawn()) for number in range(journals)]
        timings = measure(
            {
                "post": lambda: bench.run(bench.post),
                "bare": lambda: bench.run(bench.bare),
                "post, one hot account": lambda: bench.run(partial(bench.post, is_hot=True)),
                "bare, one hot account": lambda: bench.run(partial(bench.bare, is_hot=True)),
                "replay": lambda: replay(bench, known),
            },
            rounds,
        )
        for connection in connections:
            runner.run(connection.close())
    return rows_of(timings, journals, "no fsync" if fast else "durable")


def replay(bench: Bench, known: list[tuple[str, list[int]]]) -> None:
    """Post the same journals again; the unmeasured round brought them in."""
    again = iter(known)

    def one() -> Call:
        key, account_ids = next(again)
        return bench.post(key=key, account_ids=account_ids)

    bench.run(one)


async def prepare(settings: Settings) -> list[int]:
    """Migrate, open the accounts of both ledgers, return their ids, which are the same in both."""
    await bootstrap(settings)
    await migrate(settings.dsn(DatabaseRole.MIGRATE))
    admin = await asyncpg.connect(settings.database_url.get_secret_value() if settings.database_url else None)
    opened = await admin.fetch(
        "SELECT ledger.open_account('main', 'cash', 'benchmark:' || n, NULL, NULL, NULL) AS id"
        " FROM generate_series(1, $1::int) AS n",
        ACCOUNTS,
    )
    account_ids = [row["id"] for row in opened]
    await admin.execute(BARE)
    await admin.executemany("INSERT INTO bare.account VALUES ($1, 0)", [(one,) for one in account_ids])
    await admin.execute("ANALYZE ledger.account, bare.account")
    await admin.close()
    return account_ids


def rows_of(timings: dict[str, Timing], journals: int, server: str) -> list[Row]:
    """Turn the timings of one server into rows."""
    rate = {name: timing.per_second(journals) for name, timing in timings.items()}
    unit = "journals/s"
    bare = "bare function: 4 inserts, 4 updates"
    return [
        compare(
            f"4-leg journal, {CONNECTIONS} connections, {ACCOUNTS:,} accounts, {server}",
            unit,
            ours=rate["post"],
            peer=bare,
            peer_value=rate["bare"],
            limit=rate["bare"],
            goal=0.2,
        ),
        compare(
            f"the same with one hot account, {server}",
            unit,
            ours=rate["post, one hot account"],
            peer=f"{bare}, one hot account",
            peer_value=rate["bare, one hot account"],
            limit=rate["bare, one hot account"],
        ),
        compare(
            f"replay of a known key, {server}", unit, ours=rate["replay"], peer="our own post", peer_value=rate["post"]
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
