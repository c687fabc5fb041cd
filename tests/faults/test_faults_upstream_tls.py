"""Upstreams whose TLS is not to be trusted, or does not come to pass: U19 and U20."""

import datetime as dt
import ssl
import textwrap
import warnings
from collections.abc import Callable

import pytest
import trio
import trustme

from tests.faults.upstream import until
from tests.faults.upstream_node import OPENING_SOON, RETRYING, Node, Stock, Target
from tests.faults.upstream_wire import READ_BYTES, Greeting, secured
from tests.matrix.doors import ClientDoor

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

STOCK = {
    "openai": Stock(20, tls=True),
    "hasty": Stock(4, tls=True, settings="connect_seconds = 1.5"),
}

SETTINGS = OPENING_SOON + RETRYING

YESTERDAY = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority that the node trusts."""
    return trustme.CA()


@pytest.fixture(scope="module")
def environ(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Another `certifi` comes before the real one: its list of authorities has one, ours."""
    folder = tmp_path_factory.mktemp("trust")
    authority.cert_pem.write_to_path(folder / "authorities.pem")
    source = f"""
        def where() -> str:
            return {str(folder / "authorities.pem")!r}
    """
    (folder / "certifi.py").write_text(textwrap.dedent(source), encoding="utf-8")
    return {"PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def greeting(authority: trustme.CA) -> Greeting:
    """Good as long as the node makes its first health checks."""
    return secured(_context(authority.issue_cert("localhost")))


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


def _old(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = _context(certificate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


BAD: dict[str, Callable[[trustme.CA], ssl.SSLContext]] = {
    "expired": lambda ca: _context(ca.issue_cert("localhost", not_after=YESTERDAY)),
    "wrong name": lambda ca: _context(ca.issue_cert("elsewhere.example")),
    "self-signed": lambda _: _context(trustme.CA().issue_cert("localhost")),
    "TLS 1.0": lambda ca: _old(ca.issue_cert("localhost")),
}


def _greeted(target: Target, greeting: Greeting) -> Target:
    target.upstream.greeting = greeting
    return target


def test_tls_that_is_good(node: Node) -> None:
    """The rig proves nothing unless a good certificate is trusted."""
    target = node.take()
    assert node.ask(target.alone).text == "Hello world"


@pytest.mark.parametrize("bad", BAD)
def test_u19_bad_tls(node: Node, authority: trustme.CA, bad: str) -> None:
    """The next one answers, and no key was sent; with nobody else, it is an error."""
    target = _greeted(node.take(), secured(BAD[bad](authority)))
    before = target.upstream.accepted
    heard = node.ask(target.backed)
    assert (heard.status, heard.text, heard.is_ended) == (200, "all is well", True)
    # One that speaks too old a version hangs up, as one does that is merely in trouble.
    verdict = "unreachable" if bad == "TLS 1.0" else "not trusted"
    assert heard.headers["x-cortexd-attempts"].startswith(f"2 ({target.name}: {verdict}; ")
    assert target.upstream.accepted == before + 1
    assert target.upstream.asked == []
    assert node.opened(target) == 0
    heard = node.ask(target.alone)
    assert heard.status == 502
    assert target.upstream.accepted == before + 2
    assert target.upstream.asked == []
    assert node.opened(target) == 1


def test_u19_bad_tls_at_each_door(node: Node, authority: trustme.CA, door: ClientDoor) -> None:
    """An error of the gateway, which says nothing of certificates to the client."""
    target = _greeted(node.take(), secured(BAD["expired"](authority)))
    heard = node.ask(target.alone, door)
    assert (heard.status, heard.is_ended) == (502, False)
    assert heard.error_code in {None, "upstream_untrusted"}
    assert "certificate has expired" in node.account(heard)["failures"][0]
    assert "certificate" not in heard.body.decode()


def test_u19_bad_tls_is_not_tried_again(node: Node, authority: trustme.CA) -> None:
    """A certificate does not get better within a second."""
    target = _greeted(node.take(), secured(BAD["expired"](authority)))
    before = target.upstream.accepted
    assert node.ask(target.alone).status == 502
    assert target.upstream.accepted == before + 1


async def _silent(stream: trio.SocketStream) -> trio.abc.Stream:
    while await stream.receive_some(READ_BYTES):
        pass
    raise trio.BrokenResourceError


def test_u20_tls_handshake_hangs(node: Node, authority: trustme.CA) -> None:
    """It is part of connecting, and of its limit; nothing is held afterwards."""
    target = _greeted(node.take("hasty"), _silent)
    heard = node.ask(target.backed)
    assert (heard.status, heard.text) == (200, "all is well")
    [failure] = node.account(heard)["failures"]
    assert failure.endswith("unreachable (no connection: timed out)")
    until(lambda: target.upstream.open == 1)
    node.check_nothing_held(target)
    assert node.ask(target.backed).text == "all is well"
    assert node.opened(target) == 1
