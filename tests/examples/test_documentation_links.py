"""The documentation hangs together: every link that stays in the repository leads somewhere."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
INDEX = REPOSITORY / "docs" / "README.md"
PAGES = [
    REPOSITORY / "supervisor_tree" / "README.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
]
BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")


def _prose(page: Path) -> str:
    return BLOCK.sub("", page.read_text(encoding="utf-8"))


def _links(page: Path) -> list[tuple[str, str]]:
    return LINK.findall(INLINE_CODE.sub("", _prose(page)))


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Files exist, and so do the headings that are named."""
    broken = []
    for target, anchor in _links(page):
        file = page.parent / target if target else page
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            broken.append(f"{target}#{anchor}")
    assert broken == []


def test_the_index_lists_every_page() -> None:
    """What is not listed in docs/README.md is not found."""
    listed = {(INDEX.parent / target).resolve() for target, _ in _links(INDEX)}
    assert [page for page in PAGES if page.resolve() not in listed | {INDEX}] == []
