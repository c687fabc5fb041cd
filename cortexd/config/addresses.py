"""Addresses the node listens on, and the one where a worker is found."""

import ipaddress
import os
import re
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import attrs

from cortexd.providers.base_url import check_base_url

PORT_MAX = 65535
UNIX_BYTES_MAX = 107
"""See unix(7): `sun_path` has 108, one of them for the end."""
_BIND = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})")
_URL_EXAMPLE = "http://localhost:8000/v1"
_NUMBERS = re.compile(r"(?:0[xX][0-9a-fA-F]*|[0-9]+)(?:\.(?:0[xX][0-9a-fA-F]*|[0-9]+))*\.?")


class WrongAddress(ValueError):
    """The text is no address of the kind wanted; says what one looks like."""


@attrs.frozen
class TcpAddress:
    """Where TCP connections are taken. Port 0: the system picks a free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine can reach it, for certain."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def meets(self, other: "TcpAddress") -> bool:
        """Whether both cannot be listened on at once."""
        if self.port != other.port or self.port == 0:
            return False
        return not _hosts(self).isdisjoint(_hosts(other))


@attrs.frozen
class UnixAddress:
    """The path of a Unix socket."""

    path: Path

    is_loopback = True

    def meets(self, other: "UnixAddress") -> bool:
        """Whether both are the same socket."""
        return self.path.absolute() == other.path.absolute()


Address: TypeAlias = TcpAddress | UnixAddress


def parse_address(text: str, *, unix_allowed: bool) -> Address:
    """The address that `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH` means.

    Errors: `WrongAddress`.
    """
    forms = "must be HOST:PORT or [IPV6]:PORT" + (" or unix:PATH" if unix_allowed else "")
    if unix_allowed and text.startswith("unix:") and not text.removeprefix("unix:").isdecimal():
        path = text.removeprefix("unix:")
        if not path or "\0" in path:
            raise WrongAddress(forms)
        if len(os.fsencode(path)) > UNIX_BYTES_MAX:
            raise WrongAddress(f"the path of a Unix socket has at most {UNIX_BYTES_MAX} bytes")
        return UnixAddress(Path(path))
    found = _BIND.fullmatch(text)
    if found is None:
        raise WrongAddress(forms)
    if int(found["port"]) > PORT_MAX:
        raise WrongAddress(f"{forms}, with a port up to {PORT_MAX}")
    if found["v6"] is None:
        return TcpAddress(found["host"].lower(), int(found["port"]))
    try:
        return TcpAddress(str(ipaddress.IPv6Address(found["v6"])), int(found["port"]))
    except ipaddress.AddressValueError as error:
        raise WrongAddress(f"{forms}; there is no IPv6 address in the brackets") from error


def meet(one: Address, other: Address) -> bool:
    """Whether two listeners want the same place."""
    if isinstance(one, TcpAddress):
        return isinstance(other, TcpAddress) and one.meets(other)
    return isinstance(other, UnixAddress) and one.meets(other)


def _hosts(address: TcpAddress) -> frozenset[str]:
    if address.host == "localhost":
        return frozenset({"127.0.0.1", "::1"})
    return frozenset({address.host})


def check_worker_url(url: str) -> None:
    """Refuse what is not plainly the address of an HTTP server.

    Stricter than an adapter is: a file is written once, and by people who can correct it.
    Errors: `WrongAddress`, which does not quote the address: there may be a password in it.
    """
    try:
        check_base_url(url)
    except ValueError as error:
        raise WrongAddress(f"{error}; write it like {_URL_EXAMPLE}") from error
    if "?" in url or "#" in url:
        raise WrongAddress(f"must end with its path; write it like {_URL_EXAMPLE}")
    parts = urlsplit(url)
    if parts.port == 0:
        raise WrongAddress("must not have port 0, which no server listens on")
    host = parts.hostname or ""
    if _NUMBERS.fullmatch(host) and not _is_ipv4(host):
        # 127.1, 0x7f000001 and 2130706433 are read differently by different programs.
        raise WrongAddress("must have an IP address as four decimal numbers")


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ipaddress.AddressValueError:
        return False
    return True
