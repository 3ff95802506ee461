"""Canaries: unguessable texts and numbers, planted in everything that is kept of one firm and of its business."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import Final
from uuid import UUID

from builders_agreements import Line, a_line
from builders_claims import LONG_AFTER, a_paid_claim, an_overdue_loan
from builders_databases import Database
from builders_demands import a_demand
from builders_documents import a_pdf
from builders_loans import a_loan
from builders_matching import Bank, a_bank, a_choice, a_range, an_indication, an_offer
from builders_operations import a_delivery, a_job_given_up
from builders_parties import a_credit_code, a_desk, a_firm
from builders_scoring import a_bundle, a_released_model
from builders_sources import ON_CONSENT, a_record, a_row, good_field
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.agreements import service as agreements
from xinyidai.consents import service as consents
from xinyidai.consents.rules import ConsentView, Purpose
from xinyidai.documents import service as documents
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.outbox import drain
from xinyidai.foundation.settings import settings
from xinyidai.matching import service as matching
from xinyidai.matching.queries import DispatchView
from xinyidai.objections import service as objections
from xinyidai.objections.rules import FactKind, FactRef, ObjectionReason
from xinyidai.objections.rules.repairs import Severity
from xinyidai.parties import queries as parties_seen
from xinyidai.parties import service as parties
from xinyidai.parties.rules import PLATFORM_ID, PartyId
from xinyidai.partners import service as partners
from xinyidai.partners.rules import Scope
from xinyidai.profiles import service as profiles
from xinyidai.quality import service as quality
from xinyidai.rights import service as rights
from xinyidai.rights.rules import RequestKind
from xinyidai.scoring import service as scoring
from xinyidai.sources import service as sources
from xinyidai.sources.queries import invoice_facts
from xinyidai.sources.rules import DeliveryKind
from xinyidai.sources.rules.records.kinds import KINDS, Column, ColumnKind
from xinyidai.sources.service import subscribing
from xinyidai.worker import load_rooms

MARK: Final = "CNRY"
PASSWORD: Final = "a long pass phrase of tests"
INVOICES: Final = 40
PROPOSED_KEYS: Final = 4
LASTS: Final = timedelta(days=3)
"""From planting to asking: a consent of two days has ended by then, all others have not."""
FIRM, SENDER, OPERATOR = "owner", "agency", "operator"
ASKED: Final = ("bank_with", "bank_revoked", "bank_withdrawn", "bank_expired")


@dataclass
class Canaries:
    """What was planted: which party's people may see a text or number, by the text or number as it would be seen."""

    readers: dict[str, frozenset[str]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    """What was made elsewhere and has no mark."""

    def text(self, label: str, *readers: str) -> str:
        """Plant a text; no two labels make the same."""
        made = MARK + blake2b(label.encode(), digest_size=6).hexdigest().upper()
        self._note(made, label, readers)
        return made

    def number(self, label: str, *readers: str, digits: int = 9) -> int:
        """Plant a number of so many digits."""
        low = 10 ** (digits - 1)
        made = low + int.from_bytes(blake2b(label.encode(), digest_size=16).digest()) % (9 * low)
        self._note(str(made), label, readers)
        return made

    def fen(self, label: str, *readers: str, digits: int = 9) -> int:
        """Plant an amount, which is known as fen and as yuan."""
        made = self.number(label, *readers, digits=digits)
        self._note(f"{made // 100}.{made % 100:02d}", label, readers)
        return made

    def hide(self, secret: str, label: str) -> None:
        """Note what was made elsewhere and nobody may see again."""
        self._note(secret, label, ())
        self.secrets.append(secret)

    def derive(self, code: str, value: object, *readers: str) -> None:
        """Note what an indicator makes of planted numbers, where it is long enough to be told from others."""
        if isinstance(value, int) and value >= 10**8:
            for seen in (str(value), f"{value // 100}.{value % 100:02d}"):
                # Of one record a sum is the planted number itself: who may see either may see it.
                known = self.readers.get(seen, frozenset())
                self._note(seen, self.labels.get(seen, f"indicator {code}"), (*readers, *known))

    def _note(self, seen: str, label: str, readers: tuple[str, ...]) -> None:
        assert self.labels.setdefault(seen, label) == label
        self.readers[seen] = frozenset(readers)


@dataclass(frozen=True)
class Person:
    """Somebody who asks: of a party, by a session or by a key with these scopes; a visitor has neither."""

    name: str
    party: str
    email: str = ""
    key: str = ""


@dataclass
class Planted:
    """The firm, everybody who may ask, and the canaries; the sender's delivery numbers of the firm's facts."""

    canaries: Canaries
    people: list[Person]
    party_ids: Mapping[str, UUID]
    refs: tuple[FactRef, ...]
    at: datetime


@dataclass
class Ground:
    """What planting goes on with: a database, the parties and who acts for them."""

    database: Database
    canaries: Canaries
    noon: datetime
    viewers: dict[str, Viewer] = field(default_factory=dict)
    banks: dict[str, Bank] = field(default_factory=dict)
    given: dict[str, ConsentView] = field(default_factory=dict)
    code: str = ""
    line: Line | None = None
    auditor_email: str = ""

    @property
    def firm(self) -> Viewer:
        """Return the owner of the firm."""
        return self.viewers[FIRM]


async def plant(database: Database, *, now: datetime) -> Planted:
    """Fill a database with one firm's life; everything is committed and every event has been consumed."""
    load_rooms()
    ground = Ground(database, Canaries(), now)
    people: list[Person] = [Person("visitor", "nobody")]
    for step in (_everybody, _deliveries, _model, _business, _case_work, _platform_work):
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=now)
            people += await step(session, ground) or []
        if step is not _platform_work:
            await drain(database.worker, now=now)
    async with in_transaction(database.app) as session:
        await act_as(session, ground.firm, now=now + LASTS)
        found = await invoice_facts.own_invoices(session, ground.firm)
        profile = await profiles.own_profile(session, ground.firm, now=now + LASTS)
    refs = sorted(
        FactRef(FactKind.VAT_INVOICE, ground.firm.organisation_id, one.delivery_no, one.line_no) for one in found
    )
    for code, value in [(one.code, one.value) for one in (*profile.readings, *profile.records)]:
        ground.canaries.derive(code, value, FIRM, "bank_with", OPERATOR)
    ids = {name: viewer.organisation_id for name, viewer in ground.viewers.items()}
    return Planted(ground.canaries, people, ids, tuple(refs), now + LASTS)


