"""`cortexctl fleet …`: the agents beside remote model servers."""

from collections.abc import Mapping
from typing import Any, Final

import click

from cortexd.ctl.admin_api import AdminApi, segment
from cortexd.ctl.showing import items, part, show, state, table

_HEADINGS: Final = ("agent", "state", "version", "load", "last status", "answers in ms", "workers")
_ACTIVITY: Final = ("at", "agent", "worker", "what", "activity")


@click.group(invoke_without_command=True)
@click.pass_context
def fleet(context: click.Context) -> None:
    """The fleet: agents beside model servers on other hosts, over RabbitMQ."""
    if context.invoked_subcommand is None:
        _list(context.obj)


@fleet.command("list")
@click.pass_obj
def list_agents(api: AdminApi) -> None:
    """All agents and their workers."""
    _list(api)


@fleet.command()
@click.option("--agent", help="Of this agent alone.")
@click.option("--limit", type=click.IntRange(1, 1000), help="How many at most.")
@click.pass_obj
def activity(api: AdminApi, *, agent: str | None, limit: int | None) -> None:
    """What has become of them, newest first."""
    document = api.get("/admin/fleet/activity", agent=agent, limit=limit)
    rows = [[each.get(heading) for heading in _ACTIVITY] for each in items(document)]
    show(api, document, table(_ACTIVITY, rows))


def _list(api: AdminApi) -> None:
    document = api.get("/admin/fleet")
    if not document.get("enabled"):
        show(api, document, "this node has no fleet: [fleet] in its configuration makes one")
        return
    broker = part(document, "broker")
    word = "blocked" if broker.get("blocked") else "up" if broker.get("up") else "down"
    failure = f" ({broker['failure']})" if broker.get("failure") else ""
    rows = [_row(each) for each in document.get("agents", ())]
    show(api, document, f"broker {word}{failure}", table(_HEADINGS, rows))


def _row(agent: Mapping[str, Any]) -> list[object]:
    workers = [f"{each.get('name')}{_remark(each)}" for each in agent.get("workers", ())]
    return [
        agent.get("name"),
        state(agent.get("state")),
        agent.get("version"),
        agent.get("load"),
        agent.get("last_status_at"),
        part(part(agent, "commands"), "response_ms").get("p50"),
        workers,
    ]


def _remark(worker: Mapping[str, Any]) -> str:
    if not worker.get("active"):
        return " (off)"
    return "" if worker.get("taken_on", True) else " (refused)"


def _order(verb: str, about: str) -> click.Command:
    @click.command(verb, help=about)
    @click.argument("agent")
    @click.option("--worker", help="Only this one of its workers.")
    @click.pass_obj
    def command(api: AdminApi, *, agent: str, worker: str | None) -> None:
        wish = {} if worker is None else {"worker": worker}
        path = f"/admin/fleet/agents/{segment(agent)}/{verb}"
        document = api.post_and_wait(path, f"waiting for {agent} to {verb}", wish)
        took_ms = document.get("response_ms")
        show(api, document, f"{agent} has answered to {verb} after {took_ms} ms")

    return command


for _verb, _about in (
    ("activate", "Let its workers have new requests again."),
    ("deactivate", "Give its workers no new requests; those in flight go on."),
    ("drain", "Take its workers out of all nodes, once they are done."),
    ("ping", "See how soon it answers."),
):
    fleet.add_command(_order(_verb, _about))
