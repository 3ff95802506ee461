"""What every benchmark shares: interleaved rounds, medians with their noise, one table, one file of rows.

A benchmark is a file with ``main(argv) -> int`` that reads ``arguments(name, argv)``, times its callables with
``measure``, puts each claim in a row with ``compare`` and returns ``finish(rows, args)``. It imports this module as
``benchmarks.measuring`` and runs from the root of the repository: ``python -m benchmarks.NAME``.
"""

import argparse
import json
import statistics
import sys
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Timing:
    """Seconds of one callable over all rounds, in the order they were run."""

    seconds: tuple[float, ...]

    @property
    def median_s(self) -> float:
        """Median seconds of a round."""
        return statistics.median(self.seconds)

    @property
    def mad_s(self) -> float:
        """Noise: median absolute deviation of the rounds, in seconds."""
        middle = self.median_s
        return statistics.median(abs(second - middle) for second in self.seconds)

    @property
    def noise(self) -> float:
        """Noise as a fraction of the median."""
        return self.mad_s / self.median_s

    def per_second(self, count: float) -> float:
        """Rate at which ``count`` things are done, by the median round."""
        return count / self.median_s


@dataclass(frozen=True)
class Row:
    """One measured claim: ours beside its best peer and the limit of the machine, all from the same run.

    ``ratio`` is always "how many times better than the peer" (above 1 is better, for rates and for times alike);
    ``goal`` is the least ratio wanted, or None where nothing was promised; ``limit`` is in the unit of ``ours``, or
    None where no limit is known.
    """

    name: str
    unit: str
    ours: float
    peer: str
    peer_value: float
    limit: float | None
    ratio: float
    goal: float | None
    holds: bool


def compare(
    name: str,
    unit: str,
    *,
    ours: float,
    peer: str,
    peer_value: float,
    limit: float | None = None,
    goal: float | None = None,
    more_is_better: bool = True,
) -> Row:
    """Build a row, turning the ratio so that above 1 is always better than the peer."""
    ratio = ours / peer_value if more_is_better else peer_value / ours
    holds = goal is None or ratio >= goal
    return Row(name, unit, ours, peer, peer_value, limit, ratio, goal, holds)


def measure(callables: dict[str, Callable[[], object]], rounds: int = 5) -> dict[str, Timing]:
    """Time callables in interleaved rounds, so that a slow minute of the machine hurts all of them alike.

    Each is run once unmeasured first. The order turns by one place each round.
    """
    names = list(callables)
    for name in names:
        callables[name]()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            started = time.perf_counter()
            callables[name]()
            seconds[name].append(time.perf_counter() - started)
    timings = {name: Timing(tuple(values)) for name, values in seconds.items()}
    for name, timing in timings.items():
        noise = f"MAD {timing.noise:.1%} over {rounds} rounds"
        print(f"  {name}: {timing.median_s * 1e3:.4g} ms, {noise}", file=sys.stderr)
    return timings


def arguments(name: str, argv: Sequence[str] | None = None, *, seed: int | None = None) -> argparse.Namespace:
    """Read the options all benchmarks share: ``full``, ``json`` (Path or None), ``strict``, ``rounds`` (at least 5).

    A benchmark whose claims hang on chance names its ``seed``, and takes another one.
    """
    parser = argparse.ArgumentParser(prog=f"bench {name}")
    parser.add_argument("--full", action="store_true", help="larger sizes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")
    parser.add_argument("--strict", action="store_true", help="fail on a missed goal")
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds of each callable (default 5)")
    if seed is not None:
        parser.add_argument("--seed", type=int, default=seed, help=f"another crowd (default {seed})")
    args = parser.parse_args(argv)
    if args.rounds < 5:
        parser.error("fewer than 5 rounds have no noise to speak of")
    return args


def finish(rows: Sequence[Row], args: argparse.Namespace) -> int:
    """Print the table, write the rows where ``--json`` asks; 1 only for a goal missed under ``--strict``."""
    print_table(rows)
    if args.json is not None:
        args.json.write_text(
            json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
        )
    missed = [row.name for row in rows if not row.holds]
    if missed:
        print("goal missed: " + ", ".join(missed), file=sys.stderr)
    return 1 if missed and args.strict else 0


def print_table(rows: Sequence[Row]) -> None:
    """Print rows as aligned columns; Chinese characters take two places."""
    titles = [field.name for field in fields(Row)]
    cells = [[_cell(getattr(row, title)) for title in titles] for row in rows]
    widths = [max(map(_width, column)) for column in zip(titles, *cells, strict=True)]
    for line in [titles, *cells]:
        print("  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: str | float | bool | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
