"""`cortexctl`: what an operator asks a running node, over its admin API only."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import click
import httpx
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

DEFAULT_URL = "http://127.0.0.1:4001"
DEFAULT_TOKEN_FILE = Path("state/admin-token")
_ANSWER_SECONDS_MAX = 10.0
_WIDTH_UNLIMITED = 10_000

_COLOURS: Mapping[str, str] = {
    "healthy": "green",
    "available": "green",
    "running": "green",
    "degraded": "yellow",
    "unknown": "yellow",
    "critical": "red",
    "unavailable": "red",
    "no_workers": "red",
}

_EPILOG = """
\b
Examples:
  cortexctl status
  cortexctl --url unix:/run/cortexd/admin.sock --token-file /etc/cortexd/token tree
  cortexctl --json status | jq .workers

\b
Exit codes: 0 done, 1 no answer or a refusal (one line says which), 2 wrong command line.
"""


@attrs.frozen(kw_only=True)
class AdminApi:
    """How to reach one node's admin listener."""

    url: str
    token_file: Path
    as_json: bool

    def get(self, path: str) -> Any:
        """The document at this path.

        Errors: `click.ClickException`, whose one line says what to do.
        """
        headers = {"authorization": f"Bearer {self._token()}"}
        try:
            with self._client() as client:
                answer = client.get(path, headers=headers)
        except httpx.TimeoutException as error:
            raise click.ClickException(
                f"no answer from {self.url} within {_ANSWER_SECONDS_MAX:g} seconds; is the node"
                " overloaded, or is something else listening there?"
            ) from error
        except httpx.TransportError as error:
            raise self._unreachable() from error
        return self._document(answer)

    def _client(self) -> httpx.Client:
        base_url, transport = self.url, None
        if self.url.startswith("unix:"):
            path = self.url.removeprefix("unix:")
            if not Path(path).is_socket():
                raise self._unreachable()
            base_url, transport = "http://localhost", httpx.HTTPTransport(uds=path)
        # No proxy of the environment: the token is for this node alone.
        try:
            client = httpx.Client(
                base_url=base_url,
                transport=transport,
                timeout=_ANSWER_SECONDS_MAX,
                trust_env=False,
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise self._no_address() from error
        if client.base_url.scheme not in {"http", "https"} or not client.base_url.host:
            raise self._no_address()
        return client

    def _unreachable(self) -> click.ClickException:
        return click.ClickException(
            f"cannot connect to {self.url}: is cortexd running there? (--url says where its admin"
            " listener is)"
        )

    def _no_address(self) -> click.ClickException:
        return click.ClickException(
            f"{self.url!r} is no address: write http://HOST:PORT or unix:PATH"
        )

    def _token(self) -> str:
        try:
            token = self.token_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a text file"
            raise click.ClickException(
                f"no admin token: {self.token_file} cannot be read ({reason}); --token-file names"
                " another, such as admin-token in the node's state directory"
            ) from error
        if not token or not token.isascii() or not token.isprintable():
            raise click.ClickException(f"{self.token_file} does not hold an admin token")
        return token

    def _document(self, answer: httpx.Response) -> Any:
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise click.ClickException(
                f"the node does not accept the token of {self.token_file}; --token-file names"
                " another, such as admin-token in the node's state directory"
            )
        if answer.status_code != httpx.codes.OK:
            raise click.ClickException(
                f"{self.url} answered {answer.status_code}: is it the admin listener of cortexd?"
            )
        try:
            return answer.json()
        except ValueError as error:
            raise click.ClickException(
                f"{self.url} did not answer with JSON: is it the admin listener of cortexd?"
            ) from error

    def show(self, document: Any, *shown: Table | Tree | Text) -> None:
        """Print the document for programs, or what is shown of it for people."""
        if self.as_json:
            click.echo(json.dumps(document, indent=2))
            return
        console = Console(highlight=False)
        if not console.is_terminal:
            # Nothing is cut or wrapped that may be searched.
            console = Console(highlight=False, width=_WIDTH_UNLIMITED)
        for part in shown:
            console.print(part)


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--url", default=DEFAULT_URL, show_default=True, help="http://HOST:PORT or unix:PATH")
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
    """Ask a running cortexd how it is."""
    context.obj = AdminApi(url=url, token_file=token_file, as_json=as_json)


@main.command()
@click.pass_obj
def status(api: AdminApi) -> None:
    """How the node and each of its workers are doing."""
    document = api.get("/admin/dashboard")
    if api.as_json:
        return api.show(document)
    health, workers = _part(document, "system_health"), document.get("workers", [])
    head = Text.assemble(
        _state(health.get("status", "unknown")),
        f", up {_duration(_part(document, 'performance').get('uptime_seconds', 0))}",
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("worker", "type", "status", "priority", "in flight", "queued", "models"):
        table.add_column(heading, overflow="fold")
    for worker in workers:
        reason = worker.get("reason")
        verdict = _state(worker.get("status", "unknown"))
        table.add_row(
            Text(str(worker.get("name"))),
            Text(str(worker.get("type"))),
            Text.assemble(verdict, f" ({reason})") if reason else verdict,
            *(Text(str(worker.get(key, "-"))) for key in ("priority", "in_flight", "queued")),
            Text(", ".join(worker.get("models") or ["-"])),
        )
    return api.show(document, head, table)


@main.command()
@click.pass_obj
def tree(api: AdminApi) -> None:
    """The supervision tree with its restarts."""
    document = api.get("/admin/tree")
    api.show(document, _branch(document))


def _branch(node: Mapping[str, Any], within: Tree | None = None) -> Tree:
    """One node of the supervision tree, and all below it."""
    label = Text.assemble(
        (str(node.get("path", "?")).rsplit("/", 1)[-1] or "/", "bold"),
        f"  {node.get('kind', '')}  ",
        _state(node.get("state", "unknown")),
    )
    if node.get("uptime") is not None:
        label.append(f"  up {_duration(node['uptime'])}")
    if node.get("restarts"):
        label.append(f"  restarts {node['restarts']}", style="yellow")
    if node.get("last_exit"):
        label.append(f"  last exit: {node['last_exit']}", style="yellow")
    branch = Tree(label) if within is None else within.add(label)
    for child in node.get("children") or ():
        _branch(child, branch)
    return branch


def _part(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = document.get(key)
    return part if isinstance(part, dict) else {}


def _state(word: Any) -> Text:
    return Text(str(word), style=_COLOURS.get(str(word), ""))


def _duration(seconds: float) -> str:
    """Such as `2d 3h 4m` or `5s`: the three largest units are enough for a glance."""
    rest = int(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return " ".join(parts[:3])
