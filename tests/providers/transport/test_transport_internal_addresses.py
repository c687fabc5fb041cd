"""What counts as an address of the public Internet."""

import pytest

from cortexd.providers.transport.internal_addresses import is_internal


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "2001:4860:4860::8888", "64:ff9b::808:808", "::ffff:8.8.8.8", "100.128.0.1"],
)
def test_public(address: str) -> None:
    """Also where an IPv4 address is written as one of IPv6."""
    assert not is_internal(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.5",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.0.9",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "224.0.0.1",
        "239.1.2.3",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::10.0.0.1",
        "::ffff:127.0.0.1",
        "64:ff9b::a00:5",
        "64:ff9b:1::1",
        "2001:0:808:808::1",
        "2001:db8::1",
        "2002:808:808::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%lo",
        "fec0::1",
        "ff02::1",
    ],
)
def test_internal(address: str) -> None:
    """Loopback, private, shared, link-local, reserved, multicast, tunnels; clouds' own services."""
    assert is_internal(address)


def test_no_address() -> None:
    """A name has no kind."""
    with pytest.raises(ValueError, match="does not appear to be"):
        is_internal("localhost")
