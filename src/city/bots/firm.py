"""A firm that wants finance: consents, tax authorisation, pull, score, demand, choice, acceptance."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from city.bots.acts import Act
from city.platform import Answer
from city.store import Body
from city.world.calendar import SHANGHAI, day_of, is_working_day
from city.world.plans import Wish

CONSENT_DAYS = 300
CONSENT_ITEMS = ("vat_invoice",)
PURPOSE = "pre_loan"
PULL_TRIES = 2
PATIENCE_WORKING_DAYS = 3
LOOKS_EVERY_DAYS = 7
"""After the first indication, and after the first offer, a firm waits so long for better ones."""
AUTHORITY = "credit_query"
MOST_CHOSEN = 2
"""Banks that a firm lets look into its credit record at a time: every query leaves a mark there."""
ENDED = frozenset({"closed", "withdrawn", "expired", "rejected_all"})
PULL_DONE = "ready"
PULL_OVER = frozenset({"denied", "failed", "timed_out"})


Rows = Sequence[Mapping[str, object]]


class Stage(StrEnum):
    """How far a firm is with its demand."""

    CONSENTING = "consenting"
    AUTHORISING = "authorising"
    PULLING = "pulling"
    SCORING = "scoring"
    DRAFTING = "drafting"
    SUBMITTING = "submitting"
    ASKING = "asking"
    ACCEPTED = "accepted"
    OVER = "over"


@dataclass(frozen=True)
class Case:
    """What a firm knows of its own demand. `banks` are the credit codes of those it lets look."""

    opened_on: str
    amount_fen: int
    term_months: int
    use: str
    repayment_kind: str
    wanted_by: str
    banks: tuple[str, ...]
    stage: Stage = Stage.CONSENTING
    pull_id: str = ""
    """Empty for a pull that runs already: then the newest one counts."""
    pulls: int = 0
    demand_id: str = ""
    first_indication_on: str = ""
    chosen: tuple[str, ...] = ()
    """Credit codes of the banks that may make a binding offer."""
    first_offer_on: str = ""
    refused: tuple[str, ...] = ()
    """Offers and indications that the platform would not let the firm take."""
    result: str = ""

    def as_body(self) -> Body:
        """Return it as it is remembered."""
        return asdict(self)

    @classmethod
    def of(cls, body: Mapping[str, object]) -> "Case":
        """Build from what was remembered."""
        kept = dict(body)
        kept["banks"] = _texts(kept["banks"])
        kept["chosen"], kept["refused"] = _texts(kept["chosen"]), _texts(kept["refused"])
        kept["stage"] = Stage(str(kept["stage"]))
        return cls(**kept)  # type: ignore[arg-type]

    @property
    def is_open(self) -> bool:
        """Say whether something is still to come."""
        return self.stage is not Stage.OVER


@dataclass(frozen=True)
class Seen:
    """What a firm sees of the platform at its stage; everything else is empty."""

    operator_id: str = ""
    text_digest: str = ""
    consents: tuple[Mapping[str, object], ...] = ()
    consent_code: str = ""
    pull: Mapping[str, object] = field(default_factory=dict)
    demands: tuple[Mapping[str, object], ...] = ()
    demand_state: str = ""
    indications: tuple[Mapping[str, object], ...] = ()
    offers: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True)
class Parties:
    """Who is who: ids by credit code and the reverse, as city.toml says."""

    ids: Mapping[str, str]
    codes: Mapping[str, str]


def open_case(wish: Wish, day: date) -> Case:
    """Return the case with which a wish begins."""
    return Case(
        opened_on=day.isoformat(),
        amount_fen=wish.amount_fen,
        term_months=wish.term_months,
        use=wish.use,
        repayment_kind=wish.repayment_kind,
        wanted_by=wish.wanted_by.isoformat(),
        banks=wish.banks,
    )


def next_act(case: Case, seen: Seen, who: Parties, now: datetime) -> Act | None:
    """Return what the firm does next, None when it waits or is through."""
    key = (case.opened_on,)
    match case.stage:
        case Stage.CONSENTING:
            return _consent(case, seen, who, now)
        case Stage.AUTHORISING:
            return Act(
                "pull", "POST", "/sources/tax/pulls", {"consent_code": seen.consent_code}, (*key, str(case.pulls))
            )
        case Stage.SCORING:
            return Act("score", "POST", "/scores", None, key)
        case Stage.DRAFTING:
            return Act("draft_demand", "POST", "/demands", _terms(case), key)
        case Stage.SUBMITTING:
            return Act("submit_demand", "POST", f"/demands/{case.demand_id}/submit", None, key, rings=case.banks)
        case Stage.ASKING:
            return _accept(case, seen, who, now) or _choose(case, seen, who, now)
        case _:
            return None


def looked(case: Case, seen: Seen, who: Parties, now: datetime) -> Case:
    """Return what the firm knows once it has looked: some stages are left by seeing, not by doing."""
    today = day_of(now).isoformat()
    match case.stage:
        case Stage.CONSENTING if _standing_consent(case, seen, who, now):
            return replace(case, stage=Stage.AUTHORISING)
        case Stage.PULLING:
            return _pulled(case, str(seen.pull.get("state", "")))
        case Stage.DRAFTING:
            found = _own_draft(case, seen)
            return case if found is None else replace(case, stage=Stage.SUBMITTING, demand_id=found)
        case Stage.ASKING | Stage.ACCEPTED if seen.demand_state in ENDED:
            result = "granted" if seen.demand_state == "closed" else seen.demand_state
            return replace(case, stage=Stage.OVER, result=result)
        case Stage.ASKING if seen.demand_state == "accepted":
            return replace(case, stage=Stage.ACCEPTED)
        case Stage.ASKING if _open(case, seen.offers, "issued", now) and not case.first_offer_on:
            return replace(case, first_offer_on=today)
        case Stage.ASKING if _open(case, seen.indications, "indicated", now) and not case.first_indication_on:
            return replace(case, first_indication_on=today)
        case _:
            return case


def looks_again(case: Case, today: date) -> bool:
    """Say whether a waiting firm looks without being rung for: when its patience ends, and else once a week."""
    patience = (_working_days_since(day, today) for day in (case.first_indication_on, case.first_offer_on) if day)
    is_weekly = (today - date.fromisoformat(case.opened_on)).days % LOOKS_EVERY_DAYS == 0
    return is_weekly or PATIENCE_WORKING_DAYS in patience


def after(case: Case, act: Act, answer: Answer) -> Case:
    """Return what the firm knows once the platform has answered. A refusal never leads to the same act again."""
    match act.name:
        case "consent":
            return replace(case, stage=Stage.AUTHORISING) if answer.is_ok else _given_up(case, answer)
        case "pull":
            is_under_way = answer.is_ok or answer.code == "pull_under_way"
            stage = Stage.PULLING if is_under_way else Stage.SCORING
            return replace(case, stage=stage, pull_id=answer.text("id"), pulls=case.pulls + 1)
        case "score":
            return replace(case, stage=Stage.DRAFTING)
        case "draft_demand" if answer.is_ok:
            return replace(case, stage=Stage.SUBMITTING, demand_id=answer.text("id"))
        case "submit_demand":
            is_through = answer.is_ok or answer.code == "illegal_demand_step"
            return replace(case, stage=Stage.ASKING) if is_through else _given_up(case, answer)
        case "accept_offer" if answer.is_ok:
            return replace(case, stage=Stage.ACCEPTED)
        case "accept_offer":
            return replace(case, refused=(*case.refused, act.natural[-1]))
        case "choose":
            return _chosen(case, act, answer)
        case _:
            return _given_up(case, answer)


def _chosen(case: Case, act: Act, answer: Answer) -> Case:
    if answer.is_ok:
        return replace(case, chosen=(*case.chosen, *act.rings), first_offer_on="")
    assert isinstance(act.body, dict), "a choice names indications"
    return replace(case, refused=(*case.refused, *act.body["indication_ids"]))


def _given_up(case: Case, answer: Answer) -> Case:
    return replace(case, stage=Stage.OVER, result=answer.code or "refused")


def _consent(case: Case, seen: Seen, who: Parties, now: datetime) -> Act:
    body = {
        "purpose": PURPOSE,
        "item_codes": list(CONSENT_ITEMS),
        "receiver_ids": [seen.operator_id, *(who.ids[code] for code in case.banks)],
        "expires_at": (now + timedelta(days=CONSENT_DAYS)).isoformat(),
        "text_digest": seen.text_digest,
    }
    return Act("consent", "POST", "/consents", body, (case.opened_on,))


def _standing_consent(case: Case, seen: Seen, who: Parties, now: datetime) -> bool:
    """Say whether a consent in force covers the banks for long enough: after a crash, or from another demand."""
    needed = {seen.operator_id, *(who.ids[code] for code in case.banks)}
    until = now + timedelta(days=CONSENT_DAYS // 2)
    return any(
        one.get("purpose") == PURPOSE
        and one.get("state") == "active"
        and needed <= set(_texts(one.get("receiver_ids")))
        and datetime.fromisoformat(str(one.get("expires_at"))) > until
        for one in seen.consents
    )


def _pulled(case: Case, state: str) -> Case:
    if state == PULL_DONE:
        return replace(case, stage=Stage.SCORING)
    if state in PULL_OVER:
        return replace(case, stage=Stage.AUTHORISING if case.pulls < PULL_TRIES else Stage.SCORING)
    return case


def _terms(case: Case) -> dict[str, object]:
    return {
        "amount_fen": case.amount_fen,
        "term_months": case.term_months,
        "use": case.use,
        "repayment_kind": case.repayment_kind,
        "wanted_by": case.wanted_by,
        "is_lawful_use_declared": True,
    }


def _own_draft(case: Case, seen: Seen) -> str | None:
    """Return the demand that this case made before its memory was lost: the same terms, made since it was opened."""
    wanted = (case.amount_fen, case.term_months, case.use, case.repayment_kind, case.wanted_by)
    for one in seen.demands:
        terms = tuple(one.get(name) for name in ("amount_fen", "term_months", "use", "repayment_kind", "wanted_by"))
        made_on = datetime.fromisoformat(str(one.get("created_at"))).astimezone(SHANGHAI).date()
        if terms == wanted and made_on >= date.fromisoformat(case.opened_on):
            return str(one.get("id"))
    return None


def _open(case: Case, rows: Rows, state: str, now: datetime) -> list[Mapping[str, object]]:
    """Return the offers or indications that can still be taken."""
    return [
        one
        for one in rows
        if one.get("state") == state
        and str(one.get("id")) not in case.refused
        and datetime.fromisoformat(str(one.get("valid_until"))) > now
    ]


def _accept(case: Case, seen: Seen, who: Parties, now: datetime) -> Act | None:
    """Accept the cheapest offer once the firm has waited, or every bank it chose has answered; ties go by code."""
    offers = _open(case, seen.offers, "issued", now)
    if not offers:
        return None
    has_all = len(offers) >= len(case.chosen)
    if not has_all and _working_days_since(case.first_offer_on, day_of(now)) < PATIENCE_WORKING_DAYS:
        return None
    best = min(offers, key=lambda one: (_whole(one, "rate_bp"), -_whole(one, "amount_fen"), _bank(one, who)))
    offer_id = str(best["id"])
    natural = (case.opened_on, _bank(best, who), offer_id)
    rings = (_bank(best, who), *case.chosen)
    return Act("accept_offer", "POST", f"/offers/{offer_id}/accept", None, natural, rings=rings)


def _choose(case: Case, seen: Seen, who: Parties, now: datetime) -> Act | None:
    """Choose the banks that indicated the lowest rates, a few at a time, once the firm has waited for the others."""
    held = sum(one.get("state") in ("chosen", "offered") for one in seen.indications)
    ready = _open(case, seen.indications, "indicated", now)
    if not ready or held >= MOST_CHOSEN:
        return None
    has_all = len(seen.indications) >= len(case.banks)
    if not has_all and _working_days_since(case.first_indication_on, day_of(now)) < PATIENCE_WORKING_DAYS:
        return None
    ready.sort(key=lambda one: (_whole(one, "max_rate_bp"), -_whole(one, "max_amount_fen"), _bank(one, who)))
    wanted = ready[: MOST_CHOSEN - held]
    codes = tuple(_bank(one, who) for one in wanted)
    body = {"indication_ids": [str(one["id"]) for one in wanted], "text_digest": seen.text_digest}
    path = f"/demands/{case.demand_id}/choices"
    return Act("choose", "POST", path, body, (case.opened_on, *codes), rings=codes)


def _working_days_since(day: str, today: date) -> int:
    if not day:
        return 0
    begin = date.fromisoformat(day)
    passed = (today - begin).days
    return sum(is_working_day(begin + timedelta(days=on)) for on in range(1, passed + 1))


def _bank(row: Mapping[str, object], who: Parties) -> str:
    return who.codes.get(str(row.get("lender_id")), "")


def _whole(row: Mapping[str, object], name: str) -> int:
    found = row.get(name)
    return found if isinstance(found, int) else 0


def _texts(found: object) -> tuple[str, ...]:
    return tuple(str(one) for one in found) if isinstance(found, list | tuple) else ()
