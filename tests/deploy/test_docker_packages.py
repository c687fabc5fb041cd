"""What the image is made from: wheels, and a package that has all that is in the sources."""

import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from tests.deploy.dockerfile import REPOSITORY, copied_from_here, read_dockerfile

_LOCKED = re.compile(r"^([a-z0-9._-]+)==", re.MULTILINE)


def _locked(name: str) -> list[str]:
    return _LOCKED.findall((REPOSITORY / "requirements" / name).read_text(encoding="utf-8"))


def _tags(package: str) -> str:
    try:
        return metadata.distribution(package).read_text("WHEEL") or ""
    except metadata.PackageNotFoundError:
        return ""  # one for another platform


def test_no_package_was_compiled_here() -> None:
    """An image has no compiler: what is native comes as a wheel for any Linux with glibc."""
    wheels = {
        package: _tags(package) for package in (*_locked("runtime.txt"), *_locked("weights.txt"))
    }
    assert sum(map(bool, wheels.values())) > 40
    for package, tags in wheels.items():
        assert not tags or "-any" in tags or "manylinux" in tags, package


@pytest.mark.real_time
@pytest.mark.slow
def test_the_wheel_has_all_that_is_in_the_sources(tmp_path: Path) -> None:
    """Built from what the Dockerfile copies and from nothing else, without asking anybody."""
    sources = tmp_path / "sources"
    sources.mkdir()
    for name in copied_from_here(read_dockerfile()):
        there, here = REPOSITORY / name, sources / name
        here.parent.mkdir(exist_ok=True)
        if there.is_dir():
            shutil.copytree(there, here, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(there, here)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", tmp_path, sources),
        ],
        capture_output=True,
        timeout=120,
        check=True,
    )
    (wheel,) = tmp_path.glob("cortexd-*.whl")
    with zipfile.ZipFile(wheel) as content:
        packed = set(content.namelist())
        (entries,) = [name for name in packed if name.endswith("/entry_points.txt")]
        scripts = content.read(entries).decode()
    for package in ("cortexd", "supervisor_tree"):
        shipped = {
            str(path.relative_to(sources))
            for path in (sources / package).rglob("*")
            if path.is_file() and path.name != "README.md"
        }
        assert shipped - packed == set()
    for script in ("cortexd", "cortexctl", "cortex-agent"):
        assert f"{script} = cortexd." in scripts
