"""Workers, engines and the node itself dying, as clients and operators see it."""

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

HANGS_S = 20.0
"""A limit for what hangs: how long things really take depends on the machine."""

FAILING_FIRST = """
[[workers]]
name = "failing"
type = "scripted"
priority = 1
script = [{ fail = "server_error" }]

[[workers]]
name = "working"
type = "scripted"
priority = 2
script = [{ say = "all is well" }]
"""

BREAKING_FIRST = (
    FAILING_FIRST.replace("{ fail", '{ say = "half an ans" }, { fail') + 'resume = "off"\n'
)

ABSENT_OLLAMA = """
[[workers]]
name = "ollama-local"
type = "ollama"
base_url = "http://127.0.0.1:9"

[[workers]]
name = "embedded"
type = "embedded"
"""

ENDLESS = """
[[workers]]
name = "talker"
type = "scripted"
script = [{ repeat = 1000000, steps = [{ say = "more and more " }] }]
"""


def _ask(url: str, *, stream: bool = False, timeout: float = 60) -> httpx.Response:
    body = {
        "model": "auto",
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
        "stream": stream,
        "max_tokens": 24,
        "temperature": 0,
    }
    return httpx.post(url + "/v1/chat/completions", json=body, timeout=timeout)


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + HANGS_S
    while not until():
        assert time.monotonic() < end, f"not within {HANGS_S:g} s"
        time.sleep(0.05)


def _is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_a_worker_that_fails_before_its_first_token_is_never_seen(start_daemon: Any) -> None:
    """The client gets the second worker's answer, streamed and whole; headers tell the rest."""
    daemon = start_daemon(FAILING_FIRST)

    whole, streamed = _ask(daemon.url), _ask(daemon.url, stream=True)

    assert whole.json()["choices"][0]["message"]["content"] == "all is well"
    assert whole.headers["x-cortexd-worker"] == "working"
    assert whole.headers["x-cortexd-attempts"].startswith("2 (")
    assert streamed.status_code == 200
    assert "error" not in streamed.text
    assert streamed.text.rstrip().endswith("data: [DONE]")


def test_a_worker_that_breaks_off_is_told_to_those_alone_who_have_seen_half(
    start_daemon: Any,
) -> None:
    """A stream ends with an error and no terminator; an answer sent whole is the second one's."""
    daemon = start_daemon(BREAKING_FIRST)

    whole, streamed = _ask(daemon.url), _ask(daemon.url, stream=True)

    assert whole.json()["choices"][0]["message"]["content"] == "all is well"
    assert whole.headers["x-cortexd-worker"] == "working"
    assert "half an ans" in streamed.text
    assert '"error"' in streamed.text
    assert "[DONE]" not in streamed.text


def test_an_absent_ollama_is_no_ones_problem(start_daemon: Any) -> None:
    """No error reaches the client; the health document says who is unavailable, and why."""
    daemon = start_daemon(ABSENT_OLLAMA)

    answer = _ask(daemon.url)
    health = httpx.get(daemon.url + "/api/health").json()

    assert "Paris" in answer.json()["choices"][0]["message"]["content"]
    assert health["workers"] == {"ollama-local": "unavailable", "embedded": "available"}
    assert "refused" in health["reasons"]["ollama-local"]
    assert "127.0.0.1:9" not in str(health)


def test_a_killed_engine_comes_back(start_daemon: Any) -> None:
    """The supervisor starts it again, and it answers."""
    daemon = start_daemon('[[workers]]\nname = "embedded"\ntype = "embedded"\n')
    (engine,) = daemon.descendants()

    os.kill(engine, signal.SIGKILL)

    _wait(lambda: _ask(daemon.url).status_code == 200)
    assert daemon.descendants() not in ([], [engine])
    tree = daemon.admin("/admin/tree")
    (engines,) = [child for child in tree["children"] if child["path"].endswith("engines")]
    assert engines["children"][0]["restarts"] == 1
    (line,) = [line for line in daemon.log.splitlines() if "child restarts" in line]
    assert "was killed by signal 9" in line


