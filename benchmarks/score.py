"""One score on request, from stored facts to recorded reasons, in milliseconds; and a batch of many firms.

Ours is one transaction of the worker: consent, invoices under row-level security, indicators, model, reasons, sealed
decision, score and audit row, committed. The peer does less and outside any platform: twenty indicators by plain pandas
from one firm's rows that already lie in memory, then `Booster.predict` and `pred_contrib`; it checks no consent and
keeps nothing. The limit is `Booster.predict` of the finished row alone. Uses the CUMCM 2020-C invoices where they are
(XINYIDAI_SHARED_DATA names the folder), else as many synthetic ones from a seed.
"""

import asyncio
import io
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import lightgbm as lgb
import numpy as np
import pandas as pd
from stdnum.cn import uscc

from benchmarks.measuring import Row, Timing, arguments, compare, finish, measure
from ml.datasets.crowds import CROWD_AS_OF, draw_crowd
from ml.datasets.cumcm2020c import CUMCM_AS_OF, read_cumcm
from ml.features.invoices import invoice_indicators
from ml.registry import Bundle
from ml.training.default_model import train
from xinyidai.access.rules import OrganisationKind, PrincipalKind, Role, Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.consents import service as consents
from xinyidai.consents.rules import Permission, Purpose
from xinyidai.foundation.database import Sessions, in_transaction, make_engine, make_sessions
from xinyidai.foundation.embedded import PostgresServer, start_postgres
from xinyidai.foundation.ids import derived_id
from xinyidai.foundation.migrating import bootstrap, migrate
from xinyidai.foundation.settings import DatabaseRole, Settings
from xinyidai.parties import service as parties
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.profiles.rules.readings import INVOICES
from xinyidai.scoring import service as scoring
from xinyidai.sources import service as sources

NOON = datetime(2025, 6, 16, 4, 0, tzinfo=UTC)
FIRMS = 400
INVOICES_A_FIRM = 2_600
SAMPLES_A_ROUND = 40
PROMISED_MS = 50.0


@dataclass(frozen=True)
class Material:
    """Invoices in the shape of `ml.features.invoices`, a model on them, and the moment they are looked at from."""

    invoices: pd.DataFrame
    features: pd.DataFrame
    bundle: Bundle
    as_of: pd.Timestamp
    is_real: bool


@dataclass(frozen=True)
class Stored:
    """The same in a platform: sessions of a worker, and the firm behind each name."""

    sessions: Sessions
    firm_ids: dict[str, UUID]


def main(argv: Sequence[str] | None = None) -> int:
    """Load the invoices, release a model, then score firm after firm beside the peer."""
    args = arguments("score", argv)
    os.environ.setdefault("SECRET_KEY", "a key for benchmarks only, never for a deployment")
    material = prepare()
    print(
        f"{len(material.invoices):,} {'real' if material.is_real else 'synthetic'} invoices of"
        f" {len(material.features)} firms",
        file=sys.stderr,
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        start_postgres(Path(folder) / "pg") as server,
        asyncio.Runner() as runner,
    ):
        stored = runner.run(store(server, material, Path(folder)))
        return finish(measured(runner, stored, material, args.rounds), args)