async def _everybody(session: AsyncSession, ground: Ground) -> list[Person]:
    """Make the parties and their people, with a key of every scope where a party has keys."""
    now, made = ground.noon, ground.canaries
    ground.code = a_credit_code()
    ids: dict[str, PartyId] = {OPERATOR: PLATFORM_ID}
    for name in ("bank_with", "bank_without", "bank_revoked", "bank_withdrawn", "bank_expired"):
        ground.banks[name] = await a_bank(session, now=now)
        ids[name] = ground.banks[name].desk.id
    for name, kind in {
        SENDER: OrganisationKind.AGENCY,
        "other_agency": OrganisationKind.AGENCY,
        "regulator": OrganisationKind.REGULATOR,
    }.items():
        ids[name] = (await a_desk(session, kind, now=now)).id
    firms = {FIRM: ground.code, "other_firm": a_credit_code()}
    for name, code in firms.items():
        ids[name] = (await a_firm(session, credit_code=code, now=now)).organisation_id
    line = await a_line(session, fund_cash_fen=50_000_000, guarantor_cash_fen=50_000_000, now=now - LONG_AFTER)
    assert line.guarantor is not None
    ground.line = line
    ids |= {"fund": line.fund.id, "guarantor": line.guarantor.id, "lender": line.lender.id}
    claimed = await an_overdue_loan(session, line, now=now - LONG_AFTER)
    await an_overdue_loan(session, line, now=now - LONG_AFTER)
    await a_paid_claim(session, claimed, now=now)
    people = []
    for name, party_id in ids.items():
        roles = (Role.OWNER,) if name in firms else (Role.OFFICER, Role.APPROVER, Role.ADMIN)
        overseers = () if name in firms else (OPERATOR,)
        word = made.text(f"name and address of the person of {name}", name, *overseers)
        ground.viewers[name] = await _person(session, party_id, word, *roles, now=now)
        people.append(Person(name, name, email=_email(word)))
    for name, role in {"bank_with": Role.AUDITOR, OPERATOR: Role.AUDITOR, "regulator": Role.AUDITOR}.items():
        word = made.text(f"name and address of the auditor of {name}", name, OPERATOR)
        await _person(session, ids[name], word, role, now=now)
        people.append(Person(f"{name}'s auditor", name, email=_email(word)))
        ground.auditor_email = ground.auditor_email or _email(word)
    return people


