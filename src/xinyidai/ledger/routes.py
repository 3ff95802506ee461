"""Reading the books: the operator and the regulator all of them, whoever owns accounts its own."""

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.ledger import queries
from xinyidai.ledger.schemas import AccountPageOut, BookTotalOut, EntryPageOut, TrialBalanceOut

MAY_OWN_ACCOUNTS = (OrganisationKind.FUND, OrganisationKind.LENDER, OrganisationKind.GUARANTOR)


@get(
    "/trial-balance",
    operation_id="ReadTrialBalance",
    summary="Trial balance",
    description="Totals of every book; each sums to zero.",
    guards=[requires(*queries.SEES_ALL_BOOKS, scope="ledger:read")],
)
async def read_trial_balance(
    viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> TrialBalanceOut:
    """Read the trial balance."""
    totals = await queries.trial_balance(session, viewer)
    return TrialBalanceOut(books=[BookTotalOut.of(total) for total in totals])


@get(
    "/accounts",
    operation_id="ListAccounts",
    summary="Ledger accounts",
    description="Accounts whose code begins with `prefix`, in the order they were opened; one's own, or all for the "
    "operator and the regulator.",
    guards=[requires(*queries.SEES_ALL_BOOKS, *MAY_OWN_ACCOUNTS, scope="ledger:read")],
)
async def list_accounts(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    prefix: FromQuery[str] = "",
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> AccountPageOut:
    """List the accounts the viewer may see."""
    return AccountPageOut.of(await queries.accounts(session, viewer, prefix=prefix, cursor=cursor, limit=limit))


@get(
    "/accounts/{account_id:int}/entries",
    operation_id="ListEntries",
    summary="Entries of an account",
    description="Every movement of one account with the balance after it, oldest first.",
    guards=[requires(*queries.SEES_ALL_BOOKS, *MAY_OWN_ACCOUNTS, scope="ledger:read")],
)
async def list_entries(
    account_id: FromPath[int],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> EntryPageOut:
    """List one account's entries."""
    return EntryPageOut.of(await queries.entries_of(session, viewer, account_id, cursor=cursor, limit=limit))


router = Router(path="/ledger", route_handlers=[read_trial_balance, list_accounts, list_entries], tags=["ledger"])
