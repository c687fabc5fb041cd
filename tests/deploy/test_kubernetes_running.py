"""Nodes come, go, scale and are spread as they need it, in step with their own limits."""

import itertools
import math
from pathlib import Path

import pytest

from cortexd.config.node import NodeSettings
from cortexd.domain.ids import WorkerName
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.http.openapi.document import openapi_document
from cortexd.http.settings import DataSettings
from cortexd.runtime.main import STUCK_S
from tests.deploy.manifests import Manifests

pytestmark = pytest.mark.real_time

START_S = 90.0
"""What systemd's unit gives a node to start."""

PROXY_S = 5.0
"""How long proxies may go on sending new clients to a pod that is to end."""


def _probed(manifests: Manifests, kind: str) -> str:
    get = manifests.node[kind]["httpGet"]
    return f"{manifests.ports()[get['port']]}{get['path']}"


def test_probes_ask_what_they_are_for(manifests: Manifests) -> None:
    """On the clients' listener, where they need no key."""
    bind = manifests.configuration["data"]["bind"]
    assert bind == ["0.0.0.0:4000"]
    for kind, path in (("startup", "/startupz"), ("readiness", "/readyz"), ("liveness", "/livez")):
        assert _probed(manifests, f"{kind}Probe") == f"4000{path}"
        assert "get" in openapi_document("0")["paths"][path]


def test_a_node_has_time_to_start(manifests: Manifests) -> None:
    """As much as under systemd."""
    probe = manifests.node["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= START_S


def test_a_pod_is_given_the_time_that_a_drain_takes(manifests: Manifests) -> None:
    """Kubernetes must not kill what is about to end by itself; preStop counts."""
    sleep_s = manifests.node["lifecycle"]["preStop"]["sleep"]["seconds"]
    node = NodeSettings(
        name="n", state_dir=Path("state"), **manifests.configuration.get("node", {})
    )
    needed_s = sleep_s + node.predrain_seconds + node.drain_seconds + STUCK_S
    assert manifests.pod["terminationGracePeriodSeconds"] >= needed_s
    assert sleep_s + node.predrain_seconds >= PROXY_S


def test_the_autoscaler_owns_the_replicas(manifests: Manifests) -> None:
    """Applying the manifests again takes no node away."""
    spec = manifests.one("HorizontalPodAutoscaler")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (5, 50)
    target = spec["scaleTargetRef"]
    scaled = manifests.one(target["kind"], target["name"])
    assert scaled["apiVersion"] == target["apiVersion"]
    assert "replicas" not in scaled["spec"]
    (metric,) = spec["metrics"]
    measured = manifests.container(metric["containerResource"]["container"])
    assert metric["containerResource"]["name"] in measured["resources"]["requests"]


def test_a_disruption_takes_a_few_nodes_and_no_more(manifests: Manifests) -> None:
    """One at the smallest size, so that machines can be emptied; a rollout takes no more."""
    budget = manifests.one("PodDisruptionBudget")["spec"]
    kept = int(budget["minAvailable"].removesuffix("%")) / 100
    smallest = manifests.one("HorizontalPodAutoscaler")["spec"]["minReplicas"]
    assert smallest - math.ceil(kept * smallest) == 1
    update = manifests.one("StatefulSet")["spec"]["updateStrategy"]["rollingUpdate"]
    assert int(update["maxUnavailable"].removesuffix("%")) / 100 == pytest.approx(1 - kept)


def test_nodes_do_not_wait_for_each_other(manifests: Manifests) -> None:
    """One that does not come up must not keep the others away."""
    assert manifests.one("StatefulSet")["spec"]["podManagementPolicy"] == "Parallel"


def test_nodes_are_spread(manifests: Manifests) -> None:
    """Over zones and over machines."""
    spread = manifests.pod["topologySpreadConstraints"]
    keys = {each["topologyKey"] for each in spread}
    assert keys == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}


def test_selectors_find_the_nodes(manifests: Manifests) -> None:
    """What selects pods selects these."""
    labels = manifests.one("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        *(each["spec"]["selector"] for each in manifests.of_kind("Service")),
        manifests.one("StatefulSet")["spec"]["selector"]["matchLabels"],
        manifests.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        *(
            each["labelSelector"]["matchLabels"]
            for each in manifests.pod["topologySpreadConstraints"]
        ),
        *(
            each["spec"]["podSelector"].get("matchLabels", labels)
            for each in manifests.of_kind("NetworkPolicy")
        ),
    ]
    for selector in selectors:
        assert selector.items() <= labels.items()
        assert selector


def test_services_lead_to_ports_that_are_there(manifests: Manifests) -> None:
    """And stay inside the cluster."""
    for service in manifests.of_kind("Service"):
        assert service["spec"].get("type", "ClusterIP") == "ClusterIP"
        for port in service["spec"]["ports"]:
            assert manifests.ports()[port["targetPort"]] == port["port"]
    headless = manifests.one("StatefulSet")["spec"]["serviceName"]
    assert manifests.one("Service", headless)["spec"]["clusterIP"] == "None"


def test_mounts_have_their_volumes(manifests: Manifests) -> None:
    """Each volume is used, and each mount is of one."""
    claims = manifests.one("StatefulSet")["spec"]["volumeClaimTemplates"]
    volumes = [each["name"] for each in manifests.pod["volumes"]]
    volumes += [each["metadata"]["name"] for each in claims]
    mounts = itertools.chain(*(each["volumeMounts"] for each in manifests.pod["containers"]))
    assert {each["name"] for each in mounts} == set(volumes)


def test_the_ingress_lets_streams_through(production: Manifests) -> None:
    """Unbuffered, as long as an answer may take, as large as a request may be, and only once."""
    ingress = production.one("Ingress")
    nginx = "nginx.ingress.kubernetes.io/"
    said = {
        key.removeprefix(nginx): value for key, value in ingress["metadata"]["annotations"].items()
    }
    assert said["proxy-buffering"] == said["proxy-request-buffering"] == "off"
    assert said["proxy-next-upstream"] == "off"
    worker = WorkerSettings(name=WorkerName("w"), type=WorkerType.OPENAI, priority=0)
    assert float(said["proxy-read-timeout"]) >= worker.total_seconds
    body = said["proxy-body-size"]
    assert body.endswith("m")
    assert int(body[:-1]) * 1024 * 1024 >= DataSettings().max_body_bytes


def test_the_ingress_leads_to_clients_only(production: Manifests) -> None:
    """With TLS; operators do not come this way."""
    spec = production.one("Ingress")["spec"]
    assert {host for each in spec["tls"] for host in each["hosts"]} == {
        rule["host"] for rule in spec["rules"]
    }
    for rule in spec["rules"]:
        for path in rule["http"]["paths"]:
            service = path["backend"]["service"]
            ports = production.one("Service", service["name"])["spec"]["ports"]
            assert service["port"]["name"] in {each["name"] for each in ports}
            assert service["port"]["name"] == "clients"