def _email(word: str) -> str:
    return f"{word.lower()}@people.example"


async def _person(session: AsyncSession, party_id: PartyId, word: str, *roles: Role, now: datetime) -> Viewer:
    user_id = await parties.create_user(
        session, email=_email(word), display_name=f"张{word}", password=PASSWORD, now=now
    )
    await parties.add_membership(session, user_id, party_id, roles, now=now)
    viewer = await parties_seen.viewer_for(session, user_id, party_id)
    assert viewer is not None
    return viewer


async def _deliveries(session: AsyncSession, ground: Ground) -> None:
    """Deliver invoices and a record of every kind, and beside each a row that is not taken in."""
    now, made, agency = ground.noon, ground.canaries, ground.viewers[SENDER]
    for name in (*ASKED, OPERATOR):
        ground.given[name] = await _consent(session, ground, name)
    rows = [_invoice(made, ground.code, number, now) for number in range(INVOICES)]
    odd = a_row(
        ground.code,
        invoice_no=str(made.number("number of a refused invoice", SENDER, digits=20)),
        counterparty=made.text("counterparty of a refused invoice", SENDER),
        issued_on="not a day",
    )
    await sources.receive_rows(session, agency, [*rows, odd], now=now)
    for code, kind in KINDS.items():
        taken = {one.delivered_as: _field(made, code, one) for one in kind.columns}
        odd = {one.delivered_as: _field(made, f"refused {code}", one, SENDER) for one in kind.columns}
        broken = odd | {kind.dated_by: "not a day"}
        records = [a_record(code, ground.code, **taken), a_record(code, ground.code, **broken)]
        await sources.receive_rows(session, agency, records, kind=DeliveryKind(code), now=now)


async def _consent(session: AsyncSession, ground: Ground, receiver: str) -> ConsentView:
    """Let a bank, or the platform, look before lending."""
    receiver_id = ground.banks[receiver].id if receiver in ground.banks else PLATFORM_ID
    given = await consents.grant(
        session,
        ground.firm,
        purpose=Purpose.PRE_LOAN,
        item_codes=[*ON_CONSENT, "vat_invoice", "loan_outcome"],
        receiver_ids=[receiver_id],
        expires_at=ground.noon + timedelta(days=2 if receiver == "bank_expired" else 60),
        now=ground.noon,
    )
    return given


def _invoice(made: Canaries, code: str, number: int, now: datetime) -> dict[str, str | None]:
    """Return an invoice of no other firm's; two will be disputed, and the sender be asked about the first."""
    words = (FIRM, *{0: (SENDER, OPERATOR), 1: (OPERATOR,)}.get(number, ()))
    net = made.fen(f"net amount of invoice {number}", *words, "bank_with", OPERATOR)
    tax, gross = (made.fen(f"{part} of invoice {number}", *words) for part in ("tax", "gross amount"))
    return a_row(
        code,
        invoice_no=str(made.number(f"number of invoice {number}", *words, digits=20)),
        direction="销项" if number % 3 else "进项",
        issued_on=(business_date(now) - timedelta(days=20 * number + 3)).isoformat(),
        counterparty=made.text(f"counterparty of invoice {number}", *words),
        net_yuan=_yuan(net),
        tax_yuan=_yuan(tax),
        gross_yuan=_yuan(gross),
    )


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def _field(made: Canaries, item: str, column: Column, *readers: str) -> str:
    """Return what a column says: a canary where it may say anything, else a good field."""
    label = f"{column.name} of {item}"
    said: Mapping[ColumnKind, Callable[[], str]] = {
        ColumnKind.AMOUNT: lambda: _yuan(made.fen(label, FIRM, *readers)),
        ColumnKind.COUNT: lambda: str(made.number(label, FIRM, *readers)),
        ColumnKind.QUANTITY: lambda: str(made.number(label, FIRM, *readers)),
        ColumnKind.TEXT: lambda: made.text(label, FIRM, *readers),
        ColumnKind.CODE: lambda: made.text(label, FIRM, *readers),
    }
    is_free = column.kind in said and not column.codes
    return said[column.kind]() if is_free else good_field(column)


