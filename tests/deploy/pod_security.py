"""The Pod Security Standard `restricted`, as far as Linux goes. Pure.

Source: kubernetes.io/docs/concepts/security/pod-security-standards, baseline and restricted
together. Each rule says of one container whether it breaks the rule; what the container does not
say itself is what its pod says.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

Spec: TypeAlias = Mapping[str, Any]

VOLUMES: Final = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"}
    | {"projected", "secret"}
)
SECCOMP: Final = frozenset({"RuntimeDefault", "Localhost"})
CAPABILITIES: Final = frozenset({"NET_BIND_SERVICE"})

RULES: Final[Mapping[str, Callable[[Spec], bool]]] = {
    "privileged": lambda told: told.get("privileged", False),
    "allowPrivilegeEscalation": lambda told: told.get("allowPrivilegeEscalation", True),
    "runAsNonRoot": lambda told: not told.get("runAsNonRoot", False),
    "runAsUser": lambda told: told.get("runAsUser") == 0,
    "seccompProfile": lambda told: told.get("seccompProfile", {}).get("type") not in SECCOMP,
    "appArmorProfile": lambda told: told.get("appArmorProfile", {}).get("type") == "Unconfined",
    "procMount": lambda told: told.get("procMount", "Default") != "Default",
    "drop": lambda told: "ALL" not in told.get("capabilities", {}).get("drop", ()),
    "add": lambda told: bool(set(told.get("capabilities", {}).get("add", ())) - CAPABILITIES),
}


def violations(pod: Spec) -> Iterator[str]:
    """Each rule that a pod's specification breaks, with the container that does."""
    around = pod.get("securityContext", {})
    yield from (f"pod: {key}" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key))
    if around.get("sysctls"):
        yield "pod: sysctls"
    for volume in pod.get("volumes", ()):
        if not VOLUMES & volume.keys():
            yield f"pod: volume {volume['name']}"
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        for container in pod.get(kind, ()):
            told = {**around, **container.get("securityContext", {})}
            broken = [name for name, is_broken in RULES.items() if is_broken(told)]
            if any(port.get("hostPort") for port in container.get("ports", ())):
                broken.append("hostPort")
            yield from (f"{container['name']}: {name}" for name in broken)
