"""What the guides have people write into a configuration: it is right as it stands there."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from cortexd.agent.cli import main as cortex_agent
from cortexd.cli import main as cortexd
from tests.deploy.dockerfile import REPOSITORY

PAGES = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs" / "how-to").glob("*.md")))

_BLOCK = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_REFERENCE = re.compile(r'"(env|credential):([\w-]+)"')

URLS = {
    "alert-webhook": "https://hooks.example.org/services/x",
    "amqp-url": "amqp://node:canary@127.0.0.1/fleet",
    "REDIS_URL": "redis://127.0.0.1",
}
"""Where what is referred to is no word of any kind."""

BLOCKS = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, block in enumerate(_BLOCK.findall(page.read_text(encoding="utf-8")), start=1)
]


@pytest.mark.parametrize("block", BLOCKS)
def test_it_can_be_checked(block: str, tmp_path: Path) -> None:
    """By itself, where all that it refers to is there."""
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    for scheme, name in _REFERENCE.findall(block):
        value = URLS.get(name, "0" * 64)
        if scheme == "env":
            environ[name] = value
        else:
            (tmp_path / name).write_text(value, encoding="ascii")
    config = tmp_path / "config.toml"
    config.write_text(block, encoding="utf-8")
    command = cortex_agent if "[agent]" in block else cortexd
    said = CliRunner(env=environ).invoke(command, ["--config", str(config), "--check"])
    assert said.exit_code == 0, said.output
