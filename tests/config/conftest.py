"""Loading a configuration from a text."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest

from cortexd.config.load import load
from cortexd.config.problems import ConfigInvalid, Problem
from cortexd.config.schema import Config

Load: TypeAlias = Callable[..., Config]
Problems: TypeAlias = Callable[..., tuple[Problem, ...]]


@pytest.fixture
def load_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """The configuration a text means, with an environment of its own and in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def load_from(text: str, environ: Mapping[str, str] | None = None) -> Config:
        path = Path("cortexd.toml")
        path.write_text(text, encoding="utf-8")
        return load(path, environ or {})

    return load_from


@pytest.fixture
def problems_of(load_text: Load) -> Problems:
    """What is wrong with a text."""

    def find(text: str, environ: Mapping[str, str] | None = None) -> tuple[Problem, ...]:
        with pytest.raises(ConfigInvalid) as caught:
            load_text(text, environ)
        assert caught.value.problems
        return caught.value.problems

    return find
