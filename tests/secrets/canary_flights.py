"""What clients and operators do with the node of the canaries: it is to have much to talk about."""

import json
import signal
from importlib import resources
from typing import Any

import httpx
from click.testing import CliRunner

from cortexd.ctl import main as cortexctl
from cortexd.http.admin import dashboard
from cortexd.http.admin.dashboard.pages import PAGES, page_path
from cortexd.http.admin.dashboard.sign_in import LOGIN_PATH
from tests.operator import wait_until
from tests.secrets.canary_node import HANGS_S, PROVIDERS, Aviary

OPENAI, ANTHROPIC = "/v1/chat/completions", "/v1/messages"
OLLAMA, GENERATE = "/api/chat", "/api/generate"

COMMANDS = (
    ("status",),
    ("workers", "list"),
    ("breakers", "list"),
    ("alerts", "list"),
    ("dlq", "list"),
    ("keys", "list"),
    ("degradation", "show"),
    ("tree",),
    ("reload",),
    ("events",),
)


def chat(aviary: Aviary) -> None:
    """Ask at all doors, in every way in which it can go wrong, and in a few in which it cannot."""
    _say_everything(aviary)
    asked = []
    for way in PROVIDERS:
        for stream in (False, True):
            prompt = aviary.planting.prompt(f"{way}, {'streamed' if stream else 'whole'}")
            messages = [{"role": "user", "content": prompt}]
            asked.append((OPENAI, {"model": way, "messages": messages, "stream": stream}))
    aviary.ask_all(asked)
    _go_on_elsewhere(aviary)
    _ask_twice(aviary)
    _ask_for_vectors(aviary)
    _ask_wrongly(aviary)


def _say_everything(aviary: Aviary) -> None:
    prompt, letters = aviary.planting.prompt, aviary.planting.letters
    schema = {"type": "object", "description": prompt("schema"), "properties": {}}
    call = {"name": "look", "arguments": json.dumps({"for": prompt("arguments")})}
    shown = {"url": f"data:image/png;base64,{letters('image')}"}
    fetched = {"url": f"https://pictures.example/{letters('picture')}.png"}
    openai = {
        "messages": [
            {"role": "system", "content": prompt("openai system")},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": prompt("openai user")},
                    {"type": "image_url", "image_url": shown},
                    {"type": "image_url", "image_url": fetched},
                ],
            },
            {
                "role": "assistant",
                "content": prompt("openai assistant"),
                "tool_calls": [{"id": "c1", "type": "function", "function": call}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": prompt("openai tool")},
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": "look", "description": prompt("tool"), "parameters": schema},
            }
        ],
        "stop": [prompt("stop")],
        "user": letters("user field"),
    }
    aviary.ask_all(
        (OPENAI, {**openai, "model": model, "stream": stream})
        for model in ("server-error", "refused", "long", "event-garbage")
        for stream in (False, True)
    )
    simple = {"model": "server-error", "messages": [{"role": "user", "content": "Hello"}]}
    aviary.ask(OPENAI, {**simple, "metadata": {"about": prompt("metadata")}})
    anthropic = {
        "max_tokens": 9,
        "system": prompt("anthropic system"),
        "messages": [
            {"role": "user", "content": prompt("anthropic user")},
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": "c", "name": "look", "input": {"for": prompt("in")}}
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "c", "content": prompt("result")}
                ],
            },
        ],
        "tools": [{"name": "look", "description": prompt("look"), "input_schema": schema}],
        "stop_sequences": [prompt("stop sequence")],
        "metadata": {"user_id": letters("user id")},
    }
    ollama = {
        "messages": [
            {"role": "system", "content": prompt("ollama system")},
            {"role": "user", "content": prompt("ollama user"), "images": [letters("ollama image")]},
        ],
        "options": {"stop": [prompt("ollama stop")]},
    }
    generate = {"prompt": prompt("generate"), "system": prompt("generate system")}
    aviary.ask_all(
        (path, {**body, "model": model, "stream": stream})
        for path, body in ((ANTHROPIC, anthropic), (OLLAMA, ollama), (GENERATE, generate))
        for model in ("bad-key", "server-error", "refused", "too-large")
        for stream in (False, True)
    )
    for model in ("fine", "server-error"):
        count = {name: anthropic[name] for name in ("system", "messages", "tools")}
        aviary.ask("/v1/messages/count_tokens", count | {"model": model})


