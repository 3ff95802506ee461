"""What stands before every provider: its client, its quota, the firm's yes, and the fault that is played."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from city.consenting import reference_digest
from city.living.city import City
from city.providers.answers import AnyRequest, Refused, city_of
from city.providers.faults import OF_THE_WIRE, PLAYED, STALE_DAYS, Faults, Kind, without_magic
from city.providers.quotas import Allowance
from city.providers.writing import Money, in_fen, yuan
from city.settings import Client
from city.store import Granted
from city.world.calendar import day_of
from city.world.population import Firm

BUSY_SECONDS = 7
STALE_FILE_DAYS = 3


@dataclass(frozen=True)
class Passage:
    """A request that may pass: whose data it may read, with which headers it is answered, what goes wrong with it."""

    city: City
    client_id: str
    firm: Firm
    granted: Granted
    headers: dict[str, str]
    fault: Kind | None

    @property
    def known_by(self) -> date:
        """Return as of which day the office answers: its today, or a day long gone where it is stale."""
        return known_by(self.city, self.fault)

    @property
    def money(self) -> Money:
        """Return how amounts are written."""
        return money(self.fault)

    def log(self, what: str) -> None:
        """Write down that something was read."""
        self.city.store.log_reading(self.city.clock.now(), self.client_id, self.firm.credit_code, what)


def client_of(city: City, provider: str) -> Client:
    """Return a provider's only client.

    Raises
    ------
    Refused
        City.toml names none.
    """
    client = city.city_file.clients.get(provider)
    if client is None:
        raise Refused(401, "invalid_client")
    return client


def count_call(request: AnyRequest, provider: str, client: Client) -> Allowance:
    """Count one call of a client at a provider.

    Raises
    ------
    Refused
        It was one too many.
    """
    allowance: Allowance = request.app.state.quotas.take(
        f"{provider}:{client.client_id}", city_of(request).ground.wall()
    )
    if allowance.is_over:
        raise Refused(429, "too_many_requests", headers=allowance.headers())
    return allowance


def pass_by_reference(request: AnyRequest, provider: str, presented: str, scope: str, allowance: Allowance) -> Passage:
    """Let a client read a firm that gave it this reference for this item.

    Raises
    ------
    Refused
        The reference is unknown, over, withdrawn, another client's or of another item; or a fault says no.
    """
    city = city_of(request)
    client = client_of(city, provider)
    reference, forced = without_magic(provider, presented)
    granted = permission(city, provider, client, reference)
    if granted is None:
        raise Refused(403, "not_authorised", "no such authorisation", headers=allowance.headers())
    if scope and scope not in granted.scope.split():
        raise Refused(403, "insufficient_scope", "the authorisation is of other items", headers=allowance.headers())
    kind = play(request, provider, granted.credit_code, forced)
    return Passage(city, client.client_id, city.registry[granted.credit_code], granted, allowance.headers(), kind)


def permission(city: City, provider: str, client: Client, reference: str) -> Granted | None:
    """Return what a reference stands for; None when it opens nothing to this client at this time."""
    granted = city.store.token(reference_digest(provider, reference))
    if granted is None or granted.client_id != client.client_id or granted.credit_code not in city.registry:
        return None
    return granted if city.clock.now() < granted.expires_at else None


def play(
    request: AnyRequest,
    provider: str,
    credit_code: str,
    forced: Kind | None = None,
    *,
    of: Collection[Kind] | None = None,
) -> Kind | None:
    """Return the fault of a request; what is wrong with the wire is left to the middleware, a no is said here.

    `of` leaves out other kinds.

    Raises
    ------
    Refused
        The fault is a refusal.
    """
    faults: Faults = request.app.state.faults
    wall = city_of(request).ground.wall()
    kind = forced or faults.draw(provider, wall, credit_code=credit_code, of=of)
    if kind is Kind.TOO_MANY:
        raise Refused(429, "too_many_requests", headers={"Retry-After": str(BUSY_SECONDS)})
    if kind is Kind.BROKEN:
        raise Refused(500, "internal_error")
    if kind in OF_THE_WIRE:
        request.scope["state"][PLAYED] = kind
    return kind


def known_by(city: City, fault: Kind | None) -> date:
    """Return as of which day an office answers."""
    today = day_of(city.clock.now())
    return today - timedelta(days=STALE_DAYS) if fault is Kind.STALE else today


def money(fault: Kind | None) -> Money:
    """Return how amounts are written: in yuan, or in fen by mistake."""
    return in_fen if fault is Kind.WRONG_UNIT else yuan
