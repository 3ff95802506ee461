"""A bank's book: instalments as firms pay them, claims on what they do not pay, and what is collected after."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from city.bots.acts import Act
from city.platform import Answer
from city.store import Body
from city.world.calendar import day_of, is_working_day, last_working_day
from city.world.hazard import payment_day, recovered_ppm
from city.world.population import Firm

MILLION = 1_000_000
RECOVERS_AFTER_DAYS = (30, 75)
COSTS_PPM = 50_000
BOOKED_BEFORE = frozenset({"payment_reference_reused", "loan_takes_no_payment"})
"""The platform has this payment: the answer was lost, and the bank books it on another day."""
NO_CLAIM = frozenset({"loan_not_covered", "nothing_lost", "claim_already_filed", "not_found"})


class Loss(StrEnum):
    """How far a bank is with a loan that is not paid."""

    NONE = "none"
    CLAIMED = "claimed"
    PAID = "paid"
    SETTLED = "settled"
    UNCOVERED = "uncovered"


@dataclass(frozen=True)
class Booked:
    """A loan as its bank keeps it: `instalments` are (due on, fen) in order, `defaults_in` a month's number or -1."""

    loan_id: str
    firm_code: str
    natural: tuple[str, ...]
    principal_fen: int
    claim_after_days: int
    instalments: tuple[tuple[str, int], ...]
    defaults_in: int
    paid: int = 0
    closed: bool = False
    loss: Loss = Loss.NONE
    claim_id: str = ""
    not_before: str = ""
    claimed_fen: int = 0
    paid_on: str = ""
    recoveries: int = 0

    def as_body(self) -> Body:
        """Return it as it is remembered."""
        return asdict(self)

    @classmethod
    def of(cls, body: Mapping[str, object]) -> "Booked":
        """Build from what was remembered."""
        kept = dict(body)
        kept["natural"] = tuple(kept["natural"])  # type: ignore[arg-type]
        kept["instalments"] = tuple((str(due), int(fen)) for due, fen in kept["instalments"])  # type: ignore[attr-defined]
        kept["loss"] = Loss(str(kept["loss"]))
        return cls(**kept)  # type: ignore[arg-type]

    @property
    def is_open(self) -> bool:
        """Say whether something is still to come."""
        return not self.closed and self.loss not in (Loss.SETTLED, Loss.UNCOVERED)

    @property
    def is_last(self) -> bool:
        """Say whether the next instalment is the last."""
        return self.paid == len(self.instalments) - 1


@dataclass(frozen=True)
class BookSeen:
    """What the bank sees: what closes the loan today; of a claim its state, amount and day of payment."""

    payoff_fen: int = 0
    claim_state: str = ""
    claimed_fen: int = 0
    paid_on: str = ""


def due_act(seed: int, booked: Booked, firm: Firm | None, today: date) -> str:
    """Return what is to be done with a loan today: repay, claim, ask, recover, or nothing (empty)."""
    if not booked.is_open or not is_working_day(today) or today.isoformat() < booked.not_before:
        return ""
    if booked.loss is Loss.NONE:
        if _pays_today(seed, booked, firm, today):
            return "repay"
        return "claim" if _may_claim(booked, today) else ""
    if booked.loss is Loss.CLAIMED:
        return "ask"
    if booked.recoveries < len(RECOVERS_AFTER_DAYS):
        recovers_on = date.fromisoformat(booked.paid_on) + timedelta(days=RECOVERS_AFTER_DAYS[booked.recoveries])
        return "recover" if recovers_on <= today else ""
    return ""


def next_act(seed: int, booked: Booked, what: str, seen: BookSeen, today: date) -> Act | None:
    """Return the call for what is to be done."""
    match what:
        case "repay":
            due_on, amount_fen = booked.instalments[booked.paid]
            if booked.is_last:
                amount_fen = min(amount_fen, seen.payoff_fen)
            body = {"amount_fen": amount_fen, "paid_on": today.isoformat(), "reference": f"SIM-{due_on}"}
            natural = (*booked.natural, due_on, today.isoformat())
            return Act("repay", "POST", f"/loans/{booked.loan_id}/repayments", body, natural)
        case "claim":
            # The day is part of the key: a claim that came too early is filed again on a later day.
            natural = (*booked.natural, today.isoformat())
            return Act("claim", "POST", "/claims", {"loan_id": booked.loan_id}, natural, rings=("fund",))
        case "recover":
            number = booked.recoveries + 1
            received = max(1, booked.claimed_fen * recovered_ppm(seed, booked.firm_code, number) // MILLION)
            body = {
                "received_fen": received,
                "costs_fen": received * COSTS_PPM // MILLION,
                "received_on": today.isoformat(),
                "reference": f"SIM-ZC-{number}",
            }
            path = f"/claims/{booked.claim_id}/recoveries"
            return Act("recover", "POST", path, body, (*booked.natural, str(number)))
        case _:
            return None


def looked(booked: Booked, seen: BookSeen) -> Booked:
    """Return what the bank knows once it has seen its claim."""
    if booked.loss is not Loss.CLAIMED:
        return booked
    if seen.claim_state in {"paid", "recovering", "settled"}:
        return replace(booked, loss=Loss.PAID, claimed_fen=seen.claimed_fen, paid_on=seen.paid_on)
    if seen.claim_state in {"denied", "lapsed"}:
        return replace(booked, loss=Loss.UNCOVERED)
    return booked


def after(booked: Booked, act: Act, answer: Answer, today: date) -> Booked:
    """Return what the bank knows once the platform has answered."""
    match act.name:
        case "repay" if answer.is_ok or answer.code in BOOKED_BEFORE:
            paid = booked.paid + 1
            return replace(booked, paid=paid, closed=paid == len(booked.instalments))
        case "claim" if answer.is_ok:
            return replace(booked, loss=Loss.CLAIMED, claim_id=answer.text("id"))
        case "claim" if answer.code in NO_CLAIM:
            return replace(booked, loss=Loss.UNCOVERED)
        case "repay" | "claim":
            return replace(booked, not_before=(today + timedelta(days=1)).isoformat())
        case _:
            done = booked.recoveries + 1
            is_over = done == len(RECOVERS_AFTER_DAYS) or not answer.is_ok
            return replace(booked, recoveries=done, loss=Loss.SETTLED if is_over else booked.loss)


def seen_claim(row: Mapping[str, object]) -> BookSeen:
    """Read a claim as the platform shows it."""
    claimed, paid_at = row.get("claimed_fen"), row.get("paid_at")
    return BookSeen(
        claim_state=str(row.get("state", "")),
        claimed_fen=claimed if isinstance(claimed, int) else 0,
        paid_on=day_of(datetime.fromisoformat(str(paid_at))).isoformat() if paid_at else "",
    )


def _pays_today(seed: int, booked: Booked, firm: Firm | None, today: date) -> bool:
    if booked.paid >= len(booked.instalments):
        return False
    due_on = date.fromisoformat(booked.instalments[booked.paid][0])
    defaults_in = None if booked.defaults_in < 0 else booked.defaults_in
    pays_on = last_working_day(due_on) if firm is None else payment_day(seed, firm, due_on, defaults_in)
    return pays_on is not None and pays_on <= today


def _may_claim(booked: Booked, today: date) -> bool:
    if booked.defaults_in < 0 or booked.paid >= len(booked.instalments) or not booked.claim_after_days:
        return False
    unpaid_since = date.fromisoformat(booked.instalments[booked.paid][0])
    return (today - unpaid_since).days >= booked.claim_after_days