def _go_on_elsewhere(aviary: Aviary) -> None:
    messages = [{"role": "user", "content": aviary.planting.prompt("resumed")}]
    body = {"model": "resumed", "messages": messages, "stream": True}
    assert "all is well" in _text(aviary.ask(OPENAI, body))


def _text(answer: httpx.Response) -> str:
    chunks = (line.removeprefix("data: ") for line in answer.text.splitlines())
    documents = [json.loads(chunk) for chunk in chunks if chunk.startswith("{")]
    deltas = (choice["delta"] for each in documents for choice in each.get("choices", ()))
    return "".join(delta.get("content") or "" for delta in deltas)


def _ask_twice(aviary: Aviary) -> None:
    messages = [{"role": "user", "content": aviary.planting.prompt("cached")}]
    body = {"model": "fine", "messages": messages, "temperature": 0}
    answers = [aviary.ask(OPENAI, body) for _ in range(2)]
    assert [answer.headers["x-cortexd-cache"] for answer in answers] == ["miss", "hit"]


def _ask_for_vectors(aviary: Aviary) -> None:
    for model in ("fine", "server-error"):
        inputs = [aviary.planting.prompt(f"input for {model}")]
        aviary.ask("/v1/embeddings", {"model": model, "input": inputs})
        aviary.ask("/api/embed", {"model": model, "input": inputs})


def _ask_wrongly(aviary: Aviary) -> None:
    prompt, secret = aviary.planting.prompt, aviary.planting.secret
    messages = [{"role": "user", "content": prompt("refused, elsewhere")}]
    right = {"model": "fine", "messages": messages}
    aviary.ask(OPENAI, {**right, "temperature": prompt("in a number")})
    aviary.ask(OPENAI, {**right, "messages": [{"role": prompt("as role"), "content": "Hi"}]})
    aviary.ask(OPENAI, {**right, prompt("as name"): 1})
    aviary.ask(OPENAI, {**right, "model": "unheard-of"})
    aviary.ask(OPENAI, json.dumps(right).encode()[:-9])
    aviary.ask(OPENAI, prompt("no JSON").encode())
    aviary.ask(OPENAI, b'{"messages": "\xff' + prompt("no UTF-8").encode())
    aviary.ask(OPENAI, right, content_type="text/plain")
    aviary.ask(OPENAI, right, x_request_timeout=aviary.planting.letters("a header"))
    aviary.ask(ANTHROPIC, {**right, "system": 1})
    aviary.ask(OLLAMA, {**right, "options": prompt("options")})
    # Keys of other houses, shown where they do not belong.
    for name, before in (("stranger", "sk-"), ("other stranger", "cx_live_")):
        aviary.ask(OPENAI, right, authorization=f"Bearer {secret(name, before)}")
    aviary.ask(ANTHROPIC, right, authorization="", x_api_key=secret("third stranger", "sk-ant-"))
    key = secret("address", "AIza")
    aviary.ask(f"/v1/models/x:generateContent?key={key}", right)
    aviary.ask(f"{OPENAI}?api_key={key}", right)
    aviary.ask("/v1/models", {}, authorization=f"Basic {secret('basic')}")


def operate(aviary: Aviary) -> None:
    """Do what operators do, rightly and wrongly, and look at everything."""
    _log_in(aviary)
    made = aviary.operate("POST", "/admin/keys", {"name": "made"}, kept=False).json()["key"]
    aviary.planting.secret("made key", core=made[17:60])
    aviary.ask(OPENAI, {"model": "fine", "messages": []}, authorization=f"Bearer {made}")
    question = [{"role": "user", "content": aviary.planting.prompt("operator's chat")}]
    aviary.operate("POST", "/admin/chat", {"model": "server-error", "messages": question})
    _add_workers(aviary)
    aviary.webhook.next_document()
    aviary.mail.refusals = {"MAIL": f"550 {aviary.planting.secrets['mail'].text}"}
    for letter in aviary.operate("GET", "/admin/dlq?limit=200").json()["items"][:3]:
        # The letter's own document, which has the request in it, is looked at by itself.
        path = f"/admin/dlq/{letter['id']}"
        aviary.operate("POST", f"{path}/retry", kept=False)
    _reload(aviary)
    look(aviary)


