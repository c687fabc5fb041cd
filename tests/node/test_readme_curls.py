"""The shell commands of the README that ask a running node."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:4000"
WORKERS = """
[[workers]]
name = "scripted"
type = "scripted"
script = [{say = "Good day!"}]
"""

pytestmark = [pytest.mark.real_time, pytest.mark.slow]


def _curls() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("curl ")]


def test_there_is_a_curl_for_each_dialect() -> None:
    """One each, at its own path."""
    paths = [re.findall(rf"{ADDRESS}(\S+)", curl) for curl in _curls()]

    assert paths == [["/v1/chat/completions"], ["/v1/messages"], ["/api/chat"]]


@pytest.mark.parametrize("curl", _curls(), ids=["openai", "anthropic", "ollama"])
def test_a_curl_of_the_readme_brings_an_answer(start_daemon: Any, curl: str) -> None:
    """Pasted into a shell as it stands, but for the port."""
    daemon = start_daemon(WORKERS)

    answer = subprocess.run(  # noqa: S602  it is a line for a shell
        curl.replace(ADDRESS, daemon.url).replace("curl ", "curl -sS --fail-with-body ", 1),
        shell=True,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    ).stdout

    assert "Good day!" in json.dumps(json.loads(answer))
