"""From a file to a `Config`, when nothing is wrong."""

import socket
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from cortexd.config.load import load
from cortexd.config.schema import Config
from cortexd.domain.secret import Secret
from cortexd.domain.worker import Resume, WorkerType
from cortexd.policy.load_balancing import PoolStrategy

Load = Callable[..., Config]


def test_an_empty_file_is_a_whole_configuration(load_text: Load) -> None:
    """Without any key there are loopback listeners, Ollama, and the embedded model behind it."""
    config = load_text("")
    assert config.data.bind == ("127.0.0.1:4000",)
    assert config.admin.bind == ("127.0.0.1:4001",)
    assert config.node.name == socket.gethostname()
    assert config.node.state_dir == Path("state")
    first, second = config.workers
    assert (first.name, first.type, first.base_url) == (
        "ollama-local",
        WorkerType.OLLAMA,
        "http://localhost:11434",
    )
    assert (second.name, second.type, second.max_concurrency, second.queue_max) == (
        "embedded",
        WorkerType.EMBEDDED,
        1,
        16,
    )
    assert first.priority < second.priority
    # Loading a model takes its time.
    assert (first.first_token_seconds, second.first_token_seconds) == (180.0, 180.0)
    assert (first.resume, first.weight, first.context_tokens) == (Resume.AUTO, 1.0, None)


def test_a_list_of_no_workers_is_taken_at_its_word(load_text: Load) -> None:
    """`workers = []` means none, and not those that run when nothing is said."""
    assert load_text("workers = []").workers == ()


def test_every_section_reaches_its_settings(load_text: Load) -> None:
    """What the file says is what the parts of the node are given."""
    config = load_text("""
        [node]
        name = "n1"
        state_dir = "var"
        drain_seconds = 7
        [data]
        bind = ["127.0.0.1:1", "[::1]:1"]
        reuse_port = true
        [admin]
        bind = ["unix:run/admin.sock"]
        [[workers]]
        name = "gpu"
        type = "openai"
        base_url = "http://gpu.example.org:8000/v1"
        models = ["a", "b"]
        priority = 3
        weight = 2
        context_tokens = 8192
        resume = "continue"
        total_seconds = 9.5
        [pool]
        strategy = "round_robin"
        [routing.aliases]
        fast = ["gpu/a", "gpu"]
        [health]
        interval_seconds = 10
        [embedded]
        threads = 2
    """)
    assert (config.node.name, config.node.state_dir) == ("n1", Path("var"))
    assert (config.node.drain_seconds, type(config.node.drain_seconds)) == (7.0, float)
    assert (config.data.bind, config.data.reuse_port) == (("127.0.0.1:1", "[::1]:1"), True)
    assert config.admin.bind == ("unix:run/admin.sock",)
    (worker,) = config.workers
    assert (worker.models, worker.priority, worker.total_seconds) == (("a", "b"), 3, 9.5)
    assert (worker.weight, worker.context_tokens, worker.resume) == (2.0, 8192, Resume.CONTINUE)
    assert config.pool.strategy is PoolStrategy.ROUND_ROBIN
    assert config.routing.aliases == {"fast": ("gpu/a", "gpu")}
    assert (config.health.interval_seconds, config.embedded.threads) == (10.0, 2)


@pytest.mark.parametrize(
    ("worker", "priority"),
    [
        ('type = "ollama"', 10),
        ('type = "ollama"\nbase_url = "http://far.example.org:11434"', 10),
        ('type = "openai"\nbase_url = "http://localhost:8000/v1"', 10),
        ('type = "openai"\nbase_url = "http://[::1]:8000/v1"', 10),
        ('type = "openai"\nbase_url = "http://127.0.0.1:8000/v1"', 10),
        ('type = "openai"\nbase_url = "https://api.example.org/v1"', 100),
        ('type = "embedded"', 1000),
        ('type = "embedded"\npriority = 5', 5),
    ],
)
def test_priority_by_type_and_place(load_text: Load, worker: str, priority: int) -> None:
    """Local servers go first, remote ones later, the embedded model last; the file may differ."""
    (found,) = load_text(f'[[workers]]\nname = "w"\n{worker}').workers
    assert found.priority == priority


