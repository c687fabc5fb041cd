"""Where credentials come from, and that none comes out."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cortexd.config.problems import Problem
from cortexd.config.schema import Config
from cortexd.config.secrets import SECRET_BYTES_MAX
from cortexd.domain.secret import Secret

Load = Callable[..., Config]
Problems = Callable[..., tuple[Problem, ...]]

_CANARY = "gsk_canary"


def _secret_file(name: str, content: str | bytes, mode: int = 0o600) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


def _token(reference: str) -> str:
    return f'[admin]\ntoken = "{reference}"'


def test_from_a_variable(load_text: Load) -> None:
    """`env:NAME` is the variable's value, without the white space around it."""
    assert load_text(_token("env:T"), {"T": f" {_CANARY}\n"}).admin.token == Secret(_CANARY)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_from_a_file(load_text: Load, mode: int) -> None:
    """`file:PATH` is the file's content, a relative path beginning where the node was started."""
    path = _secret_file("secrets/token", f"{_CANARY}\n", mode)
    assert load_text(_token("file:secrets/token")).admin.token == Secret(_CANARY)
    assert load_text(_token(f"file:{path.absolute()}")).admin.token == Secret(_CANARY)


def test_from_a_credential_of_the_service_manager(load_text: Load) -> None:
    """`credential:NAME` lies in the credentials directory, whose modes are systemd's affair."""
    _secret_file("credentials/token", _CANARY, 0o440)
    environ = {"CREDENTIALS_DIRECTORY": "credentials"}
    assert load_text(_token("credential:token"), environ).admin.token == Secret(_CANARY)


def test_a_literal_is_taken_only_if_the_file_says_so(
    load_text: Load, problems_of: Problems
) -> None:
    """A credential in the file is refused unless that is allowed; references always work."""
    (problem,) = problems_of(_token(_CANARY))
    assert (problem.line, problem.key) == (2, "admin.token")
    assert "env:NAME, file:PATH or credential:NAME" in problem.text
    assert "allow_inline_secrets = true" in problem.text
    allowed = f"allow_inline_secrets = true\n{_token(_CANARY)}"
    assert load_text(allowed).admin.token == Secret(_CANARY)
    reference = f"allow_inline_secrets = true\n{_token('env:T')}"
    assert load_text(reference, {"T": "t"}).admin.token == Secret("t")


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("env:MISSING", "the environment variable MISSING is not set"),
        ("env:EMPTY", "the credential is empty"),
        ("env:", "write env:NAME"),
        ("env:TWO_WORDS", "one word of ASCII"),
        ("env:TWO_LINES", "one word of ASCII"),
        ("env:NOT_ASCII", "one word of ASCII"),
        ("file:", "write file:PATH"),
        ("file:missing", "missing cannot be read: No such file"),
        ("file:.", "is not a file"),
        ("file:empty", "the credential is empty"),
        ("file:binary", "one word of ASCII"),
        ("file:big", "too big for a credential"),
        ("file:open-to-group", "run chmod 600"),
        ("file:open-to-all", "run chmod 600"),
        ("file:a\\u0000b", "NUL"),
        ("credential:", "write credential:NAME"),
        ("credential:../open-to-all", "write credential:NAME"),
        ("credential:..", "write credential:NAME"),
        ("credential:missing", "missing cannot be read: No such file"),
    ],
)
def test_a_reference_that_leads_to_nothing(
    problems_of: Problems, reference: str, words: str
) -> None:
    """Each way a reference can fail says what to do, and shows nothing of what it found."""
    _secret_file("empty", " \n")
    _secret_file("binary", b"\xff\x00canary")
    _secret_file("big", "c" * (SECRET_BYTES_MAX + 1))
    _secret_file("open-to-group", _CANARY, 0o640)
    _secret_file("open-to-all", _CANARY, 0o604)
    environ = {
        "EMPTY": " ",
        "TWO_WORDS": "canary canary",
        "TWO_LINES": "canary\ncanary",
        "NOT_ASCII": "canärycanary",
        "CREDENTIALS_DIRECTORY": "credentials",
    }
    (problem,) = problems_of(_token(reference), environ)
    assert (problem.line, problem.key) == (2, "admin.token")
    assert words in problem.text
    assert "canary" not in problem.text


def test_credentials_without_a_service_manager(problems_of: Problems) -> None:
    """Outside of systemd the problem names what the unit would have to say."""
    (problem,) = problems_of(_token("credential:token"))
    assert "LoadCredential=token:PATH" in problem.text


@pytest.mark.parametrize(
    "text",
    [
        f'token = "{_CANARY}"',
        f'token = "env:{_CANARY}"',
        f'token = ["{_CANARY}"]',
        f'token = {{ value = "{_CANARY}" }}',
        f'bind = ["{_CANARY}"]',
        f'bind = "{_CANARY}"',
    ],
)
def test_a_credential_in_the_wrong_place_is_not_shown(problems_of: Problems, text: str) -> None:
    """Whatever a mistake looks like, the text that stands there does not come out."""
    for problem in problems_of(f"[admin]\n{text}"):
        assert _CANARY not in str(problem)


def test_keys_of_the_environment(load_text: Load) -> None:
    """A worker of type openai that names no keys uses those of its variable; others do not."""
    config = load_text(
        """
        [[workers]]
        name = "names-none"
        type = "openai"
        base_url = "http://localhost:1"
        [[workers]]
        name = "wants-none"
        type = "openai"
        base_url = "http://localhost:2"
        api_keys = []
        [[workers]]
        name = "has-its-own"
        type = "openai"
        base_url = "http://localhost:3"
        api_keys = ["env:OWN"]
        [[workers]]
        name = "of-another-type"
        type = "ollama"
        """,
        {"OPENAI_API_KEYS": "one, two,,", "OWN": "own"},
    )
    keys = {worker.name: worker.api_keys for worker in config.workers}
    assert keys == {
        "names-none": (Secret("one"), Secret("two")),
        "wants-none": (),
        "has-its-own": (Secret("own"),),
        "of-another-type": (),
    }


def test_bad_keys_of_the_environment_name_their_variable(problems_of: Problems) -> None:
    """What is wrong with the keys of a variable is told by the variable's name."""
    (problem,) = problems_of("", {"OPENAI_API_KEYS": "canary canary"})
    assert str(problem).startswith("OPENAI_API_KEYS: the credential must be one word")
    assert "canary" not in str(problem)
