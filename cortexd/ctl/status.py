"""`cortexctl status` and `cortexctl tree`: the node at a glance."""

import time
from collections.abc import Mapping
from typing import Any, Final

import click
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from cortexd.ctl.admin_api import AdminApi
from cortexd.ctl.showing import console, duration, part, show, state, table, words

WATCH_INTERVAL_S: Final = 1.0


@click.command()
@click.pass_obj
def status(api: AdminApi) -> None:
    """How the node and each of its workers are doing."""
    document = api.get("/admin/dashboard")
    health, performance = part(document, "system_health"), part(document, "performance")
    head = Text.assemble(
        state(health.get("status", "unknown")),
        f", up {duration(performance.get('uptime_seconds', 0))}",
    )
    for name, said in (
        ("level", _level(part(document, "degradation"))),
        ("alerts", _count(part(document, "alerts").get("active"))),
        ("dead letters", _count(part(part(document, "dead_letter_queue"), "stats").get("total"))),
    ):
        if said is not None:
            head.append(f", {name} ").append_text(said)
    rows = [_row(worker) for worker in document.get("workers", [])]
    headings = ("worker", "type", "status", "priority", "in flight", "queued", "models")
    show(api, document, head, table(headings, rows))


def _level(degradation: Mapping[str, Any]) -> Text | None:
    level = degradation.get("level")
    if level in {None, "healthy"} and not degradation.get("forced"):
        return None
    return Text.assemble(state(level), " (forced)" if degradation.get("forced") else "")


def _count(number: Any) -> Text | None:
    return Text(str(number), style="yellow") if number else None


def _row(worker: Mapping[str, Any]) -> list[object]:
    verdict, reason = state(worker.get("status", "unknown")), worker.get("reason")
    if reason:
        verdict.append(f" ({reason})", style="")
    if worker.get("active") is False:
        verdict.append(" (out of rotation)", style="yellow")
    numbers = [worker.get(key, "-") for key in ("priority", "in_flight", "queued")]
    return [worker.get("name"), worker.get("type"), verdict, *numbers, worker.get("models") or "-"]


@click.command()
@click.option("--watch", is_flag=True, help="Keep showing it, until interrupted.")
@click.pass_obj
def tree(api: AdminApi, *, watch: bool) -> None:
    """The supervision tree with its restarts."""
    document = api.get("/admin/tree")
    if not watch or api.as_json:
        show(api, document, _branch(document))
        return
    with Live(_branch(document), console=console(), auto_refresh=False) as live:
        try:
            while True:
                time.sleep(WATCH_INTERVAL_S)
                live.update(_branch(api.get("/admin/tree")), refresh=True)
        except KeyboardInterrupt:
            return


def _branch(node: Mapping[str, Any], within: Tree | None = None) -> Tree:
    """One node of the supervision tree, and all below it."""
    label = Text.assemble(
        (str(node.get("path", "?")).rsplit("/", 1)[-1] or "/", "bold"),
        f"  {node.get('kind', '')}  ",
        state(node.get("state", "unknown")),
    )
    if node.get("uptime") is not None:
        label.append(f"  up {duration(node['uptime'])}")
    if node.get("mailbox_depth"):
        label.append(f"  mailbox {node['mailbox_depth']}")
    if node.get("restarts"):
        label.append(f"  restarts {node['restarts']}", style="yellow")
    if node.get("last_exit"):
        label.append(f"  last exit: {words(node['last_exit'])}", style="yellow")
    branch = Tree(label) if within is None else within.add(label)
    for child in node.get("children") or ():
        _branch(child, branch)
    return branch
