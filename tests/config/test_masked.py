"""The configuration as operators see it."""

import json
from pathlib import Path

from cortexd.config.load import load
from cortexd.config.masked import masked

FILE = """
allow_inline_secrets = true
[node]
name = "n1"
state_dir = "here"
[admin]
token = "admin-canary"
[routing]
aliases = { fast = ["g"] }
[[workers]]
name = "g"
type = "groq"
api_keys = ["key-canary-1", "key-canary-2"]
"""


def test_everything_is_shown_but_secrets(tmp_path: Path) -> None:
    """In JSON types; how many secrets there are is no secret."""
    path = tmp_path / "cortexd.toml"
    path.write_text(FILE, encoding="utf-8")
    config = load(path, {})

    text = json.dumps(masked(config, config.workers))
    document = json.loads(text)

    assert "canary" not in text
    assert document["admin"]["token"] == "***"
    (worker,) = document["workers"]
    assert (worker["name"], worker["type"], worker["api_keys"]) == ("g", "groq", ["***", "***"])
    assert document["node"]["state_dir"] == "here"
    assert document["routing"]["aliases"] == {"fast": ["g"]}
    assert document["pool"]["strategy"] == "local_first"
