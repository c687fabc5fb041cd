"""What deploy/kubernetes comes to: the objects as `kubectl kustomize` renders them."""

import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import yaml  # type: ignore[import-untyped]

KUBERNETES = Path(__file__).parents[2] / "deploy" / "kubernetes"
KUSTOMIZATIONS = ("base", "overlays/production")

Object: TypeAlias = Mapping[str, Any]


@attrs.frozen
class Manifests:
    """One kustomization, rendered."""

    folder: str
    objects: tuple[Object, ...]

    def of_kind(self, kind: str) -> list[Object]:
        """All objects of a kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str, name: str = "cortexd") -> Any:
        """The object of this name; there is exactly one."""
        (found,) = [each for each in self.of_kind(kind) if each["metadata"]["name"] == name]
        return found

    @property
    def pod(self) -> Any:
        """The specification of a node's pod."""
        return self.one("StatefulSet")["spec"]["template"]["spec"]

    @property
    def node(self) -> Any:
        """The container of that pod which is the node itself."""
        return self.container("cortexd")

    def container(self, name: str) -> Any:
        """A container of a node's pod."""
        (found,) = [each for each in self.pod["containers"] if each["name"] == name]
        return found

    @property
    def configuration(self) -> Any:
        """The cortexd.toml that a node's pod finds where its command looks for it."""
        (mount,) = [
            each for each in self.node["volumeMounts"] if each["mountPath"] == "/etc/cortexd"
        ]
        (volume,) = [each for each in self.pod["volumes"] if each["name"] == mount["name"]]
        data = self.one("ConfigMap", volume["configMap"]["name"])["data"]
        return tomllib.loads(data["cortexd.toml"])

    def ports(self) -> dict[str, int]:
        """The numbers of the named ports of a node's pod."""
        return {
            port["name"]: port["containerPort"]
            for container in self.pod["containers"]
            for port in container.get("ports", ())
        }


def render(folder: str) -> Manifests:
    """Render a folder of deploy/kubernetes."""
    text = subprocess.run(
        ["kubectl", "kustomize", KUBERNETES / folder],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    return Manifests(folder, tuple(yaml.safe_load_all(text)))


def read(path: Path) -> Any:
    """The one document of a YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))
