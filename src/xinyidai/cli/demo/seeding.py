"""Seeding: everybody of the city's registry becomes a party with keys, banks offer, fund and guarantor share losses."""

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.agreements import service as agreements
from xinyidai.cli.demo.reading import Firm, Institution, Terms
from xinyidai.cli.story.acting import Stage
from xinyidai.cli.story.cast import Desk, person_of, staff_of
from xinyidai.desks.pages.firm_data import return_path
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.settings import Settings
from xinyidai.parties import service as parties
from xinyidai.parties.rules import PLATFORM_ID, PartyId
from xinyidai.partners import service as partners
from xinyidai.partners.rules import Scope, WantedKey
from xinyidai.products import service as products
from xinyidai.products.rules import Clause, Operator
from xinyidai.sources.rules.offices.day_files import NAME as BENEFITS
from xinyidai.sources.rules.pulls import PullSource
from xinyidai.sources.service.connecting import benefits_connection, connection_to

CALLBACK_PATH: Final = "/api/v1/sources/courts/callbacks"
BATCH: Final = 250
AGREED_DAYS: Final = 730
CAPITAL_SHARE: Final = 3
"""Fund and guarantor pay in this part of what all lines together may cover."""
ALL_SCOPES: Final = tuple(Scope)
PLAYED_FIRMS: Final = 3
PLAYED_TRADERS: Final = 1
WITH_TWO_KEYS: Final = {OrganisationKind.LENDER, OrganisationKind.FUND, OrganisationKind.GUARANTOR}


@dataclass(frozen=True)
class Settled:
    """Who lives on the platform now: ids and keys by credit code; `secrets` are the firms' at the tax bureau."""

    ids: Mapping[str, PartyId]
    desks: Mapping[str, Desk]
    maker_keys: Mapping[str, str]
    checker_keys: Mapping[str, str]
    secrets: Mapping[str, str]
    operator: Desk

    def desk(self, institutions: Sequence[Institution], duty: str) -> Desk:
        """Return the desk of the one institution with a duty."""
        return next(self.desks[one.credit_code] for one in institutions if one.duty == duty)


@dataclass(frozen=True)
class OfficeClient:
    """The platform's name and secret at an office, where persons come back to, and where the office calls back."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uris: tuple[str, ...]
    callback_url: str = ""


@dataclass(frozen=True)
class CityGround:
    """What the city is told besides its actors; of the clients, by office, it needs that of the tax bureau."""

    seed: int
    mode: str
    platform_urls: tuple[str, ...]
    clients: Mapping[str, OfficeClient]


@dataclass(frozen=True)
class Actor:
    """A party of the city with what it signs in with; empty texts are not written. Keys never show in a repr."""

    credit_code: str
    kind: str
    party_id: str
    maker_key: str = field(repr=False)
    checker_key: str = field(repr=False)
    city_secret: str = field(repr=False)


async def settle(stage: Stage, firms: Sequence[Firm], institutions: Sequence[Institution]) -> Settled:
    """Register everybody and mint the keys."""
    operator = await staff_of(stage, PLATFORM_ID, "operator")
    ids = await _register(stage, firms, institutions)
    stage.tell(f"{len(firms):,} firms and {len(institutions)} institutions registered")
    desks = {
        one.credit_code: await staff_of(stage, ids[one.credit_code], one.credit_code.lower()) for one in institutions
    }
    makers, checkers = await _mint(stage, operator.maker, ids, firms, institutions)
    stage.tell(f"{len(makers) + len(checkers):,} sandbox keys minted")
    return Settled(
        ids, desks, makers, checkers, {one.credit_code: secrets.token_urlsafe(24) for one in firms}, operator
    )


def firms_for_persons(firms: Sequence[Firm]) -> list[Firm]:
    """Return the few firms and sole traders that are left to persons: without an earlier loan, the oldest first."""
    fresh = sorted(
        (firm for firm in firms if not firm.has_earlier_loan), key=lambda firm: (firm.established_on, firm.credit_code)
    )
    wanted = ((OrganisationKind.FIRM, PLAYED_FIRMS), (OrganisationKind.SOLE_TRADER, PLAYED_TRADERS))
    return [one for kind, most in wanted for one in [firm for firm in fresh if firm.kind is kind][:most]]


async def give_to_persons(stage: Stage, settled: Settled, played: Sequence[Firm]) -> None:
    """Give each of these an owner, and its first firm a colleague; the owner of several switches between them."""
    for kind in (OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER):
        held = [settled.ids[firm.credit_code] for firm in played if firm.kind is kind]
        if held:
            owner = await person_of(stage, held[0], f"{kind.value}.owner", "模拟负责人", [Role.OWNER])
            for party_id in held[1:]:
                async with stage.platform() as session:
                    await parties.add_membership(session, owner.principal_id, party_id, [Role.OWNER], now=stage.now)
            await person_of(stage, held[0], f"{kind.value}.officer", "模拟经办员", [Role.OFFICER])
    stage.tell(f"{len(played)} firms left to persons")


def ways_back(platform_url: str, office: str = PullSource.TAX) -> tuple[str, ...]:
    """Return where an office may send a person back: loopback is called by two names."""
    urls = (platform_url, platform_url.replace("//127.0.0.1", "//localhost"))
    return tuple(f"{url}{return_path(office)}" for url in urls)


def calls_back(platform_url: str, office: str) -> str:
    """Return where an office calls back to; empty for those that answer at once."""
    return f"{platform_url}{CALLBACK_PATH}" if office == PullSource.COURTS else ""


def office_clients(known: Settings, platform_url: str) -> dict[str, OfficeClient]:
    """Return the platform's client at every office that the settings connect it to."""
    found = {source.value: connection_to(known, source) for source in PullSource}
    found[BENEFITS] = benefits_connection(known)
    return {
        office: OfficeClient(
            one.client_id, one.client_secret, ways_back(platform_url, office), calls_back(platform_url, office)
        )
        for office, one in found.items()
        if one is not None
    }


