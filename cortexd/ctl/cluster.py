"""`cortexctl cluster`: the nodes that share a Redis."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import click
from rich.text import Text

from cortexd.ctl.admin_api import AdminApi
from cortexd.ctl.showing import part, show, state, table

_NODES: Final = (
    *("node", "status", "level", "leader", "token", "in flight", "requests/s", "available"),
    *("owns", "address", "version"),
)
_WORKERS: Final = ("worker", "type", "owner", "where", "active", "states", "breakers")


@click.command()
@click.option("--type", "kind", metavar="TYPE", help="Workers of this type only.")
@click.pass_obj
def cluster(api: AdminApi, *, kind: str | None) -> None:
    """Who is there, who leads, and which node sees to which worker."""
    document = api.get("/admin/cluster", type=kind)
    nodes = table(_NODES, [_node(each, document) for each in document.get("nodes", ())])
    workers = table(_WORKERS, [_worker(each) for each in document.get("workers", ())])
    unshared = [
        Text(f"{each.get('worker')} is not so on all nodes: {each.get('reason')}", style="yellow")
        for each in document.get("unshared", ())
    ]
    show(api, document, _head(document), nodes, Text(), workers, *unshared)


def _head(document: Mapping[str, Any]) -> Text:
    if not document.get("enabled"):
        return Text("this node is in no cluster: it has no [cluster] redis_url")
    head = Text.assemble(
        f"{document.get('node')} is ",
        "a member of " if document.get("state") == "member" else "alone, outside of ",
        f"{document.get('cluster')}",
    )
    if document.get("reason"):
        head.append(f" ({document['reason']})")
    redis = part(document, "redis")
    head.append(f", leader {document.get('leader') or 'none'}, redis ")
    head.append("up" if redis.get("up") else "down")
    if redis.get("failure"):
        head.append(f" ({redis['failure']})")
    return head


def _node(node: Mapping[str, Any], document: Mapping[str, Any]) -> list[object]:
    load = part(node, "load")
    owned = part(part(document, "distribution"), str(node.get("name")))
    return [
        node.get("name"),
        state(node.get("status")),
        state(node.get("degradation_level")),
        node.get("is_leader"),
        node.get("token"),
        load.get("in_flight"),
        load.get("requests_per_second"),
        f"{load.get('workers_available')} of {load.get('workers')}",
        owned.get("workers"),
        node.get("address"),
        node.get("version"),
    ]


def _worker(worker: Mapping[str, Any]) -> list[object]:
    return [
        worker.get("name"),
        worker.get("type"),
        worker.get("owner"),
        worker.get("where"),
        worker.get("active"),
        _summed(part(worker, "states")),
        _summed(part(worker, "breakers")),
    ]


def _summed(by_node: Mapping[str, Any]) -> Text:
    """Such as `3 available, 1 busy`."""
    counts = Counter(map(str, by_node.values()))
    told = [Text.assemble(f"{count} ", state(word)) for word, count in counts.most_common()]
    return Text(", ").join(told)
