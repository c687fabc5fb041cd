"""Alerts of a real node: told at a real webhook, shown and acknowledged over the admin API."""

import json
import queue
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio
import trustme

from cortexd.actors.alert_manager import ALERT_MANAGER
from cortexd.config.load import load
from cortexd.runtime.application import build_application
from cortexd.runtime.doors import doors_on
from cortexd.runtime.listening import listen
from cortexd.runtime.supervision import supervision_tree
from cortexd.runtime.surroundings import Surroundings
from supervisor_tree import NoProc, open_tree, whereis
from supervisor_tree.testing import crash
from tests.daemon import Daemon, head, running_daemon
from tests.fakes.ollama import Ollama
from tests.fakes.provider import FakeProvider, running
from tests.fakes.scene import Refusal
from tests.fakes.server import Reply
from tests.fakes.smtp import MailSink, running_mail_server
from tests.fakes.webhook import SILENT, WebhookSink, refusing, running_webhook

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

HANGS_S = 30.0

CONFIG = """
[[workers]]
name = "one"
type = "ollama"
base_url = "{one}"
[[workers]]
name = "two"
type = "ollama"
base_url = "{two}"

[health]
interval_seconds = 0.3
timeout_seconds = 0.3

[alerts]
pending_seconds = 0.5
resolve_seconds = 1.0
[[alerts.channels]]
type = "webhook"
min_severity = "critical"
url = "env:ALERT_WEBHOOK"
[[alerts.channels]]
type = "log"
"""

ALWAYS = """
[[workers]]
name = "talker"
type = "scripted"
script = [{ say = "all is well" }]
[alerts]
memory_bytes_max = 1048576
pending_seconds = 0
[[alerts.channels]]
name = "hook"
type = "webhook"
url = "env:ALERT_WEBHOOK"
"""
"""A node that has an alert as soon as it is up: none can do with so little memory."""

MAILED = """
[[workers]]
name = "talker"
type = "scripted"
script = [{{ say = "all is well" }}]
[alerts]
memory_bytes_max = 1048576
pending_seconds = 0
[[alerts.channels]]
name = "hook"
type = "email"
host = "127.0.0.1"
port = {port}
tls = "off"
username = "cortexd"
password = "env:PASS"
sender = "cortexd@example.org"
to = ["ops@example.org"]
"""

UNTRUSTED = """
[[workers]]
name = "far"
type = "openai"
base_url = "https://127.0.0.1:{port}/v1"
[[workers]]
name = "talker"
type = "scripted"
[alerts]
pending_seconds = 0
"""

ID = "no_available_workers"
FIRED, RESOLVED = f"critical: {ID}", f"resolved: {ID}"
DOWN = Refusal(503)


@attrs.define(eq=False)
class Surrounded:
    """Two workers that can be taken down, and a webhook that remembers what it was told."""

    workers: tuple[FakeProvider, FakeProvider]
    webhook: WebhookSink
    titles: list[str] = attrs.Factory(list)

    @property
    def config(self) -> str:
        """Of a node in the midst of them."""
        return CONFIG.format(one=self.workers[0].base_url, two=self.workers[1].base_url)

    @property
    def environ(self) -> dict[str, str]:
        """Where the secret is."""
        return {"ALERT_WEBHOOK": self.webhook.url}

    def all_are(self, refusal: Refusal | None) -> None:
        """Take all workers down, or bring them back."""
        for worker in self.workers:
            worker.refusal = refusal

    def told(self) -> list[str]:
        """The titles of all notices that were posted so far."""
        while True:
            try:
                document = json.loads(self.webhook.posts.get_nowait().body)
            except queue.Empty:
                return self.titles
            self.titles += [each["title"] for each in document["attachments"]]


@pytest.fixture
def around() -> Iterator[Surrounded]:
    """All is well."""
    with ExitStack() as stack:
        workers = (stack.enter_context(running(Ollama())), stack.enter_context(running(Ollama())))
        yield Surrounded(workers, stack.enter_context(running_webhook()))


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + HANGS_S
    while not until():
        assert time.monotonic() < end, f"not within {HANGS_S:g} s"
        time.sleep(0.05)


def _alert(node: Daemon) -> dict[str, Any]:
    items = node.admin("/admin/alerts")["items"]
    return next((item for item in items if item["id"] == ID), {})


