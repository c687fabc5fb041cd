"""Which addresses no server of the public Internet can have. Pure.

From IANA's registries of special-purpose addresses (RFC 6890), RFC 4291 (of IPv6, only `2000::/3`
has been given out for hosts) and RFC 6052 (NAT64).
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")

# Where a network has IPv6 only, its name server puts every IPv4 address behind this prefix.
_NAT64: Final = IPv6Network("64:ff9b::/96")

# The one address of a cloud's own services that looks public: Azure's, the same on all machines.
_CLOUD_HOST: Final = IPv4Address("168.63.129.16")


def is_internal(address: str) -> bool:
    """Whether it is loopback, private, link-local, shared, reserved, multicast or in a tunnel.

    Errors: `ValueError` for a text that is no address.
    """
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address):
        within = parsed.ipv4_mapped
        if parsed in _NAT64:
            within = IPv4Address(int(parsed) & 0xFFFF_FFFF)
        if within is None:
            # 6to4 (and Teredo, which counts as private) could lead to any IPv4 address.
            is_tunnel = parsed.sixtofour is not None
            return is_tunnel or parsed not in _GLOBAL_UNICAST or not parsed.is_global
        parsed = within
    return not parsed.is_global or parsed.is_multicast or parsed == _CLOUD_HOST