async def _model(session: AsyncSession, ground: Ground) -> None:
    await a_released_model(session, now=ground.noon)


async def _business(session: AsyncSession, ground: Ground) -> None:
    """Let the firm ask for finance and banks answer; then one loses its consent, one an item, one its time."""
    now, firm = ground.noon, ground.firm
    demand = await a_demand(session, firm, amount_fen=100_000_000, now=now)
    sent = {one.lender_id: one for one in (await matching.match(session, demand.id, now=now)).dispatches}
    for name in ASKED:
        bank = ground.banks[name]
        if bank.id not in sent:
            officer = ground.viewers[OPERATOR]
            sent[bank.id] = await matching.assign(session, officer, demand.id, bank.product_id, now=now)
        await _answer(session, ground, name, sent[bank.id])
    await consents.revoke(session, firm, ground.given["bank_revoked"].id, now=now)
    await consents.withdraw_item(session, firm, ground.given["bank_withdrawn"].id, "vat_invoice", now=now)
    await a_loan(session, ground.line, firm=firm, now=now)


async def _answer(session: AsyncSession, ground: Ground, name: str, dispatch: DispatchView) -> None:
    """Let a bank indicate terms that only the firm and it may know, and offer within them where its consent lasts."""
    made, now = ground.canaries, ground.noon
    least_fen = made.fen(f"least that {name} indicates", FIRM, name, digits=8)
    terms = a_range(min_amount_fen=least_fen, max_amount_fen=100_000_000, now=now)
    if name != "bank_with":
        await an_indication(session, ground.banks[name], dispatch, terms=terms, now=now)
        return
    await a_choice(session, ground.firm, ground.banks[name], dispatch, terms=terms, now=now)
    amount_fen = made.fen("amount of the offer", FIRM, name, digits=8)
    await an_offer(session, ground.banks[name], dispatch, amount_fen=max(amount_fen, least_fen), now=now)


async def _case_work(session: AsyncSession, ground: Ground) -> None:
    """Let the firm be scored and doubt it, hand in evidence, dispute facts and ask for a repair."""
    now, made, firm = ground.noon, ground.canaries, ground.firm
    await act_as(session, firm, now=now)
    score = await scoring.score_own(session, firm, now=now)
    wish = made.text("wish of a review", FIRM, OPERATOR)
    await scoring.request_review(session, firm, score.id, wish=f"请复核{wish}", now=now)
    await _document(session, ground, "a document that is shown to nobody", FIRM)
    evidence = await _document(session, ground, "evidence", FIRM, OPERATOR, SENDER)
    found = [
        FactRef(FactKind.VAT_INVOICE, firm.organisation_id, one.delivery_no, one.line_no)
        for one in await invoice_facts.own_invoices(session, firm)
    ]
    cases = [
        await objections.file_objection(
            session,
            firm,
            ref,
            reason=ObjectionReason.AMOUNT_WRONG,
            text=f"金额不对{made.text(label, FIRM, OPERATOR, *more)}",
            document_ids=document_ids,
            now=now,
        )
        for ref, label, document_ids, more in (
            (found[0], "words of an objection that its sender is asked about", [evidence], (SENDER,)),
            (found[1], "words of an objection", [], ()),
        )
    ]
    await objections.file_repair(
        session,
        firm,
        FactRef(FactKind.PENALTY, firm.organisation_id, 1, 1),
        severity=Severity.ORDINARY,
        listed_on=date(2025, 1, 10),
        text=f"已整改{made.text('words of a repair', FIRM, OPERATOR)}",
        is_declared=True,
        now=now,
    )
    await rights.ask(session, firm, RequestKind.EXPORT, now=now)
    officer = ground.viewers[OPERATOR]
    await act_as_platform(session, now=now)
    await objections.accept_objection(session, officer, cases[0].id, now=now)
    await objections.ask_source(session, officer, cases[0].id, now=now)