def prepare() -> Material:
    """Return the real material where it is at hand, else a synthetic crowd of the same size."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("XINYIDAI_SHARED_DATA", beside)) / "cumcm2020c"
    if folder.exists():
        real = read_cumcm(folder)
        features = invoice_indicators(real.invoices, as_of=CUMCM_AS_OF)
        known = features.loc[real.defaulted.index]
        bundle = train(known, real.defaulted.to_numpy(), population="CUMCM 2020-C")
        return Material(real.invoices, features, bundle, CUMCM_AS_OF, True)
    crowd = draw_crowd(FIRMS, seed=1, mean_invoices=INVOICES_A_FIRM)
    features = invoice_indicators(crowd.invoices, as_of=CROWD_AS_OF)
    bundle = train(features, crowd.defaulted, population="Synthetic crowd")
    return Material(crowd.invoices, features, bundle, CROWD_AS_OF, False)


async def store(server: PostgresServer, material: Material, folder: Path) -> Stored:
    """Register the firms, take their consents and invoices in, and release the model by two people."""
    admin = await asyncpg.connect(server.dsn("postgres"))
    await admin.execute("CREATE DATABASE bench")
    await admin.close()
    settings = Settings(database_url=server.dsn("bench"))
    await bootstrap(settings)
    await migrate(settings.dsn(DatabaseRole.MIGRATE))
    sessions = make_sessions(make_engine(settings.dsn(DatabaseRole.WORKER), pool_size=1))
    codes = {str(name): credit_code(number) for number, name in enumerate(material.features.index, 1)}
    async with in_transaction(sessions) as session:
        await act_as_platform(session, now=NOON)
        firm_ids: dict[str, UUID] = {}
        for name, code in codes.items():
            firm_ids[name] = await parties.register_party(
                session, kind=OrganisationKind.FIRM, name=name, credit_code=code, is_simulated=True, now=NOON
            )
            await consents.grant(
                session,
                person(firm_ids[name], OrganisationKind.FIRM, Role.OWNER),
                purpose=Purpose.PRE_LOAN,
                item_codes=[INVOICES],
                receiver_ids=[PLATFORM_ID],
                expires_at=NOON + timedelta(days=90),
                now=NOON,
            )
        maker = person(PLATFORM_ID, OrganisationKind.OPERATOR, Role.OFFICER, Role.ADMIN)
        checker = person(PLATFORM_ID, OrganisationKind.OPERATOR, Role.APPROVER, number=2)
        text = material.bundle.canonical_bytes().decode()
        proposed = await scoring.propose_release(session, maker, text, now=NOON)
        await scoring.approve_release(session, checker, proposed.digest, now=NOON)
    path = folder / "invoices.csv"
    path.write_bytes(delivery(material.invoices, codes))
    report = await sources.receive_file(sessions, maker, path, now=NOON)
    print(f"loaded {report.loaded:,}, kept aside {report.rejected_rows:,}", file=sys.stderr)
    admin = await asyncpg.connect(server.dsn("bench"))
    await admin.execute("VACUUM ANALYZE")
    await admin.close()
    return Stored(sessions, firm_ids)


def delivery(invoices: pd.DataFrame, codes: dict[str, str]) -> bytes:
    """Return the invoices as a file that an agency delivers."""
    issued = invoices["issued_at"].dt.tz_convert("Asia/Shanghai")
    columns = {
        "credit_code": invoices["enterprise_id"].astype(str).map(codes),
        "invoice_no": np.char.zfill(np.arange(len(invoices)).astype(str), 8),
        "direction": invoices["direction"].astype(str),
        "issued_on": issued.dt.strftime("%Y-%m-%d"),
        "counterparty": invoices["counterparty_id"].astype(str),
    }
    amounts = {f"{part}_yuan": (invoices[f"{part}_fen"] / 100).map("{:.2f}".format) for part in ("net", "tax", "gross")}
    status = np.where(invoices["is_void"], "void", "valid")
    written = io.StringIO()
    pd.DataFrame({**columns, **amounts, "status": status}).to_csv(written, index=False)
    return written.getvalue().encode()


def credit_code(number: int) -> str:
    """Return the number-th firm's code, with its check digit."""
    start = f"91500103{number:09d}"
    return start + str(uscc.calc_check_digit(start))


def person(organisation_id: UUID, kind: OrganisationKind, *roles: Role, number: int = 1) -> Viewer:
    """Return a person of an organisation."""
    principal_id = derived_id(str(organisation_id), f"bench {number}")
    return Viewer(principal_id, PrincipalKind.USER, organisation_id, kind, frozenset(roles))


async def permission_for(session: object, firm_ids: Sequence[UUID]) -> Permission:
    """Return the platform's permission, from the firms' consents."""
    return await consents.require(
        session,  # type: ignore[arg-type]
        receiver_id=PLATFORM_ID,
        subject_ids=firm_ids,
        purpose=Purpose.PRE_LOAN,
        item_codes=[INVOICES],
        now=NOON,
    )


async def score_one(stored: Stored, firm_id: UUID, as_of: datetime) -> None:
    """Score one firm as a request does, in a transaction of its own."""
    async with in_transaction(stored.sessions) as session:
        await act_as_platform(session, now=NOON)
        permission = await permission_for(session, [firm_id])
        await scoring.score_firm(session, permission, firm_id=firm_id, as_of=as_of, now=NOON)


async def score_all(stored: Stored, firm_ids: Sequence[UUID], as_of: datetime) -> None:
    """Score every firm in one chunk."""
    async with in_transaction(stored.sessions) as session:
        await act_as_platform(session, now=NOON)
        permission = await permission_for(session, firm_ids)
        await scoring.score_many(session, permission, as_of=as_of, now=NOON)