def _acknowledge(node: Daemon, alert_id: str) -> httpx.Response:
    token = (node.folder / "state" / "admin-token").read_text(encoding="ascii").strip()
    return httpx.post(
        f"{node.admin_url}/admin/alerts/{alert_id}/acknowledge",
        headers={"authorization": f"Bearer {token}"},
        timeout=10,
    )


def test_the_loss_of_all_workers_is_told_once_and_so_is_their_return(
    around: Surrounded, tmp_path: Path
) -> None:
    """At the webhook, in the log, over the admin API and on the dashboard."""
    with running_daemon(tmp_path, around.config, environ=around.environ) as node:
        node.wait_available("one")
        assert _alert(node) == {}
        around.all_are(DOWN)
        _wait(lambda: around.told() == [FIRED])
        alert = _alert(node)
        assert (alert["state"], alert["severity"], alert["count"]) == ("firing", "critical", 1)
        assert "cortexctl workers list" in alert["message"]
        assert alert["since_at"] <= alert["last_fired_at"]
        assert alert["resolved_at"] is None
        shown = node.admin("/admin/dashboard")["alerts"]
        assert (shown["active"], shown["items"][0]["id"]) == (1, ID)

        around.all_are(None)
        _wait(lambda: around.told() == [FIRED, RESOLVED])
        assert _alert(node)["resolved_at"] is not None
        assert node.admin("/admin/alerts?state=firing")["items"] == []
        assert node.admin("/admin/alerts?state=resolved")["total"] == 1
        # It goes down and comes back again, within the cooldown.
        around.all_are(DOWN)
        _wait(lambda: _alert(node)["state"] == "firing")
        around.all_are(None)
        _wait(lambda: _alert(node)["state"] == "resolved")
        assert around.told() == [FIRED, RESOLVED]

        lines = [json.loads(line) for line in node.log.splitlines()]
        about = [line for line in lines if line["event"] == "alert" and line["rule"] == ID]
        logged = [line["occasion"] for line in about]
        assert logged == ["fired", "resolved"]
        assert around.webhook.url.rpartition("/")[2] not in node.log


def test_an_acknowledged_alert_is_one_that_somebody_sees_to(
    around: Surrounded, tmp_path: Path
) -> None:
    """By its id; what is not there, or does not fire, cannot be acknowledged."""
    with running_daemon(tmp_path, around.config, environ=around.environ) as node:
        node.wait_available("one")
        missing = _acknowledge(node, ID)
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
        around.all_are(DOWN)
        _wait(lambda: _alert(node).get("state") == "firing")
        for _ in range(2):
            taken = _acknowledge(node, ID)
            assert (taken.status_code, taken.json()["state"]) == (200, "acknowledged")
        assert node.admin("/admin/dashboard")["alerts"]["active"] == 0
        around.all_are(None)
        _wait(lambda: _alert(node)["state"] == "resolved")
        over = _acknowledge(node, ID)
        assert (over.status_code, over.json()["error"]["code"]) == (409, "alert_not_firing")
        _wait(lambda: around.told() == [FIRED, RESOLVED])


@pytest.mark.parametrize(
    ("name", "replies"), [("hangs", [SILENT] * 99), ("fails", [refusing(500)] * 99)]
)
def test_s5_an_alert_sink_that_hangs_or_fails_is_nobody_elses_problem(
    tmp_path: Path, name: str, replies: list[Reply]
) -> None:
    """Chats are answered, the queue is bounded, and operators see what is wrong with it."""
    with running_webhook() as webhook:
        webhook.replies = list(replies)
        environ = {"ALERT_WEBHOOK": webhook.url}
        with running_daemon(tmp_path, ALWAYS, environ=environ) as node:
            webhook.next_document()
            for _ in range(20):
                _chat(node)
            if name == "fails":
                _wait(lambda: "status 500" in str(_channel(node)["failure"]))
                assert '"alert channel failed"' in node.log
            assert _channel(node)["queued"] <= 128
            assert webhook.url not in node.log + json.dumps(node.admin("/admin/alerts"))
            assert node.stop() == 0


