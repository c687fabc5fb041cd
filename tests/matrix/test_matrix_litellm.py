"""LiteLLM as a client of each door."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.scene import Counts, Scene, Trouble
from tests.matrix.conftest import Gateway

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

PYTHON = Path(sys.prefix) / "litellm" / "bin" / "python"
SCRIPT = Path(__file__).with_name("litellm_client.py")
TIME_S_MAX = 300
HEARD = {
    "whole": "Hello world",
    "usage": [13, 9],
    "streamed": "Hello brave new world",
    "calls": [["weather", {"city": "Paris"}]],
    "error": "RateLimitError",
}


def test_litellm_as_a_client(gateway: Gateway) -> None:
    """Whole, streamed, with a call, and refused, at all three doors."""
    assert PYTHON.exists(), "install it first: make .venv/litellm.done (make test does)"
    each = (
        Scene.text("Hello world", counts=Counts(input=13, output=9)),
        Scene.text("Hello brave new world"),
        Scene.tool_call("weather", {"city": "Paris"}),
        Scene.refuse(Trouble.RATE_LIMIT, retry_after_s=1),
    )
    gateway.fakes["openai"].play(*each * 3)
    run = subprocess.run(
        # A worker each: one that has reached its limit is not asked again for a while.
        [PYTHON, SCRIPT, gateway.url, *(f"{next(gateway.spares['openai'])}/m1" for _ in range(3))],
        env=os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        capture_output=True,
        text=True,
        timeout=TIME_S_MAX,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    report = json.loads(run.stdout.splitlines()[-1])
    assert report == dict.fromkeys(("openai", "anthropic", "ollama"), HEARD)
