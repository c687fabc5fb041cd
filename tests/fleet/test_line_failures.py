"""What an operator is told of a line that does not come up, for what the library met."""

import errno
import socket
import ssl

import pytest
from aio_pika.exceptions import AMQPConnectionError

from cortexd.fleet.failures import LineFailed, told


def _told(met: OSError) -> tuple[str, bool]:
    """The text, and whether it is hopeless, for an error that the library makes one of its own."""
    error = AMQPConnectionError(*met.args)
    error.__cause__ = met
    failure = told(error)
    assert isinstance(failure, LineFailed)
    return failure.message, failure.is_hopeless


@pytest.mark.parametrize(
    ("met", "expected"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "name or service not known"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "it was lost"),
        (ConnectionResetError(), "it was lost"),
    ],
)
def test_a_connection_that_is_not_there_is_told_by_its_cause(met: OSError, expected: str) -> None:
    """The number of an error counts where it is the system's own."""
    assert _told(met) == (f"no connection to the broker: {expected}", False)


def test_a_port_without_tls_is_told() -> None:
    """The broker answers in plain AMQP; it is no use to ask it again."""
    answer = ssl.MemoryBIO()
    answer.write(b"AMQP\x00\x00\x09\x01")
    tls = ssl.create_default_context().wrap_bio(answer, ssl.MemoryBIO(), server_hostname="b")
    with pytest.raises(ssl.SSLError) as caught:
        tls.do_handshake()
    text, is_hopeless = _told(caught.value)
    assert text.startswith("no TLS with the broker: ")
    assert is_hopeless


def test_a_host_may_be_called_as_it_likes() -> None:
    """Its name stands in what is said of its certificate, and is none of the broker's words."""
    met = ssl.SSLCertVerificationError(1, "certificate is not valid for 'vhost'")
    met.verify_message = "Hostname mismatch, certificate is not valid for 'vhost'."
    fault = "Hostname mismatch, certificate is not valid for 'vhost'"
    assert _told(met) == (f"the broker's certificate is refused: {fault}", True)
