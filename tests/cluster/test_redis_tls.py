"""Redis over TLS: the node talks to the server that it means, and to no other."""

import random
from pathlib import Path

import pytest
import trio
import trustme

from cortexd.cluster.redis_link import RedisLink
from cortexd.config.server_url import parse_server_url
from tests.servers.redis import free_port, running_redis

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

NOT_TRIED = "it has not been reached yet"


@pytest.mark.parametrize(
    ("name", "signer", "fault"),
    [
        ("localhost", "trusted", None),
        ("elsewhere.example", "trusted", "Hostname mismatch"),
        ("localhost", "unknown", "unable to get local issuer certificate"),
    ],
)
async def test_the_certificate_is_that_of_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, signer: str, fault: str | None
) -> None:
    """That some authority which is trusted has given it to somebody is not enough."""
    trusted, pem = trustme.CA(), tmp_path / "server.pem"
    trusted.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority = trusted if signer == "trusted" else trustme.CA()
    authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(pem))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    port = free_port()
    words = [
        *("--tls-port", str(port), "--tls-auth-clients", "no"),
        *("--tls-cert-file", str(pem), "--tls-key-file", str(pem)),
        *("--tls-ca-cert-file", str(tmp_path / "ca.pem")),
    ]
    url = parse_server_url(f"rediss://localhost:{port}")
    chance = random.Random(1)  # noqa: S311  waits, no secret
    link = RedisLink(url, client_name="n", chance=chance, emit=lambda _: None)
    with running_redis(tmp_path, *words):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.run)
            with trio.fail_after(20):
                while link.trouble(0.0) == NOT_TRIED:  # noqa: ASYNC110  the hot path asks it, too
                    await trio.sleep(0.05)
            assert link.is_up == (fault is None)
            assert (fault or "") in (link.trouble(0.0) or "")
            nursery.cancel_scope.cancel()
