"""A node whose log nobody reads."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.daemon import UNMEASURED

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

REQUESTS = 400
HANGS_S = 30.0
CONFIG = """
[node]
state_dir = "{folder}/state"
[data]
bind = ["127.0.0.1:0"]
[admin]
bind = ["127.0.0.1:0"]
[cache]
enabled = false
[[workers]]
name = "script"
type = "scripted"
models = ["m"]
script = [{{ say = "yes" }}]
"""


def test_a_log_that_nobody_reads_stops_no_request(tmp_path: Path) -> None:
    """The pipe is full long before the last request."""
    config = tmp_path / "cortexd.toml"
    config.write_text(CONFIG.format(folder=tmp_path), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "cortexd", "--config", str(config), "--log-format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | UNMEASURED,
    )
    try:
        announced = ""
        for line in process.stdout or ():
            announced += line
            if line.startswith("  curl "):
                break
        url = next(part for part in announced.split() if part.startswith("http://"))
        question = {"model": "m", "messages": [{"role": "user", "content": "?"}]}
        with httpx.Client(base_url=url, timeout=HANGS_S) as client:
            statuses = {
                client.post("/v1/chat/completions", json=question).status_code
                for _ in range(REQUESTS)
            }
        assert statuses == {httpx.codes.OK}
        process.terminate()
        assert process.wait(HANGS_S) == 0
    finally:
        process.kill()
        process.communicate()
