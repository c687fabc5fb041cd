"""Nothing comes in and nothing goes out but what is named, and what is named is what is needed."""

import ipaddress
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.deploy.manifests import KUBERNETES, Manifests, Object, read

pytestmark = pytest.mark.real_time

NEVER = (
    *("169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1"),
    *("fd00::1", "fe80::1", "fd00:ec2::254", "64:ff9b::a9fe:a9fe"),
)
"""Machines of the cluster, and services that hand out credentials: no provider lives there."""

NAMESPACE = "kubernetes.io/metadata.name"


def _rules(manifests: Manifests, direction: str) -> Iterator[Any]:
    for policy in manifests.of_kind("NetworkPolicy"):
        for rule in policy["spec"].get(direction, ()):
            assert direction.capitalize() in policy["spec"]["policyTypes"]
            yield rule


def _is_open(manifests: Manifests, namespace: str, port: int) -> bool:
    """Whether a node may connect to this port of the pods in this namespace."""
    return any(
        {"protocol": "TCP", "port": port} in rule["ports"]
        and any(
            each.get("namespaceSelector", {}).get("matchLabels") == {NAMESPACE: namespace}
            for each in rule["to"]
        )
        for rule in _rules(manifests, "egress")
    )


def test_all_is_denied_at_first(manifests: Manifests) -> None:
    """Both ways, for every pod of the namespace."""
    assert manifests.one("NetworkPolicy", "deny-all")["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }


def test_every_rule_says_who_and_where(manifests: Manifests) -> None:
    """One without peers or without ports would be for all of them."""
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        rules = list(_rules(manifests, direction))
        assert rules
        for rule in rules:
            assert rule[peers]
            assert all(rule[peers])
            assert rule["ports"]


def test_what_comes_in_comes_to_a_port_that_is_there(manifests: Manifests) -> None:
    """By its name, so that it moves along; nobody is let in to where nobody listens."""
    allowed = [port["port"] for rule in _rules(manifests, "ingress") for port in rule["ports"]]
    assert set(allowed) == manifests.ports().keys()


def test_clients_are_told_apart_from_operators(production: Manifests) -> None:
    """Who may chat does not reach the admin port by that."""
    for rule in _rules(production, "ingress"):
        (port,) = rule["ports"]
        is_operator = rule["from"] == [
            {"namespaceSelector": {"matchLabels": {"cortexd-operator": "true"}}}
        ]
        assert is_operator == (port["port"] == "admin")


def test_names_can_be_resolved(manifests: Manifests) -> None:
    """Over UDP, and over TCP where the answer is long."""
    protocols = {
        port["protocol"]
        for rule in _rules(manifests, "egress")
        for port in rule["ports"]
        if port["port"] == 53
    }
    assert protocols == {"UDP", "TCP"}


@pytest.mark.parametrize("address", NEVER)
def test_the_open_internet_is_not_the_cluster(manifests: Manifests, address: str) -> None:
    """What is open to all the world leaves out what is not of the world."""
    there = ipaddress.ip_address(address)
    blocks = [
        each["ipBlock"]
        for rule in _rules(manifests, "egress")
        for each in rule["to"]
        if "ipBlock" in each
    ]
    assert blocks
    for block in blocks:
        inside = there in ipaddress.ip_network(block["cidr"])
        assert not inside or any(there in ipaddress.ip_network(net) for net in block["except"])


def test_what_the_configuration_names_can_be_reached(production: Manifests) -> None:
    """Model servers, Redis and RabbitMQ: each in its namespace, at its port."""
    credentials = read(KUBERNETES / "secret.example.yaml")["stringData"]
    urls = [each["base_url"] for each in production.configuration["workers"] if "base_url" in each]
    urls += [credentials["redis-url"], credentials["amqp-url"]]
    assert len(urls) == 3
    for url in urls:
        parts = urlsplit(url)
        _, namespace, *zone = str(parts.hostname).split(".")
        assert zone == ["svc", "cluster", "local"]
        assert _is_open(production, namespace, int(parts.port or 0)), url


def test_what_carries_secrets_is_encrypted(production: Manifests) -> None:
    """Redis and RabbitMQ are asked over TLS."""
    credentials = read(KUBERNETES / "secret.example.yaml")["stringData"]
    assert credentials["redis-url"].startswith("rediss://")
    assert credentials["amqp-url"].startswith("amqps://")


def _admin_services(manifests: Manifests) -> list[Object]:
    return [
        service
        for service in manifests.of_kind("Service")
        if any(port["targetPort"] == "admin" for port in service["spec"]["ports"])
    ]


def test_there_is_no_way_to_operators_unless_asked_for(manifests: Manifests) -> None:
    """The node's own listener is on loopback of the pod; the base has no Service for it."""
    (bind,) = manifests.configuration["admin"]["bind"]
    assert bind == "127.0.0.1:4001"
    assert 4001 not in manifests.ports().values()
    assert len(_admin_services(manifests)) == (manifests.folder != "base")


def test_the_service_for_operators_speaks_tls(production: Manifests) -> None:
    """A proxy beside the node is what it leads to."""
    (service,) = _admin_services(production)
    assert [each["port"] for each in service["spec"]["ports"]] == [4443]
    proxy = production.container("admin-proxy")
    (mount,) = [each for each in proxy["volumeMounts"] if "nginx" in each["mountPath"]]
    (volume,) = [each for each in production.pod["volumes"] if each["name"] == mount["name"]]
    text = production.one("ConfigMap", volume["configMap"]["name"])["data"]["admin.conf"]
    listening = [line.strip() for line in text.splitlines() if line.strip().startswith("listen ")]
    assert listening == ["listen 4443 ssl;"]
    assert f"{mount['mountPath']}/admin.conf" in proxy["command"]
    (bind,) = production.configuration["admin"]["bind"]
    assert f"proxy_pass http://{bind};" in text
    # What the node would say itself, were it asked over TLS.
    assert "proxy_cookie_flags ~ secure;" in text
    assert "add_header Strict-Transport-Security " in text
