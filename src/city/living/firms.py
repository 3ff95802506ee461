"""All firms of the city: whose wish falls on today, and who is on the way to a loan."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import date, datetime

from city.bots.firm import (
    AUTHORITY,
    PURPOSE,
    Case,
    Parties,
    Seen,
    Stage,
    after,
    looked,
    looks_again,
    next_act,
    open_case,
)
from city.living.performing import Performer, together
from city.settings import FIRM_KINDS, Actor, CityFile
from city.world.calendar import day_of, month_of
from city.world.plans import MOST_LOANS, REST_MONTHS, asks_on, wish_on
from city.world.population import Firm

MOST_STEPS = 12
WAITING = frozenset({Stage.PULLING, Stage.ASKING, Stage.ACCEPTED})
"""Stages at which the platform's worker or a bank has to do something first."""
MEMORY = "case"

Authorise = Callable[[str], str]
"""The firm's own act at the tax bureau: from its credit code to a consent code."""
Look = tuple[str, Case, Seen]
IsFailing = Callable[[str, int], bool]
"""Whether a firm has stopped paying by a month: such a firm asks for nothing."""


class Firms:
    """The firms of the city that are parties of the platform."""

    def __init__(
        self,
        performer: Performer,
        city_file: CityFile,
        registry: dict[str, Firm],
        who: Parties,
        *,
        began_on: date,
        authorise: Authorise,
        is_failing: IsFailing,
    ) -> None:
        self._performer = performer
        self._registry = registry
        self._who = who
        self._began_on = began_on
        self._authorise = authorise
        self._is_failing = is_failing
        self._actors = {one.credit_code: one for one in city_file.of_kind(*FIRM_KINDS) if one.credit_code in registry}
        self._operator_id = ""
        self._asking = asyncio.Lock()
        self._digests_of: tuple[date, dict[str, str]] = (began_on, {})
        self._wishes: tuple[int, dict[str, date]] = (0, {})
        self.cases: dict[str, dict[str, Case]] = {}
        for code in self._actors:
            kept = performer.store.remembered(MEMORY, code)
            if kept:
                self.cases[code] = {name: Case.of(body) for name, body in kept.items()}

    def open_case(self, code: str) -> Case | None:
        """Return what a firm is about, None when it is about nothing."""
        return next((case for case in self.cases.get(code, {}).values() if case.is_open), None)

    def asked_now(self) -> dict[str, dict[str, str]]:
        """Return by bank the firms that have asked it and may still be sent to it, each with the day it began to."""
        asked: dict[str, dict[str, str]] = {}
        for code in self.cases:
            case = self.open_case(code)
            if case is not None and case.stage is Stage.ASKING:
                for bank in case.banks:
                    asked.setdefault(bank, {})[code] = case.opened_on
        return asked

    async def look(self, now: datetime, *, is_first: bool, looks_daily: bool) -> list[Look]:
        """Let every firm that something concerns look, side by side; return by credit code what each has seen.

        Parameters
        ----------
        is_first : bool
            Whether this is the day's first round.
        looks_daily : bool
            Whether somebody may have acted who rings no bells, as persons do: then who waits looks every day.
        """
        self._begin_cases(now)
        awake: list[tuple[str, Case]] = []
        for code in sorted(self.cases):
            case = self.open_case(code)
            if case is None:
                continue
            looks = is_first and (looks_daily or looks_again(case, day_of(now)))
            if looks or self._performer.hears(code) or case.stage not in (Stage.ASKING, Stage.ACCEPTED):
                awake.append((code, case))
        seen = await together(self._look(self._actors[code], case, now) for code, case in awake)
        return [(code, case, one) for (code, case), one in zip(awake, seen, strict=True)]

    async def act(self, looks: list[Look], now: datetime) -> None:
        """Let those that have looked act, one after the other."""
        for code, case, seen in looks:
            await self._work(self._actors[code], case, seen, now)

    def _begin_cases(self, now: datetime) -> None:
        today = day_of(now)
        month = month_of(today)
        if self._wishes[0] != month:
            asked = ((code, asks_on(self._performer.seed, self._registry[code], month)) for code in self._actors)
            self._wishes = (month, {code: day for code, day in asked if day is not None})
        for code, day in sorted(self._wishes[1].items()):
            if self._began_on <= day <= today and self._may_ask(code, day, month):
                self._keep(code, open_case(wish_on(self._performer.seed, self._registry[code], day), day))

    def _may_ask(self, code: str, day: date, month: int) -> bool:
        firm, cases = self._registry[code], self.cases.get(code, {})
        if any(case.is_open or date.fromisoformat(case.opened_on) >= day for case in cases.values()):
            return False
        granted = sum(case.result == "granted" for case in cases.values())
        if granted >= (1 if firm.is_hollow else MOST_LOANS) or self._is_failing(code, month):
            return False
        last = max((month_of(date.fromisoformat(case.opened_on)) for case in cases.values()), default=0)
        return firm.is_hollow or month - last >= REST_MONTHS

    async def _work(self, actor: Actor, case: Case, seen: Seen, now: datetime) -> None:
        for step in range(MOST_STEPS):
            if step:
                seen = await self._look(actor, case, now)
            known = looked(case, seen, self._who, now)
            has_moved_on = known.stage is not case.stage
            if known != case:
                self._keep(actor.credit_code, known)
                case = known
            if has_moved_on:
                continue
            act = next_act(case, seen, self._who, now)
            if act is None:
                return
            case = after(case, act, await self._performer.perform(actor, act, day_of(now)))
            self._keep(actor.credit_code, case)
            if case.stage in WAITING or not case.is_open:
                return

    async def _look(self, actor: Actor, case: Case, now: datetime) -> Seen:
        hand = self._performer
        match case.stage:
            case Stage.CONSENTING:
                return Seen(
                    operator_id=await self._operator(actor),
                    text_digest=await self._text_digest(actor, PURPOSE, day_of(now)),
                    consents=tuple(await hand.pages(actor, "/consents", "consents")),
                )
            case Stage.AUTHORISING:
                return Seen(consent_code=self._authorise(actor.credit_code))
            case Stage.PULLING:
                return Seen(pull=await self._pull(actor, case))
            case Stage.DRAFTING:
                return Seen(demands=tuple(await hand.pages(actor, "/demands", "demands")))
            case Stage.ASKING | Stage.ACCEPTED:
                return await self._look_at_demand(actor, case, day_of(now))
            case _:
                return Seen()

    async def _look_at_demand(self, actor: Actor, case: Case, day: date) -> Seen:
        path = f"/demands/{case.demand_id}"
        state = (await self._performer.read(actor, path)).text("state")
        if state == "offered":
            offers = (await self._performer.read(actor, f"{path}/offers")).rows("offers")
            return Seen(demand_state=state, offers=tuple(offers))
        if state != "matching":
            return Seen(demand_state=state)
        indications = (await self._performer.read(actor, f"{path}/indications")).rows("indications")
        text_digest = await self._text_digest(actor, AUTHORITY, day) if indications else ""
        return Seen(demand_state=state, indications=tuple(indications), text_digest=text_digest)

    async def _pull(self, actor: Actor, case: Case) -> Mapping[str, object]:
        if case.pull_id:
            return (await self._performer.read(actor, f"/sources/pulls/{case.pull_id}")).body
        pulls = await self._performer.pages(actor, "/sources/pulls", "pulls")
        return pulls[-1] if pulls else {}

    async def _operator(self, actor: Actor) -> str:
        async with self._asking:
            if not self._operator_id:
                found = (await self._performer.read(actor, "/parties?kind=operator")).rows("parties")
                self._operator_id = str(found[0]["id"]) if found else ""
            return self._operator_id

    async def _text_digest(self, actor: Actor, purpose: str, day: date) -> str:
        async with self._asking:
            if self._digests_of[0] != day:
                self._digests_of = (day, {})
            known = self._digests_of[1]
            if purpose not in known:
                known[purpose] = (await self._performer.read(actor, f"/consents/text?purpose={purpose}")).text("digest")
            return known[purpose]

    def _keep(self, code: str, case: Case) -> None:
        self.cases.setdefault(code, {})[case.opened_on] = case
        self._performer.store.remember(MEMORY, code, case.opened_on, case.as_body())
