"""What happens in matching, for this room's own tasks and the rooms above."""

from dataclasses import dataclass


@dataclass(frozen=True)
class _DemandEvent:
    demand_id: str
    firm_id: str

    @property
    def aggregate(self) -> str:
        """Return the demand."""
        return f"demand:{self.demand_id}"


@dataclass(frozen=True)
class DemandRejectedByAll(_DemandEvent):
    """Nobody is left whom the demand fits; the decision holds every reason."""

    decision_id: str


@dataclass(frozen=True)
class _DispatchEvent(_DemandEvent):
    dispatch_id: str
    lender_id: str


@dataclass(frozen=True)
class DemandDispatched(_DispatchEvent):
    """A lender was asked."""


@dataclass(frozen=True)
class IndicationMade(_DispatchEvent):
    """A lender named its range; the firm may choose it."""


@dataclass(frozen=True)
class LenderChosen(_DispatchEvent):
    """The firm chose a lender and authorised its credit query; the clock for a binding offer runs."""

    authority_id: str


@dataclass(frozen=True)
class LenderNotChosen(_DispatchEvent):
    """A lender that had indicated was not chosen: its indication ended, or the demand did."""


@dataclass(frozen=True)
class DispatchDeclined(_DispatchEvent):
    """A lender said no."""


@dataclass(frozen=True)
class DispatchTimedOut(_DispatchEvent):
    """A lender did not answer in time."""


@dataclass(frozen=True)
class _OfferEvent(_DemandEvent):
    offer_id: str
    lender_id: str


@dataclass(frozen=True)
class OfferIssued(_OfferEvent):
    """A lender's offer, seen by two of its people, is before the firm."""


@dataclass(frozen=True)
class OfferAccepted(_OfferEvent):
    """The firm accepted; capacity is reserved where the product asks for cover."""


@dataclass(frozen=True)
class OfferEnded(_OfferEvent):
    """An offer that was before the firm is no longer: expired, withdrawn or declined by the firm."""


@dataclass(frozen=True)
class AcceptanceLapsed(_OfferEvent):
    """An accepted offer was not disbursed by its last day; what it reserved is free again."""
