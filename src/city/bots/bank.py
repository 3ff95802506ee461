"""A bank at its desk: it answers demands, pays loans out, and signs offers with two of its people."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from city.bots.acts import Act
from city.platform import Answer
from city.store import Body
from city.world.calendar import after_hours, day_of, is_working_day
from city.world.institutions import Bank
from city.world.lending import Applicant, Judgement, answer_hours, judge
from city.world.population import Firm

INDICATION_DAYS = 20
OFFER_DAYS = 10
LOOKS_EVERY_DAYS = 7
INDICATED_BELOW_BP, INDICATED_ABOVE_BP = 20, 40
INDICATED_LEAST_PPM = 800_000
MILLION = 1_000_000
SALES_INDICATOR = "sales_12m_fen"
ANSWERED_BEFORE = frozenset({"illegal_dispatch_step", "demand_not_open"})
"""The bank indicated before a crash, or the demand has moved on: how the dispatch stands will tell."""
GONE = frozenset({"declined", "timed_out", "redispatched", "ended"})


class Step(StrEnum):
    """How far a bank is with one demand."""

    ASKED = "asked"
    INDICATED = "indicated"
    CHOSEN = "chosen"
    PROPOSED = "proposed"
    OFFERED = "offered"
    WON = "won"
    OVER = "over"


@dataclass(frozen=True)
class Dealing:
    """What a bank knows of one demand before it. `firm_code` is empty for a firm that is not of this city."""

    dispatch_id: str
    demand_id: str
    firm_id: str
    firm_code: str
    seen_at: str
    answer_at: str
    step: Step = Step.ASKED
    amount_fen: int = 0
    rate_bp: int = 0
    term_months: int = 0
    repayment_kind: str = ""
    offer_id: str = ""
    outcome: str = ""
    asked_fen: int = 0
    asked_months: int = 0
    asked_kind: str = ""
    sales_fen: int | None = None

    def as_body(self) -> Body:
        """Return it as it is remembered."""
        return asdict(self)

    @classmethod
    def of(cls, body: Mapping[str, object]) -> "Dealing":
        """Build from what was remembered."""
        return cls(**{**body, "step": Step(str(body["step"]))})  # type: ignore[arg-type]

    @property
    def is_open(self) -> bool:
        """Say whether something is still to come."""
        return self.step is not Step.OVER

    @property
    def applicant(self) -> str:
        """Return what the applicant is called in keys and draws: its credit code, or its id where it has none here."""
        return self.firm_code or self.firm_id


@dataclass(frozen=True)
class Desk:
    """Who decides: the city's seed and the bank."""

    seed: int
    bank: Bank


@dataclass(frozen=True)
class DeskSeen:
    """What the bank sees of one demand: the demand, the applicant's profile, how its dispatch and its offer stand."""

    demand: Mapping[str, object]
    profile: Mapping[str, object]
    dispatch_state: str = ""
    offer_state: str = ""
    own_offer: Mapping[str, object] = field(default_factory=dict)


def take_up(desk: Desk, dispatch: Mapping[str, object], firm_code: str, now: datetime) -> Dealing:
    """Return the dealing with which a demand from the inbox begins. A person's firm is answered at once."""
    key = f"{firm_code}:{day_of(now).isoformat()}"
    hours = answer_hours(desk.seed, desk.bank, key, "first") if firm_code else 0
    return Dealing(
        dispatch_id=str(dispatch["id"]),
        demand_id=str(dispatch["demand_id"]),
        firm_id=str(dispatch["firm_id"]),
        firm_code=firm_code,
        seen_at=now.isoformat(),
        answer_at=after_hours(now, hours).isoformat(),
    )


def is_due(dealing: Dealing, now: datetime) -> bool:
    """Say whether the bank has something to decide or to look after in this dealing."""
    if dealing.step in (Step.ASKED, Step.CHOSEN):
        return datetime.fromisoformat(dealing.answer_at) <= now
    return dealing.is_open


def looks_again(dealing: Dealing, today: date) -> bool:
    """Say whether the bank looks what became of its offer without being rung for: a person's daily, others weekly."""
    days = (today - day_of(datetime.fromisoformat(dealing.seen_at))).days
    return not dealing.firm_code or days % LOOKS_EVERY_DAYS == 0