def plain_indicators(rows: pd.DataFrame, as_of: pd.Timestamp) -> list[float]:
    """Compute some twenty usual indicators of one firm by plain pandas."""
    valid = rows[~rows["is_void"] & (rows["issued_at"] < as_of)]
    values: list[float] = [rows["is_void"].mean(), (valid["net_fen"] < 0).mean()]
    for side in ("out", "in"):
        own = valid[valid["direction"] == side]
        monthly = own.groupby(own["issued_at"].dt.year * 12 + own["issued_at"].dt.month)["net_fen"].sum()
        partners = own.groupby("counterparty_id", observed=True)["net_fen"].sum()
        share = partners / partners.sum()
        recent = own[own["issued_at"] >= as_of - pd.DateOffset(years=1)]
        values += [
            monthly.mean(),
            monthly.std(),
            float(len(monthly)),
            partners.max(),
            float(len(partners)),
            (share**2).sum(),
            recent["net_fen"].sum(),
            recent["tax_fen"].sum(),
            float((as_of - own["issued_at"].max()).days) if len(own) else np.nan,
        ]
    return values


def measured(runner: asyncio.Runner, stored: Stored, material: Material, rounds: int) -> list[Row]:
    """Score firm after firm in a shuffled order, ours and the peer's turn about; then everybody at once."""
    booster = lgb.Booster(model_str=material.bundle.booster_text)
    names = [str(name) for name in material.features.index]
    order = np.random.default_rng(1).permutation(names)
    by_firm = dict(list(material.invoices.groupby(material.invoices["enterprise_id"].astype(str))))
    finished = {name: material.features.loc[[name]].to_numpy() for name in names}
    as_of = material.as_of.tz_convert("UTC").to_pydatetime()
    turns = dict.fromkeys(("ours", "peer", "limit"), 0)

    def next_firm(who: str) -> str:
        turns[who] += 1
        return str(order[turns[who] % len(order)])

    def ours() -> None:
        runner.run(score_one(stored, stored.firm_ids[next_firm("ours")], as_of))

    def peer() -> None:
        name = next_firm("peer")
        plain = plain_indicators(by_firm[name], material.as_of)
        row = finished[name].copy()
        row[0, : len(plain)] = plain
        booster.predict(row, num_threads=1)
        booster.predict(row, pred_contrib=True, num_threads=1)

    def limit() -> None:
        booster.predict(finished[next_firm("limit")], num_threads=1)

    single = measure({"one score": ours, "plain pandas": peer, "predict alone": limit}, rounds * SAMPLES_A_ROUND)
    firm_ids = sorted(stored.firm_ids.values())
    whole = measure(
        {
            "everybody": lambda: runner.run(score_all(stored, firm_ids, as_of)),
            "some, plain pandas": lambda: [peer() for _turn in range(SAMPLES_A_ROUND)],
        },
        rounds,
    )
    return [*single_rows(single), batch_row(whole, len(names))]


def single_rows(single: dict[str, Timing]) -> list[Row]:
    """Return the rows of one score on request: middle, slow end, and beside the peer."""
    middle, slow = (percentile_ms(single["one score"], share) for share in (50, 95))
    limit = percentile_ms(single["predict alone"], 50)
    return [
        compare(
            "one score on request, p50",
            "ms",
            ours=middle,
            peer="promised",
            peer_value=PROMISED_MS,
            limit=limit,
            goal=1.0,
            more_is_better=False,
        ),
        compare(
            "one score on request, p50",
            "ms",
            ours=middle,
            peer="plain pandas, LightGBM, in memory",
            peer_value=percentile_ms(single["plain pandas"], 50),
            limit=limit,
            more_is_better=False,
        ),
        compare(
            "one score on request, p95",
            "ms",
            ours=slow,
            peer="plain pandas, LightGBM, in memory",
            peer_value=percentile_ms(single["plain pandas"], 95),
            limit=percentile_ms(single["predict alone"], 95),
            more_is_better=False,
        ),
    ]


def batch_row(whole: dict[str, Timing], firms: int) -> Row:
    """Return the row of a batch."""
    return compare(
        "scores of one batch",
        "firms/s",
        ours=whole["everybody"].per_second(firms),
        peer="plain pandas, LightGBM, in memory",
        peer_value=whole["some, plain pandas"].per_second(SAMPLES_A_ROUND),
    )


def percentile_ms(timing: Timing, share: float) -> float:
    """Return a percentile of the samples in milliseconds."""
    return float(np.percentile(timing.seconds, share)) * 1_000


if __name__ == "__main__":
    sys.exit(main())