def test_s5_an_alert_sink_that_is_not_there(tmp_path: Path) -> None:
    """The same; and once it is there again, it is told what it has missed."""
    with running_webhook() as gone:
        url = gone.url
    with running_daemon(tmp_path, ALWAYS, environ={"ALERT_WEBHOOK": url}) as node:
        _wait(lambda: _channel(node)["failure"] == "no answer: ConnectError")
        _chat(node)
        assert _channel(node)["queued"] >= 1


def test_mail_is_sent_and_what_its_server_refuses_is_given_up(tmp_path: Path) -> None:
    """The node goes on; it is told to operators that nobody was told."""
    sink = MailSink()
    with running_mail_server(sink):
        config, environ = MAILED.format(port=sink.port), {"PASS": "s3cr3t"}
        with running_daemon(tmp_path, config, environ=environ) as node:
            mail = sink.next_mail()
            assert mail.login == ("cortexd", "s3cr3t")
            assert "high_memory" in mail.message["Subject"]
            _wait(lambda: _channel(node)["delivered"] == 1)
            assert _channel(node)["failure"] is None
            assert "s3cr3t" not in node.log
        sink.refusals = {"MAIL": "550 not from you"}
        with running_daemon(tmp_path, config, environ=environ) as node:
            _wait(lambda: _channel(node)["lost"] == 1)
            assert _channel(node)["failure"] == "the server answers with 550"
            _chat(node)


def _channel(node: Daemon) -> dict[str, Any]:
    (channel,) = node.admin("/admin/alerts")["channels"]
    assert channel["name"] == "hook"
    found: dict[str, Any] = channel
    return found


def _chat(node: Daemon) -> None:
    body = {"messages": [{"role": "user", "content": "hello"}], "stream": False}
    answer = httpx.post(node.url + "/api/chat", json=body, timeout=HANGS_S)
    assert answer.status_code == 200
    assert answer.json()["message"]["content"] == "all is well"


async def test_an_alert_manager_that_keeps_dying_tells_nothing_twice_and_loses_nothing(
    around: Surrounded, tmp_path: Path
) -> None:
    """It is killed five times a second, while all workers go and come back."""
    with trio.fail_after(2 * HANGS_S):
        with _application(around, tmp_path) as (app, tree):
            async with open_tree(tree) as running_tree, trio.open_nursery() as nursery:
                app.tree.publish(running_tree)

                async def keep_killing() -> None:
                    while True:
                        await trio.sleep(0.2)
                        # It may be about to come back.
                        with suppress(NoProc):
                            await crash(whereis(ALERT_MANAGER))

                nursery.start_soon(keep_killing)
                for refusal, titles in ((DOWN, [FIRED]), (None, [FIRED, RESOLVED])):
                    around.all_are(refusal)
                    while len(around.told()) < len(titles):  # noqa: ASYNC110  a thread tells
                        await trio.sleep(0.05)
                    await trio.sleep(1.5)
                    assert around.told() == titles
                nursery.cancel_scope.cancel()
            for worker in app.pool.roster.value:
                await worker.provider.aclose()


@contextmanager
def _application(around: Surrounded, folder: Path) -> Iterator[tuple[Any, Any]]:
    path = folder / "cortexd.toml"
    begin = head(folder, drain_s=1.0)
    path.write_text(begin + around.config, encoding="utf-8")
    config = load(path, around.environ)
    with ExitStack() as stack:
        opened = listen(config)
        for sock in (*opened.data, *opened.admin):
            stack.enter_context(sock)
        app = build_application(config, Surroundings())
        yield app, supervision_tree(app, doors_on(opened, app))


def test_u19_a_worker_whose_certificate_is_refused_is_an_alert(tmp_path: Path) -> None:
    """It is told apart from one that is not there; and nothing of a request is sent to it."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(server)
    # Any server with that certificate will do: nobody gets so far as to talk to it.
    with (
        running_mail_server(MailSink(tls=server, is_encrypted_from_start=True)) as far,
        running_daemon(tmp_path, UNTRUSTED.format(port=far.port)) as node,
    ):
        _wait(lambda: bool(node.admin("/admin/alerts?state=firing")["items"]))
        (alert,) = node.admin("/admin/alerts?state=firing")["items"]
    assert alert["id"] == "untrusted_worker:far"
    assert "renew the certificate" in alert["message"]