def test_a_killed_daemon_leaves_no_process_behind(start_daemon: Any) -> None:
    """SIGKILL, the end that nobody can prepare for, while the engine is generating."""
    daemon = start_daemon('[[workers]]\nname = "embedded"\ntype = "embedded"\n')
    with httpx.stream(
        "POST",
        daemon.url + "/api/chat",
        json={"messages": [{"role": "user", "content": "Tell me a very long story."}]},
        timeout=60,
    ) as answer:
        pieces = answer.iter_bytes()  # kept: dropping it would close the connection
        next(pieces)
        engines = daemon.descendants()
        daemon.process.kill()
        _wait(lambda: not any(_is_running(pid) for pid in engines))

    assert len(engines) == 1


def test_an_idle_node_stops_at_once_and_cleanly(start_daemon: Any) -> None:
    """It has nothing to drain: exit code 0, also with an idle keep-alive connection open."""
    daemon = start_daemon(FAILING_FIRST, drain_s=600.0, measured=True)
    with httpx.Client() as client:
        client.get(daemon.url + "/livez")
        assert daemon.stop(within_s=HANGS_S) == 0


@pytest.mark.parametrize("reads", [False, True], ids=["stalled", "reading"])
def test_a_node_stops_within_its_drain_time_whatever_clients_do(
    start_daemon: Any, *, reads: bool
) -> None:
    """A client that does not read cannot hold it up; one that reads is told and not lied to."""
    daemon = start_daemon(ENDLESS, drain_s=3.0, measured=True)
    host, port = daemon.url.removeprefix("http://").split(":")
    body = b'{"messages":[{"role":"user","content":"go"}]}'
    with socket.create_connection((host, int(port))) as client:
        client.sendall(
            b"POST /api/chat HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%s" % (len(body), body)
        )
        seen = client.recv(1024)
        daemon.process.send_signal(signal.SIGTERM)
        while reads and (data := client.recv(65536)):
            seen = (seen + data)[-4096:]
        assert daemon.process.wait(HANGS_S) == 0

    if reads:
        assert b'"error"' in seen
        assert b'"done":true' not in seen
        assert seen.endswith(b"0\r\n\r\n")


def test_a_second_sigterm_ends_the_drain(start_daemon: Any) -> None:
    """Whoever asks twice does not want to wait."""
    daemon = start_daemon(ENDLESS, drain_s=600.0, measured=True)
    with httpx.stream(
        "POST",
        daemon.url + "/api/chat",
        json={"messages": [{"role": "user", "content": "go"}]},
    ) as answer:
        pieces = answer.iter_bytes()  # kept: dropping it would close the connection
        next(pieces)
        daemon.process.send_signal(signal.SIGTERM)
        _wait(lambda: "draining" in daemon.log)
        assert daemon.stop(within_s=HANGS_S) == 0


def _count(node: dict[str, Any]) -> int:
    return 1 + sum(_count(child) for child in node["children"])


def test_usr1_logs_the_supervision_tree(start_daemon: Any) -> None:
    """A line for each node of it, and the daemon goes on."""
    daemon = start_daemon(FAILING_FIRST)

    daemon.process.send_signal(signal.SIGUSR1)

    _wait(lambda: "root/doors/data-door" in daemon.log)
    nodes = _count(daemon.admin("/admin/tree"))
    assert daemon.log.count('"event":"supervision tree"') == nodes
    assert _ask(daemon.url).status_code == 200


