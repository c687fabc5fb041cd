"""A real node with a canary in each place where a secret or a prompt can be, and all it says."""

import base64
import contextlib
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import httpx

from cortexd.domain.client_key import ClientKeyId, digest_of, write_key
from cortexd.domain.secret import Secret
from tests.daemon import UNMEASURED, Daemon, running_daemon
from tests.fakes.server import Reply
from tests.fakes.smtp import MailSink, running_mail_server
from tests.fakes.webhook import WebhookSink, running_webhook
from tests.secrets.canaries import Canary
from tests.secrets.canary_upstream import indiscreet

HANGS_S = 20.0
AT_A_TIME = 8

PROVIDERS: dict[str, tuple[str, str, str]] = {
    "server-error": ("openai", "env", "sk-proj-"),
    "bad-key": ("openai", "file", "sk-"),
    "forbidden": ("groq", "credential", "gsk_"),
    "rate-limited": ("gemini", "env", "AIza"),
    "refused": ("openai", "env", "sk-"),
    "overloaded": ("cohere", "file", ""),
    "too-large": ("anthropic", "credential", "sk-ant-api03-"),
    "html": ("openai", "env", ""),
    "redirect": ("openai", "env", "xai-"),
    "header": ("openai", "env", ""),
    "no-document": ("openai", "env", ""),
    "event-error": ("openai", "env", ""),
    "event-garbage": ("openai", "env", "sk-or-v1-"),
    "cut": ("openai", "env", ""),
    "retry-after": ("openai", "env", ""),
    "long": ("openai", "env", ""),
    "base64": ("openai", "env", ""),
    "sick": ("openai", "env", ""),
    "sick-key": ("groq", "env", "gsk_"),
    "fine": ("openai", "env", ""),
}
"""By the way in which the upstream answers: its dialect, where its key is, how the key begins."""

SETTINGS = """
[routing]
aliases = {{ resumed = ["cut", "fine"] }}
[retry]
max_attempts = 2
[breaker]
failures_in_a_row = 5
[cache]
enabled = true
[health]
interval_seconds = 1.0
timeout_seconds = 0.9
[degradation]
enabled = false
[dlq]
store_body = {store_body}
[alerts]
memory_bytes_max = 1048576
pending_seconds = 0
[[alerts.channels]]
type = "log"
[[alerts.channels]]
type = "webhook"
url = "env:CANARY_WEBHOOK"
[[alerts.channels]]
type = "email"
host = "127.0.0.1"
port = {mail_port}
tls = "off"
username = "cortexd"
password = "env:CANARY_MAIL"
sender = "cortexd@example.org"
to = ["ops@example.org"]
[[keys]]
id = "{key_id}"
hmac = "{digest}"
class = "premium"
requests_per_minute = 100000
tokens_per_minute = 100000000
"""
KEY_ID = ClientKeyId("canary00")


@attrs.define(eq=False)
class Planting:
    """The canaries so far, by their names."""

    secrets: dict[str, Canary] = attrs.Factory(dict)
    prompts: dict[str, Canary] = attrs.Factory(dict)

    def secret(self, name: str, before: str = "", core: str | None = None) -> str:
        """A new secret, or one that somebody else has made up."""
        canary = Canary(f"secret of {name}", before)
        if core is not None:
            canary = attrs.evolve(canary, core=core)
        self.secrets[name] = canary
        return canary.text

    def prompt(self, name: str) -> str:
        """A text with letters in it that each way of writing writes in its own way."""
        canary = Canary(
            f"prompt of {name}", 'The heron says "', '" & <b>Ödipus</b> is 50% right?\n'
        )
        self.prompts[name] = canary
        return canary.text

    def letters(self, name: str) -> str:
        """A prompt of letters alone, which is good base64."""
        self.prompts[name] = canary = Canary(f"letters of {name}")
        return canary.text


