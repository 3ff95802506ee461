"""Where a fact came from: its name, the delivery and line, the pull that fetched it, what it replaced. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self
from uuid import UUID

from xinyidai.foundation.errors import ValueRefused
from xinyidai.sources.rules import ITEM, DeliveryId, DeliveryKind, FileFormat
from xinyidai.sources.rules.amounts import IntArray
from xinyidai.sources.rules.invoices import Invoices
from xinyidai.sources.rules.keeping import Purged
from xinyidai.sources.rules.pulls import PullView
from xinyidai.sources.rules.records.kinds import KINDS

INVOICE_FACT: Final = "invoice_fact"
ITEMS_OF_FACTS: Final = {INVOICE_FACT: ITEM} | {kind.table: code for code, kind in KINDS.items()}
"""The catalogue's item of each kind of fact; a kind is named as its table."""
_KINDS_OF_ITEMS: Final = {code: kind for kind, code in ITEMS_OF_FACTS.items()}
MAX_REPLACED: Final = 100
"""How many facts are told before and after one that was replaced over and over."""

_NAME = re.compile(r"(?P<kind>[a-z_]{1,64}):(?P<firm>[0-9a-f-]{36})/(?P<delivery>[0-9]{1,9})\.(?P<line>[0-9]{1,9})")


@dataclass(frozen=True, order=True)
class FactRef:
    """The name of one fact of any kind, written ``invoice_fact:<firm>/<delivery>.<line>``, as `verify` does."""

    kind: str
    firm_id: UUID
    delivery_no: int
    line_no: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.firm_id}/{self.delivery_no}.{self.line_no}"

    @property
    def item_code(self) -> str:
        """Return the catalogue's item that the fact belongs to."""
        return ITEMS_OF_FACTS[self.kind]

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a written name; a fact may be called by its item as well, ``penalty:<firm>/<delivery>.<line>``.

        Raises
        ------
        ValueRefused
            It is no name of a fact, or of a kind that nobody keeps.
        """
        found = _NAME.fullmatch(text)
        kind = "" if found is None else _KINDS_OF_ITEMS.get(found["kind"], found["kind"])
        if found is None or kind not in ITEMS_OF_FACTS:
            raise ValueRefused(field="fact", why="not written as kind:firm/delivery.line")
        try:
            firm_id = UUID(found["firm"])
        except ValueError as error:
            raise ValueRefused(field="fact", why="the firm's id is not one") from error
        return cls(kind, firm_id, int(found["delivery"]), int(found["line"]))


@dataclass(frozen=True)
class InvoiceLines:
    """Invoices of one firm, and the line of the delivery that said each; arrays of equal length."""

    invoices: Invoices
    delivery_no: IntArray
    line_no: IntArray


@dataclass(frozen=True)
class Origin:
    """The delivery that a fact came in: when, from whom, under which digest; with the pull, if the platform asked."""

    delivery_id: DeliveryId
    delivery_no: int
    sender_id: UUID
    kind: DeliveryKind
    file_format: FileFormat
    digest: bytes
    received_at: datetime
    pull: PullView | None


@dataclass(frozen=True)
class FactLife:
    """One fact from the moment the platform learned it to the one it unlearned it, and its line of succession.

    `replaced` are the facts before it, the nearest first, `replaced_by` those after it; MAX_REPLACED of each.
    `invoice` is the fact itself where it is one, as a single row; of a fact that was lawfully purged there is only its
    tombstone.
    """

    ref: FactRef
    recorded_at: datetime
    superseded_at: datetime | None
    invoice: Invoices | None
    origin: Origin
    replaced: tuple[FactRef, ...]
    replaced_by: tuple[FactRef, ...]
    purged: Purged | None = None

    def is_known_at(self, moment: datetime) -> bool:
        """Say whether the platform held it as true at a moment."""
        return self.recorded_at <= moment and (self.superseded_at is None or self.superseded_at > moment)
