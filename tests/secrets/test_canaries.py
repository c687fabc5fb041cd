"""No secret comes out of a node, and no prompt but with the dead letter that it belongs to."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

import pytest

from tests.daemon import UNMEASURED, head
from tests.secrets.canaries import Canary, found
from tests.secrets.canary_node import Aviary

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

Flown: TypeAlias = tuple[Aviary, dict[str, Any]]

ENOUGH = 20
TOLD = ("status 400", "status 404", "status 413", "status 422")


def test_there_is_enough_to_be_found(flown: Flown) -> None:
    """So many canaries were planted, and the sinks have something in them."""
    node, kept = flown
    assert len(node.planting.secrets) >= ENOUGH
    assert len(node.planting.prompts) >= ENOUGH
    assert len(kept) >= ENOUGH
    for sink in ("stderr", "stdout", "GET /admin/events", "GET /metrics, status 200"):
        assert node.sinks[sink], sink
    kinds = " ".join(node.sinks)
    for kind in ("webhook", "mail", "file audit.log", "file dead_letters.db", "cortexctl", "page"):
        assert kind in kinds, kind
    log = node.sinks["stderr"].decode()
    for word in ("That is wrong", "sick", "reload refused", "supervision tree", "Fatal Python"):
        assert word in log, word


def test_no_secret_comes_out(flown: Flown) -> None:
    """Whatever upstreams, clients and mail servers say."""
    node, kept = flown
    letters = {"the letters": json.dumps(kept).encode()}
    assert found(node.planting.secrets, node.sinks | letters) == []


def test_no_prompt_comes_out(flown: Flown) -> None:
    """But to the client itself whose request is refused, and into the file of dead letters."""
    node, _ = flown
    sinks = {
        name: data
        for name, data in node.sinks.items()
        if not (name.startswith("answer") and name.endswith(TOLD))
        and not (node.stores_body and name.startswith("file dead_letters.db"))
    }
    assert found(node.planting.prompts, sinks) == []


def test_prompts_are_in_the_request_of_a_letter_and_nowhere_else_in_it(flown: Flown) -> None:
    """And not even there where bodies are not to be kept."""
    node, kept = flown
    own = {"request", "retried"}
    requests = {f"request of {name}": _json(letter["request"]) for name, letter in kept.items()}
    others = {
        name: _json({key: value for key, value in letter.items() if key not in own})
        for name, letter in kept.items()
    }
    assert bool(found(node.planting.prompts, requests)) is node.stores_body
    assert found(node.planting.prompts, others) == []


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "spelling",
    [
        "{text}",
        "{core}",
        "…{core:.12}…",
        "{url}",
        "{json}",
        *[f"{{base64_{offset}}}" for offset in range(3)],
    ],
)
def test_the_search_finds_a_canary(spelling: str) -> None:
    """In each spelling, and any piece of it."""
    canary = Canary("search", '"é ')
    spellings = {
        f"base64_{offset}": base64.b64encode(b"x" * offset + canary.core.encode() + b"yy").decode()
        for offset in range(3)
    }
    text = spelling.format(
        text=canary.text,
        core=canary.core,
        url=quote(canary.text),
        json=json.dumps(canary.text),
        **spellings,
    )
    sinks = {"log": b"nothing here", "file": f"before {text} behind".encode()}
    (line,) = found({"mine": canary, "other": Canary("other")}, sinks)
    assert line.startswith("mine is in file: ")


WRONG = {
    "userinfo": 'type = "openai"\nbase_url = "https://user:{secret}@api.example/v1"',
    "userinfo in a proxy": '[proxy]\nurl = "http://user:{secret}@proxy.example:3128"',
    "query": 'type = "openai"\nbase_url = "https://api.example/v1?key={secret}"',
    "inline": 'type = "groq"\napi_keys = ["{secret}"]',
    "bad reference": 'type = "groq"\napi_keys = ["env:{secret}"]',
    "no list": 'type = "groq"\napi_keys = "{secret}"',
    "as type": 'type = "{secret}"',
    "as text of a number": 'type = "groq"\nmax_concurrency = "{secret}"',
    "no TOML": 'type = "groq"\napi_keys = ["{secret}',
    "webhook": 'type = "groq"\n[[alerts.channels]]\ntype = "webhook"\nurl = "https://x/{secret}"',
    "bad webhook": 'type = "groq"\n[[alerts.channels]]\ntype = "webhook"\nurl = "env:BAD_HOOK"',
    "mail": 'type = "groq"\n[[alerts.channels]]\ntype = "email"\npassword = "{secret}"',
    "digest": 'type = "groq"\n[[keys]]\nid = "abcdefgh"\nhmac = "{secret}"',
    "mail in the host": (
        'type = "groq"\n[[alerts.channels]]\ntype = "email"\nhost = "user:{secret}@mail.example"\n'
        'sender = "a@b"\nto = ["a@b"]'
    ),
}


@pytest.mark.parametrize("place", WRONG)
def test_a_refused_start_quotes_no_secret(tmp_path: Path, place: str) -> None:
    """Neither does the check of a file."""
    canary = Canary(f"start with {place}")
    wrong = '[[workers]]\nname = "w"\n' + WRONG[place].format(secret=canary.text)
    file = tmp_path / "cortexd.toml"
    file.write_text(head(tmp_path) + wrong, encoding="utf-8")
    environ = {"BAD_HOOK": f"ftp://user:{canary.text}@hooks.example/"}
    for more in ([], ["--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "cortexd", "--config", str(file), *more],
            capture_output=True,
            check=False,
            timeout=60,
            env=os.environ | UNMEASURED | environ,
        )
        assert done.returncode == 78
        assert done.stderr.count(b"\n") >= 2
        assert found({place: canary}, {"output": done.stdout + done.stderr}) == []