@attrs.define(eq=False)
class Aviary:
    """A node with its surroundings. `sinks`: everything that came out of it, by where."""

    daemon: Daemon
    planting: Planting
    webhook: WebhookSink
    mail: MailSink
    client_key: str
    token: str
    environ: dict[str, str]
    stores_body: bool
    sinks: dict[str, bytes] = attrs.Factory(dict)
    _count: Iterator[int] = attrs.Factory(itertools.count)

    def ask(self, path: str, body: object, **headers: str) -> httpx.Response:
        """A client's request; what it is answered is a sink."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"authorization": f"Bearer {self.client_key}", "content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        url = self.daemon.url + path
        answer = httpx.post(url, content=content, headers=sent, timeout=HANGS_S)
        self.keep(f"answer {next(self._count)} of {path}, status {answer.status_code}", answer)
        return answer

    def ask_all(self, asked: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Many requests, some at a time, since each may be tried again after a while."""
        with ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="client") as pool:
            for over in [pool.submit(self.ask, path, body) for path, body in asked]:
                over.result(HANGS_S)

    def operate(
        self, method: str, path: str, body: Any = None, *, kept: bool = True, **headers: str
    ) -> httpx.Response:
        """An operator's request; what it is answered is a sink, unless it is `kept` out."""
        sent = {"authorization": f"Bearer {self.token}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        url = self.daemon.admin_url + path
        answer = httpx.request(method, url, json=body, headers=sent, timeout=HANGS_S)
        if kept:
            self.keep(f"{method} {path}, status {answer.status_code}", answer)
        return answer

    def keep(self, name: str, answer: httpx.Response) -> None:
        """Put an answer into the sinks, with its head."""
        lines = [f"{key}: {value}" for key, value in answer.headers.items()]
        self.sinks[name] = "\n".join(lines).encode() + b"\n\n" + answer.content

    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """`cortexd` once more, with the same environment, to its end; what it says is a sink."""
        done = subprocess.run(
            [sys.executable, "-m", "cortexd", *arguments],
            capture_output=True,
            check=False,
            timeout=60,
            env=os.environ | UNMEASURED | self.environ,
        )
        self.sinks[f"cortexd {' '.join(arguments)}"] = done.stdout + done.stderr
        return done


@contextlib.contextmanager
def aviary(folder: Path, *, log_format: str, stores_body: bool) -> Iterator[Aviary]:
    """A node until the block ends. Without bodies it has made its token and its pepper itself."""
    planting = Planting()
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(indiscreet(planting.prompts))
        webhook = stack.enter_context(running_webhook())
        mail = stack.enter_context(running_mail_server(MailSink()))
        webhook.url = webhook.url.rpartition("/")[0] + "/" + planting.secret("webhook", "T0K-")
        # Their refusals are indiscreet as well.
        webhook.replies = [Reply(500, {"x-url": webhook.url}, (webhook.url.encode(),))]
        environ = {
            "CREDENTIALS_DIRECTORY": str(folder / "credentials"),
            "CANARY_WEBHOOK": webhook.url,
            "CANARY_MAIL": planting.secret("mail"),
            "OPENAI_API_KEYS": planting.secret("environment", "sk-"),
        }
        workers = "".join(_worker(way, address, folder, planting, environ) for way in PROVIDERS)
        pepper = planting.secret("pepper")
        (folder / "state").mkdir(mode=0o700)
        if stores_body:
            environ["CANARY_PEPPER"] = pepper
            environ["CORTEXD__DATA__KEY_PEPPER"] = "env:CANARY_PEPPER"
            environ["CANARY_TOKEN"] = planting.secret("token")
            environ["CORTEXD__ADMIN__TOKEN"] = "env:CANARY_TOKEN"
        else:
            _write(folder / "state" / "key-pepper", pepper)
            _write(folder / "state" / "admin-token", planting.secret("token"))
        client_key, digest = _client_key(planting, pepper)
        settings = SETTINGS.format(
            store_body=str(stores_body).lower(),
            mail_port=mail.port,
            key_id=KEY_ID,
            digest=digest,
        )
        daemon = stack.enter_context(
            running_daemon(folder, workers + settings, environ=environ, log_format=log_format)
        )
        token = planting.secrets["token"].text
        yield Aviary(daemon, planting, webhook, mail, client_key, token, environ, stores_body)


def _worker(
    way: str, address: str, folder: Path, planting: Planting, environ: dict[str, str]
) -> str:
    kind, source, before = PROVIDERS[way]
    key = planting.secret(way, before)
    name = f"CANARY_{way.replace('-', '_').upper()}"
    if source == "env":
        environ[name] = key
        reference = f"env:{name}"
    elif source == "file":
        reference = f"file:{_write(folder / 'files' / name, key)}"
    else:
        _write(folder / "credentials" / name, key)
        reference = f"credential:{name}"
    base = f"{address}/{way}" + ("/v1" if kind == "openai" else "")
    return (
        f'[[workers]]\nname = "{way}"\ntype = "{kind}"\nbase_url = "{base}"\n'
        f'models = ["{way}"]\napi_keys = ["{reference}"]\n'
        + ('resume = "continue"\n' if kind == "openai" else "")
    )


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="ascii")
    path.chmod(0o600)
    return path


def _client_key(planting: Planting, pepper: str) -> tuple[str, str]:
    core = Canary("secret of the client key").core
    secret = base64.urlsafe_b64decode(core + "AAA=")
    written = write_key(KEY_ID, secret)
    middle = written[len("cx_live_") + len(KEY_ID) + 1 : -9]
    planting.secret("client key", core=middle[: len(core)])
    return written, digest_of(Secret(middle), Secret(pepper)).reveal()
