"""Which workers a model name leads to."""

import pytest

from cortexd.domain.ids import WorkerName
from cortexd.policy.routing import Serves, resolve

LOCAL = Serves(WorkerName("local"), ("gemma3:latest", "qwen3:4b"))
CLOUD = Serves(WorkerName("cloud"), ("meta/llama-3.3", "qwen3:4b"))
EMPTY = Serves(WorkerName("new"), ())
ALIASES = {"fast": ("cloud/meta/llama-3.3", "local"), "smart": ("qwen3:4b",), "gone": ("nobody",)}


@pytest.mark.parametrize(
    ("model", "tiers"),
    [
        (None, [["local gemma3:latest", "cloud meta/llama-3.3"]]),
        ("auto", [["local gemma3:latest", "cloud meta/llama-3.3"]]),
        ("qwen3:4b", [["local qwen3:4b", "cloud qwen3:4b"]]),
        ("gemma3", [["local gemma3:latest"]]),
        ("cloud/qwen3:4b", [["cloud qwen3:4b"]]),
        ("local/gemma3", [["local gemma3:latest"]]),
        ("meta/llama-3.3", [["cloud meta/llama-3.3"]]),
        ("fast", [["cloud meta/llama-3.3"], ["local gemma3:latest"]]),
        ("smart", [["local qwen3:4b", "cloud qwen3:4b"]]),
        ("gone", []),
        ("unknown", []),
        ("new/anything", []),
        ("local/", []),
        ("", []),
    ],
)
def test_a_model_name_resolves_to_tiers_of_candidates(
    model: str | None, tiers: list[list[str]]
) -> None:
    """A listed model, a pinned one, an alias with its order, any model, and nothing."""
    resolved = resolve(model, [LOCAL, CLOUD, EMPTY], aliases=ALIASES)

    assert [[f"{one.worker} {one.model}" for one in tier] for tier in resolved] == tiers
