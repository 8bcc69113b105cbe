"""Which addresses lie in the open internet. Pure."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Translated to IPv4 on the way, by a translator or by this machine.
_TRANSLATED = [ipaddress.ip_network(n) for n in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")]


def is_public(address: Address) -> bool:
    """Return whether an address lies in the open internet: not here, not in a private network."""
    if isinstance(address, ipaddress.IPv6Address):
        # Forms of IPv6 that carry an IPv4 address reach that address.
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address.is_site_local:
            return False
        if any(address in network for network in _TRANSLATED):
            return False
    return address.is_global and not address.is_multicast
