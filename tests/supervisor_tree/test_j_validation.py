"""Group J: specs and settings that make no sense are refused before anything starts."""

import itertools
import math
from functools import partial
from typing import Any

import pytest

from supervisor_tree import (
    AutoShutdown,
    Backoff,
    ChildSpec,
    InvalidSpec,
    Name,
    Restart,
    Strategy,
    Supervisor,
    task,
)
from supervisor_tree.testing import Recorders


async def work() -> None:
    """Do nothing."""


def make() -> Any:
    """Stand for any factory."""
    return task(work)()


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"id": 7},
        {"start": None},
        {"restart": "permanent"},
        {"shutdown": -1},
        {"shutdown": math.nan},
        {"shutdown": "5"},
        {"start_timeout": 0},
        {"start_timeout": math.nan},
        {"significant": 1},
        {"backoff": 0.1},
        {"name": "pool"},
    ],
    ids=str,
)
def test_c099_wrong_specs(wrong: dict[str, Any]) -> None:
    """Each field of a spec is checked."""
    with pytest.raises(InvalidSpec):
        ChildSpec(**{"id": "a", "start": make, **wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"strategy": "one_for_one"},
        {"max_restarts": -1},
        {"max_restarts": 1.5},
        {"max_restarts": True},
        {"max_seconds": 0},
        {"max_seconds": -1},
        {"max_seconds": math.inf},
        {"max_seconds": math.nan},
        {"auto_shutdown": True},
        {"kill_grace": -1},
        {"kill_grace": math.inf},
    ],
    ids=str,
)
def test_c099_wrong_settings(wrong: dict[str, Any]) -> None:
    """Each setting of a supervisor is checked; the error is a ValueError, too."""
    with pytest.raises(InvalidSpec) as caught:
        Supervisor(**wrong)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "wrong",
    [
        {"initial": 0},
        {"factor": 0.5},
        {"maximum": math.inf},
        {"jitter": 1.5},
        {"reset_after": -1},
        {"give_up_after": -1},
    ],
    ids=str,
)
def test_c099_wrong_backoff(wrong: dict[str, Any]) -> None:
    """So is each setting of a back-off."""
    with pytest.raises(InvalidSpec):
        Backoff(**wrong)


def test_c099_duplicate_ids() -> None:
    """The error names the id that is there twice."""
    with pytest.raises(InvalidSpec, match="'twice'"):
        Supervisor(ChildSpec("a", make), ChildSpec("twice", make), ChildSpec("twice", make))


def test_c099_unknown_keywords() -> None:
    """A keyword that is not known is a mistake in the program."""
    with pytest.raises(TypeError):
        ChildSpec("a", make, typo=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Supervisor(typo=1)  # type: ignore[call-arg]
    with pytest.raises(InvalidSpec):
        Supervisor(make)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("restart", "shutdown", "start", "significant", "mode"),
    list(
        itertools.product(
            Restart, (0, 1, math.inf), (make, partial(Supervisor)), (True, False), AutoShutdown
        )
    ),
)
def test_c100_all_valid_values(
    restart: Restart, shutdown: float, start: Any, *, significant: bool, mode: AutoShutdown
) -> None:
    """Every combination is accepted but those of a significant child that makes no sense."""

    def build() -> Supervisor:
        spec = ChildSpec("a", start, restart=restart, shutdown=shutdown, significant=significant)
        return Supervisor(spec, auto_shutdown=mode)

    if significant and (restart is Restart.PERMANENT or mode is AutoShutdown.NEVER):
        with pytest.raises(InvalidSpec):
            build()
    else:
        build()


def test_c101_validation_comes_before_any_start(cast: Recorders) -> None:
    """A supervisor that cannot be made has started nothing."""
    with pytest.raises(InvalidSpec):
        Supervisor(cast.spec("a"), cast.spec("a"))
    assert not cast.began


def test_c101_specs_are_values() -> None:
    """Specs with equal fields are equal, and cannot be changed."""
    name = Name[Any]("x")
    spec = ChildSpec("a", make, name=name)
    assert spec == ChildSpec("a", make, name=Name("x"))
    with pytest.raises(AttributeError):
        spec.id = "b"  # type: ignore[misc]
    assert Supervisor(spec, strategy=Strategy.ONE_FOR_ALL) is not None
