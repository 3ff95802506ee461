"""`python -m city`: serve the living city, run one of its banks, write its files, or tell its hidden truth."""

import argparse
import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path

import structlog
import uvicorn

from city.clock import Mode
from city.files import write_files
from city.living.city import City, Ground
from city.living.flowing import live_alone
from city.providers.app import create_app
from city.truth import write_truth
from city.world.calendar import OPENS, SHANGHAI
from city.world.institutions import banks

HOST = "127.0.0.1"
PORT = 8010
STARTS_ON = date(2025, 1, 6)
FIRMS = 300
MOST_FIRMS = 100_000
OWN_PROCESS = "91500103MAB0000049"
"""模拟山城银行: it lends everywhere and to most, so stopping it is felt."""
STOP_SECONDS = 5


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m city", description="The simulated outside world.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    _add_files(verbs.add_parser("files", help="write firms.csv, invoices.csv, outcomes.csv and SYNTHETIC.txt"))
    _add_truth(verbs.add_parser("truth", help="write the hidden truth, for benchmarks only"))
    serve = verbs.add_parser("serve", help="serve clock, registry, offices and bots on the loopback")
    _add_ground(serve)
    serve.add_argument("--port", type=int, default=PORT)
    serve.add_argument("--own-process", default=OWN_PROCESS, help="credit code of the bank with a process of its own")
    serve.add_argument(
        "--go-on", action="store_true", help="go on from where the city last lived; else its time passed meanwhile"
    )
    bank = verbs.add_parser("bank", help="run one bank of a live city in this process")
    bank.add_argument("code", help="the bank's credit code")
    bank.add_argument("--parent", type=int, default=os.getppid(), help="end with this process")
    _add_ground(bank)
    asked = parser.parse_args(argv)
    if not 1 <= getattr(asked, "firms", 1) <= MOST_FIRMS:
        parser.error(f"firms must be 1 to {MOST_FIRMS}")
    _log_to_stderr()
    match asked.verb:
        case "files":
            if not 0 <= asked.with_outcome <= asked.firms:
                parser.error("with-outcome must be 0 to firms")
            write_files(asked.seed, asked.firms, asked.with_outcome, asked.until, asked.out)
        case "truth":
            write_truth(asked.seed, asked.firms, asked.out)
        case "serve":
            return _serve(asked)
        case _:
            if asked.code not in {one.credit_code for one in banks()}:
                parser.error("there is no such bank")
            asyncio.run(_run_bank(_ground(asked), asked.code, asked.parent))
    return 0


def _serve(asked: argparse.Namespace) -> int:
    token = os.environ.get("CITY_CONTROL_TOKEN", "")
    if not token:
        sys.stderr.write("CITY_CONTROL_TOKEN is not set: whoever starts the city makes one for each start\n")
        return 1
    own = asked.own_process if asked.mode == Mode.LIVE else ""
    city = City.found(_ground(asked, own_process=own))
    if asked.go_on:
        city.clock.go_on()
    child = _start_bank(asked, own) if own else None
    try:
        app = create_app(city, control_token=token)
        uvicorn.run(app, host=HOST, port=asked.port, log_level="warning", access_log=False)
    finally:
        if child is not None:
            # A stopped child hears no polite signal before it is continued.
            child.kill()
            with suppress(subprocess.TimeoutExpired):
                child.wait(STOP_SECONDS)
    return 0


def _start_bank(asked: argparse.Namespace, code: str) -> subprocess.Popen[bytes]:
    ground = ["--home", str(asked.home), "--seed", str(asked.seed), "--firms", str(asked.firms), "--mode", asked.mode]
    ground += ["--starts-on", asked.starts_on.isoformat(), "--parent", str(os.getpid())]
    command = [sys.executable, "-m", "city", "bank", code, *ground]
    without_token = {name: value for name, value in os.environ.items() if name != "CITY_CONTROL_TOKEN"}
    return subprocess.Popen(command, env=without_token)


async def _run_bank(ground: Ground, code: str, parent: int) -> None:
    city = City.found(ground, only_bank=code)
    try:
        await live_alone(city, parent=parent)
    finally:
        await city.close()


def _ground(asked: argparse.Namespace, *, own_process: str = "") -> Ground:
    return Ground(
        home=asked.home,
        seed=asked.seed,
        firms=asked.firms,
        mode=Mode(asked.mode),
        starts_at=datetime.combine(asked.starts_on, OPENS, SHANGHAI),
        own_process=own_process,
    )


def _add_ground(parser: argparse.ArgumentParser) -> None:
    home = Path(os.environ.get("XINYIDAI_HOME", ".xinyidai"))
    parser.add_argument("--home", type=Path, default=home, help="folder of city.toml and of the city's own file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--firms", type=int, default=FIRMS, help=f"how many firms (default {FIRMS})")
    parser.add_argument("--mode", choices=[one.value for one in Mode], default=Mode.LIVE.value)
    parser.add_argument("--starts-on", type=date.fromisoformat, default=STARTS_ON, help="business day of a new city")


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--firms", type=int, default=200, help="how many firms (default 200)")
    parser.add_argument("--with-outcome", type=int, default=140, help="how many of them had an earlier loan")
    parser.add_argument("--until", type=date.fromisoformat, required=True, help="the day after the last invoice")
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")


def _add_truth(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--firms", type=int, default=FIRMS, help=f"how many firms (default {FIRMS})")
    parser.add_argument("--out", type=Path, required=True, help="file to write")


def _log_to_stderr() -> None:
    level = logging.getLevelNamesMapping().get(os.environ.get("LOG_LEVEL", "WARNING"), logging.WARNING)
    # A client's log of requests would name what is asked of whom.
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
