"""The command `cortexctl`, against a small server that answers like a node's admin listener."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import Result

from tests.cli.admin_node import FakeNode

Invoke: TypeAlias = Callable[..., Result]

pytestmark = pytest.mark.real_time

_DASHBOARD = {
    "system_health": {"status": "degraded"},
    "workers": [
        {
            "name": "ollama-local",
            "type": "ollama",
            "status": "unavailable",
            "reason": "connection refused",
            "models": [],
            "in_flight": 0,
            "queued": 0,
            "priority": 10,
        },
        {
            "name": "[red]embedded",
            "type": "embedded",
            "status": "available",
            "reason": None,
            "models": ["m" * 60, "[bold]not markup"],
            "in_flight": 1,
            "queued": 3,
            "priority": 1000,
        },
    ],
    "performance": {"uptime_seconds": 93784.5},
}


def _node(path: str, **more: Any) -> dict[str, Any]:
    plain = {
        "path": path,
        "kind": "actor",
        "state": "running",
        "incarnation": 1,
        "uptime": 61.0,
        "restarts": 0,
        "last_exit": None,
        "children": [],
    }
    return {**plain, **more}


_TREE = _node(
    "root",
    kind="supervisor",
    children=[
        _node("root/workers", kind="supervisor", children=[_node("root/workers/pool")]),
        _node("root/doors", restarts=2, last_exit="error: OSError", uptime=3.2),
    ],
)


@pytest.fixture
def node(node: FakeNode) -> FakeNode:
    """One with two workers, and a tree."""
    node.say("/admin/dashboard", _DASHBOARD)
    node.say("/admin/tree", _TREE)
    return node


def test_status(invoke: Invoke, node: FakeNode) -> None:
    """One line for the node, one for each worker, with nothing cut off."""
    result = invoke("--url", node.url, "status")
    assert result.exit_code == 0
    head, _, ollama, embedded = result.stdout.splitlines()
    assert head == "degraded, up 1d 2h 3m"
    assert ollama.split() == [
        *("ollama-local", "ollama", "unavailable", "(connection", "refused)", "10", "0", "0", "-")
    ]
    assert embedded.split()[:6] == ["[red]embedded", "embedded", "available", "1000", "1", "3"]
    assert f"{'m' * 60}, [bold]not markup" in embedded


def test_tree(invoke: Invoke, node: FakeNode) -> None:
    """Supervisors with their children below them, and what has been restarted and why."""
    result = invoke("--url", node.url, "tree")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "root  supervisor  running  up 1m 1s",
        "├── workers  supervisor  running  up 1m 1s",
        "│   └── pool  actor  running  up 1m 1s",
        "└── doors  actor  running  up 3s  restarts 2  last exit: error: OSError",
    ]


@pytest.mark.parametrize(("command", "document"), [("status", _DASHBOARD), ("tree", _TREE)])
def test_json_is_the_document_itself(
    invoke: Invoke, node: FakeNode, command: str, document: dict[str, Any]
) -> None:
    """`--json` hides nothing of what the node has said."""
    assert json.loads(invoke("--url", node.url, "--json", command).stdout) == document


def test_keys_are_listed_to_the_last_page(invoke: Invoke, node: FakeNode) -> None:
    """A node gives out a hundred at a time."""
    pages = {
        "/admin/keys": {"items": [{"id": "a"}, {"id": "b"}], "total": 3, "next_cursor": "b"},
        "/admin/keys?cursor=b": {"items": [{"id": "c"}], "total": 3, "next_cursor": None},
    }
    for path, page in pages.items():
        node.say(path, page)
    whole = {"items": [{"id": each} for each in "abc"], "total": 3, "next_cursor": None}
    assert json.loads(invoke("--url", node.url, "--json", "keys", "list").stdout) == whole
    rows = invoke("--url", node.url, "keys", "list").stdout.splitlines()[1:]
    assert [row.split()[0] for row in rows] == ["a", "b", "c"]


def test_the_token_file_can_be_named(invoke: Invoke, node: FakeNode) -> None:
    """The option goes before the variable, and the variable before the state directory."""
    node.token = "other"
    Path("other").write_text("other", encoding="ascii")
    asked = ("--url", node.url, "--json", "tree")
    assert invoke(*asked).exit_code == 1
    assert invoke("--token-file", "other", *asked).exit_code == 0
    assert invoke(*asked, CORTEXCTL_TOKEN_FILE="other").exit_code == 0
    named = invoke("--token-file", "other", *asked, CORTEXCTL_TOKEN_FILE="state/admin-token")
    assert named.exit_code == 0


def _error(result: Result) -> str:
    """The one line of an error."""
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    return line


def test_a_refused_token(invoke: Invoke, node: FakeNode) -> None:
    """With a wrong token the line names the file it came from, and not the token."""
    node.token = "changed"
    line = _error(invoke("--url", node.url, "status"))
    assert "does not accept the token of state/admin-token" in line
    assert "right" not in line


@pytest.mark.parametrize(
    ("answer", "words"),
    [((404, b""), "answered 404"), ((200, b"<html>"), "did not answer with JSON")],
)
def test_something_else_is_listening(
    invoke: Invoke, node: FakeNode, answer: tuple[int, bytes], words: str
) -> None:
    """What is not a node's admin listener is recognised as that."""
    node.answers["/admin/tree"] = answer
    line = _error(invoke("--url", node.url, "tree"))
    assert words in line
    assert "is it the admin listener of cortexd?" in line


@pytest.mark.parametrize("url", ["unix:/nowhere/admin.sock", "closed port"])
def test_nobody_is_listening(invoke: Invoke, url: str) -> None:
    """Without a node at the address the line says so, and how to name another."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        if url == "closed port":
            url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        line = _error(invoke("--url", url, "status"))
    assert f"cannot connect to {url}: is cortexd running there? (--url" in line


@pytest.mark.parametrize(
    "url", ["localhost:4001", "ftp://localhost", "http://", "http://host:port", ""]
)
def test_a_url_that_is_none(invoke: Invoke, url: str) -> None:
    """What is no address is refused with what one looks like."""
    assert "write http://HOST:PORT or unix:PATH" in _error(invoke("--url", url, "status"))


def test_no_token(invoke: Invoke) -> None:
    """Without a token nothing is asked; the line says where one would be."""
    Path("state/admin-token").unlink()
    line = _error(invoke("status"))
    assert "state/admin-token cannot be read (No such file or directory)" in line
    Path("state/admin-token").write_text("two\nlines", encoding="ascii")
    assert "does not hold an admin token" in _error(invoke("status"))


def test_a_proxy_of_the_environment_is_not_used(invoke: Invoke, node: FakeNode) -> None:
    """The token goes to the node itself, whatever proxy the environment names."""
    result = invoke("--url", node.url, "tree", HTTP_PROXY="http://127.0.0.1:1")
    assert result.exit_code == 0
    assert node.asked == ["/admin/tree"]


def test_a_wrong_command_line(invoke: Invoke) -> None:
    """An unknown command exits with 2, as a forgotten one does."""
    assert invoke("nope").exit_code == 2
    assert invoke().exit_code == 2
