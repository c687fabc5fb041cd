"""What `--check` says of a configuration that is shipped."""

from pathlib import Path

import click
from click.testing import CliRunner, Result

from cortexd.cli import main as cortexd


def judge(config: Path, credentials: Path, command: click.Command = cortexd) -> Result:
    """The verdict of a command on a file, with the credentials in this folder."""
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
    return CliRunner(env=environ).invoke(command, ["--config", str(config), "--check"])
