"""`cortexctl`: what an operator asks a running node, over its admin API only."""

from pathlib import Path
from typing import Final

import click

from cortexd.ctl.admin_api import AdminApi
from cortexd.ctl.cluster import cluster
from cortexd.ctl.dead_letters import dlq
from cortexd.ctl.fleet import fleet
from cortexd.ctl.load_monitor import load_monitor
from cortexd.ctl.operations import alerts, degradation, events, keys, reload
from cortexd.ctl.status import status, tree
from cortexd.ctl.workers import breakers, workers

DEFAULT_URL: Final = "http://127.0.0.1:4001"
DEFAULT_TOKEN_FILE: Final = Path("state/admin-token")

_EPILOG: Final = """
\b
Examples:
  cortexctl status
  cortexctl --url unix:/run/cortexd/admin.sock --token-file /etc/cortexd/token tree --watch
  cortexctl workers deactivate groq-main
  cortexctl dlq retry LETTER
  cortexctl --json status | jq .workers

\b
Exit codes: 0 done, 1 no answer or a refusal (the lines say which), 2 wrong command line.
"""


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--url",
    default=DEFAULT_URL,
    envvar="CORTEXCTL_URL",
    show_default=True,
    show_envvar=True,
    help="http://HOST:PORT or unix:PATH",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    default=DEFAULT_TOKEN_FILE,
    envvar="CORTEXCTL_TOKEN_FILE",
    show_default=True,
    show_envvar=True,
    help="The file with the admin token.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the node's own document.")
@click.pass_context
def main(context: click.Context, *, url: str, token_file: Path, as_json: bool) -> None:
    """Ask a running cortexd how it is, and tell it what to do."""
    context.obj = AdminApi(url=url, token_file=token_file, as_json=as_json)


for _command in (
    *(status, tree, workers, breakers, dlq, alerts, degradation, keys, events, reload),
    load_monitor,
    cluster,
    fleet,
):
    main.add_command(_command)
