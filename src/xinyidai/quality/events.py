"""What happens to judging."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LinkingGoesOn:
    """As many deliveries as one run takes were judged over their sources, so more may wait; `after_no` is the last."""

    after_no: int

    @property
    def aggregate(self) -> str:
        """Return the judging over sources: there is one."""
        return "linking"
