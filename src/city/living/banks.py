"""One bank of the city: its inbox, its open dealings, its book."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from city.bots import book
from city.bots.bank import (
    LOOKS_EVERY_DAYS,
    Dealing,
    Desk,
    DeskSeen,
    Step,
    after,
    is_due,
    looked,
    looks_again,
    next_act,
    remembered,
    take_up,
)
from city.bots.book import Booked, BookSeen, Loss
from city.bots.firm import Parties
from city.living.performing import Performer, together
from city.platform import Answer
from city.settings import Actor
from city.world.calendar import day_of
from city.world.hazard import Terms, default_month
from city.world.institutions import Bank, agreement_terms
from city.world.population import Firm

MOST_STEPS = 6
MOST_PAYMENTS = 6
DEALING, BOOK = "dealing", "book"


@dataclass(frozen=True)
class BankLook:
    """What a bank has seen of its open dealings, None where one is no longer its to see."""

    dealings: list[tuple[Dealing, DeskSeen | None]]
    asks_after_claims: bool


class BankDesk:
    """A bank with what it remembers."""

    def __init__(self, performer: Performer, actor: Actor, bank: Bank, registry: dict[str, Firm], who: Parties) -> None:
        self.actor = actor
        self._performer = performer
        self._desk = Desk(performer.seed, bank)
        self._registry = registry
        self._who = who
        agreed = agreement_terms(bank)
        self._claim_after_days = 0 if agreed is None else int(str(agreed["claim_after_days"]))
        kept = performer.store.remembered(DEALING, actor.credit_code)
        self.dealings = {name: Dealing.of(body) for name, body in kept.items()}
        kept = performer.store.remembered(BOOK, actor.credit_code)
        self.books = {name: Booked.of(body) for name, body in kept.items()}

    async def look(self, now: datetime, *, looks_in: bool, is_first: bool, looks_daily: bool) -> BankLook:
        """Let the bank look at everything that it has something to do with, side by side.

        Parameters
        ----------
        looks_in : bool
            Whether to look into the inbox for new demands.
        is_first : bool
            Whether this is the day's first round.
        looks_daily : bool
            Whether somebody may have acted who rings no bells, as persons do: then every open offer is looked at daily.
        """
        if looks_in:
            await self._open_inbox(now)
        ringers = self._performer.ringers(self.actor.credit_code)
        dealings: list[Dealing] = []
        for dealing in sorted(self.dealings.values(), key=lambda one: (one.applicant, one.seen_at)):
            waits_for_firm = dealing.step in (Step.INDICATED, Step.OFFERED)
            looks = is_first and (looks_daily or looks_again(dealing, day_of(now)))
            if is_due(dealing, now) and (looks or dealing.applicant in ringers or not waits_for_firm):
                dealings.append(dealing)
        seen = await together(self._see(one) for one in dealings)
        return BankLook(list(zip(dealings, seen, strict=True)), asks_after_claims=is_first or bool(ringers))

    async def act(self, look: BankLook, now: datetime) -> None:
        """Let the bank act on what it has seen, one dealing after the other, and then look after its book."""
        for dealing, seen in look.dealings:
            await self._deal(dealing, seen, now)
        for booked in sorted(self.books.values(), key=lambda one: one.natural):
            if booked.is_open:
                await self._look_after(booked, day_of(now), asks_after_claims=look.asks_after_claims)

    def has_defaulted(self, firm_code: str, month: int) -> bool:
        """Say whether a borrower has stopped paying this bank by a month."""
        return any(one.firm_code == firm_code and 0 <= one.defaults_in <= month for one in self.books.values())

    def expects(self, askers: Mapping[str, str], today: date) -> bool:
        """Say whether one of these firms, which asked since the day beside it, may have come before this bank today.

        Most that come do so at once and ring; one that comes in place of a bank that said no is found within a week.
        """
        latest: dict[str, str] = {}
        for one in self.dealings.values():
            latest[one.firm_code] = max(latest.get(one.firm_code, ""), one.seen_at[:10])
        waiting = [date.fromisoformat(day) for code, day in askers.items() if latest.get(code, "") < day]
        return any((today - day).days % LOOKS_EVERY_DAYS == 0 for day in waiting if day < today)

    def waits_for_fund(self) -> bool:
        """Say whether a claim of this bank is before the fund."""
        return any(one.loss is Loss.CLAIMED for one in self.books.values())

    async def _open_inbox(self, now: datetime) -> None:
        rows = await self._performer.pages(self.actor, "/dispatches?status=sent", "dispatches")
        known = {one.dispatch_id for one in self.dealings.values()}
        for row in sorted(rows, key=lambda one: self._who.codes.get(str(one["firm_id"]), str(one["firm_id"]))):
            if str(row["id"]) not in known:
                self._keep(take_up(self._desk, row, self._who.codes.get(str(row["firm_id"]), ""), now))

    async def _deal(self, dealing: Dealing, seen: DeskSeen | None, now: datetime) -> None:
        firm = self._registry.get(dealing.firm_code)
        for step in range(MOST_STEPS):
            if step:
                seen = await self._see(dealing)
            if seen is None:
                self._keep(_gone(dealing))
                return
            known = looked(self._desk, dealing, seen, now)
            if known != dealing:
                self._keep(known)
                dealing = known
                if not is_due(dealing, now):
                    return
                continue
            act = next_act(self._desk, dealing, seen, firm, now)
            if act is None:
                return
            answer = await self._performer.perform(self.actor, act, day_of(now))
            if act.name == "disburse" and answer.is_ok:
                await self._enter(dealing, answer, firm)
            dealing = after(dealing, act, answer)
            self._keep(dealing)
            if dealing.step in (Step.INDICATED, Step.OFFERED) or not dealing.is_open:
                return

    async def _see(self, dealing: Dealing) -> DeskSeen | None:
        """Return what the bank sees; None when the demand is no longer its to see."""
        if dealing.step in (Step.ASKED, Step.CHOSEN) and dealing.asked_fen:
            return remembered(dealing)
        if dealing.step in (Step.ASKED, Step.CHOSEN):
            demand = await self._performer.read(self.actor, f"/demands/{dealing.demand_id}")
            profile = await self._performer.read(self.actor, f"/dispatches/{dealing.dispatch_id}/profile")
            return DeskSeen(demand.body, profile.body if profile.is_ok else {}) if demand.is_ok else None
        if dealing.step is Step.INDICATED:
            dispatch = await self._performer.read(self.actor, f"/dispatches/{dealing.dispatch_id}")
            return DeskSeen({}, {}, dispatch.text("state")) if dispatch.is_ok else None
        if dealing.step is Step.OFFERED:
            offer = await self._performer.read(self.actor, f"/offers/{dealing.offer_id}")
            return DeskSeen({}, {}, offer_state=offer.text("state")) if offer.is_ok else None
        if dealing.step is Step.PROPOSED and not dealing.offer_id:
            rows = (await self._performer.read(self.actor, f"/demands/{dealing.demand_id}/offers")).rows("offers")
            own = [row for row in rows if row.get("dispatch_id") == dealing.dispatch_id]
            return DeskSeen({}, {}, own_offer=own[-1] if own else {})
        return DeskSeen({}, {})

    async def _enter(self, dealing: Dealing, answer: Answer, firm: Firm | None) -> None:
        """Enter a loan into the book before the dealing is closed: a crash in between repeats the disbursement."""
        loan_id = answer.text("id")
        shown = await self._performer.read(self.actor, f"/loans/{loan_id}")
        rows = sorted(shown.rows("instalments"), key=lambda one: int(str(one["number"])))
        paid_out = date.fromisoformat(answer.text("disbursed_on"))
        terms = Terms(dealing.amount_fen, dealing.rate_bp, dealing.term_months, paid_out)
        defaults_in = None if firm is None else default_month(self._performer.seed, firm, terms)
        booked = Booked(
            loan_id=loan_id,
            firm_code=dealing.firm_code,
            natural=(dealing.applicant, paid_out.isoformat()),
            principal_fen=dealing.amount_fen,
            claim_after_days=self._claim_after_days,
            instalments=tuple(
                (str(one["due_on"]), int(str(one["principal_fen"])) + int(str(one["interest_fen"]))) for one in rows
            ),
            defaults_in=-1 if defaults_in is None else defaults_in,
        )
        self._keep_book(booked)

    async def _look_after(self, booked: Booked, today: date, *, asks_after_claims: bool) -> None:
        firm = self._registry.get(booked.firm_code)
        for _ in range(MOST_PAYMENTS):
            what = book.due_act(self._performer.seed, booked, firm, today)
            if not what or (what == "ask" and not asks_after_claims):
                return
            seen = await self._see_book(booked, what)
            known = book.looked(booked, seen)
            if known != booked:
                self._keep_book(known)
                booked = known
                continue
            act = book.next_act(self._performer.seed, booked, what, seen, today)
            if act is None:
                return
            answer = await self._performer.perform(self.actor, act, today)
            booked = book.after(booked, act, answer, today)
            self._keep_book(booked)

    async def _see_book(self, booked: Booked, what: str) -> BookSeen:
        if what == "ask":
            shown = (await self._performer.read(self.actor, f"/claims/{booked.claim_id}")).body.get("claim")
            return book.seen_claim(shown) if isinstance(shown, dict) else BookSeen()
        if what == "repay" and booked.is_last:
            dues = (await self._performer.read(self.actor, f"/loans/{booked.loan_id}")).body.get("dues")
            return BookSeen(payoff_fen=int(str(dues["payoff_fen"])) if isinstance(dues, dict) else 0)
        return BookSeen()

    def _keep(self, dealing: Dealing) -> None:
        self.dealings[dealing.dispatch_id] = dealing
        self._performer.store.remember(DEALING, self.actor.credit_code, dealing.dispatch_id, dealing.as_body())

    def _keep_book(self, booked: Booked) -> None:
        self.books[booked.loan_id] = booked
        self._performer.store.remember(BOOK, self.actor.credit_code, booked.loan_id, booked.as_body())


def _gone(dealing: Dealing) -> Dealing:
    return Dealing.of({**dealing.as_body(), "step": Step.OVER.value, "outcome": "no_longer_visible"})
