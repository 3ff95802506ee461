"""What an indicator says of itself: its names, unit, side of risk, and what a firm may lawfully do about it."""

from dataclasses import dataclass
from enum import StrEnum

from ml.features.reads import Reads


class Unit(StrEnum):
    """Unit of an indicator's value."""

    FEN = "fen"
    MONTHS = "months"
    DAYS = "days"
    COUNT = "count"
    RATIO = "ratio"


class Risk(StrEnum):
    """Which way the risk of default goes as the value rises; also the monotone constraint put on the model."""

    UP = "up"
    DOWN = "down"
    NONE = "none"


@dataclass(frozen=True)
class Indicator:
    """One named number about a firm.

    ``is_mutable`` says that the firm can move the value by lawful conduct within a year; advice is empty where it
    cannot, so nobody is told to grow older or to delete a record. ``reads`` names every invoice the value rests on.
    """

    code: str
    name_zh: str
    name_en: str
    unit: Unit
    direction_of_risk: Risk
    is_mutable: bool
    advice_zh: str
    advice_en: str
    description: str
    reads: tuple[Reads, ...]