@pytest.mark.parametrize(
    ("environ", "state_dir"),
    [
        ({}, "state"),
        ({"STATE_DIRECTORY": "/var/lib/cortexd"}, "/var/lib/cortexd"),
        ({"STATE_DIRECTORY": "/var/lib/cortexd:/var/lib/other"}, "/var/lib/cortexd"),
        ({"STATE_DIRECTORY": ""}, "state"),
    ],
)
def test_state_directory_of_the_service_manager(
    load_text: Load, environ: dict[str, str], state_dir: str
) -> None:
    """The service manager's directory is the default, the first of several; the file overrules."""
    assert load_text("", environ).node.state_dir == Path(state_dir)
    named = load_text('[node]\nstate_dir = "mine"', environ)
    assert named.node.state_dir == Path("mine")


def test_a_byte_order_mark_is_no_problem(load_text: Load) -> None:
    """Some editors put a mark before the first key; it does not belong to the key."""
    assert load_text("\ufeff[node]\nname = 'n'").node.name == "n"


def test_the_file_may_be_a_pipe(tmp_path: Path) -> None:
    """What can only be read once, as from a process substitution, can be a configuration."""
    assert load(Path("/dev/null"), {}).workers


def test_loading_twice_gives_equal_configurations(load_text: Load) -> None:
    """A reload that changes nothing can be told from one that does."""
    text = '[[workers]]\nname = "w"\ntype = "ollama"\napi_keys = ["env:K"]'
    one, other = load_text(text, {"K": "k"}), load_text(text, {"K": "k"})
    assert one == other
    assert one != load_text(text, {"K": "other"})


def test_no_secret_shows_in_a_configuration(load_text: Load) -> None:
    """Printing the whole configuration shows that there are credentials, but none of them."""
    text = 'admin.token = "env:T"\n[[workers]]\nname = "w"\ntype = "ollama"\napi_keys = ["env:K"]'
    config = load_text(text, {"T": "canary-token", "K": "canary-key"})
    assert config.admin.token == Secret("canary-token")
    assert config.workers[0].api_keys == (Secret("canary-key"),)
    assert "canary" not in f"{config} {config!r} {attrs.asdict(config)}"


def test_scripted_workers_have_room_for_any_test(load_text: Load) -> None:
    """A script costs nothing, so a scripted worker takes thousands of requests at once."""
    text = '[[workers]]\nname = "w"\ntype = "scripted"\nscript = [{ say = "x", every = 0.1 }]'
    (worker,) = load_text(text).workers
    assert (worker.max_concurrency, worker.queue_max) == (10_000, 10_000)
    assert worker.script == ({"say": "x", "every": 0.1},)


@pytest.mark.parametrize(
    ("models", "target"),
    [
        ("", "w"),
        ("", "w/any"),
        ("", "any"),
        ("", "org/any"),
        ('models = ["a", "org/b", "c:latest"]', "a"),
        ('models = ["a", "org/b", "c:latest"]', "org/b"),
        ('models = ["a", "org/b", "c:latest"]', "w/org/b"),
        ('models = ["a", "org/b", "c:latest"]', "c"),
        ('models = ["a", "org/b", "c:latest"]', "w/c"),
    ],
)
def test_targets_that_may_lead_somewhere(load_text: Load, models: str, target: str) -> None:
    """An alias may name what a worker lists, with tag or without, or what it may yet list."""
    text = (
        f'[[workers]]\nname = "w"\ntype = "ollama"\n{models}\n[routing.aliases]\nf = ["{target}"]'
    )
    assert load_text(text).routing.aliases == {"f": (target,)}


@pytest.mark.parametrize(
    ("data", "admin"),
    [
        ('["127.0.0.1:0", "127.0.0.1:0"]', '["127.0.0.1:0"]'),
        ('["127.0.0.1:1", "127.0.0.2:1", "[::1]:1"]', '["unix:a", "unix:b"]'),
        ('["localhost:1"]', '["localhost:2"]'),
    ],
)
def test_listeners_that_do_not_meet(load_text: Load, data: str, admin: str) -> None:
    """Different addresses live beside each other, and port 0 is a new port each time."""
    assert load_text(f"data.bind = {data}\nadmin.bind = {admin}").data.bind
