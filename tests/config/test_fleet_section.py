"""[fleet]: an address of a broker, and a key for what comes from there."""

from pathlib import Path

import pytest

from cortexd.config.load import load
from cortexd.config.problems import ConfigInvalid
from cortexd.config.schema import Config

KEY = "k" * 32


def _load(tmp_path: Path, text: str, **environ: str) -> Config:
    path = tmp_path / "cortexd.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, environ)


def _problems(tmp_path: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigInvalid) as caught:
        _load(tmp_path, text, **environ)
    return [f"{problem.key}: {problem.text}" for problem in caught.value.problems]


def test_without_the_section_there_is_no_fleet(tmp_path: Path) -> None:
    """And nothing to check."""
    assert _load(tmp_path, "").fleet.amqp_url is None


def test_an_address_with_a_key_is_a_fleet(tmp_path: Path) -> None:
    """The whole URL may come from elsewhere, with its password."""
    text = '[fleet]\namqp_url = "env:URL"\nsigning_key = "env:KEY"\n'
    config = _load(tmp_path, text, URL="amqps://u:p@broker/v", KEY=KEY)
    assert str(config.fleet.amqp_url) == "amqps://u:***@broker/v"
    assert config.fleet.signing_key is not None
    assert config.fleet.signing_key.reveal() == KEY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('amqp_url = "amqp://broker"', "fleet.signing_key: is missing"),
        ('signing_key = "env:KEY"', "fleet.amqp_url: is missing"),
        ('amqp_url = "http://b"\nsigning_key = "env:KEY"', "fleet.amqp_url: must begin with"),
        ('amqp_url = "amqp://b"\nsigning_key = "env:SHORT"', "fleet.signing_key: must be 32"),
        ('amqp_url = "amqp://u:p@b"\nsigning_key = "env:KEY"', "fleet.amqp_url: a password"),
        ("command_seconds = 0.5", "fleet.command_seconds: must be at least 1"),
    ],
)
def test_each_mistake_has_its_words(tmp_path: Path, text: str, expected: str) -> None:
    """One line each."""
    [problem] = _problems(tmp_path, f"[fleet]\n{text}\n", KEY=KEY, SHORT="short")
    assert problem.startswith(expected)


def test_a_long_name_of_a_node_is_no_name_of_a_queue(tmp_path: Path) -> None:
    """The broker would refuse it, and nobody would know why."""
    text = (
        f'[node]\nname = "{"n" * 129}"\n[fleet]\namqp_url = "amqp://b"\nsigning_key = "env:KEY"\n'
    )
    assert _problems(tmp_path, text, KEY=KEY) == [
        "node.name: must be at most 128 bytes long for a fleet"
    ]


def test_missing_libraries_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that brings them."""
    monkeypatch.setattr("cortexd.config.fleet.find_spec", lambda _: None)
    text = '[fleet]\namqp_url = "amqp://b"\nsigning_key = "env:KEY"\n'
    assert _problems(tmp_path, text, KEY=KEY) == [
        "fleet.amqp_url: needs more packages: pip install 'cortexd[fleet]'"
    ]
