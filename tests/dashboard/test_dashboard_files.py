"""The dashboard's files as such."""

import fnmatch
import hashlib
import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from cortexd.http.admin.dashboard.pages import PAGES
from cortexd.observability.event_feed import EventFeed
from cortexd.runtime.supervision_feed import SUPERVISION_KINDS

ROOT = Path(__file__).parents[2]
FOLDER = Path(str(resources.files("cortexd.http.admin.dashboard")))
VENDOR = FOLDER / "static" / "vendor"

HTML = sorted(FOLDER.glob("pages/*.html"))
SCRIPTS = sorted(FOLDER.glob("static/*.js"))
STYLES = sorted(FOLDER.glob("static/*.css"))

CONTRAST_MIN = 4.5
"""For text, by the Web Content Accessibility Guidelines, 1.4.3."""


@pytest.mark.parametrize("path", HTML, ids=lambda path: path.name)
def test_pages_have_no_script_and_no_style_inside(path: Path) -> None:
    """The policy would refuse them."""
    html = path.read_text(encoding="utf-8")
    assert not re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:", html)
    assert not re.findall(r"<script(?![^>]*\ssrc=)", html)


@pytest.mark.parametrize("path", [*HTML, *SCRIPTS, *STYLES], ids=lambda path: path.name)
def test_nothing_is_fetched_from_elsewhere(path: Path) -> None:
    """No address of another host, and no relative one that could become one."""
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z]+", text)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_know_no_way_to_make_html_of_text(path: Path) -> None:
    """What the policy would refuse at run time is not written in the first place."""
    script = path.read_text(encoding="utf-8")
    words = "innerHTML|outerHTML|insertAdjacentHTML|document\\.write|eval\\(|Function\\(|DOMParser"
    assert not re.findall(words, script)


def test_every_page_has_its_file_and_its_place_in_the_navigation() -> None:
    """In the order of the list."""
    assert {path.stem for path in HTML} == {*PAGES, "shell", "login"}
    shell = (FOLDER / "pages" / "shell.html").read_text(encoding="utf-8")
    assert tuple(re.findall(r'data-page="([^"]+)"', shell)) == PAGES


def test_files_of_others_are_what_they_were() -> None:
    """Each is in the list, with the sum it was taken over with."""
    listed = re.findall(r"^\| `([^`]+)` .* `([0-9a-f]{64})` \|$", _vendored(), re.MULTILINE)
    found = {path.name: path for path in VENDOR.iterdir() if path.suffix != ".md"}
    sums = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()}
    assert dict(listed) == sums


def test_every_file_is_part_of_the_package() -> None:
    """Or an installed node would have no dashboard."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["cortexd"]
    package = ROOT / "cortexd"
    files = [path for path in FOLDER.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    names = [str(path.relative_to(package)) for path in files if path.suffix != ".py"]
    left_out = [
        name for name in names if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
    ]
    # `**` stands for any number of folders, also none, which fnmatch does not know.
    assert [name for name in left_out if not _below_static(name, patterns)] == []


def test_the_scripts_know_every_kind_of_event() -> None:
    """A kind that they do not know would not reach the page."""
    script = (FOLDER / "static" / "events.js").read_text(encoding="utf-8")
    declared = script[script.index("const KINDS") : script.index("];")]
    feed = EventFeed(lambda: 0.0, more_kinds=SUPERVISION_KINDS)
    assert set(re.findall(r'"([a-z_]+)"', declared)) == feed.kinds


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        ("ink", "surface"),
        ("muted", "ground"),
        ("accent", "surface"),
        ("on-accent", "accent"),
        ("ok", "ok-soft"),
        ("warn", "warn-soft"),
        ("bad", "bad-soft"),
        ("idle", "idle-soft"),
    ],
)
def test_text_stands_out_from_its_ground(scheme: str, ink: str, ground: str) -> None:
    """By day and by night."""
    colours = _colours(scheme)
    lighter, darker = sorted((_luminance(colours[ink]), _luminance(colours[ground])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= CONTRAST_MIN


def _vendored() -> str:
    return (VENDOR / "VENDORED.md").read_text(encoding="utf-8")


def _below_static(name: str, patterns: list[str]) -> bool:
    return name.startswith("http/admin/dashboard/static/") and (
        "http/admin/dashboard/static/**/*" in patterns
    )


def _colours(scheme: str) -> dict[str, str]:
    css = (FOLDER / "static" / "base.css").read_text(encoding="utf-8")
    light, dark = css.split("@media (prefers-color-scheme: dark)")
    part = light if scheme == "light" else dark
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", part))


def _luminance(colour: str) -> float:
    """Relative luminance, as the guidelines define it."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels
    ]
    return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
