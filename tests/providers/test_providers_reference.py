"""docs/reference/providers.md."""

import re
from pathlib import Path

import pytest

from cortexd.config.load import load
from cortexd.domain.worker import WorkerType
from cortexd.providers.catalog import DEFAULT_BASE_URL
from cortexd.providers.reference import DIALECTS, MEANINGS, features_of, page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "providers.md"


def test_the_page_is_up_to_date() -> None:
    """The page is what the adapters say; `python -m cortexd.providers.reference` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_type_is_described() -> None:
    """Each has a meaning, and each that is a server has its dialect."""
    assert MEANINGS.keys() == set(WorkerType)
    assert DIALECTS.keys() == DEFAULT_BASE_URL.keys()


@pytest.mark.parametrize("kind", DIALECTS)
def test_the_dialects_are_those_of_the_adapters(kind: WorkerType) -> None:
    """What is shown of a dialect is shown of the one that the adapter speaks."""
    assert DIALECTS[kind].features == features_of(kind)


def test_the_example_is_valid(tmp_path: Path) -> None:
    """It loads, and means one worker with one key."""
    (shown,) = re.findall(r"^```toml\n(.*?)^```", page(), re.MULTILINE | re.DOTALL)
    path = tmp_path / "cortexd.toml"
    path.write_text(shown, encoding="utf-8")

    config = load(path, {"CLAUDE_KEY": "k"})

    assert [(worker.name, worker.type) for worker in config.workers] == [
        ("claude", WorkerType.ANTHROPIC)
    ]
    assert [key.reveal() for key in config.workers[0].api_keys] == ["k"]
