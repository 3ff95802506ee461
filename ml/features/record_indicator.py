"""What an indicator that is computed from records says of itself: names, unit, items, window, least coverage."""

from dataclasses import dataclass

from ml.features.indicator import Risk, Unit


@dataclass(frozen=True)
class RecordIndicator:
    """One named number about a firm, from records of ``item`` and, set against them, of the items in ``beside``.

    ``months`` is how far back it looks, None without a bound; ``least_months`` are the months with a record of the item
    without which there is no data, 0 where any one record in the window suffices.
    """

    code: str
    item: str
    name_zh: str
    name_en: str
    unit: Unit
    direction_of_risk: Risk
    months: int | None
    least_months: int
    definition_zh: str
    definition_en: str
    beside: tuple[str, ...] = ()
