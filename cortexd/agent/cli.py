"""`cortex-agent`: check what an agent would offer, or run it."""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click

from cortexd.agent.load import load
from cortexd.agent.settings import AgentConfig
from cortexd.command_line import config_option, loaded, log_format_option

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
@config_option("agent.toml")
@click.option("--check", is_flag=True, help="Validate, print what would be offered, and exit.")
@log_format_option()
@click.version_option(version("cortexd"), prog_name="cortex-agent")
def main(config_file: Path, *, check: bool, log_format: str) -> None:
    """Bring the model servers of this host into a fleet of cortexd.

    The agent stands beside one or more model servers. Over RabbitMQ it tells all nodes of cortexd
    where these are and how they are, and takes them in and out of rotation as it is told. Chats do
    not go through it: the nodes talk to the servers themselves.
    """
    config = loaded(load, config_file)
    if check:
        click.echo(_overview(config))
        return
    # Only here, so that --help and --check need not wait for everything that a running one imports.
    from cortexd.agent.main import run  # noqa: PLC0415

    sys.exit(run(config, log_format=log_format))


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
