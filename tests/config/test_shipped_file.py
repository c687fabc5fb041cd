"""The cortexd.toml at the top of the repository."""

import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from cortexd.config.load import load
from cortexd.config.schema import Config
from cortexd.config.sections import key_of
from cortexd.domain.alert_channel import ChannelSettings
from cortexd.domain.client_key import ClientKeySettings
from cortexd.domain.worker import WorkerSettings

Load = Callable[..., Config]

SHIPPED = Path(__file__).parents[2] / "cortexd.toml"
_LINES = SHIPPED.read_text(encoding="utf-8").splitlines()
_DEFAULT = re.compile(r"#(?P<line>[a-z_]+ = .*)")
_ENVIRONMENT = {
    "GPU_KEY": "key",
    "GROQ_KEY": "key",
    "SLACK_WEBHOOK": "https://hooks.example.org/services/T0/B0/key",
    "MAIL_PASSWORD": "key",
    "FLEET_KEY": "a-key-of-thirty-two-characters-or-more",
}
_EXAMPLE = re.compile(r"#     (?P<line>\S.*)")


@pytest.fixture(autouse=True)
def _host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "the host name")


def test_it_says_what_holds_without_it(load_text: Load) -> None:
    """The shipped file is valid and means the same as an empty one."""
    assert load_text("") == load(SHIPPED, {})


@pytest.mark.parametrize(
    "number", [number for number, line in enumerate(_LINES) if _DEFAULT.fullmatch(line)]
)
def test_each_default_shown_is_the_default(load_text: Load, number: int) -> None:
    """Taking the `#` off a line changes nothing: the value shown is the one that held before."""
    lines = list(_LINES)
    lines[number] = lines[number].removeprefix("#")
    assert tomllib.loads("\n".join(lines)) != tomllib.loads("\n".join(_LINES))
    assert load_text("") == load_text("\n".join(lines))


def test_all_defaults_at_once(load_text: Load) -> None:
    """Taking all `#` off at once changes nothing, either."""
    lines = [_DEFAULT.sub(r"\g<line>", line) for line in _LINES]
    assert load_text("") == load_text("\n".join(lines))


def _examples() -> Iterator[list[str]]:
    """Each block of consecutive example lines, with the section it would go into."""
    section, block = "", list[str]()
    for line in [*_LINES, ""]:
        if line.startswith("["):
            section = line
        found = _EXAMPLE.fullmatch(line)
        if found:
            if not block and not found["line"].startswith("["):
                block = [section]
            block.append(found["line"])
        elif block:
            yield block
            block = []


@pytest.mark.parametrize("block", list(_examples()))
def test_each_example_is_valid(load_text: Load, tmp_path: Path, block: list[str]) -> None:
    """The examples in the comments can be used as they are, once their files are there."""
    text = "\n".join(block)
    for path in re.findall(r"(/(?:etc|var)/[^\"]+)", text):
        there = tmp_path / "there"
        there.write_text("token", encoding="ascii")
        there.chmod(0o600)
        text = text.replace(path, str(there))
    assert load_text("") != load_text(text, _ENVIRONMENT)


def test_every_key_is_shown() -> None:
    """Whoever reads the file has seen every key there is, but for those of scripted workers."""
    text = "\n".join(_LINES)
    for field in attrs.fields(Config):
        if field.name == "workers":
            settings: type = WorkerSettings
        elif field.name == "keys":
            settings = ClientKeySettings
        elif isinstance(field.type, type) and attrs.has(field.type):
            settings = field.type
        else:
            assert f"\n#{field.name} = " in text
            continue
        keys = {key_of(inner) for inner in attrs.fields(settings)}
        if field.name == "alerts":
            keys |= {inner.name for inner in attrs.fields(ChannelSettings)}
        for key in keys - {"script"}:
            assert re.search(rf"^(# {{5}}|#)?{key} = ", text, re.MULTILINE), key
