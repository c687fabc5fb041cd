"""The configurations that the manifests carry: a node starts with each, and changes with it."""

from pathlib import Path

import pytest

from tests.deploy.checking import judge
from tests.deploy.manifests import KUBERNETES, KUSTOMIZATIONS, Manifests, read

pytestmark = pytest.mark.real_time


EXAMPLE = read(KUBERNETES / "secret.example.yaml")["stringData"]


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A folder with what the example of a Secret says, filled in, each in a file of its own."""
    for name, value in EXAMPLE.items():
        (tmp_path / name).write_text(value.replace("REPLACE", "0" * 64), encoding="ascii")
    return tmp_path


@pytest.mark.parametrize("folder", KUSTOMIZATIONS)
def test_a_node_starts_with_it(folder: str, example: Path) -> None:
    """Nothing is wrong with it, and the example of a Secret has all that it needs."""
    said = judge(KUBERNETES / folder / "cortexd.toml", example)
    assert said.exit_code == 0, said.output
    assert "warning" not in said.output


def test_the_example_has_no_credential_too_many(example: Path) -> None:
    """Each is one that some configuration asks for."""
    texts = [
        (KUBERNETES / folder / "cortexd.toml").read_text(encoding="utf-8")
        for folder in KUSTOMIZATIONS
    ]
    for each in example.iterdir():
        assert any(f'"credential:{each.name}"' in text for text in texts), each.name


def test_the_example_is_no_credential(example: Path) -> None:
    """Who forgets to fill it in has a node that does not start."""
    (example / "fleet-signing-key").write_text(EXAMPLE["fleet-signing-key"], encoding="ascii")
    assert judge(KUBERNETES / "overlays/production/cortexd.toml", example).exit_code == 78


def test_the_node_is_told_where_its_credentials_are(manifests: Manifests) -> None:
    """In the folder where the Secret is mounted; the tool of operators finds its token there."""
    environ = {each["name"]: each["value"] for each in manifests.node["env"]}
    mounts = {each["name"]: each["mountPath"] for each in manifests.node["volumeMounts"]}
    assert environ["CREDENTIALS_DIRECTORY"] == mounts["credentials"]
    assert manifests.configuration["admin"]["token"] == "credential:admin-token"
    assert environ["CORTEXCTL_TOKEN_FILE"] == f"{mounts['credentials']}/admin-token"


def test_the_command_is_that_of_the_node(manifests: Manifests) -> None:
    """With the file that is mounted."""
    assert manifests.node["args"][:3] == ["cortexd", "--config", "/etc/cortexd/cortexd.toml"]
    assert manifests.configuration["data"]["bind"]


def test_another_configuration_is_another_rollout(manifests: Manifests) -> None:
    """The name of the generated object has a hash of what is in it."""
    for generated in manifests.of_kind("ConfigMap"):
        plain, _, digest = generated["metadata"]["name"].rpartition("-")
        assert plain in {"cortexd", "cortexd-admin-proxy"}
        assert len(digest) == 10


def test_nodes_share_what_keys_are_recognised_by(manifests: Manifests) -> None:
    """A key of the configuration opens every node; nobody can have the one that is shipped."""
    assert manifests.configuration["data"]["key_pepper"] == "credential:key-pepper"
    (key,) = manifests.configuration["keys"]
    assert set(key["hmac"]) == {"0"}