def next_act(desk: Desk, dealing: Dealing, seen: DeskSeen, firm: Firm | None, now: datetime) -> Act | None:
    """Return what the bank does next in a dealing, None when it waits or is through."""
    natural = _natural(dealing)
    rings = (dealing.firm_code,) if dealing.firm_code else ()
    match dealing.step:
        case Step.ASKED:
            return _indicate(desk, dealing, seen, firm, now)
        case Step.CHOSEN:
            return _answer(desk, dealing, seen, firm, now)
        case Step.PROPOSED if dealing.offer_id:
            path = f"/offers/{dealing.offer_id}/approve"
            return Act("approve_offer", "POST", path, None, natural, by_checker=True, rings=rings)
        case Step.WON if is_working_day(day_of(now)):
            paid = (*natural, "loan", day_of(now).isoformat())
            return Act("disburse", "POST", "/loans", _disbursement(dealing, firm, now), paid, rings=rings)
        case _:
            return None


def looked(desk: Desk, dealing: Dealing, seen: DeskSeen, now: datetime) -> Dealing:
    """Return what the bank knows once it has seen whether it was chosen, and what became of its offer."""
    if dealing.step is Step.ASKED and not dealing.asked_fen and seen.demand:
        return _with_request(dealing, seen)
    if dealing.step is Step.INDICATED and seen.dispatch_state in GONE:
        return replace(dealing, step=Step.OVER, outcome="not_chosen")
    if dealing.step is Step.INDICATED and seen.dispatch_state == "offered":
        return replace(dealing, step=Step.PROPOSED)
    if dealing.step is Step.INDICATED and seen.dispatch_state == "chosen":
        key = f"{dealing.firm_code}:{day_of(now).isoformat()}"
        hours = answer_hours(desk.seed, desk.bank, key, "binding") if dealing.firm_code else 0
        return replace(dealing, step=Step.CHOSEN, answer_at=after_hours(now, hours).isoformat())
    if dealing.step is Step.PROPOSED and not dealing.offer_id:
        return _adopted(dealing, seen.own_offer)
    if dealing.step is not Step.OFFERED:
        return dealing
    if seen.offer_state == "accepted":
        return replace(dealing, step=Step.WON)
    if seen.offer_state == "disbursed":
        return replace(dealing, step=Step.OVER, outcome="disbursed")
    if seen.offer_state in {"declined", "expired", "withdrawn", "lapsed"}:
        return replace(dealing, step=Step.OVER, outcome=seen.offer_state)
    return dealing


def remembered(dealing: Dealing) -> DeskSeen:
    """Return what the bank saw of demand and profile at its first look: neither is asked for twice."""
    demand = {
        "amount_fen": dealing.asked_fen,
        "term_months": dealing.asked_months,
        "repayment_kind": dealing.asked_kind,
    }
    return DeskSeen(demand, {"indicators": [{"code": SALES_INDICATOR, "value": dealing.sales_fen}]})


def after(dealing: Dealing, act: Act, answer: Answer) -> Dealing:
    """Return what the bank knows once the platform has answered. A refusal ends the dealing with its code."""
    match act.name:
        case "indicate" if answer.is_ok or answer.code in ANSWERED_BEFORE:
            return replace(dealing, step=Step.INDICATED)
        case "offer" if answer.code == "offer_pending":
            return replace(dealing, step=Step.PROPOSED)
        case "approve_offer" if answer.code == "illegal_offer_step":
            return replace(dealing, step=Step.OFFERED)
        case _ if not answer.is_ok:
            return replace(dealing, step=Step.OVER, outcome=answer.code or "refused")
        case "offer":
            assert isinstance(act.body, dict), "an offer has terms"
            return _with_terms(replace(dealing, step=Step.PROPOSED, offer_id=answer.text("id")), act.body)
        case "approve_offer":
            return replace(dealing, step=Step.OFFERED)
        case "disburse":
            return replace(dealing, step=Step.OVER, outcome="disbursed")
        case _:
            return replace(dealing, step=Step.OVER, outcome="declined")


def _adopted(dealing: Dealing, offer: Mapping[str, object]) -> Dealing:
    """Take up an offer that the bank made and forgot; without one the dealing is over."""
    if not offer:
        return replace(dealing, step=Step.OVER, outcome="offer_lost")
    step = Step.PROPOSED if offer.get("state") == "proposed" else Step.OFFERED
    return _with_terms(replace(dealing, step=step, offer_id=str(offer["id"])), offer)


def _with_request(dealing: Dealing, seen: DeskSeen) -> Dealing:
    return replace(
        dealing,
        asked_fen=_whole(seen.demand, "amount_fen"),
        asked_months=_whole(seen.demand, "term_months"),
        asked_kind=str(seen.demand.get("repayment_kind")),
        sales_fen=_indicator(seen.profile, SALES_INDICATOR),
    )


