"""RabbitMQ over TLS: nodes and agents talk to the broker that they mean, and to no other."""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import trio
import trustme

from cortexd.domain.fleet import LineStanding
from cortexd.fleet.topology import agent_topology
from tests.fleet.fleet import FleetNode, fleet_node, model_server, running_agent
from tests.fleet.line import an_end
from tests.operator import wait_until
from tests.servers.rabbitmq import RabbitServer, the_rabbitmq

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

LONG_AGO: Final = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)

Issue = Callable[[trustme.CA], trustme.LeafCert]
"""A certificate, by the authority that is trusted or by another."""

BAD: Final[dict[str, tuple[Issue, str]]] = {
    "name": (
        lambda trusted: trusted.issue_cert("elsewhere.example"),
        "Hostname mismatch, certificate is not valid for 'localhost'",
    ),
    "authority": (
        lambda _: trustme.CA().issue_cert("localhost"),
        "unable to get local issuer certificate",
    ),
    "date": (
        lambda trusted: trusted.issue_cert("localhost", not_after=LONG_AGO),
        "certificate has expired",
    ),
}


@attrs.frozen(eq=False)
class SecureBroker:
    """One that is there over TLS, with a certificate that it can be given."""

    server: RabbitServer
    url: str
    pem: Path
    trusted: trustme.CA

    def present(self, issue: Issue) -> None:
        """Show this certificate to all who come from now on; nobody stays."""
        issue(self.trusted).private_key_and_cert_chain_pem.write_to_path(str(self.pem))
        self.server.renew_certificates()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """A broker, whose authority is known to this process and to those that it starts."""
    folder, trusted, server = tmp_path_factory.mktemp("tls"), trustme.CA(), the_rabbitmq()
    trusted.cert_pem.write_to_path(str(folder / "authority.pem"))
    with (
        pytest.MonkeyPatch.context() as patch,
        server.listening_over_tls(folder / "broker.pem") as url,
    ):
        patch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
        yield SecureBroker(server, url, folder / "broker.pem", trusted)


def _good(trusted: trustme.CA) -> trustme.LeafCert:
    return trusted.issue_cert("localhost")


@pytest.mark.parametrize("what", BAD)
async def test_a_bad_certificate_is_refused_and_the_fault_is_told(
    broker: SecureBroker, what: str
) -> None:
    """That some authority which is trusted has given it to somebody is not enough."""
    issue, fault = BAD[what]
    broker.present(issue)
    end = an_end(broker.url, "tls", agent_topology("tls"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(end.line.run)
        await end.wait(lambda: end.standings)
        assert end.standings == [LineStanding(failure=_refused(fault), is_hopeless=True)]
        nursery.cancel_scope.cancel()


def test_a_fleet_that_loses_trust_in_its_broker_serves_on(
    broker: SecureBroker, tmp_path: Path
) -> None:
    """All is as without TLS; a certificate for another host is told to whoever may mend it."""
    broker.present(_good)
    with (
        model_server() as server,
        fleet_node(tmp_path, broker.url, name="tls-node") as node,
        running_agent(tmp_path, broker, "secure", {"w": server.url}) as agent,
    ):
        node.wait_available("secure.w")
        assert node.tell("secure", "ping").json()["answered"] is True

        issue, fault = BAD["name"]
        broker.present(issue)
        told = _refused(fault)
        wait_until(lambda: node.fleet["broker"]["failure"] == told)
        wait_until(lambda: any(told in each["message"] for each in _alerts(node)))
        wait_until(lambda: any(each.get("reason") == told for each in agent.log))
        wait_until(lambda: f'"reason":"{told}"' in node.daemon.log)
        assert node.chat("secure.w/m").status_code == 200

        broker.present(_good)
        wait_until(lambda: node.tell("secure", "ping").status_code == 200)
        wait_until(lambda: not _alerts(node))


def _refused(fault: str) -> str:
    return f"the broker's certificate is refused: {fault}"


def _alerts(node: FleetNode) -> list[Any]:
    alerts = node.operator.get("/admin/alerts")["items"]
    return [each for each in alerts if (each["rule"], each["state"]) == ("fleet_lost", "firing")]
