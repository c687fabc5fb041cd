"""The manifests are what the API takes."""

import copy

import kubernetes_validate  # type: ignore[import-untyped]
import pytest

from tests.deploy.manifests import KUBERNETES, Manifests, read

pytestmark = pytest.mark.real_time

OLDEST, NEWEST = "1.30", "1.37"
"""The first version that knows the sleep of preStop, and the last whose schemas we have."""


@pytest.mark.slow
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_object_is_valid(manifests: Manifests, version: str) -> None:
    """Strictly: a key that the API does not know is a mistake."""
    for each in manifests.objects:
        assert kubernetes_validate.validate(each, version, strict=True) == version


def test_a_wrong_key_would_be_found(manifests: Manifests) -> None:
    """The validator looks into the depth of our own objects."""
    wrong = copy.deepcopy(manifests.one("StatefulSet"))
    wrong["spec"]["template"]["spec"]["containers"][0]["livenessProb"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="livenessProb"):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)


def test_the_example_of_a_secret_is_valid() -> None:
    """It is in no kustomization, and so in nothing that is rendered."""
    example = read(KUBERNETES / "secret.example.yaml")
    assert kubernetes_validate.validate(example, NEWEST, strict=True) == NEWEST


def test_no_kustomization_brings_a_secret(manifests: Manifests) -> None:
    """Credentials are named here, and live elsewhere."""
    assert manifests.of_kind("Secret") == []


def test_every_object_is_in_the_namespace(manifests: Manifests) -> None:
    """Or is the namespace."""
    for each in manifests.objects:
        if each["kind"] != "Namespace":
            assert each["metadata"]["namespace"] == "cortexd", each["metadata"]["name"]