def _with_terms(dealing: Dealing, terms: Mapping[str, object]) -> Dealing:
    return replace(
        dealing,
        amount_fen=_whole(terms, "amount_fen"),
        rate_bp=_whole(terms, "rate_bp"),
        term_months=_whole(terms, "term_months"),
        repayment_kind=str(terms.get("repayment_kind")),
    )


def _indicate(desk: Desk, dealing: Dealing, seen: DeskSeen, firm: Firm | None, now: datetime) -> Act:
    """Name a range from the platform's data alone, or say no."""
    judged = judgement(desk, dealing, seen, firm, now, is_first_look=True)
    if not judged.lends:
        return _decline(dealing, judged)
    way, term_months = desk.bank.personality, _whole(seen.demand, "term_months")
    body = {
        "min_amount_fen": max(way.min_amount_fen, judged.amount_fen * INDICATED_LEAST_PPM // MILLION),
        "max_amount_fen": judged.amount_fen,
        "min_rate_bp": max(way.min_rate_bp, judged.rate_bp - INDICATED_BELOW_BP),
        "max_rate_bp": min(way.max_rate_bp, judged.rate_bp + INDICATED_ABOVE_BP),
        "min_term_months": term_months,
        "max_term_months": term_months,
        "repayment_kinds": [str(seen.demand.get("repayment_kind"))],
        "valid_until": (now + timedelta(days=INDICATION_DAYS)).isoformat(),
    }
    natural, rings = _natural(dealing), (dealing.firm_code,) if dealing.firm_code else ()
    return Act("indicate", "POST", f"/dispatches/{dealing.dispatch_id}/indications", body, natural, rings=rings)


def _decline(dealing: Dealing, judged: Judgement) -> Act:
    # No bell: a no leaves the firm nothing to do, and its weekly look tells it when everybody said no.
    path, natural = f"/dispatches/{dealing.dispatch_id}/decline", (*_natural(dealing), dealing.step.value)
    return Act("decline", "POST", path, {"reason": judged.reason}, natural)


def _natural(dealing: Dealing) -> tuple[str, str]:
    return dealing.applicant, dealing.seen_at[:10]


def _answer(desk: Desk, dealing: Dealing, seen: DeskSeen, firm: Firm | None, now: datetime) -> Act:
    judged = judgement(desk, dealing, seen, firm, now, is_first_look=False)
    if not judged.lends:
        return _decline(dealing, judged)
    body = {
        "amount_fen": judged.amount_fen,
        "rate_bp": judged.rate_bp,
        "term_months": _whole(seen.demand, "term_months"),
        "repayment_kind": str(seen.demand.get("repayment_kind")),
        "valid_until": (now + timedelta(days=OFFER_DAYS)).isoformat(),
    }
    return Act("offer", "POST", f"/dispatches/{dealing.dispatch_id}/offers", body, _natural(dealing))


def judgement(
    desk: Desk, dealing: Dealing, seen: DeskSeen, firm: Firm | None, now: datetime, *, is_first_look: bool
) -> Judgement:
    """Return how the bank judges what lies before it."""
    applicant = Applicant(
        firm=firm,
        name=dealing.applicant,
        amount_fen=_whole(seen.demand, "amount_fen"),
        term_months=_whole(seen.demand, "term_months"),
        sales_fen=_indicator(seen.profile, SALES_INDICATOR),
    )
    return judge(desk.seed, desk.bank, applicant, day_of(now), is_first_look=is_first_look)


def _disbursement(dealing: Dealing, firm: Firm | None, now: datetime) -> dict[str, object]:
    day = day_of(now)
    body: dict[str, object] = {
        "offer_id": dealing.offer_id,
        "disbursed_on": day.isoformat(),
        "payment_kind": "entrusted" if dealing.amount_fen >= 50_000_000 else "self",
        "payment_reference": f"SIM-{dealing.applicant[-8:]}-{day:%Y%m%d}",
    }
    if firm is not None:
        body["first_loan"] = {"is_first": not firm.has_earlier_loan, "definition": "no_record_in_registry"}
    return body


def _indicator(profile: Mapping[str, object], code: str) -> int | None:
    listed = profile.get("indicators")
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, dict) and one.get("code") == code:
            return one["value"] if isinstance(one.get("value"), int) else None
    return None


def _whole(row: Mapping[str, object], name: str) -> int:
    found = row.get(name)
    return found if isinstance(found, int) else 0
