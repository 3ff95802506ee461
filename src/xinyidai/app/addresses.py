"""From where a request comes: the peer, or behind a trusted proxy the client that the proxy names."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

UNKNOWN: Final = "unknown"
MAX_HOPS: Final = 10
"""Proxies of one's own that a request may have passed; what stands further left is not read."""
LONGEST_ENTRY: Final = 64
"""The longest text of an address with a port is 53 characters."""
V6_PREFIX: Final = 64
"""One customer of a network is given at least this many bits of an IPv6 address and may change the rest at will."""


def client_of(peer: str | None, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str:
    """Return what a client without an account is told apart by: an IPv4 address, or the /64 of an IPv6 one.

    Only a trusted peer's X-Forwarded-For counts, read from the right: each proxy of one's own adds whom it saw, so the
    first entry that is no trusted proxy is the client. What stands left of it came from the client itself and may be
    anything. An entry that is no address ends the reading at the proxy that wrote it.
    """
    seen = _address(peer or "")
    if seen is None:
        return UNKNOWN
    for entry in reversed(_last_entries(forwarded_for)):
        if not _is_trusted(seen, trusted):
            break
        before = _address(entry)
        if before is None:
            break
        seen = before
    return str(seen) if isinstance(seen, IPv4Address) else str(ip_network((seen, V6_PREFIX), strict=False))


def _is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)


def _last_entries(forwarded_for: Sequence[str]) -> list[str]:
    """Return the last entries of the header's lines, which count as one list."""
    entries: list[str] = []
    for line in reversed(forwarded_for):
        # The first part of a split with a bound holds all the rest; it is not an entry.
        entries = [*line.rsplit(",", MAX_HOPS)[-MAX_HOPS:], *entries][-MAX_HOPS:]
        if len(entries) == MAX_HOPS:
            break
    return entries


def _address(text: str) -> Address | None:
    """Return the address of an entry, with or without port and brackets; None where it is not one."""
    bare = text.strip()
    if len(bare) > LONGEST_ENTRY:
        return None
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ip_address(bare)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        # A socket for both versions shows an IPv4 client as ::ffff:a.b.c.d: the same client, whichever way it came.
        return found.ipv4_mapped or found
    return found
