"""Pods are as closed as SECURITY asks: by the standard `restricted`, and beyond it."""

import copy
from typing import Any

import pytest

from cortexd.policy.dead_letter import DlqSettings
from tests.deploy.manifests import Manifests
from tests.deploy.pod_security import violations

pytestmark = pytest.mark.real_time

MIB = 1024 * 1024
UNITS = {"Mi": MIB, "Gi": 1024 * MIB}


def _bytes(quantity: str) -> int:
    return int(quantity[:-2]) * UNITS[quantity[-2:]]


def test_the_namespace_takes_nothing_but_restricted_pods(manifests: Manifests) -> None:
    """By a version of the standard that does not change under us."""
    labels = manifests.one("Namespace")["metadata"]["labels"]
    for mode in ("enforce", "audit", "warn"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"
        assert labels[f"pod-security.kubernetes.io/{mode}-version"].startswith("v1.")


def test_pods_are_restricted(manifests: Manifests) -> None:
    """As the API server would judge them."""
    assert list(violations(manifests.pod)) == []


CONTAINER = ("containers", 0)
IN_CONTAINER = (*CONTAINER, "securityContext")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("hostNetwork",), True),
        (("hostPID",), True),
        (("securityContext", "sysctls"), [{"name": "kernel.shm_rmid_forced", "value": "0"}]),
        (("securityContext", "runAsNonRoot"), False),
        (("securityContext", "seccompProfile"), {"type": "Unconfined"}),
        (("volumes", 0), {"name": "host", "hostPath": {"path": "/"}}),
        ((*IN_CONTAINER, "privileged"), True),
        ((*IN_CONTAINER, "allowPrivilegeEscalation"), True),
        ((*IN_CONTAINER, "runAsUser"), 0),
        ((*IN_CONTAINER, "procMount"), "Unmasked"),
        ((*IN_CONTAINER, "capabilities"), {"drop": []}),
        ((*IN_CONTAINER, "capabilities"), {"drop": ["ALL"], "add": ["SYS_PTRACE"]}),
        ((*CONTAINER, "ports", 0, "hostPort"), 4000),
    ],
)
def test_a_pod_that_is_open_somewhere_would_be_found(
    manifests: Manifests, path: tuple[Any, ...], value: Any
) -> None:
    """Each rule of the standard can fail."""
    pod = copy.deepcopy(manifests.pod)
    *way, last = path
    place = pod
    for step in way:
        place = place[step]
    place[last] = value
    assert list(violations(pod))


def test_no_container_can_write_to_its_image(manifests: Manifests) -> None:
    """What is written goes to the state, or to a small /tmp in memory."""
    for container in manifests.pod["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True, container["name"]
    volumes = {each["name"]: each for each in manifests.pod["volumes"]}
    (tmp,) = [
        each["name"] for each in manifests.node["volumeMounts"] if each["mountPath"] == "/tmp"
    ]
    assert volumes[tmp]["emptyDir"] == {"medium": "Memory", "sizeLimit": "64Mi"}


def test_the_user_is_that_of_the_image(manifests: Manifests) -> None:
    """Who is also who may read the credentials, and write to the state."""
    around = manifests.pod["securityContext"]
    assert (around["runAsUser"], around["runAsGroup"], around["fsGroup"]) == (65532, 65532, 65532)


def test_nobody_gets_a_token_of_the_cluster(manifests: Manifests) -> None:
    """Neither by the account nor by the pod."""
    assert manifests.one("ServiceAccount")["automountServiceAccountToken"] is False
    assert manifests.pod["automountServiceAccountToken"] is False
    assert manifests.pod["serviceAccountName"] == "cortexd"
    assert manifests.of_kind("Role") == manifests.of_kind("RoleBinding") == []


def test_images_are_of_a_version(manifests: Manifests) -> None:
    """Never `latest`, neither said nor meant."""
    for container in manifests.pod["containers"]:
        name, _, version = container["image"].rpartition(":")
        assert name, container["image"]
        assert version not in {"", "latest"}
        assert "/" not in version


def test_memory_is_not_promised_twice(manifests: Manifests) -> None:
    """The limit is the request, so that a node is killed for what it takes, never for others."""
    for container in manifests.pod["containers"]:
        resources = container["resources"]
        assert resources["limits"]["memory"] == resources["requests"]["memory"]
        assert "cpu" in resources["requests"]
        assert "cpu" not in resources["limits"]
        assert "ephemeral-storage" in resources["limits"]


def test_dead_letters_are_on_a_disk(manifests: Manifests) -> None:
    """One that is large enough for them and what is beside them, and that outlives the pod."""
    spec = manifests.one("StatefulSet")["spec"]
    (claim,) = spec["volumeClaimTemplates"]
    mounts = {each["name"]: each["mountPath"] for each in manifests.node["volumeMounts"]}
    assert mounts[claim["metadata"]["name"]] == "/var/lib/cortexd"
    storage = claim["spec"]["resources"]["requests"]["storage"]
    assert _bytes(storage) >= 4 * DlqSettings().max_bytes
    kept = spec["persistentVolumeClaimRetentionPolicy"]
    assert kept == {"whenScaled": "Retain", "whenDeleted": "Retain"}


def test_credentials_are_files_that_others_cannot_read(manifests: Manifests) -> None:
    """And no variable of any container has one."""
    volumes = {each["name"]: each for each in manifests.pod["volumes"]}
    secrets = [each["secret"] for each in volumes.values() if "secret" in each]
    assert "cortexd-credentials" in {each["secretName"] for each in secrets}
    for secret in secrets:
        assert secret["defaultMode"] == 0o440
    for container in manifests.pod["containers"]:
        assert "envFrom" not in container
        assert all("value" in each for each in container.get("env", ()))
        for mount in container["volumeMounts"]:
            if "secret" in volumes.get(mount["name"], {}):
                assert mount["readOnly"] is True