def test_a_taken_port_is_named(start_daemon: Any, tmp_path: Path) -> None:
    """Exit code 75, and the address that is in use."""
    import subprocess  # noqa: PLC0415  this test alone runs a daemon that must not start
    import sys  # noqa: PLC0415

    daemon = start_daemon(FAILING_FIRST)
    address = daemon.url.removeprefix("http://")
    config = tmp_path / "cortexd.toml"
    config.write_text(
        f'[node]\nstate_dir = "{tmp_path}"\n[data]\nbind = ["{address}"]\n'
        f'[admin]\nbind = ["127.0.0.1:0"]\n{FAILING_FIRST}',
        encoding="utf-8",
    )

    second = subprocess.run(
        [sys.executable, "-m", "cortexd", "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert second.returncode == 75
    assert address in second.stderr
    assert "Traceback" not in second.stderr


def test_the_admin_listener_wants_its_token(start_daemon: Any) -> None:
    """No token, a wrong one, and the data listener: nothing is shown."""
    daemon = start_daemon(FAILING_FIRST, measured=True)
    for path in ("/admin/dashboard", "/admin/tree"):
        assert httpx.get(daemon.admin_url + path).status_code == 401
        wrong = {"authorization": "Bearer wrong"}
        assert httpx.get(daemon.admin_url + path, headers=wrong).status_code == 401
        assert httpx.get(daemon.url + path).status_code == 404
    dashboard = daemon.admin("/admin/dashboard")
    assert dashboard["workers"][0]["name"] == "failing"
    assert dashboard["performance"]["tasks"] > 0
    token = daemon.folder / "state" / "admin-token"
    assert token.stat().st_mode & 0o777 == 0o600


def test_no_available_worker_is_a_503_with_a_time_to_come_back(start_daemon: Any) -> None:
    """Ready and healthy say so as well."""
    workers = ABSENT_OLLAMA.partition('[[workers]]\nname = "embedded"')[0]
    daemon = start_daemon(workers, measured=True)

    answer = _ask(daemon.url)

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert httpx.get(daemon.url + "/readyz").status_code == 503
    assert httpx.get(daemon.url + "/api/health").json()["status"] == "critical"
    assert httpx.get(daemon.url + "/livez").status_code == 200


def test_a_client_that_leaves_ends_the_upstream_request(start_daemon: Any) -> None:
    """The slot is free within a second, and the account says whose doing it was."""
    daemon = start_daemon(ENDLESS)
    with httpx.stream(
        "POST",
        daemon.url + "/api/chat",
        json={"messages": [{"role": "user", "content": "go"}]},
    ) as answer:
        pieces = answer.iter_bytes()  # kept: dropping it would close the connection
        next(pieces)
        assert daemon.admin("/admin/dashboard")["workers"][0]["in_flight"] == 1

    _wait(lambda: daemon.admin("/admin/dashboard")["workers"][0]["in_flight"] == 0)
    _wait(lambda: '"client_left"' in daemon.log)


def test_a_node_says_that_it_is_draining_before_it_closes(start_daemon: Any) -> None:
    """During the pre-drain it still serves, but asks load balancers for no more."""
    predrain = {"CORTEXD__NODE__PREDRAIN_SECONDS": "30"}
    daemon = start_daemon(FAILING_FIRST, environ=predrain, measured=True)

    daemon.process.send_signal(signal.SIGTERM)
    _wait(lambda: httpx.get(daemon.url + "/readyz").status_code == 503)

    assert httpx.get(daemon.url + "/readyz").json() == {"status": "draining"}
    assert _ask(daemon.url).status_code == 200
    assert daemon.stop(within_s=HANGS_S) == 0


def test_a_node_that_drains_takes_no_new_clients(start_daemon: Any) -> None:
    """They are refused at once and can go elsewhere, while those inside are finished."""
    daemon = start_daemon(ENDLESS, drain_s=600.0, measured=True)
    with httpx.stream(
        "POST",
        daemon.url + "/api/chat",
        json={"messages": [{"role": "user", "content": "go"}]},
    ) as answer:
        pieces = answer.iter_bytes()
        next(pieces)
        daemon.process.send_signal(signal.SIGTERM)
        _wait(lambda: _refuses(daemon.url))
        assert next(pieces)
        assert daemon.stop(within_s=HANGS_S) == 0


def _refuses(url: str) -> bool:
    try:
        httpx.get(url + "/livez")
    except httpx.ConnectError:
        return True
    return False
