"""The manifests, rendered once, and credentials."""

import subprocess
from pathlib import Path

import pytest

from tests.deploy.dockerfile import REPOSITORY
from tests.deploy.manifests import KUSTOMIZATIONS, Manifests, render


@pytest.fixture(scope="session", params=KUSTOMIZATIONS)
def manifests(request: pytest.FixtureRequest) -> Manifests:
    """Each kustomization, one after the other."""
    return render(request.param)


@pytest.fixture(scope="session")
def production() -> Manifests:
    """The overlay that has everything."""
    return render("overlays/production")


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The credentials of compose.yaml, as its script makes them."""
    folder = tmp_path_factory.mktemp("compose") / "secrets"
    script = REPOSITORY / "deploy" / "docker" / "make-secrets"
    subprocess.run([script, folder], capture_output=True, timeout=20, check=True)
    return folder
