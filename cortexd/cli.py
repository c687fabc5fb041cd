"""`cortexd`: check a configuration, or run a node with it."""

import os
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path

import click

from cortexd.command_line import config_option, loaded, log_format_option
from cortexd.config.caveats import caveats
from cortexd.config.load import load
from cortexd.config.overview import overview
from cortexd.config.schema import Config

_EPILOG = """
\b
Examples:
  cortexd --config cortexd.toml --check   say what is wrong, or what would run
  cortexd --config cortexd.toml           run until it is told to stop
  curl http://127.0.0.1:4000/api/health   ask a running node how it is

\b
Exit codes:
  0   stopped cleanly
  1   gave up; the reason is on the last log line
  2   the command line is wrong
  75  an address to listen on is in use
  78  the configuration is wrong; every problem has been named

\b
Signals:
  TERM, INT   finish what runs, then stop; a second one stops at once
  HUP         read the configuration again; if anything is wrong with it, nothing changes
  USR1        log the supervision tree
"""


@click.command(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@config_option("cortexd.toml")
@click.option("--check", is_flag=True, help="Validate, print what would run, and exit.")
@log_format_option()
@click.version_option(version("cortexd"), prog_name="cortexd")
def main(config_file: Path, *, check: bool, log_format: str) -> None:
    """Run one address in front of many language models.

    cortexd takes chats in the dialects of OpenAI, Anthropic and Ollama and has them answered by the
    best of its workers: model servers behind a URL, and a small model of its own for when none is
    left. It runs in the foreground, as systemd and containers expect.
    """
    config = loaded(load, config_file)
    for caveat in caveats(config):
        click.echo(f"warning: {caveat}", err=True)
    if check:
        click.echo(overview(config))
        return
    sys.exit(_run(config, config_file, log_format=log_format))


def _run(config: Config, config_file: Path, *, log_format: str) -> int:
    # Only here, so that --help and --check need not wait for everything a running node imports.
    from cortexd.runtime.main import run  # noqa: PLC0415

    return run(config, log_format=log_format, read_config=partial(load, config_file, os.environ))
