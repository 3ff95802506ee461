"""The compensation fund: a first review by one of its people, a second by another, then payment."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from city.bots.acts import Act
from city.platform import Answer
from city.store import Body
from city.world.calendar import after_hours

REVIEW_HOURS = 8
MOST_TRIES = 30


class Desk(StrEnum):
    """Whose turn it is."""

    FIRST = "first"
    SECOND = "second"
    CASHIER = "cashier"
    OVER = "over"


BEFORE: Mapping[str, Desk] = {"lodged": Desk.FIRST, "second_review": Desk.SECOND, "approved": Desk.CASHIER}
"""Whose turn a claim's state says it is, for a claim that the fund does not remember."""


@dataclass(frozen=True)
class Review:
    """What the fund knows of a claim; `act_at` is when the next of its people comes to it."""

    claim_id: str
    desk: Desk
    act_at: str
    lender_code: str = ""
    tries: int = 0

    def as_body(self) -> Body:
        """Return it as it is remembered."""
        return asdict(self)

    @classmethod
    def of(cls, body: Mapping[str, object]) -> "Review":
        """Build from what was remembered."""
        return cls(**{**body, "desk": Desk(str(body["desk"]))})  # type: ignore[arg-type]

    @property
    def is_open(self) -> bool:
        """Say whether something is still to come."""
        return self.desk is not Desk.OVER


def open_review(claim: Mapping[str, object], lender_code: str, now: datetime, *, is_urgent: bool) -> Review:
    """Return the review with which a claim on the fund's desk begins."""
    hours = 0 if is_urgent else REVIEW_HOURS
    desk = BEFORE.get(str(claim.get("state")), Desk.OVER)
    return Review(str(claim["id"]), desk, after_hours(now, hours).isoformat(), lender_code)


def next_act(review: Review, now: datetime) -> Act | None:
    """Return what the fund does next with a claim, None when it waits or is through."""
    if not review.is_open or datetime.fromisoformat(review.act_at) > now:
        return None
    path, natural = f"/claims/{review.claim_id}", (review.claim_id, review.desk.value, str(review.tries))
    match review.desk:
        case Desk.FIRST:
            return Act("approve_claim", "POST", f"{path}/approve", None, natural)
        case Desk.SECOND:
            return Act("approve_claim", "POST", f"{path}/approve", None, natural, by_checker=True)
        case _:
            return Act("pay_claim", "POST", f"{path}/pay", None, natural, rings=(review.lender_code,))


def after(review: Review, act: Act, answer: Answer, now: datetime) -> Review:
    """Return what the fund knows once the platform has answered; without money it tries again daily, for weeks."""
    at = after_hours(now, REVIEW_HOURS).isoformat()
    following = {Desk.FIRST: Desk.SECOND, Desk.SECOND: Desk.CASHIER}
    if answer.is_ok:
        return replace(review, desk=following.get(review.desk, Desk.OVER), act_at=at)
    if answer.code == "nothing_to_pay_with" and review.tries < MOST_TRIES:
        return replace(review, tries=review.tries + 1, act_at=(now + timedelta(days=1)).isoformat())
    return replace(review, desk=Desk.OVER)
