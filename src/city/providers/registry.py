"""The public registry: firms page by page, and the institutions with their products and agreements."""

from bisect import bisect_right

from litestar import Response, get
from litestar.params import FromQuery

from city.providers.answers import AnyRequest, Json, city_of, no
from city.world.calendar import day_of
from city.world.institutions import Bank, agreement_terms, banks, institutions, product_terms
from city.world.population import Firm
from city.world.records import name_on

MOST_ROWS = 500


@get("/registry/firms", sync_to_thread=False)
def list_firms(request: AnyRequest, after: FromQuery[str] = "", limit: FromQuery[int] = MOST_ROWS) -> Response[Json]:
    """List firms in credit-code order, those after a code."""
    if not 1 <= limit <= MOST_ROWS:
        return no(422, "limit_refused", f"limit must lie between 1 and {MOST_ROWS}")
    city = city_of(request)
    firms, today = tuple(city.registry.values()), day_of(city.clock.now())
    begins = bisect_right(firms, after, key=lambda firm: firm.credit_code)
    rows = [registered(firm, name_on(city.ground.seed, firm, today)) for firm in firms[begins : begins + limit]]
    has_more = begins + limit < len(firms)
    return Response({"rows": rows, "next_after": rows[-1]["credit_code"] if has_more else None})


@get("/registry/institutions", sync_to_thread=False)
def list_institutions() -> Json:
    """List banks, fund, guarantor, agencies and the regulator."""
    others = [
        {
            "credit_code": one.credit_code,
            "name": one.name,
            "kind": one.kind,
            "duty": one.duty,
            "region_code": one.region_code,
        }
        for one in institutions()
    ]
    return {"banks": [_bank(bank) for bank in banks()], "institutions": others}


def registered(firm: Firm, name: str) -> Json:
    """Return what the registry shows of a firm, and nothing of what is hidden."""
    return {
        "credit_code": firm.credit_code,
        "name": name,
        "kind": firm.kind,
        "region_code": firm.region_code,
        "industry_code": firm.industry_code,
        "established_on": firm.established_on.isoformat(),
        "staff": firm.staff,
        "has_earlier_loan": firm.has_earlier_loan,
    }


def _bank(bank: Bank) -> Json:
    return {
        "credit_code": bank.credit_code,
        "name": bank.name,
        "kind": "lender",
        "personality": bank.personality.kind,
        "region_code": bank.region_code,
        "promised_working_days": bank.personality.answer_working_days,
        "product": product_terms(bank),
        "agreement": agreement_terms(bank),
    }