def _log_in(aviary: Aviary) -> None:
    planting = aviary.planting
    url = aviary.daemon.admin_url
    for name in ("guess", "other guess"):
        document = {"token": planting.secret(name)}
        aviary.operate("POST", "/admin/login", document, authorization="")
    aviary.operate("GET", "/admin/config", authorization=f"Bearer {planting.secret('third guess')}")
    with httpx.Client(base_url=url, timeout=HANGS_S) as browser:
        answer = browser.post("/admin/login", json={"token": aviary.token})
        csrf = answer.json()["csrf_token"]
        planting.secret("csrf token", core=csrf)
        planting.secret("session", core=answer.cookies["cortexd-session"])
        for header in (csrf, planting.secret("guessed csrf token")):
            changed = browser.post("/admin/cache/purge", json={}, headers={"x-csrf-token": header})
            aviary.keep(f"purge, status {changed.status_code}", changed)
        scripts = (path.name for path in (resources.files(dashboard) / "static").iterdir())
        files = [f"/admin/static/{name}" for name in scripts if name != "vendor"]
        for path in (*map(page_path, PAGES), LOGIN_PATH, *files):
            shown = browser.get(path)
            assert shown.status_code == 200, path
            aviary.keep(f"page {path}", shown)


def _add_workers(aviary: Aviary) -> None:
    """One that is good, whose key is then quoted at us, and some that are refused."""
    planting = aviary.planting
    listed = aviary.operate("GET", "/admin/config").json()["workers"]
    base = next(each["base_url"] for each in listed if each["name"] == "server-error")
    added = {"name": "added", "type": "openai", "models": ["added"], "base_url": base}
    added["api_keys"] = [planting.secret("added", "sk-")]
    assert aviary.operate("POST", "/admin/workers", added).status_code == 201
    messages = [{"role": "user", "content": planting.prompt("added")}]
    aviary.ask(OPENAI, {"model": "added", "messages": messages})
    userinfo = base.replace("://", f"://user:{planting.secret('userinfo over the API')}@")
    aviary.operate("POST", "/admin/workers", added | {"name": "x", "base_url": userinfo})
    wrong = [planting.secret("key with a blank") + " x"]
    aviary.operate("POST", "/admin/workers", added | {"name": "y", "api_keys": wrong})
    odd = {"api_keys": planting.secret("key in no list")}
    aviary.operate("POST", "/admin/workers", added | {"name": "z"} | odd)


def _reload(aviary: Aviary) -> None:
    """A good one that brings a new key, and a bad one with secrets where none may be."""
    planting = aviary.planting
    path = aviary.daemon.folder / "cortexd.toml"
    text = path.read_text(encoding="utf-8")
    key = aviary.daemon.folder / "files" / "new"
    key.write_text(planting.secret("reloaded"), encoding="ascii")
    key.chmod(0o600)
    more = text.replace('"env:CANARY_SERVER_ERROR"', f'"file:{key}"')
    assert more != text
    path.write_text(more, encoding="utf-8")
    assert aviary.operate("POST", "/admin/reload").status_code == 200
    messages = [{"role": "user", "content": planting.prompt("after the reload")}]
    aviary.ask(OPENAI, {"model": "server-error", "messages": messages})
    inline = planting.secret("inline", "sk-")
    path.write_text(more.replace(f'"file:{key}"', f'"{inline}"'), encoding="utf-8")
    aviary.operate("POST", "/admin/reload")
    aviary.daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: aviary.daemon.log.count("reload refused") >= 1)
    path.write_text(more, encoding="utf-8")