async def _document(session: AsyncSession, ground: Ground, label: str, *readers: str) -> UUID:
    """Hand in a PDF whose name and words are canaries."""
    name = ground.canaries.text(f"name of {label}", *readers)
    words = ground.canaries.text(f"words of {label}", *readers)
    view = await documents.hand_in(session, ground.firm, name=f"{name}.pdf", content=a_pdf(words), now=ground.noon)
    await session.flush()
    return view.id


async def _keys_of_a_provider(session: AsyncSession, ground: Ground) -> None:
    """Let somebody who is gone from the walk propose keys, one for each door that approves or retires one."""
    proposer = await _person(session, PLATFORM_ID, "ofkeys", Role.OFFICER, now=ground.noon)
    for _ in range(PROPOSED_KEYS):
        await sources.propose_key(
            session,
            proposer,
            provider_id=ground.viewers[SENDER].organisation_id,
            public_key=Ed25519PrivateKey.generate().public_key().public_bytes_raw(),
            valid_from_at=ground.noon - timedelta(days=1),
            valid_until=ground.noon + timedelta(days=365),
            now=ground.noon,
        )


async def _platform_work(session: AsyncSession, ground: Ground) -> list[Person]:
    """Leave something for everybody else's routes: keys, invitations, work that failed, a pull under way."""
    now, made, officer = ground.noon, ground.canaries, ground.viewers[OPERATOR]
    await quality.link_firms(session, now=now)
    await a_delivery(session, now=now)
    await a_job_given_up(session, now=now)
    await scoring.propose_release(session, officer, a_bundle(4), now=now)
    await _keys_of_a_provider(session, ground)
    await parties.propose_code_exception(
        session, officer, credit_code="91350100M0001TGQXN", reason="营业执照原件与登记机关核对一致", now=now
    )
    fund = ground.viewers["fund"]
    await agreements.declare_pay_in(
        session,
        fund,
        payer_id=fund.organisation_id,
        amount_fen=1_000_000,
        reference="拨款",
        paid_on=business_date(now),
        now=now,
    )
    people = []
    for name in sorted(ground.viewers.keys() - {FIRM, "other_firm"}):
        viewer, word = ground.viewers[name], made.text(f"address that {name} invited", name, OPERATOR)
        await parties.invite(
            session, viewer, organisation_id=viewer.organisation_id, email=_email(word), roles=[Role.OFFICER], now=now
        )
    for name, viewer in ground.viewers.items():
        minted = await partners.mint_key(
            session, viewer, organisation_id=viewer.organisation_id, name="接口", scopes=list(Scope), now=now
        )
        people.append(Person(f"{name}'s key", name, key=minted.secret))
        made.hide(minted.secret, f"key of {name}")
    await parties.ask_recovery(session, ground.viewers["bank_with"], email=ground.auditor_email, now=now)
    os.environ |= {"SANDBOX": "1", "CITY_URL": "http://city.example", "TAX_CLIENT_ID": "platform"}
    os.environ |= {"BENEFITS_CLIENT_ID": "platform", "BENEFITS_PUBLIC_KEY": "AAAA"}
    settings.cache_clear()
    code = made.text("consent code of a pull")
    await act_as(session, ground.firm, now=now)
    await sources.ask_pull(session, ground.firm, code, now=now)
    await subscribing.subscribe(session, ground.firm, made.text("number at the benefits office"), now=now)
    return people
