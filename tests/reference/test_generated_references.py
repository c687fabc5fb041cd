"""The generated pages are what their generators say, and those leave nothing out."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cortexd.ctl.reference import page as commands_page
from cortexd.domain.failure import FailureKind
from cortexd.http import error_reference
from cortexd.observability.event_reference import page as events_page

ROOT = Path(__file__).parents[2]
PAGES = {
    "commands": commands_page,
    "errors": error_reference.page,
    "events": events_page,
}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_up_to_date(name: str) -> None:
    """Written anew with the command that its second line names."""
    page: Callable[[], str] = PAGES[name]
    checked_in = (ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")
    assert page() == checked_in


def _codes_in(path: Path) -> Iterator[str]:
    """The values that the sources give to something called `code`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.keyword(arg="code", value=ast.Constant(value=str(code))):
                yield code
            case ast.AnnAssign(target=ast.Name(id="code"), value=ast.Constant(value=str(code))):
                yield code
            case ast.Call(func=ast.Name(id="refuse"), args=[_, _, ast.Constant(value=str(code))]):
                yield code


def test_every_code_is_explained() -> None:
    """Whatever an answer can carry."""
    explained = {
        *error_reference.CLIENT,
        *error_reference.CREDENTIALS,
        *error_reference.NODE,
        *error_reference.OPERATIONS,
        *(kind.value.code for kind in FailureKind),
    }
    sources = [
        *(ROOT / "cortexd" / "http").rglob("*.py"),
        *(ROOT / "cortexd" / "domain").rglob("*.py"),
    ]
    sources += [*(ROOT / "cortexd" / "wire").rglob("*.py")]
    found = {code for path in sources for code in _codes_in(path)}
    assert {"not_found", "invalid_json"} <= found, "the search itself"
    assert found - explained == set()
