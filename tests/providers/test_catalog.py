"""The table of adapters, and what it assumes where settings say nothing."""

from collections.abc import Callable

import pytest

from cortexd.domain.secret import Secret
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.base_url import check_base_url
from cortexd.providers.catalog import (
    ADAPTERS,
    DEFAULT_BASE_URL,
    default_priority,
    make_adapter,
)


@pytest.mark.parametrize("kind", WorkerType)
def test_each_type_has_an_adapter(
    kind: WorkerType, settings_of: Callable[..., WorkerSettings]
) -> None:
    """Any type of worker can be made from its name and priority alone."""
    assert kind in ADAPTERS

    adapter = make_adapter(settings_of(kind), AdapterParts())

    assert adapter.priority == 7
    assert (adapter.info().name, adapter.info().type, adapter.info().priority) == ("w", kind, 7)


@pytest.mark.parametrize(
    ("kind", "base_url", "priority"),
    [
        (WorkerType.OLLAMA, None, 10),
        (WorkerType.OLLAMA, "http://gpu.example:11434", 10),
        (WorkerType.OPENAI, None, 100),
        (WorkerType.OPENAI, "https://api.openai.com/v1", 100),
        (WorkerType.OPENAI, "http://localhost.example/v1", 100),
        (WorkerType.OPENAI, "http://localhost:8000/v1", 10),
        (WorkerType.OPENAI, "http://127.0.0.2:8000", 10),
        (WorkerType.OPENAI, "http://[::1]:8000", 10),
        (WorkerType.OPENAI, "nonsense", 100),
        (WorkerType.EMBEDDED, None, 1000),
        (WorkerType.SCRIPTED, None, 10),
    ],
)
def test_default_priority(kind: WorkerType, base_url: str | None, priority: int) -> None:
    """The own machine goes first, the embedded model last."""
    assert default_priority(kind, base_url) == priority


def test_default_base_url_of_ollama() -> None:
    """Ollama is looked for where it listens by default."""
    assert DEFAULT_BASE_URL[WorkerType.OLLAMA] == "http://localhost:11434"


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "localhost:11434",
        "ftp://host",
        "http://",
        "http://user:secret@host",
        "http://host/?key=secret",
        "http://host/#x",
        "http://host:99999",
        "http://[::1",
        "http://ho st",
        "http://hóst",
        "http://" + "a" * 64 + ".example",
        "http://host\r\nx: y",
    ],
)
@pytest.mark.parametrize("kind", [WorkerType.OLLAMA, WorkerType.OPENAI])
def test_bad_base_url(
    base_url: str, kind: WorkerType, settings_of: Callable[..., WorkerSettings]
) -> None:
    """An address that can never work is refused at once, without repeating what may be secret."""
    with pytest.raises(ValueError, match=r"^(must|names|is) ") as caught:
        check_base_url(base_url)
    assert "secret" not in str(caught.value)

    if base_url:
        with pytest.raises(ValueError, match=r"^(must|names|is) "):
            make_adapter(settings_of(kind, base_url=base_url), AdapterParts())


@pytest.mark.parametrize("key", ["", "sk\n", "sk key", "schlüssel"])
@pytest.mark.parametrize("kind", [WorkerType.OLLAMA, WorkerType.OPENAI])
def test_bad_key(key: str, kind: WorkerType, settings_of: Callable[..., WorkerSettings]) -> None:
    """A key that no header can carry is refused at once and not shown."""
    settings = settings_of(kind, api_keys=(Secret("good"), Secret(key)))

    with pytest.raises(ValueError, match=r"^api_keys\[1\]: ") as caught:
        make_adapter(settings, AdapterParts())

    assert not key or key not in str(caught.value)
