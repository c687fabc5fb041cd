"""The `[[keys]]` and `[limits]` of the file."""

from collections.abc import Callable
from typing import Any

import pytest

from cortexd.config.masked import masked
from cortexd.config.overview import overview
from cortexd.config.problems import Problem
from cortexd.config.schema import Config
from cortexd.domain.client_key import KeyScope, KeySource
from cortexd.domain.criticality import Criticality

Load = Callable[..., Config]
Problems = Callable[..., tuple[Problem, ...]]

DIGEST = "0a" * 32
HEAD = f'[[keys]]\nid = "abcd1234"\nhmac = "{DIGEST}"\n'


def test_a_key_with_everything(load_text: Load) -> None:
    """What the file says is what the node keeps of it."""
    config = load_text(
        HEAD
        + 'class = "premium"\nscope = "metrics"\nname = "web"\nrequests_per_minute = 6\n'
        + "tokens_per_minute = 7\nexpires = 2030-01-31T01:00:00+01:00\n"
        + "[limits]\nnormal_requests_per_minute = 5"
    )
    [key] = [settings.key for settings in config.keys]
    assert (key.id, key.digest.reveal(), key.name) == ("abcd1234", DIGEST, "web")
    assert (key.criticality, key.scope) == (Criticality.PREMIUM, KeyScope.METRICS)
    assert (key.requests_per_minute, key.tokens_per_minute) == (6, 7)
    assert (key.expires_at, key.source) == (1_896_048_000.0, KeySource.CONFIG)
    assert config.limits.normal_requests_per_minute == 5


def test_little_is_needed(load_text: Load) -> None:
    """Its id and its digest; without a pepper the node has one of its own."""
    config = load_text(HEAD)
    [key] = [settings.key for settings in config.keys]
    assert (key.criticality, key.scope) == (Criticality.NORMAL, KeyScope.CHAT)
    assert (key.expires_at, key.requests_per_minute) == (None, None)
    assert config.data.key_pepper is None
    assert load_text("").keys == ()


def test_a_digest_is_never_shown(load_text: Load) -> None:
    """Neither to who checks the file nor to operators; nor is the pepper."""
    text = f'[data]\nkey_pepper = "env:P"\n{HEAD}class = "premium"'
    config = load_text(text, {"P": "canary-pepper"})
    shown: Any = masked(config, ())
    assert shown["keys"][0]["class"] == "premium"
    assert shown["keys"][0]["hmac"] == "***"
    for text in (repr(config), str(shown), overview(config)):
        assert DIGEST not in text
        assert "canary-pepper" not in text
    assert "keys 1 x ***" in overview(config)


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ("[keys]\nid = 1", 1, "keys", "two pairs of brackets"),
        (f'[[keys]]\nhmac = "{DIGEST}"', 1, "keys[0].id", "is missing"),
        ('[[keys]]\nid = "abcd1234"', 1, "keys[0].hmac", "is missing"),
        (f'[[keys]]\nid = "ABCD1234"\nhmac = "{DIGEST}"', 2, "keys[0].id", "eight letters"),
        ('[[keys]]\nid = "abcd1234"\nhmac = "0a"', 3, "keys[0].hmac", "64 hexadecimal digits"),
        (HEAD + "class_ = 1", 4, "keys[0].class_", 'did you mean "class"?'),
        (HEAD + 'class = "gold"', 4, "keys[0].class", '"premium", "normal"'),
        (HEAD + 'expires = "2030-01-31"', 4, "keys[0].expires", "(without quotes)"),
        (HEAD + "expires = 2030-01-31", 4, "keys[0].expires", "with its offset"),
        (HEAD + "expires = 2030-01-31T00:00:00", 4, "keys[0].expires", "with its offset"),
        (HEAD + "requests_per_minute = 0", 4, "keys[0].requests_per_minute", "at least 1"),
        (HEAD + HEAD, 5, "keys[1].id", "taken by keys[0]"),
        ("[limits]\npremium = 1", 2, "limits.premium", "unknown key"),
        (
            "[limits]\nnormal_tokens_per_minute = 0",
            2,
            "limits.normal_tokens_per_minute",
            "at least 1",
        ),
        (
            f'[data]\nbind = ["0.0.0.0:1"]\n{HEAD}scope = "metrics"',
            2,
            "data.bind[0]",
            "add [[keys]]",
        ),
    ],
)
def test_what_is_wrong(problems_of: Problems, text: str, line: int, key: str, words: str) -> None:
    """One problem each, on its line."""
    (problem,) = problems_of(text)
    assert (problem.line, problem.key) == (line, key)
    assert words in problem.text
    assert DIGEST not in problem.text


@pytest.mark.parametrize("bind", ["0.0.0.0:4000", "[::]:4000", "gpu.example.org:4000"])
def test_with_a_key_clients_may_come_from_elsewhere(load_text: Load, bind: str) -> None:
    """They have to show one there."""
    assert load_text(f'[data]\nbind = ["{bind}"]\n{HEAD}').data.bind == (bind,)


def test_operators_never_come_from_elsewhere(problems_of: Problems) -> None:
    """Keys are for clients."""
    (problem,) = problems_of(f'[admin]\nbind = ["0.0.0.0:4001"]\n{HEAD}')
    assert problem.key == "admin.bind[0]"
