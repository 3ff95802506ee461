"""Who takes part: institutions with two people each, because one makes and another checks. All simulated."""

from dataclasses import dataclass
from datetime import timedelta

from stdnum.cn import uscc

from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.agreements import service as agreements
from xinyidai.cli.story.acting import Stage
from xinyidai.foundation.clock import business_date
from xinyidai.parties import queries as party_queries
from xinyidai.parties import service as parties
from xinyidai.parties.rules import PLATFORM_ID, PartyId

REGION = "500103"
FUND_PPM, LENDER_PPM, GUARANTOR_PPM = 300_000, 200_000, 500_000
"""Government 30 %, bank 20 %, guarantor 50 %: the shares reported of Chongqing's scheme for small-firm loans."""
CLAIM_AFTER_DAYS = 90
LENDER_NAMES = ("模拟渝城银行", "模拟巴山农商行", "模拟嘉陵银行")


@dataclass(frozen=True)
class Desk:
    """A party and two of its people."""

    party_id: PartyId
    maker: Viewer
    checker: Viewer


@dataclass(frozen=True)
class Cast:
    """The institutions of the story; the first lender is the one whose lending is planned."""

    operator: Desk
    fund: Desk
    guarantor: Desk
    regulator: Desk
    bureau: Viewer
    lenders: tuple[Desk, ...]

    @property
    def main_lender(self) -> Desk:
        """Return the lender that makes the planned offers."""
        return self.lenders[0]


async def found(stage: Stage) -> Cast:
    """Register the institutions and their people."""
    operator = await staff_of(stage, PLATFORM_ID, "operator")
    fund = await _institution(stage, OrganisationKind.FUND, "模拟风险补偿资金池", 1)
    guarantor = await _institution(stage, OrganisationKind.GUARANTOR, "模拟融资担保公司", 2)
    regulator = await _institution(stage, OrganisationKind.REGULATOR, "模拟地方金融管理部门", 3)
    lenders = [
        await _institution(stage, OrganisationKind.LENDER, name, 10 + number)
        for number, name in enumerate(LENDER_NAMES)
    ]
    bureau = await _institution(stage, OrganisationKind.AGENCY, "模拟税务数据部门", 4)
    return Cast(operator, fund, guarantor, regulator, bureau.maker, tuple(lenders))


async def share_losses(stage: Stage, cast: Cast, *, capital_fen: int, capacity_fen: int, per_firm_fen: int) -> None:
    """Pay in the fund's and the guarantor's capital and open one line with each lender."""
    today = business_date(stage.now)
    async with stage.platform() as session:
        for payer in (cast.fund, cast.guarantor):
            await agreements.pay_in(
                session,
                payer.maker,
                payer.checker,
                payer_id=payer.party_id,
                amount_fen=capital_fen,
                reference="simulated capital",
                paid_on=today,
                now=stage.now,
            )
        for lender in cast.lenders:
            await agreements.open_agreement(
                session,
                cast.fund.maker,
                cast.fund.checker,
                name="模拟小微企业贷款风险分担",
                fund_id=cast.fund.party_id,
                lender_id=lender.party_id,
                guarantor_id=cast.guarantor.party_id,
                fund_share_ppm=FUND_PPM,
                lender_share_ppm=LENDER_PPM,
                guarantor_share_ppm=GUARANTOR_PPM,
                capacity_fen=capacity_fen,
                per_firm_cap_fen=per_firm_fen,
                claim_after_days=CLAIM_AFTER_DAYS,
                max_rate_bp=1500,
                valid_from=today,
                valid_to=today + timedelta(days=730),
                now=stage.now,
            )


async def _institution(stage: Stage, kind: OrganisationKind, name: str, number: int) -> Desk:
    code = f"{'91' if kind in {OrganisationKind.LENDER, OrganisationKind.GUARANTOR} else '12'}{REGION}{number:09d}"
    async with stage.platform() as session:
        party_id = await parties.register_party(
            session,
            kind=kind,
            name=name,
            credit_code=code + uscc.calc_check_digit(code),
            region_code=REGION,
            is_simulated=True,
            now=stage.now,
        )
    return await staff_of(stage, party_id, f"{kind.value}{number}")


async def staff_of(stage: Stage, party_id: PartyId, desk: str) -> Desk:
    """Give a party two people, a maker and a checker, and return them."""
    maker = await person_of(stage, party_id, f"{desk}.maker", "模拟经办员", [Role.OFFICER, Role.ADMIN])
    checker = await person_of(stage, party_id, f"{desk}.checker", "模拟复核员", [Role.APPROVER, Role.ADMIN])
    return Desk(party_id, maker, checker)


async def person_of(stage: Stage, party_id: PartyId, account: str, display_name: str, roles: list[Role]) -> Viewer:
    """Give a party a simulated person with these roles, who signs in by the sandbox's door only."""
    async with stage.platform() as session:
        user_id = await parties.create_user(
            session, email=f"{account}@simulated.example", display_name=display_name, password=None, now=stage.now
        )
        await parties.add_membership(session, user_id, party_id, roles, now=stage.now)
        viewer = await party_queries.viewer_for(session, user_id, party_id)
    assert viewer is not None, "the membership was written a line above"
    return viewer
