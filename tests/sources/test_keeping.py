"""What the rule of keeping says of any history, and that the database finds the same firms."""

import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from builders_consents import NOW, a_consent
from builders_parties import a_credit_code, a_firm
from builders_sources import Row, a_csv, a_record, a_row, an_agency, rows_of
from conftest import Database
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import queries as permitted
from xinyidai.consents import service as consents
from xinyidai.consents.rules import Purpose
from xinyidai.consents.rules.terms import Term
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.timetable import moment_of
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.sources import service
from xinyidai.sources.queries import purged as reads
from xinyidai.sources.rules import DeliveryKind
from xinyidai.sources.rules.keeping import Held, Hold, ItemTerms, Keeping, KeptFor, keeping, spared
from xinyidai.worker import load_rooms

load_rooms()
DAYS = st.integers(-60, 60).map(lambda days: NOW + timedelta(days=days))
FIRM = UUID(int=1)

terms = st.builds(
    lambda number, names, at, days, life: Term(UUID(int=number), names, at, at + timedelta(days=days), life),
    st.integers(1, 9),
    st.booleans(),
    DAYS,
    st.integers(1, 40),
    st.integers(0, 40),
)
told = st.builds(ItemTerms, st.booleans(), st.integers(1, 90), st.lists(terms, max_size=4).map(tuple))
held = st.builds(Held, st.just("vat_invoice"), st.integers(1, 3), DAYS, st.integers(0, 5), st.integers(0, 2))
holds = st.lists(
    st.builds(Hold, st.just(FIRM), st.just(KeptFor.LOAN), st.uuids(), DAYS)
    | st.builds(
        lambda delivery, line: Hold(FIRM, KeptFor.DISPUTE, UUID(int=line), None, "vat_invoice", (delivery, line)),
        st.integers(1, 3),
        st.integers(1, 5),
    ),
    max_size=2,
)


@given(held, told, holds, DAYS, st.booleans())
def test_nothing_that_may_still_be_read_goes(
    one: Held, about: ItemTerms, holding: list[Hold], at: datetime, is_asked: bool
) -> None:
    kept = keeping(one, about, holding, at=at, is_asked=is_asked)

    may_be_read = any(term.granted_at <= at < term.ended_at for term in about.terms)
    assert (kept is not None and kept.reason is KeptFor.CONSENT) == may_be_read


@given(held, told, DAYS)
def test_nothing_stays_whose_life_and_retention_are_over(one: Held, about: ItemTerms, at: datetime) -> None:
    kept = keeping(one, about, [], at=at)

    lives = [
        term.ended_at + timedelta(days=term.life_days)
        for term in about.terms
        if term.names_platform and one.recorded_at < term.ended_at
    ]
    retained = one.recorded_at + timedelta(days=about.retention_days) > at
    is_readable = any(term.is_in_force(at) for term in about.terms)
    lawful = is_readable or (retained and (about.is_open or any(life > at for life in lives)))
    assert (kept is not None) == lawful


@given(held, told, holds, DAYS)
def test_a_firms_wish_lets_go_of_more_and_of_nothing_that_is_read_public_or_held(
    one: Held, about: ItemTerms, holding: list[Hold], at: datetime
) -> None:
    otherwise, asked = (keeping(one, about, holding, at=at, is_asked=wish) for wish in (False, True))

    reasons = {KeptFor.CONSENT, KeptFor.PUBLIC, KeptFor.LOAN}
    assert asked is None or asked.reason in reasons
    assert asked is not None or otherwise is None or otherwise.reason is KeptFor.DATA_LIFE


@given(held, told, holds, DAYS)
def test_what_stays_until_a_moment_stays_until_then_and_no_consent_is_needed_for_it(
    one: Held, about: ItemTerms, holding: list[Hold], at: datetime
) -> None:
    kept = keeping(one, about, holding, at=at)
    until = kept.until if isinstance(kept, Keeping) and kept.until is not None else at + timedelta(seconds=1)

    just_before = keeping(one, about, holding, at=until - timedelta(microseconds=1))
    assert kept is None or just_before is not None


@given(held, holds)
def test_a_dispute_spares_its_own_lines_alone(one: Held, holding: list[Hold]) -> None:
    disputed = {hold.line for hold in holding if hold.line is not None}

    assert {(one.delivery_no, line) for line in spared(one, holding)} == {
        line for line in disputed if line[0] == one.delivery_no
    }


STEPS = 14
ITEMS = ["vat_invoice", "electricity"]


