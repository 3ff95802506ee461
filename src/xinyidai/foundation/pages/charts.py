"""Geometry of the charts that templates draw as SVG: numbers in, coordinates out. Pure.

Every chart is 600 x 220 units and scales with its box; text sizes are set in units of the picture, so four or five
labels a side are the most that a phone can read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 600
HEIGHT = 220
LEFT = 64
RIGHT = 8
TOP = 16
BOTTOM = 28
MAX_LABELS = 6
HALF_LABEL = 34
"""Half of the widest label of a narrow bar, five figures, as large as they are set on a phone."""


@dataclass(frozen=True)
class Mark:
    """One value's place: a bar from (x, y) with width and height, or a point at (centre, y)."""

    label: str
    value: int
    x: float
    y: float
    width: float
    height: float
    centre: float
    has_label: bool
    is_below: bool

    @property
    def is_at_the_edge(self) -> bool:
        """Say whether a label around its centre would be cut at the right: it then ends at the edge instead."""
        return self.centre + HALF_LABEL > WIDTH


@dataclass(frozen=True)
class Tick:
    """A line across, and what it stands for."""

    y: float
    value: int


@dataclass(frozen=True)
class Picture:
    """Everything a template needs to draw one series."""

    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    zero_y: float
    points: str


def picture(series: Sequence[tuple[str, int]]) -> Picture:
    """Place a series of (label, value), the first at the left; negative values hang below the zero line."""
    values = [value for _, value in series] or [0]
    step = _step(max(*values, 0, 0), min(*values, 0, 0))
    top = -(-max(*values, 0, 0) // step) * step or step
    bottom = min(*values, 0, 0) // step * step
    room, deep = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def y_of(value: int) -> float:
        return round(TOP + deep * (top - value) / (top - bottom), 1)

    slot = room / max(1, len(series))
    every = -(-len(series) // MAX_LABELS)
    marks = tuple(
        Mark(
            label=label,
            value=value,
            x=round(LEFT + slot * place + slot * 0.15, 1),
            y=min(y_of(value), y_of(0)),
            width=round(slot * 0.7, 1),
            height=round(abs(y_of(value) - y_of(0)), 1),
            centre=round(LEFT + slot * (place + 0.5), 1),
            has_label=(len(series) - 1 - place) % every == 0,
            is_below=value < 0,
        )
        for place, (label, value) in enumerate(series)
    )
    ticks = tuple(Tick(y_of(value), value) for value in range(bottom, top + 1, step))
    points = " ".join(f"{mark.centre},{y_of(mark.value)}" for mark in marks)
    return Picture(marks, ticks, y_of(0), points)


def waterfall(steps: Sequence[tuple[str, int]]) -> Picture:
    """Place signed steps, each beginning where the one before ended; the last mark is the sum, from zero."""
    ends, running = [], 0
    for _, value in steps:
        running += value
        ends.append(running)
    bounds = [0, *ends]
    frame = picture([("", max(bounds)), ("", min(bounds))])
    low, high = frame.ticks[0], frame.ticks[-1]
    span = max(1, high.value - low.value)

    def y_of(value: int) -> float:
        return round(high.y + (low.y - high.y) * (high.value - value) / span, 1)

    slot = (WIDTH - LEFT - RIGHT) / (len(steps) + 1)
    named = [(label, begin, end) for (label, _), begin, end in zip(steps, bounds, ends, strict=False)]
    named.append(("", 0, running))
    marks = tuple(
        Mark(
            label=label,
            value=end - begin,
            x=round(LEFT + slot * place + slot * 0.15, 1),
            y=min(y_of(begin), y_of(end)),
            width=round(slot * 0.7, 1),
            height=max(1.0, round(abs(y_of(begin) - y_of(end)), 1)),
            centre=round(LEFT + slot * (place + 0.5), 1),
            has_label=True,
            is_below=end < begin,
        )
        for place, (label, begin, end) in enumerate(named)
    )
    return Picture(marks, frame.ticks, y_of(0), "")


def ring(part: int, whole: int, *, radius: int = 52) -> tuple[float, float]:
    """Return the drawn and the empty length of a progress ring's line, part being held between 0 and whole."""
    around = 2 * 3.141592653589793 * radius
    drawn = around * max(0, min(part, whole)) / whole if whole > 0 else 0.0
    return round(drawn, 1), round(around - drawn, 1)


def _step(most: int, least: int) -> int:
    """Return a round distance between lines that gives three to six of them."""
    wanted = max(1, (most - least) // 4)
    size = int(10 ** (len(str(wanted)) - 1))
    return next(step * size for step in (1, 2, 5, 10) if step * size >= wanted)