def look(aviary: Aviary) -> None:
    """Everything that operators can see, by each of their tools."""
    described = aviary.operate("GET", "/admin/openapi.json").json()
    for path, operations in described["paths"].items():
        if "get" in operations and path != "/admin/events":
            for shown in _filled(path):
                aviary.operate("GET", shown)
    aviary.operate("GET", "/metrics")
    aviary.operate("GET", "/admin/metrics/history?series=requests_per_second,error_rate")
    for path in ("/api/health", "/livez", "/readyz", "/startupz", "/api/tags", "/openapi.json"):
        answer = httpx.get(aviary.daemon.url + path, timeout=HANGS_S)
        aviary.keep(path, answer)
    _listen(aviary)
    _command(aviary)


def _filled(path: str) -> list[str]:
    if path == "/admin/dlq/{id}":
        return []
    return [path.replace("{name}", way) for way in PROVIDERS] if "{name}" in path else [path]


def _listen(aviary: Aviary) -> None:
    """All events that are remembered, up to one that this very look brings about."""
    headers = {"authorization": f"Bearer {aviary.token}", "last-event-id": "0"}
    said: list[str] = []
    with httpx.Client(base_url=aviary.daemon.admin_url, timeout=HANGS_S) as client:
        aviary.operate("POST", "/admin/workers/fine/deactivate")
        aviary.operate("POST", "/admin/workers/fine/activate")
        with client.stream("GET", "/admin/events", headers=headers) as answer:
            for line in answer.iter_lines():
                said.append(line)
                if line == "event: worker_activated":
                    break
    aviary.sinks["GET /admin/events"] = "\n".join(said).encode()


def _command(aviary: Aviary) -> None:
    token = aviary.daemon.folder / "token"
    token.write_text(aviary.token, encoding="ascii")
    asked = ["--url", aviary.daemon.admin_url, "--token-file", str(token)]
    for command in COMMANDS:
        for more in ([], ["--json"]):
            result = CliRunner().invoke(cortexctl, [*asked, *more, *command])
            name = f"cortexctl {' '.join([*more, *command])}"
            assert result.exit_code == 0, f"{name}: {result.output}"
            aviary.sinks[name] = result.output.encode()


def dump(aviary: Aviary) -> None:
    """Have the process tell what it is doing, stop it by force, and gather what it leaves."""
    process = aviary.daemon.process
    aviary.run("--config", str(aviary.daemon.folder / "cortexd.toml"), "--check")
    with open(f"/proc/{process.pid}/cmdline", "rb") as file:  # noqa: PTH123  no file like others
        aviary.sinks["command line"] = file.read()
    process.send_signal(signal.SIGUSR1)
    wait_until(lambda: "supervision tree" in aviary.daemon.log)
    _files(aviary, "while it runs")
    process.send_signal(signal.SIGABRT)
    process.wait(HANGS_S)
    _files(aviary, "after its death")
    aviary.sinks["stderr"] = (aviary.daemon.folder / "log").read_bytes()
    aviary.sinks["stdout"] = aviary.daemon.announced.encode()
    while not aviary.webhook.posts.empty():
        post = aviary.webhook.posts.get()
        aviary.sinks[f"webhook {len(aviary.sinks)}"] = post.body
    while not aviary.mail.mails.empty():
        message = aviary.mail.mails.get().message
        content = message.get_payload(decode=True)
        assert isinstance(content, bytes)
        aviary.sinks[f"mail {len(aviary.sinks)}"] = message.as_bytes() + content


def _files(aviary: Aviary, when: str) -> None:
    for path in (aviary.daemon.folder / "state").iterdir():
        if path.is_file() and path.name not in {"admin-token", "key-pepper"}:
            aviary.sinks[f"file {path.name} {when}"] = path.read_bytes()


def letters(aviary: Aviary) -> dict[str, Any]:
    """All dead letters by id, each with its request."""
    items = aviary.operate("GET", "/admin/dlq?limit=200").json()["items"]
    path = "/admin/dlq/"
    return {
        item["id"]: aviary.operate("GET", path + item["id"], kept=False).json() for item in items
    }
