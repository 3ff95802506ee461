"""The fund of the city at its desk."""

from datetime import datetime

from city.bots.firm import Parties
from city.bots.fund import BEFORE, Review, after, next_act, open_review
from city.living.performing import Performer
from city.settings import Actor
from city.world.calendar import day_of

MEMORY = "review"
MOST_STEPS = 4


class FundDesk:
    """A fund with the claims that it remembers."""

    def __init__(self, performer: Performer, actor: Actor, who: Parties) -> None:
        self.actor = actor
        self._performer = performer
        self._who = who
        kept = performer.store.remembered(MEMORY, actor.credit_code)
        self.reviews = {name: Review.of(body) for name, body in kept.items()}

    async def look(self, now: datetime) -> None:
        """Look for new claims."""
        for state in BEFORE:
            for row in await self._performer.pages(self.actor, f"/claims?status={state}", "claims"):
                if str(row["id"]) not in self.reviews:
                    lender = self._who.codes.get(str(row.get("lender_id")), "")
                    is_urgent = str(row.get("firm_id")) not in self._who.codes
                    self._keep(open_review(row, lender, now, is_urgent=is_urgent))

    async def act(self, now: datetime) -> None:
        """Let the fund act on every claim whose time has come."""
        for review in sorted(self.reviews.values(), key=lambda one: (one.act_at, one.lender_code, one.claim_id)):
            for _ in range(MOST_STEPS):
                act = next_act(review, now)
                if act is None:
                    break
                answer = await self._performer.perform(self.actor, act, day_of(now))
                review = after(review, act, answer, now)
                self._keep(review)

    def _keep(self, review: Review) -> None:
        self.reviews[review.claim_id] = review
        self._performer.store.remember(MEMORY, self.actor.credit_code, review.claim_id, review.as_body())
