"""Keys on a real node: made, used, revoked under load, and there again after a restart."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import httpx
import pytest

from cortexd.domain.client_key import ClientKeyId, digest_of, read_key, write_key
from cortexd.domain.secret import Secret
from cortexd.observability.audit_log import broken_line
from tests.daemon import Daemon, running_daemon

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

HANGS_S: Final = 20.0

WORKERS: Final = """
[[workers]]
name = "actor"
type = "scripted"
script = [{ say = "all is well", split = "words", every = 0.01 }]
"""

CONFIGURED: Final = write_key(ClientKeyId("fromfile"), b"\x05" * 32)
PEPPER: Final = "pepper-of-the-file"
MODEL: Final = "actor/scripted"
QUESTION: Final = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}


def _configured(**more: object) -> str:
    parts = read_key(CONFIGURED)
    assert parts is not None
    table = {"id": parts.id, "hmac": digest_of(parts.secret, Secret(PEPPER)).reveal(), **more}
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items())
    return f"[[keys]]\n{lines}\n"


@attrs.frozen
class Operator:
    """Speaks to the admin listener with the token."""

    node: Daemon

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        """One request."""
        token = (self.node.folder / "state" / "admin-token").read_text(encoding="ascii").strip()
        return httpx.request(
            method,
            self.node.admin_url + path,
            json=body,
            headers={"authorization": f"Bearer {token}", **headers},
            timeout=HANGS_S,
        )

    def make_key(self, **wishes: object) -> dict[str, Any]:
        """A new key, as it is told once."""
        answer = self.ask("POST", "/admin/keys", wishes)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


def _chat(node: Daemon, key: str | None = None, **more: object) -> httpx.Response:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return httpx.post(
        f"{node.url}/v1/chat/completions",
        json={**QUESTION, **more},
        headers=headers,
        timeout=HANGS_S,
    )


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Daemon]:
    """A node without any key so far."""
    with running_daemon(tmp_path, WORKERS) as daemon:
        yield daemon


def test_a_key_from_its_making_to_its_end(node: Daemon) -> None:
    """The first one closes the doors to those without; it is shown once, and never logged."""
    operator = Operator(node)
    assert _chat(node).status_code == 200
    made = operator.make_key(name="web", **{"class": "premium"}, requests_per_minute=100)
    assert made["class"] == "premium"
    assert _chat(node).status_code == 401
    answer = _chat(node, made["key"])
    assert answer.status_code == 200
    assert answer.headers["x-ratelimit-limit-requests"] == "100"
    assert answer.headers["x-ratelimit-remaining-requests"] == "99"

    [listed] = operator.ask("GET", "/admin/keys").json()["items"]
    assert listed == {
        **{name: made[name] for name in made.keys() - {"key", "hmac"}},
        "last_used_on": made["created_at"][:10],
    }
    assert httpx.get(f"{node.url}/livez").status_code == 200
    assert httpx.get(f"{node.url}/v1/models").status_code == 401

    revoked = operator.ask("DELETE", f"/admin/keys/{made['id']}")
    assert (revoked.status_code, revoked.json()["state"]) == (200, "revoked")
    assert _chat(node, made["key"]).status_code == 401
    assert _chat(node).status_code == 401
    assert operator.ask("DELETE", "/admin/keys/nothere0").status_code == 404
    secret = made["key"][17:60]
    assert secret not in node.log
    state = node.folder / "state"
    for path in state.iterdir():
        assert secret.encode() not in path.read_bytes(), path


def test_keys_survive_a_restart_and_so_does_their_end(tmp_path: Path) -> None:
    """A kill, not a stop: what the admin API has answered is on disk."""
    with running_daemon(tmp_path, WORKERS) as node:
        kept, ended = (Operator(node).make_key(name=name) for name in ("kept", "ended"))
        Operator(node).ask("DELETE", f"/admin/keys/{ended['id']}")
        node.process.send_signal(signal.SIGKILL)
        node.process.wait(HANGS_S)
    with running_daemon(tmp_path, WORKERS) as node:
        assert _chat(node, kept["key"]).status_code == 200
        assert _chat(node, ended["key"]).status_code == 401
        assert _chat(node).status_code == 401


def test_keys_of_the_configuration(tmp_path: Path) -> None:
    """They need no making; one that is revoked stays so, whatever the file still says."""
    text = WORKERS + _configured(requests_per_minute=2, name="file")
    data, environ = 'key_pepper = "env:PEPPER"', {"PEPPER": PEPPER}
    with running_daemon(tmp_path, text, data=data, environ=environ) as node:
        assert _chat(node).status_code == 401
        assert [_chat(node, CONFIGURED).status_code for _ in range(3)] == [200, 200, 429]
        limited = _chat(node, CONFIGURED)
        assert limited.json()["error"]["code"] == "rate_limit_exceeded"
        assert int(limited.headers["retry-after"]) > 0
        [listed] = Operator(node).ask("GET", "/admin/keys").json()["items"]
        assert (listed["id"], listed["source"]) == ("fromfile", "config")
        shown = Operator(node).ask("GET", "/admin/config").text
        assert digest_of(read_key(CONFIGURED).secret, Secret(PEPPER)).reveal() not in shown  # type: ignore[union-attr]
        assert Operator(node).ask("DELETE", "/admin/keys/fromfile").status_code == 200
        assert _chat(node, CONFIGURED).status_code == 401
    with running_daemon(tmp_path, text, data=data, environ=environ) as node:
        assert _chat(node, CONFIGURED).status_code == 401


def test_a_key_is_worth_nothing_once_it_is_revoked_also_under_load(node: Daemon) -> None:
    """Whoever asks after the operator has been answered is refused; others notice nothing."""
    operator = Operator(node)
    keys = [operator.make_key(name=name)["key"] for name in ("stays", "goes")]
    stop, revoked = threading.Event(), threading.Event()
    told: dict[str, list[tuple[bool, int]]] = {key: [] for key in keys}

    def client(key: str) -> None:
        while not stop.is_set():
            was_revoked = revoked.is_set()
            told[key].append((was_revoked, _chat(node, key).status_code))

    threads = [threading.Thread(target=client, args=(key,)) for key in keys * 3]
    for thread in threads:
        thread.start()
    try:
        _wait_for(lambda: all(len(each) > 10 for each in told.values()))
        assert operator.ask("DELETE", f"/admin/keys/{keys[1][8:16]}").status_code == 200
        revoked.set()
        _wait_for(lambda: sum(after for after, _ in told[keys[1]]) > 10)
    finally:
        stop.set()
        for thread in threads:
            thread.join(HANGS_S)
    assert {status for _, status in told[keys[0]]} == {200}
    assert {status for after, status in told[keys[1]] if after} <= {401, 429}
    assert 200 in {status for after, status in told[keys[1]] if not after}


def _wait_for(condition: Any) -> None:
    pause, waited = threading.Event(), 0.0
    while not condition():
        assert waited < HANGS_S
        pause.wait(0.02)
        waited += 0.02


def test_operators_see_metrics_and_chat(node: Daemon) -> None:
    """A key for the metrics opens them and nothing else; operators chat behind their own gate."""
    operator = Operator(node)
    key = operator.make_key(scope="metrics")["key"]
    bearer = {"authorization": f"Bearer {key}"}
    assert httpx.get(f"{node.admin_url}/metrics", headers=bearer).status_code == 200
    assert httpx.get(f"{node.admin_url}/admin/tree", headers=bearer).status_code == 401
    assert _chat(node).status_code == 200, "a key for metrics closes no door to clients"

    answer = operator.ask("POST", "/admin/chat", QUESTION)
    assert answer.json()["choices"][0]["message"]["content"] == "all is well"
    refused = httpx.post(f"{node.admin_url}/admin/chat", json=QUESTION, headers=bearer)
    assert refused.status_code == 401


def test_the_admin_listener_on_the_wire(node: Daemon) -> None:
    """H37: nothing is compressed. H38: no page of another origin changes anything."""
    operator = Operator(node)
    shown = operator.ask("GET", "/admin/dashboard", **{"accept-encoding": "gzip, br, zstd"})
    assert shown.status_code == 200
    assert "content-encoding" not in shown.headers
    foreign = {"origin": "https://evil.example"}
    refused = operator.ask("POST", "/admin/keys", {}, **foreign)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "foreign_origin")
    assert not any(name.startswith("access-control") for name in refused.headers)
    assert operator.ask("GET", "/admin/keys").json()["total"] == 0


def test_what_operators_do_is_kept(node: Daemon) -> None:
    """A chain of lines, without what the requests said; who changes one breaks it."""
    operator = Operator(node)
    made = operator.make_key(name="a name that is not kept")
    operator.ask("DELETE", f"/admin/keys/{made['id']}")
    operator.ask("POST", "/admin/keys", {"no": "such field"})
    httpx.post(f"{node.admin_url}/admin/login", json={"token": "wrong"})
    path = node.folder / "state" / "audit.log"
    _wait_for(lambda: path.read_bytes().count(b"\n") == 4)
    kept = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(each["method"], each["path"], each["status"]) for each in kept] == [
        ("POST", "/admin/keys", 201),
        ("DELETE", f"/admin/keys/{made['id']}", 200),
        ("POST", "/admin/keys", 400),
        ("POST", "/admin/login", 401),
    ]
    assert {each["client"] for each in kept} == {"127.0.0.1"}
    assert b"not kept" not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert broken_line(path) is None


@pytest.mark.parametrize("flags", [["--check"], []])
def test_beyond_loopback_without_keys_is_refused(tmp_path: Path, flags: list[str]) -> None:
    """Exit 78, and which line to change; a key for the metrics is none for clients."""
    path = tmp_path / "cortexd.toml"
    command = [sys.executable, "-m", "cortexd", "--config", str(path), *flags]
    environ = os.environ | {"PEPPER": PEPPER}
    head = f'[node]\nstate_dir = "{tmp_path}/state"\n[data]\nbind = ["0.0.0.0:0"]\n'
    for keys in ("", _configured(scope="metrics")):
        path.write_text(head + keys + WORKERS, encoding="utf-8")
        ended = subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=HANGS_S, check=False
        )
        assert ended.returncode == 78
        assert "cortexd.toml:4 data.bind[0]: is beyond loopback" in ended.stderr
        assert "[[keys]]" in ended.stderr


def test_beyond_loopback_with_a_key(tmp_path: Path) -> None:
    """It starts, and everybody needs it."""
    data = 'key_pepper = "env:PEPPER"'
    environ = {"PEPPER": PEPPER, "CORTEXD__DATA__BIND": '["0.0.0.0:0"]'}
    text = WORKERS + _configured()
    with running_daemon(tmp_path, text, data=data, environ=environ) as node:
        url = node.url.replace("0.0.0.0", "127.0.0.1")
        answers = [
            httpx.post(f"{url}/v1/chat/completions", json=QUESTION, headers=headers)
            for headers in ({}, {"x-api-key": CONFIGURED})
        ]
        assert [answer.status_code for answer in answers] == [401, 200]


def test_a_reload_brings_keys_and_takes_them(tmp_path: Path) -> None:
    """What the file says holds from then on, without a restart."""
    data, environ = 'key_pepper = "env:PEPPER"', {"PEPPER": PEPPER}
    with running_daemon(tmp_path, WORKERS, data=data, environ=environ) as node:
        path, operator = tmp_path / "cortexd.toml", Operator(node)
        plain = path.read_text(encoding="utf-8")
        assert _chat(node).status_code == 200
        for text, statuses in (
            (plain + _configured(), (401, 200)),
            (plain + _configured(scope="metrics"), (200, 200)),
            (plain + _configured(requests_per_minute=1), (401, 200)),
            (plain + _configured(requests_per_minute=1), (401, 429)),
        ):
            path.write_text(text, encoding="utf-8")
            assert operator.ask("POST", "/admin/reload").status_code == 200
            _wait_for(lambda first=statuses[0]: _chat(node).status_code == first)
            assert _chat(node, CONFIGURED).status_code == statuses[1]
