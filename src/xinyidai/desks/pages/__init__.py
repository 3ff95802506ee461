"""The pages of the start and of every desk that joins rooms."""

from litestar import Router

from xinyidai.desks.pages import (
    agency,
    bank_applications,
    bank_claims,
    bank_home,
    bank_indications,
    bank_loans,
    bank_offers,
    bank_offers_made,
    clock,
    firm_consents,
    firm_daily,
    firm_data,
    firm_demands,
    firm_home,
    firm_indications,
    firm_lineage,
    firm_loans,
    firm_objections,
    firm_offers,
    firm_profile,
    firm_repairs,
    firm_rights,
    fund_agreements,
    fund_claims,
    fund_home,
    fund_lines,
    fund_pay_ins,
    operator_city,
    operator_findings,
    operator_home,
    operator_institutions,
    operator_keys,
    operator_models,
    operator_objections,
    operator_quality,
    operator_reports,
    operator_reviews,
    operator_running,
    operator_sources,
    regulator_objections,
    regulator_pages,
    start,
)

_FIRM = (
    *firm_home.ROUTES,
    *firm_consents.ROUTES,
    *firm_data.ROUTES,
    *firm_daily.ROUTES,
    *firm_profile.ROUTES,
    *firm_lineage.ROUTES,
    *firm_demands.ROUTES,
    *firm_indications.ROUTES,
    *firm_offers.ROUTES,
    *firm_loans.ROUTES,
    *firm_objections.ROUTES,
    *firm_repairs.ROUTES,
    *firm_rights.ROUTES,
)

_BANK = (
    *bank_home.ROUTES,
    *bank_applications.ROUTES,
    *bank_indications.ROUTES,
    *bank_offers_made.ROUTES,
    *bank_offers.ROUTES,
    *bank_loans.ROUTES,
    *bank_claims.ROUTES,
)
_FUND = (
    *fund_home.ROUTES,
    *fund_claims.ROUTES,
    *fund_lines.ROUTES,
    *fund_agreements.ROUTES,
    *fund_pay_ins.ROUTES,
)

_OPERATOR = (
    *operator_home.ROUTES,
    *operator_running.ROUTES,
    *operator_sources.ROUTES,
    *operator_quality.ROUTES,
    *operator_findings.ROUTES,
    *operator_reports.ROUTES,
    *operator_models.ROUTES,
    *operator_keys.ROUTES,
    *operator_reviews.ROUTES,
    *operator_objections.ROUTES,
    *operator_institutions.ROUTES,
)

_REGULATOR = (*regulator_pages.ROUTES, *regulator_objections.ROUTES)

router = Router(
    path="/",
    route_handlers=[*start.ROUTES, *_FIRM, *_BANK, *_FUND, *agency.ROUTES, *_REGULATOR, *_OPERATOR],
    include_in_schema=False,
)
sandbox_router = Router(
    path="/",
    route_handlers=[*start.SANDBOX_ROUTES, *clock.ROUTES, *operator_city.SANDBOX_ROUTES],
    include_in_schema=False,
)
