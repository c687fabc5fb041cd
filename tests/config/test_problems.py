"""What is said about a configuration that is wrong, one thing at a time."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cortexd.config.load import load
from cortexd.config.problems import ConfigInvalid, Problem, key_name

Problems = Callable[..., tuple[Problem, ...]]

_WORKER = '[[workers]]\nname = "w"\n'
_OPENAI = f'{_WORKER}type = "openai"\n'
_OLLAMA = f'{_WORKER}type = "ollama"\n'
_SCRIPTED = f'{_WORKER}type = "scripted"\n'
_FAIL = "workers[0].script[1].fail"


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        # unknown keys name the one that may have been meant
        ("[helth]", 1, "helth", 'did you mean "health"?'),
        ("[data]\nmax_body_bites = 1", 2, "data.max_body_bites", 'mean "max_body_bytes"?'),
        (f'{_OLLAMA}base_ulr = "x"', 4, "workers[0].base_ulr", 'mean "base_url"?'),
        ("[pool]\nzzz = 1", 2, "pool.zzz", "known here: strategy"),
        ("[brakes]\nenabled = true", 1, "brakes", "unknown key"),
        ('[[workers]]\nname = "w"\ntype = "ollama"\nbulk = 1', 4, "workers[0].bulk", "unknown"),
        # nothing is guessed
        ('[data]\nmax_connections = "80"', 2, "data.max_connections", "not a text"),
        ("[data]\nmax_connections = true", 2, "data.max_connections", "not true or false"),
        ("[data]\nmax_connections = 1.0", 2, "data.max_connections", "not a number"),
        ("[data]\nreuse_port = 1", 2, "data.reuse_port", "must be true or false"),
        ('[data]\nreuse_port = "true"', 2, "data.reuse_port", "(without quotes)"),
        ("[node]\nname = 7", 2, "node.name", "must be a text (in quotes)"),
        ("[node]\nname = 1979-05-27", 2, "node.name", "not a date or time"),
        ("[node]\ndrain_seconds = true", 2, "node.drain_seconds", "must be a number"),
        ("[node]\ndrain_seconds = inf", 2, "node.drain_seconds", "must be a finite number"),
        ("[node]\ndrain_seconds = nan", 2, "node.drain_seconds", "must be a finite number"),
        (f"[node]\ndrain_seconds = {10**400}", 2, "node.drain_seconds", "must be a finite number"),
        ("[node]\nstate_dir = 7", 2, "node.state_dir", "must be a text"),
        ('[node]\nstate_dir = ""', 2, "node.state_dir", "must be a path"),
        ('[data]\nbind = "127.0.0.1:1"', 2, "data.bind", 'in brackets: ["..."]'),
        ('[data]\nbind = [\n"127.0.0.1:1",\n2]', 4, "data.bind[1]", "must be a text"),
        ('[routing]\naliases = ["x"]', 2, "routing.aliases", "must be a table"),
        ('[routing.aliases]\nfast = ["w", 1]', 2, "routing.aliases.fast[1]", "must be a text"),
        ("node = 1", 1, "node", "must be a table: [node]"),
        ("[[node]]", 1, "node", "one pair of brackets"),
        ("[workers]\nname = 1", 1, "workers", "two pairs of brackets"),
        ("workers = [1]", 1, "workers[0]", "must be a table"),
        ("allow_inline_secrets = 1", 1, "allow_inline_secrets", "must be true or false"),
        # ranges, in words
        ("[data]\nmax_connections = 0", 2, "data.max_connections", "must be at least 1"),
        ("[data]\nheader_seconds = 0", 2, "data.header_seconds", "must be more than 0"),
        ("[data]\nbind = []", 2, "data.bind", "must be non-empty"),
        ("[embedded]\nthreads = 0", 2, "embedded.threads", "must be at least 1"),
        ('[pool]\nstrategy = "fastest"', 2, "pool.strategy", '"local_first", "round_robin"'),
        ("[pool]\nstrategy = 1", 2, "pool.strategy", "must be one of"),
        # workers
        ('[[workers]]\ntype = "ollama"', 1, "workers[0].name", "is missing"),
        ('[[workers]]\nname = "w"', 1, "workers[0].type", "is missing"),
        (f'{_WORKER}type = "groqq"', 3, "workers[0].type", '"ollama", "openai"'),
        (f"{_OLLAMA}{_OLLAMA}", 5, "workers[1].name", "taken by workers[0]"),
        ('[[workers]]\nname = "a/b"\ntype = "ollama"', 2, "workers[0].name", "letters, digits"),
        ('[[workers]]\nname = ""\ntype = "ollama"', 2, "workers[0].name", "letters, digits"),
        (f'{_OLLAMA}models = ["a", ""]', 4, "workers[0].models", "empty name"),
        (f"{_OLLAMA}max_concurrency = 0", 4, "workers[0].max_concurrency", "at least 1"),
        (f"{_OLLAMA}weight = 0", 4, "workers[0].weight", "more than 0"),
        (f"{_OLLAMA}context_tokens = 0", 4, "workers[0].context_tokens", "at least 1"),
        (f'{_OLLAMA}resume = "on"', 4, "workers[0].resume", '"auto", "continue", "off"'),
        (f'{_WORKER}type = "groq"\nresume = "continue"', 4, "workers[0].resume", "groq"),
        (f'{_WORKER}type = "gemini"\nresume = "continue"', 4, "workers[0].resume", "anew"),
        (f'{_WORKER}type = "cohere"\nresume = "continue"', 4, "workers[0].resume", "anew"),
        (f'{_WORKER}type = "openai"\nresume = "continue"', 4, "workers[0].resume", "OpenAI itself"),
        (
            f'{_WORKER}type = "embedded"\ncontext_tokens = 2048',
            4,
            "workers[0].context_tokens",
            "embedded.context_tokens",
        ),
        (
            f'{_WORKER}type = "embedded"\nmax_concurrency = 2',
            4,
            "workers[0].max_concurrency",
            "must be 1",
        ),
        (f"{_OPENAI}base_url = 1", 4, "workers[0].base_url", "must be a text"),
        (
            f'{_WORKER}type = "embedded"\nbase_url = "http://x"',
            4,
            "workers[0].base_url",
            "talks to no server",
        ),
        (
            f'{_WORKER}type = "embedded"\napi_keys = []',
            4,
            "workers[0].api_keys",
            "talks to no server",
        ),
        (f'{_WORKER}type = "embedded"\nmodels = ["m"]', 4, "workers[0].models", "embedded.model"),
        (f'{_SCRIPTED}script = [\n{{ say = "x" }},\n{{ fail = "x" }}]', 6, _FAIL, "must be one of"),
        (f'{_SCRIPTED}script = [\n{{ say = "x" }},\n{{}}]', 6, "workers[0].script[1]", "one verb"),
        (f'{_SCRIPTED}script = ["x"]', 4, "workers[0].script[0]", "must be a table"),
        (
            f'{_SCRIPTED}[[workers.script]]\nsay = "x"\n[[workers.script]]\nwait = "long"',
            7,
            "workers[0].script[1].wait",
            "must be a number of seconds",
        ),
        (f"{_OLLAMA}script = []", 4, "workers[0].script", 'only for type "scripted"'),
        # listeners
        ('[data]\nbind = ["nope"]', 2, "data.bind[0]", "must be HOST:PORT or [IPV6]:PORT"),
        ('[data]\nbind = [":4000"]', 2, "data.bind[0]", "must be HOST:PORT"),
        ('[data]\nbind = ["::1:4000"]', 2, "data.bind[0]", "[IPV6]:PORT"),
        ('[data]\nbind = ["[x]:4000"]', 2, "data.bind[0]", "no IPv6 address"),
        ('[data]\nbind = ["127.0.0.1:65536"]', 2, "data.bind[0]", "up to 65535"),
        ('[data]\nbind = ["unix:x"]', 2, "data.bind[0]", "must be HOST:PORT"),
        ('[admin]\nbind = ["unix:"]', 2, "admin.bind[0]", "or unix:PATH"),
        (f'[admin]\nbind = ["unix:/{"a" * 107}"]', 2, "admin.bind[0]", "at most 107 bytes"),
        ('[data]\nbind = ["0.0.0.0:4000"]', 2, "data.bind[0]", "add [[keys]]"),
        ('[data]\nbind = ["[::]:4000"]', 2, "data.bind[0]", "bind to 127.0.0.1"),
        ('[data]\nbind = ["192.168.1.2:4000"]', 2, "data.bind[0]", "beyond loopback"),
        ('[data]\nbind = ["node.example.org:4000"]', 2, "data.bind[0]", "beyond loopback"),
        ('[admin]\nbind = ["0.0.0.0:4001"]', 2, "admin.bind[0]", "beyond loopback"),
        ('[data]\nbind = ["127.0.0.1:1", "127.0.0.1:1"]', 2, "data.bind[1]", "by data.bind[0]"),
        ('[data]\nbind = ["127.0.0.1:4001"]', None, "admin.bind[0]", "by data.bind[0]"),
        ('[admin]\nbind = ["localhost:4000"]', 2, "admin.bind[0]", "by data.bind[0]"),
        ('[admin]\nbind = ["unix:a", "unix:./a"]', 2, "admin.bind[1]", "by admin.bind[0]"),
        # what does not fit together
        ("[health]\ntimeout_seconds = 31", 2, "health.timeout_seconds", "are 31 and 30"),
        ("[health]\ninterval_seconds = 4", 2, "health.interval_seconds", "are 5 and 4"),
        ('[embedded]\nweights = "x.gguf"', 2, "embedded.weights", "there is no file"),
        # aliases
        ("[routing.aliases]\nfast = []", 2, "routing.aliases.fast", "at least one target"),
        ('[routing.aliases]\nfast = [""]', 2, "routing.aliases.fast[0]", "must be WORKER/MODEL"),
        ('[routing.aliases]\nfast = ["embedded/"]', 2, "routing.aliases.fast[0]", "WORKER/MODEL"),
        ('[routing.aliases]\nfast = ["/m"]', 2, "routing.aliases.fast[0]", "WORKER/MODEL"),
        ('[routing.aliases]\nauto = ["embedded"]', 2, "routing.aliases.auto", "any model"),
        (f'{_SCRIPTED}[routing.aliases]\nf = ["w/x"]', 5, "routing.aliases.f[0]", "names no"),
        ('[routing.aliases]\nf = ["embedded/x"]', 2, "routing.aliases.f[0]", "names no worker"),
        (
            f'{_OLLAMA}models = ["qwen3"]\n[routing.aliases]\nf = ["qwen"]',
            6,
            "routing.aliases.f[0]",
            'did you mean "qwen3"?',
        ),
    ],
)
def test_one_problem(
    problems_of: Problems, text: str, line: int | None, key: str, words: str
) -> None:
    """Each mistake is one problem, on its line, with the key's path and what would be right."""
    (problem,) = problems_of(text)
    assert (line, key) == (problem.line, problem.key)
    assert words in problem.text


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8000",
        "ftp://host/v1",
        "http://",
        "http://:8000",
        "http://host:port",
        "http://host:65536",
        "http://host:0",
        "http://user@host/v1",
        "http://user:canary@host/v1",
        "http://host/v1?canary=1",
        "http://host/v1?",
        "http://host/v1#canary",
        "http://ho st/v1",
        "http://höst/v1",
        "http://host/v1\\n",
        "http://[::1/v1",
        "http://127.1/v1",
        "http://2130706433/",
        "http://0x7f.1/",
    ],
)
def test_base_url_that_is_no_plain_address(problems_of: Problems, url: str) -> None:
    """Whatever is not plainly an HTTP server's address is refused, without being quoted."""
    (problem,) = problems_of(f'{_OPENAI}base_url = "{url}"')
    assert (problem.line, problem.key) == (4, "workers[0].base_url")
    assert "canary" not in str(problem)


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"[node]\nname = ", 2, "not valid TOML: Invalid value at the end of the file"),
        (b"a = 1\na = 2", 2, "not valid TOML: Cannot overwrite a value"),
        (b"a = x\nb = 1", 1, "not valid TOML: Invalid value (column 5)"),
        (b"a = 1\nb = 'x\n\n", 2, "at the end of the file"),
        (b"\n\nname = '\xff'", 3, "must be UTF-8"),
        (b"a = " + b"[" * 100_000, None, "nested too deeply"),
        (b"a = " + b"1" * 5_000, None, "a number too long"),
        (b"#" * (1024 * 1024 + 1), None, "larger than 1048576 bytes"),
    ],
)
def test_what_is_no_toml(tmp_path: Path, content: bytes, line: int | None, words: str) -> None:
    """A file that cannot be understood is one problem, with its line where there is one."""
    path = tmp_path / "cortexd.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigInvalid) as caught:
        load(path, {})
    (problem,) = caught.value.problems
    assert (problem.line, problem.key, problem.source) == (line, "", str(path))
    assert words in problem.text


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, or a folder in its place, is a problem that names the path."""
    for path, words in ((tmp_path / "no.toml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigInvalid) as caught:
            load(path, {})
        assert f"{path}: the file cannot be read: {words}" in str(caught.value)


def test_all_problems_come_at_once_in_order_of_lines(problems_of: Problems) -> None:
    """One look at the list is enough to correct the whole file."""
    found = problems_of(
        """\
