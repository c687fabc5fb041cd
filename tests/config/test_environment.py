"""`CORTEXD__SECTION__KEY`: keys set by the environment."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cortexd.config.problems import Problem
from cortexd.config.schema import Config
from cortexd.policy.load_balancing import PoolStrategy

Load = Callable[..., Config]
Problems = Callable[..., tuple[Problem, ...]]

_FILE = """\
[node]
name = "from-file"
[[workers]]
name = "w"
type = "openai"
base_url = "http://localhost:1"
"""


def test_a_variable_overrides_the_file(load_text: Load) -> None:
    """What a variable says holds, in any section, whether the file has the key or not."""
    config = load_text(
        _FILE,
        {
            "CORTEXD__NODE__NAME": "from-variable",
            "CORTEXD__NODE__STATE_DIR": "/var/lib/x",
            "CORTEXD__HEALTH__INTERVAL_SECONDS": "10",
            "CORTEXD__DATA__BIND": '["127.0.0.1:1", "127.0.0.1:2"]',
            "CORTEXD__POOL__STRATEGY": "round_robin",
            "CORTEXD__WORKERS__0__BASE_URL": "http://localhost:2",
            "CORTEXD__ROUTING__ALIASES": '{ fast = ["w"] }',
            "CORTEXD__ROUTING__ALIASES__SLOW": '["w/x"]',
            "OTHER__NODE__NAME": "not-ours",
        },
    )
    assert (config.node.name, config.node.state_dir) == ("from-variable", Path("/var/lib/x"))
    assert config.health.interval_seconds == 10.0
    assert config.data.bind == ("127.0.0.1:1", "127.0.0.1:2")
    assert config.pool.strategy is PoolStrategy.ROUND_ROBIN
    assert config.workers[0].base_url == "http://localhost:2"
    assert config.routing.aliases == {"fast": ("w",), "slow": ("w/x",)}


def test_a_top_level_key_and_whole_lists(load_text: Load) -> None:
    """Keys above all sections have no section in their variable; lists can be given whole."""
    environ = {
        "CORTEXD__ALLOW_INLINE_SECRETS": "true",
        "CORTEXD__ADMIN__TOKEN": "literal",
        "CORTEXD__WORKERS": '[{ name = "x", type = "embedded" }]',
    }
    config = load_text(_FILE, environ)
    assert config.admin.token is not None
    assert [worker.name for worker in config.workers] == ["x"]


@pytest.mark.parametrize("value", ["plain", "two words", "a = 1", "1\nother = 2", "[", "", "#x"])
def test_what_is_no_toml_value_is_a_text(load_text: Load, value: str) -> None:
    """Plain words need no quotes, and nothing in a value can set a second key."""
    config = load_text("", {"CORTEXD__EMBEDDED__SYSTEM_PROMPT": value})
    assert config.embedded.system_prompt == value


@pytest.mark.parametrize(
    ("variable", "value", "key", "words"),
    [
        ("CORTEXD__HEALTH__INTERVAL_SECONDS", '"10"', "health.interval_seconds", "not a text"),
        ("CORTEXD__HEALTH__INTERVAL_SECONDS", "0", "health.interval_seconds", "more than 0"),
        ("CORTEXD__NODE__NAME", "7", "node.name", "must be a text (in quotes)"),
        ("CORTEXD__NODE__NAEM", "x", "node.naem", 'did you mean "name"?'),
        ("CORTEXD__HELTH__X", "1", "helth", 'did you mean "health"?'),
        ("CORTEXD__DATA__BIND", '["0.0.0.0:1"]', "data.bind[0]", "beyond loopback"),
        ("CORTEXD__WORKERS__0__BASE_URL", "x", "workers[0].base_url", "http://"),
        ("CORTEXD__WORKERS__1__NAME", "x", "workers", "1 entries, counted from 0"),
        ("CORTEXD__WORKERS__FIRST__NAME", "x", "workers", "counted from 0"),
        ("CORTEXD__NODE__NAME__X", "x", "node.name", "is a single value"),
        ("CORTEXD__POOL", "x", "pool", "must be a table"),
        ("CORTEXD__", "x", "", "write CORTEXD__SECTION__KEY"),
        ("CORTEXD__NODE____NAME", "x", "", "write CORTEXD__SECTION__KEY"),
        ("CORTEXD__ADMIN__TOKEN", "canary", "admin.token", "does not belong"),
    ],
)
def test_a_problem_names_the_variable(
    problems_of: Problems, variable: str, value: str, key: str, words: str
) -> None:
    """What is wrong with a variable's value is told by its name, not by a line of the file."""
    (problem,) = problems_of(_FILE, {variable: value})
    assert (problem.source, problem.line, problem.key) == (variable, None, key)
    assert words in problem.text
    assert "canary" not in str(problem)


def test_a_key_of_the_file_keeps_its_line_beside_a_variable(problems_of: Problems) -> None:
    """A variable for one key of a section does not take the blame for the others."""
    (problem,) = problems_of("[node]\nname = 7", {"CORTEXD__NODE__DRAIN_SECONDS": "1"})
    assert str(problem).startswith("cortexd.toml:2 node.name: ")


def test_a_refused_variable_takes_no_blame(problems_of: Problems) -> None:
    """A variable that could not be applied has set nothing, so the file's problems stay its own."""
    text = '[[workers]]\nname = "w"'
    found = problems_of(text, {"CORTEXD__WORKERS__7__NAME": "x"})
    assert [(problem.source, problem.line) for problem in found] == [
        ("cortexd.toml", 1),
        ("CORTEXD__WORKERS__7__NAME", None),
    ]
