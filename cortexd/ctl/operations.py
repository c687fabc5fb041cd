"""`cortexctl alerts`, `degradation`, `keys`, `events` and `reload`."""

import json
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from cortexd.ctl.admin_api import AdminApi, segment
from cortexd.ctl.showing import console, items, show, state, table

LEVELS = ("healthy", "minor_issues", "major_issues", "critical", "emergency")

_ALERTS = ("id", "severity", "state", "rule", "target", "message", "since")
_KEYS = ("id", "name", "class", "state", "created at", "expires at", "last used", "source")


@click.group()
def alerts() -> None:
    """What is wrong, and since when."""


@alerts.command("list")
@click.option("--state", "wanted", help="Only those in this state, such as firing.")
@click.pass_obj
def list_alerts(api: AdminApi, *, wanted: str | None) -> None:
    """The alerts, newest first."""
    document = api.get("/admin/alerts", state=wanted)
    rows = [
        [
            each.get("id"),
            state(each.get("severity")),
            state(each.get("state")),
            *(each.get(key) for key in ("rule", "target", "message", "since_at")),
        ]
        for each in items(document)
    ]
    show(api, document, table(_ALERTS, rows))


@alerts.command()
@click.argument("alert")
@click.pass_obj
def ack(api: AdminApi, alert: str) -> None:
    """Say that somebody is at it: silent until it is resolved."""
    document = api.post(f"/admin/alerts/{segment(alert)}/acknowledge")
    show(api, document, f"{alert} is {document.get('state')}")


@click.group()
def degradation() -> None:
    """How far the node has fallen, and what it leaves out because of that."""


@degradation.command("show")
@click.pass_obj
def show_level(api: AdminApi) -> None:
    """The level and why."""
    _show_level(api, api.get("/admin/degradation"))


@degradation.command("set")
@click.argument("level", type=click.Choice(LEVELS))
@click.pass_obj
def set_level(api: AdminApi, level: str) -> None:
    """Force a level, until `auto`."""
    _show_level(api, api.put("/admin/degradation", {"level": level}))


@degradation.command()
@click.pass_obj
def auto(api: AdminApi) -> None:
    """Let the level follow the workers again."""
    _show_level(api, api.put("/admin/degradation", {"level": "auto"}))


@click.group()
def keys() -> None:
    """The keys that clients chat with."""


@keys.command()
@click.option("--name", help="Whose it is.")
@click.option("--class", "kind", type=click.Choice(["normal", "premium"]), default="normal")
@click.option(
    "--scope", type=click.Choice(["chat", "metrics"]), default="chat", help="What it opens."
)
@click.option("--requests-per-minute", type=click.IntRange(1))
@click.option("--tokens-per-minute", type=click.IntRange(1))
@click.option("--expires-in-days", type=click.FloatRange(0, min_open=True))
@click.pass_obj
def create(api: AdminApi, /, *, kind: str, expires_in_days: float | None, **told: object) -> None:
    """Make a key. It is shown now and never again."""
    wanted = {"class": kind} | {name: value for name, value in told.items() if value is not None}
    if expires_in_days is not None:
        wanted["expires_in_seconds"] = int(expires_in_days * 86_400)
    document = api.post("/admin/keys", wanted)
    show(api, document, str(document.get("key")))


@keys.command("list")
@click.pass_obj
def list_keys(api: AdminApi) -> None:
    """Who may chat."""
    document = page = api.get("/admin/keys")
    while cursor := page.get("next_cursor"):
        page = api.get("/admin/keys", cursor=cursor)
        document = {**page, "items": items(document) + items(page)}
    show(api, document, table(_KEYS, map(_key_row, items(document))))


@keys.command()
@click.argument("key")
@click.pass_obj
def revoke(api: AdminApi, key: str) -> None:
    """Let a key open nothing any more, from now on."""
    document = api.delete(f"/admin/keys/{segment(key)}")
    show(api, document, f"{key} is {document.get('state')}")


@click.command()
@click.option("--follow", is_flag=True, help="Go on with what happens, until interrupted.")
@click.pass_obj
def events(api: AdminApi, *, follow: bool) -> None:
    """What has happened lately: a line each, which is a JSON document with --json."""
    out, kind = console(), ""
    with api.lines("/admin/events", ends=not follow) as lines:
        try:
            for line in lines:
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    _tell(api, out, kind, json.loads(value))
        except KeyboardInterrupt:
            return


@click.command()
@click.pass_obj
def reload(api: AdminApi) -> None:
    """Have the configuration read again: all of it takes effect, or nothing."""
    document = api.post("/admin/reload")
    changes = document.get("changes") or ["nothing has changed"]
    waiting = [f"{each} (takes a restart)" for each in document.get("restart_needed") or ()]
    show(api, document, *map(Text, [*changes, *waiting]))


def _show_level(api: AdminApi, document: Mapping[str, Any]) -> None:
    head = Text.assemble(
        state(document.get("level")),
        " (forced)" if document.get("forced") else "",
        f": {document['reason']}" if document.get("reason") else "",
    )
    strategies = ", ".join(document.get("strategies") or ["none"])
    show(api, document, head, Text(f"strategies: {strategies}"))


def _key_row(key: Mapping[str, Any]) -> list[object]:
    shown = ("created_at", "expires_at", "last_used_on", "source")
    return [
        key.get("id"),
        key.get("name"),
        key.get("class"),
        state(key.get("state")),
        *(key.get(name) for name in shown),
    ]


def _tell(api: AdminApi, out: Console, kind: str, event: Mapping[str, Any]) -> None:
    if kind == "gap" and event.get("missed") is None:
        return  # the first that there is: nobody has missed what was before it
    if api.as_json:
        click.echo(json.dumps({"kind": kind, "event": event}))
    else:
        out.print(_event_line(kind, event))


def _event_line(kind: str, event: Mapping[str, Any]) -> Text:
    told = "  ".join(f"{name}={value}" for name, value in event.items() if value not in (None, []))
    return Text.assemble((kind.replace("_", " "), "bold"), f"  {told}")