[data]
bind = ["0.0.0.0:4000"]
max_connections = "80"
[[workers]]
name = "a"
type = "openai"
[[workers]]
name = "a"
type = "ollama"
api_keys = ["literal"]
[pool]
strategy = "x"
[health]
timeout_seconds = 99
[brakes]
""",
        {"CORTEXD__DATA__MAX_BODY_BYTES": "1"},
    )
    assert [(problem.line, problem.key) for problem in found] == [
        (2, "data.bind[0]"),
        (3, "data.max_connections"),
        (8, "workers[1].name"),
        (10, "workers[1].api_keys[0]"),
        (12, "pool.strategy"),
        (14, "health.timeout_seconds"),
        (15, "brakes"),
        (None, "data.max_body_bytes"),
    ]


@pytest.mark.parametrize(
    ("problem", "printed"),
    [
        (Problem(7, "a.b", "is wrong", source="x.toml"), "x.toml:7 a.b: is wrong"),
        (Problem(None, "a.b", "is wrong"), "cortexd.toml a.b: is wrong"),
        (Problem(7, "", "is wrong"), "cortexd.toml:7: is wrong"),
        (Problem(None, "", "is wrong", source="VARIABLE"), "VARIABLE: is wrong"),
    ],
)
def test_a_problem_prints_as_one_line(problem: Problem, printed: str) -> None:
    """File and line first, as editors and terminals expect, then the key, then the text."""
    assert printed == str(problem)


def test_names_of_keys() -> None:
    """Paths read as in TOML: items by index, and odd keys in quotes, safe for a terminal."""
    assert key_name(("workers", 2, "base_url")) == "workers[2].base_url"
    assert key_name(("a b", "\x1b[31m")) == r'"a b"."\u001b[31m"'