@dataclass
class History:
    """A firm to which things happen at random, one after the other."""

    database: Database
    folder: Path
    agency: Viewer
    firm: Viewer
    code: str
    draw: random.Random
    at: datetime
    given: list[UUID] = field(default_factory=list)

    async def grant(self) -> None:
        """Let the firm consent to one or both items, for some days and some data life."""
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=self.at)
            consent = await a_consent(
                session,
                self.firm,
                purpose=self.draw.choice([Purpose.PRE_LOAN, Purpose.EVALUATION]),
                item_codes=self.draw.choice([ITEMS[:1], ITEMS[1:], ITEMS]),
                days=self.draw.randint(1, 25),
                data_life_days=self.draw.randint(1, 40),
                now=self.at,
            )
        self.given.append(consent.id)

    async def revoke(self) -> None:
        """Let the firm take its newest consent back."""
        async with in_transaction(self.database.worker) as session:
            await act_as(session, self.firm, now=self.at)
            await consents.revoke(session, self.firm, self.given[-1], now=self.at)

    async def withdraw(self) -> None:
        """Let the firm take one item of its newest consent back."""
        async with in_transaction(self.database.worker) as session:
            await act_as(session, self.firm, now=self.at)
            item = self.draw.choice(ITEMS)
            await consents.withdraw_item(session, self.firm, self.given[-1], item, now=self.at)

    async def deliver(self) -> None:
        """Deliver invoices, some of them again, and a record that may correct the one before; and seal them."""
        await self._deliver(rows_of(self.code, 3, first=self.draw.randint(1, 20)), DeliveryKind.VAT_INVOICE)

    async def correct(self) -> None:
        """Correct an invoice, if it is there."""
        row = a_row(self.code, invoice_no=f"{self.draw.randint(1, 20):08d}", net_yuan="1", gross_yuan="14")
        await self._deliver([row], DeliveryKind.CORRECTION)

    async def _deliver(self, rows: Sequence[Row], kind: DeliveryKind) -> None:
        path = a_csv(self.folder, rows, f"{len(list(self.folder.iterdir()))}.csv")
        await service.receive_file(self.database.worker, self.agency, path, kind=kind, now=self.at)
        async with in_transaction(self.database.worker) as session:
            await act_as(session, self.agency, now=self.at)
            row = a_record("electricity", self.code, used_kwh=str(self.draw.randint(1, 99)))
            await service.receive_rows(session, self.agency, [row], kind=DeliveryKind("electricity"), now=self.at)
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=self.at)
            await service.seal_facts(session, now=self.at)

    async def step(self) -> None:
        """Let some days go by and one thing happen; what is refused did not happen."""
        self.at += timedelta(days=self.draw.randint(1, 9), hours=self.draw.randint(0, 23))
        with suppress(Refusal):
            await self.draw.choice([self.grant, self.revoke, self.withdraw, self.deliver, self.deliver, self.correct])()


@pytest.mark.parametrize("seed", range(6))
async def test_after_any_history_exactly_what_may_not_be_kept_is_found_and_goes(
    database: Database, tmp_path: Path, noon: datetime, seed: int
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        code = a_credit_code()
        agency, firm = await an_agency(session, now=noon), await a_firm(session, credit_code=code, now=noon)
    past = History(database, tmp_path, agency, firm, code, random.Random(seed), noon)  # noqa: S311
    await past.grant()

    for _step in range(STEPS):
        await past.step()
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=past.at)
            judged = await service.judge(session, [firm.organisation_id], now=past.at)
            finds = (await session.execute(service.past_keeping(moment_of(past.at)))).first() is not None
            readable = await _readable(session, firm.organisation_id, past.at)
            report = await service.purge_due(session, now=past.at)
            left = await reads.held(session, firm.organisation_id)

        going = {one.held.item_code: one.going for one in judged if one.going}
        stays = {(one.held.item_code, one.held.delivery_no): one.held.facts for one in judged if one.kept is not None}
        assert (finds, report.facts) == (bool(going), sum(one.going for one in judged))
        assert going.keys().isdisjoint(readable)
        assert {(one.item_code, one.delivery_no): one.facts for one in left} == {k: n for k, n in stays.items() if n}

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=past.at)
        assert (await service.verify_facts(session)).found == ()


async def _readable(session: AsyncSession, firm_id: UUID, at: datetime) -> set[str]:
    """Return the items that the platform may read of the firm for any purpose."""
    found: set[str] = set()
    for purpose in (Purpose.PRE_LOAN, Purpose.EVALUATION):
        allowed = await permitted.subjects_by_item(
            session, [firm_id], purpose=purpose, item_codes=ITEMS, receiver_id=PLATFORM_ID, now=at
        )
        found |= {item for item, subjects in allowed.items() if subjects}
    return found