async def open_business(stage: Stage, settled: Settled, institutions: Sequence[Institution]) -> None:
    """Publish the banks' products, pay the capital in, and open the lines."""
    banks = [one for one in institutions if one.kind is OrganisationKind.LENDER]
    for bank in banks:
        await _publish(stage, settled.desks[bank.credit_code], bank.product or {})
    stage.tell(f"{len(banks)} products published by two people each")
    covered = [bank for bank in banks if bank.agreement is not None]
    capacity = sum(_whole(bank.agreement or {}, "capacity_fen") for bank in covered)
    fund = settled.desk(institutions, "compensation_fund")
    guarantor = settled.desk(institutions, "guarantor")
    for payer in (fund, guarantor):
        async with stage.platform() as session:
            await agreements.pay_in(
                session,
                payer.maker,
                payer.checker,
                payer_id=payer.party_id,
                amount_fen=capacity // CAPITAL_SHARE,
                reference="simulated capital",
                paid_on=business_date(stage.now),
                now=stage.now,
            )
    for bank in covered:
        await _share(stage, fund, guarantor, settled.desks[bank.credit_code], bank.agreement or {})
    stage.tell(f"capital paid in, {len(covered)} lines opened")


def write_city_file(path: Path, ground: CityGround, actors: Sequence[Actor] = ()) -> None:
    """Write city.toml, whole or not at all, readable by its owner only; without actors nobody lives there yet."""
    lines = [
        f"seed = {ground.seed}",
        f"mode = {_quoted(ground.mode)}",
        f"platform_url = {_quoted(ground.platform_urls[0])}",
        f"also_at = [{', '.join(map(_quoted, ground.platform_urls[1:]))}]",
    ]
    for office, client in ground.clients.items():
        lines += ["", f"[{office}]", f"client_id = {_quoted(client.client_id)}"]
        lines += [f"client_secret = {_quoted(client.client_secret)}"]
        lines += [f"redirect_uris = [{', '.join(map(_quoted, client.redirect_uris))}]"]
        lines += [f"callback_url = {_quoted(client.callback_url)}"] if client.callback_url else []
    for actor in actors:
        lines += ["", "[[actors]]", *(f"{name} = {_quoted(value)}" for name, value in asdict(actor).items() if value)]
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    fresh.replace(path)


def actors_of(settled: Settled, everybody: Sequence[Firm | Institution]) -> list[Actor]:
    """Return everybody as the city's file names them."""
    return [
        Actor(
            credit_code=one.credit_code,
            kind=one.kind.value,
            party_id=str(settled.ids[one.credit_code]),
            maker_key=settled.maker_keys[one.credit_code],
            checker_key=settled.checker_keys.get(one.credit_code, ""),
            city_secret=settled.secrets.get(one.credit_code, ""),
        )
        for one in everybody
    ]


