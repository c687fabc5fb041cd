"""`cortex-agent`: check what an agent would offer, or run it."""

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click

from cortexd.agent.load import load
from cortexd.agent.settings import AgentConfig
from cortexd.config.problems import ConfigInvalid

EXIT_CONFIG: Final = 78
DEFAULT_FILE: Final = Path("agent.toml")

_EPILOG: Final = """
\b
Examples:
  cortex-agent --config agent.toml --check   say what is wrong, or what would be offered
  cortex-agent --config agent.toml           run until it is told to stop
  cortexctl fleet                            ask a node which agents it sees

\b
A first agent.toml:
  [agent]
  amqp_url = "env:AMQP_URL"                  # amqp://USER:PASSWORD@HOST:5672/VHOST
  signing_key = "file:/etc/cortex-agent/signing-key"
  [[workers]]
  name = "llama"
  type = "ollama"
  base_url = "http://10.0.0.7:11434"         # where the nodes find it

\b
Exit codes:
  0   stopped cleanly; the nodes have been told
  1   gave up; the reason is on the last log line
  2   the command line is wrong
  78  the configuration is wrong; every problem has been named

\b
Signals:
  TERM, INT   say goodbye to the nodes, then stop; a second one stops at once
  USR1        log the supervision tree
"""


@click.command(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration, in TOML. Left out: ./agent.toml, if there is one.",
)
@click.option("--check", is_flag=True, help="Validate, print what would be offered, and exit.")
@click.option(
    "--log-format",
    type=click.Choice(["json", "text"]),
    help="How to log to stderr. Left out: text on a terminal, else json.",
)
@click.version_option(version("cortexd"), prog_name="cortex-agent")
def main(config_file: Path | None, *, check: bool, log_format: str | None) -> None:
    """Bring the model servers of this host into a fleet of cortexd.

    The agent stands beside one or more model servers. Over RabbitMQ it tells all nodes of cortexd
    where these are and how they are, and takes them in and out of rotation as it is told. Chats do
    not go through it: the nodes talk to the servers themselves.
    """
    config_file = config_file or _default_file()
    config = _load(config_file)
    if check:
        click.echo(_overview(config))
        return
    # Only here, so that --help and --check need not wait for everything that a running one imports.
    from cortexd.agent.main import run  # noqa: PLC0415

    sys.exit(run(config, log_format=log_format or _usual_format()))


def _usual_format() -> str:
    return "text" if sys.stderr.isatty() else "json"


def _default_file() -> Path:
    if DEFAULT_FILE.exists():
        return DEFAULT_FILE
    raise click.UsageError("There is no ./agent.toml here; name the file with --config FILE.")


def _load(config_file: Path) -> AgentConfig:
    try:
        return load(config_file, os.environ)
    except ConfigInvalid as invalid:
        for problem in invalid.problems:
            click.echo(str(problem), err=True)
        count = len(invalid.problems)
        click.echo(f"{count} problem{'s' if count > 1 else ''} in the configuration", err=True)
        sys.exit(EXIT_CONFIG)


def _overview(config: AgentConfig) -> str:
    agent = config.agent
    lines = [
        f"agent   {agent.name}",
        f"broker  {agent.amqp_url}",
        f"status  every {agent.status_seconds:g} s",
        f"state   {agent.state_dir.absolute()}",
        "",
        *(
            f"{agent.name}.{worker.name}  {worker.type.value}  {worker.base_url}"
            f"  {', '.join(worker.models) or '(models are asked from the server)'}"
            for worker in config.workers
        ),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
