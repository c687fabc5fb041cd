"""`cortexctl workers …` and `cortexctl breakers …`."""

import json
from collections.abc import Mapping
from typing import Any

import click

from cortexd.ctl.admin_api import AdminApi, segment
from cortexd.ctl.showing import duration, items, part, show, state, table

_HEADINGS = ("worker", "type", "status", "active", "breaker", "score", "in flight", "models")
_BREAKERS = ("worker", "state", "calls", "failures", "in a row", "last failure", "tries again in")


@click.group()
def workers() -> None:
    """The workers: who there is, who joins and leaves, who is in rotation."""


@workers.command("list")
@click.pass_obj
def list_workers(api: AdminApi) -> None:
    """All workers."""
    document = api.get("/admin/workers")
    show(api, document, table(_HEADINGS, map(_row, items(document))))


@workers.command()
@click.argument("settings", nargs=-1, metavar="KEY=VALUE...", required=True)
@click.pass_obj
def add(api: AdminApi, settings: tuple[str, ...]) -> None:
    r"""Take on a worker, until the node restarts.

    KEY=VALUE as in a `[[workers]]` table of cortexd.toml; a VALUE that is JSON is taken as such.

    \b
    cortexctl workers add name=spare type=ollama base_url=http://10.0.0.7:11434
    cortexctl workers add name=g type=groq api_keys='["env:GROQ_KEY"]' priority=30
    """
    told = dict(_setting(each) for each in settings)
    document = api.post("/admin/workers", told)
    show(api, document, table(_HEADINGS, [_row(document)]))


@workers.command()
@click.argument("name")
@click.pass_obj
def remove(api: AdminApi, name: str) -> None:
    """Let a worker go, when what it is answering has ended."""
    document = api.delete(f"/admin/workers/{segment(name)}")
    show(api, document, f"{name} gets nothing new, and leaves when its last answer is given")


@workers.command()
@click.argument("name")
@click.pass_obj
def activate(api: AdminApi, name: str) -> None:
    """Let a worker have new requests again."""
    _show_one(api, api.post(f"/admin/workers/{segment(name)}/activate"))


@workers.command()
@click.argument("name")
@click.pass_obj
def deactivate(api: AdminApi, name: str) -> None:
    """Give a worker no new requests; those in flight go on."""
    _show_one(api, api.post(f"/admin/workers/{segment(name)}/deactivate"))


@workers.command()
@click.argument("name")
@click.pass_obj
def check(api: AdminApi, name: str) -> None:
    """Probe a worker now."""
    _show_one(api, api.post_and_wait(f"/admin/workers/{segment(name)}/check", f"checking {name}"))


@click.group()
def breakers() -> None:
    """The circuit breakers of the workers."""


@breakers.command("list")
@click.pass_obj
def list_breakers(api: AdminApi) -> None:
    """How each of them stands."""
    document = api.get("/admin/breakers")
    show(api, document, table(_BREAKERS, map(_breaker_row, document)))


@breakers.command()
@click.argument("worker")
@click.pass_obj
def reset(api: AdminApi, worker: str) -> None:
    """Close a breaker, and forget what it has counted."""
    document = api.post(f"/admin/breakers/{segment(worker)}/reset")
    show(api, document, f"the circuit breaker of {worker} is {document.get('state')}")


def _setting(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _show_one(api: AdminApi, document: Mapping[str, Any]) -> None:
    show(api, document, table(_HEADINGS, [_row(document)]))


def _row(worker: Mapping[str, Any]) -> list[object]:
    verdict, reason = state(worker.get("status")), worker.get("reason")
    if reason:
        verdict.append(f" ({reason})", style="")
    return [
        worker.get("name"),
        worker.get("type"),
        verdict,
        worker.get("active"),
        state(part(worker, "breaker").get("state")),
        worker.get("score"),
        worker.get("in_flight"),
        worker.get("models"),
    ]


def _breaker_row(breaker: Mapping[str, Any]) -> list[object]:
    retry_in_s = breaker.get("retry_in_s")
    return [
        breaker.get("worker"),
        state(breaker.get("state")),
        *(breaker.get(key) for key in ("calls", "failures", "failures_in_a_row", "last_failure")),
        None if retry_in_s is None else duration(max(0.0, retry_in_s)),
    ]
