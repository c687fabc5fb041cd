"""`cortexctl dlq …`: requests that have failed for good."""

from collections.abc import Mapping
from typing import Any

import click
from rich.console import RenderableType

from cortexd.ctl.admin_api import AdminApi, as_json, segment
from cortexd.ctl.showing import items, part, show, table

_HEADINGS = ("id", "kept at", "door", "model", "error", "message", "retried")


@click.group()
def dlq() -> None:
    """Dead letters: what failed is kept, and can be asked again."""


@dlq.command("list")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@click.option("--error", help="Only those that failed in this way.")
@click.pass_obj
def list_letters(api: AdminApi, *, limit: int, error: str | None) -> None:
    """The newest ones."""
    document = api.get("/admin/dlq", limit=limit, error=error)
    shown: list[RenderableType] = [table(_HEADINGS, map(_row, items(document)))]
    if unreadable := document.get("unreadable"):
        shown.append(f"letters that cannot be read, and are not shown: {unreadable}")
    show(api, document, *shown)


@dlq.command("show")
@click.argument("letter")
@click.pass_obj
def show_letter(api: AdminApi, letter: str) -> None:
    """All that is kept of one: the request, the attempts, the answer of a retry."""
    document = api.get(f"/admin/dlq/{segment(letter)}")
    show(api, document, as_json(document))


@dlq.command()
@click.argument("letter")
@click.pass_obj
def retry(api: AdminApi, letter: str) -> None:
    """Ask it again, and keep the answer with it."""
    document = api.post_and_wait(f"/admin/dlq/{segment(letter)}/retry", f"asking {letter} again")
    retried = part(document, "retried")
    show(api, document, f"status {retried.get('status')}", as_json(retried.get("answer")))


@dlq.command()
@click.argument("letter")
@click.pass_obj
def delete(api: AdminApi, letter: str) -> None:
    """Forget one."""
    show(api, api.delete(f"/admin/dlq/{segment(letter)}"), f"{letter} is deleted")


@dlq.command()
@click.option("--older-than", type=click.FloatRange(0), metavar="SECONDS", help="Only those.")
@click.confirmation_option(prompt="Forget them for good?")
@click.pass_obj
def purge(api: AdminApi, *, older_than: float | None) -> None:
    """Forget all of them."""
    told = {} if older_than is None else {"older_than_seconds": older_than}
    document = api.post("/admin/dlq/purge", told)
    show(api, document, f"{document.get('purged')} dead letters are deleted")


def _row(letter: Mapping[str, Any]) -> list[object]:
    error = part(letter, "error")
    return [
        letter.get("id"),
        letter.get("kept_at"),
        letter.get("door"),
        letter.get("model"),
        error.get("kind"),
        error.get("message"),
        part(part(letter, "retries"), "last").get("status"),
    ]