async def _register(stage: Stage, firms: Sequence[Firm], institutions: Sequence[Institution]) -> dict[str, PartyId]:
    ids: dict[str, PartyId] = {}
    async with stage.platform() as session:
        for one in institutions:
            ids[one.credit_code] = await parties.register_party(
                session,
                kind=one.kind,
                name=one.name,
                credit_code=one.credit_code,
                region_code=one.region_code,
                is_simulated=True,
                now=stage.now,
            )
    for start in range(0, len(firms), BATCH):
        async with stage.platform() as session:
            for firm in firms[start : start + BATCH]:
                ids[firm.credit_code] = await parties.register_party(
                    session,
                    kind=firm.kind,
                    name=firm.name,
                    credit_code=firm.credit_code,
                    region_code=firm.region_code,
                    industry_code=firm.industry_code,
                    established_on=firm.established_on,
                    staff=firm.staff,
                    is_simulated=True,
                    now=stage.now,
                )
        stage.count("firms registered", min(start + BATCH, len(firms)), len(firms))
    return ids


async def _mint(
    stage: Stage,
    operator: Viewer,
    ids: Mapping[str, PartyId],
    firms: Sequence[Firm],
    institutions: Sequence[Institution],
) -> tuple[dict[str, str], dict[str, str]]:
    codes = [*(firm.credit_code for firm in firms), *(one.credit_code for one in institutions)]
    checked = [one.credit_code for one in institutions if one.kind in WITH_TWO_KEYS]
    wanted = [WantedKey(ids[code], "simulated maker", Role.OFFICER, ALL_SCOPES) for code in codes]
    wanted += [WantedKey(ids[code], "simulated checker", Role.APPROVER, ALL_SCOPES) for code in checked]
    made: list[str] = []
    for start in range(0, len(wanted), BATCH * 4):
        async with in_transaction(stage.connected.app) as session:
            await act_as_platform(session, now=stage.now)
            made += await partners.mint_sandbox_keys(
                session, operator, wanted[start : start + BATCH * 4], now=stage.now
            )
    return dict(zip(codes, made, strict=False)), dict(zip(checked, made[len(codes) :], strict=True))


async def _publish(stage: Stage, bank: Desk, terms: Terms) -> None:
    clauses = terms.get("clauses")
    async with stage.platform() as session:
        await products.publish(
            session,
            bank.maker,
            bank.checker,
            code=str(terms["code"]),
            name_zh=str(terms["name_zh"]),
            name_en=str(terms["name_en"]),
            min_amount_fen=_whole(terms, "min_amount_fen"),
            max_amount_fen=_whole(terms, "max_amount_fen"),
            min_term_months=_whole(terms, "min_term_months"),
            max_term_months=_whole(terms, "max_term_months"),
            min_rate_bp=_whole(terms, "min_rate_bp"),
            max_rate_bp=_whole(terms, "max_rate_bp"),
            repayment_kinds=_texts(terms, "repayment_kinds"),
            applicant_kinds=_texts(terms, "applicant_kinds"),
            region_codes=_texts(terms, "region_codes"),
            industry_codes=_texts(terms, "industry_codes"),
            requires_cover=bool(terms["requires_cover"]),
            answer_working_days=_whole(terms, "answer_working_days"),
            eligibility=[_clause(one) for one in clauses] if isinstance(clauses, list) else [],
            now=stage.now,
        )


async def _share(stage: Stage, fund: Desk, guarantor: Desk, bank: Desk, terms: Terms) -> None:
    today = business_date(stage.now)
    async with stage.platform() as session:
        await agreements.open_agreement(
            session,
            fund.maker,
            fund.checker,
            name=str(terms["name"]),
            fund_id=fund.party_id,
            lender_id=bank.party_id,
            guarantor_id=guarantor.party_id,
            fund_share_ppm=_whole(terms, "fund_share_ppm"),
            lender_share_ppm=_whole(terms, "lender_share_ppm"),
            guarantor_share_ppm=_whole(terms, "guarantor_share_ppm"),
            capacity_fen=_whole(terms, "capacity_fen"),
            per_firm_cap_fen=_whole(terms, "per_firm_cap_fen"),
            claim_after_days=_whole(terms, "claim_after_days"),
            max_rate_bp=_whole(terms, "max_rate_bp"),
            valid_from=today,
            valid_to=today + timedelta(days=AGREED_DAYS),
            now=stage.now,
        )


def _clause(said: Terms) -> Clause:
    value = said["value"]
    return Clause(
        str(said["field"]),
        Operator(str(said["operator"])),
        tuple(value) if isinstance(value, list) else value,  # type: ignore[arg-type]
        str(said["code"]),
    )


def _whole(terms: Terms, name: str) -> int:
    return int(str(terms[name]))


def _texts(terms: Terms, name: str) -> list[str]:
    found = terms.get(name)
    return [str(one) for one in found] if isinstance(found, list) else []


def _quoted(value: str) -> str:
    """Return a TOML string: JSON's escapes are TOML's too."""
    return json.dumps(value, ensure_ascii=False)
