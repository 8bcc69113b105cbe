"""Which addresses lie in the open internet, and which of them are this machine's."""

import ipaddress
import socket

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# The one block of which addresses of the open internet are given out (RFC 4291, IANA).
_GLOBAL_V6 = ipaddress.ip_network("2000::/3")
# Tunnels and documentation, of which Python's table has not all. Teredo is in it.
_SPECIAL = [
    ipaddress.ip_network(network) for network in ("192.88.99.0/24", "3fff::/20", "5f00::/16")
]
# What one machine has of IPv6, or its neighbours on the same line.
_OWN_V6_BITS = 64


def is_public(address: Address) -> bool:
    """Return whether an address lies in the open internet: not here, not in a private network."""
    if isinstance(address, ipaddress.IPv6Address):
        # Forms of IPv6 that carry an IPv4 address reach that address.
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL_V6 or address.teredo is not None:
            return False
    if any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not address.is_multicast


def is_elsewhere(address: Address) -> bool:
    """Return whether an address is public and not this machine's own.

    A machine in the open internet reaches itself, and what it guards from others, by its own address.
    """
    return is_public(address) and not _is_own(address, _source_of(address))


def _is_own(address: Address, source: Address | None) -> bool:
    """Whether ``address`` belongs to the machine that would send to it from ``source``."""
    if source is None or source.version != address.version:
        return False
    bits = address.max_prefixlen
    own = ipaddress.ip_network((source, bits if bits == 32 else _OWN_V6_BITS), strict=False)
    return address in own


def _source_of(address: Address) -> Address | None:
    """The address that this machine would send from; None where nothing leads there."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        # Nothing is sent: the system only chooses the way, which for an address of its own leads to it.
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return ipaddress.ip_address(probe.getsockname()[0].partition("%")[0])
    except OSError:
        return None
