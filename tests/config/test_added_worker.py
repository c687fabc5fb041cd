"""One worker that is added to a running node: the rules of the file, and one more about keys."""

from pathlib import Path
from typing import Any

import pytest

from cortexd.config.added_worker import read_added_worker
from cortexd.config.problems import ConfigInvalid
from cortexd.domain.secret import Secret
from cortexd.domain.worker import WorkerType

ENVIRON = {"GROQ_API_KEYS": "gsk-one,gsk-two", "OTHER": "sk-other"}


def _problems(table: dict[str, Any], environ: dict[str, str] | None = None) -> dict[str, str]:
    with pytest.raises(ConfigInvalid) as caught:
        read_added_worker(table, environ or ENVIRON)
    return {problem.key: problem.text for problem in caught.value.problems}


def test_a_worker_has_the_defaults_of_its_type() -> None:
    """As if its table stood in the file."""
    worker = read_added_worker({"name": "o", "type": "ollama"}, {})
    assert (worker.type, worker.priority) == (WorkerType.OLLAMA, 10)
    assert worker.base_url == "http://localhost:11434"


def test_all_problems_come_at_once_by_their_keys() -> None:
    """The same texts as for the file."""
    found = _problems({"name": "a b", "type": "ollama", "weight": 0, "modles": []})
    assert found["weight"] == "must be more than 0"
    assert "did you mean" in found["modles"]
    assert "letters" in found["name"]


def test_an_embedded_model_is_refused_with_the_reason() -> None:
    """Its engine cannot join a tree that stands."""
    assert "restart" in _problems({"name": "e", "type": "embedded"})["type"]


def test_at_the_providers_own_address_the_nodes_keys_may_be_used() -> None:
    """Those of the environment, or one that a reference names."""
    worker = read_added_worker({"name": "g", "type": "groq"}, ENVIRON)
    assert worker.api_keys == (Secret("gsk-one"), Secret("gsk-two"))
    named = read_added_worker({"name": "g", "type": "groq", "api_keys": ["env:OTHER"]}, ENVIRON)
    assert named.api_keys == (Secret("sk-other"),)


@pytest.mark.parametrize("reference", ["env:OTHER", "file:{path}", "credential:key"])
def test_elsewhere_no_reference_leads_to_a_credential_of_the_node(
    reference: str, tmp_path: Path
) -> None:
    """Or whoever may add a worker could have each of them sent to a server of his own."""
    path = tmp_path / "key"
    path.write_text("sk-file", encoding="ascii")
    path.chmod(0o600)
    table = {
        "name": "g",
        "type": "groq",
        "base_url": "http://127.0.0.1:9/v1",
        "api_keys": [reference.format(path=path)],
    }
    found = _problems(table, ENVIRON | {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert "own address" in found["api_keys[0]"]


def test_elsewhere_the_keys_are_those_that_came_with_it() -> None:
    """A literal one, or none: never those of the environment."""
    table = {"name": "g", "type": "groq", "base_url": "http://127.0.0.1:9/v1"}
    assert read_added_worker(table, ENVIRON).api_keys == ()
    given = read_added_worker({**table, "api_keys": ["gsk-given"]}, ENVIRON)
    assert given.api_keys == (Secret("gsk-given"),)


@pytest.mark.parametrize(
    "url", ["http://user:secret@host/v1", "file:///etc/passwd", "http://2130706433/", "ftp://host"]
)
def test_an_address_that_is_none_is_refused_and_not_quoted(url: str) -> None:
    """There may be a password in it."""
    found = _problems({"name": "o", "type": "openai", "base_url": url})
    assert "base_url" in found
    assert "secret" not in found["base_url"]
