"""What a new configuration means for a running node."""

from collections.abc import Collection
from typing import Any

import attrs
import pytest

from cortexd.config.load import load
from cortexd.config.schema import Config
from cortexd.domain.ids import WorkerName
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.runtime.reload_plan import ReloadPlan, plan_reload

LIVE = frozenset({"routing", "pool", "cache", "health"})


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A node without workers."""
    path = tmp_path_factory.mktemp("config") / "cortexd.toml"
    path.write_text("workers = []", encoding="utf-8")
    return load(path, {})


def _worker(name: str, kind: WorkerType = WorkerType.SCRIPTED, **settings: Any) -> WorkerSettings:
    return WorkerSettings(name=WorkerName(name), type=kind, **{"priority": 1, **settings})


def _plan(
    config: Config,
    *,
    was: Collection[WorkerSettings] = (),
    there: Collection[WorkerSettings] | None = None,
    will: Collection[WorkerSettings] = (),
    **sections: Any,
) -> ReloadPlan:
    """`there`: who is hired now; those of the old configuration unless said otherwise."""
    return plan_reload(
        attrs.evolve(config, workers=tuple(was)),
        attrs.evolve(config, workers=tuple(will), **sections),
        hired=tuple(was if there is None else there),
        live=LIVE,
    )


def test_nothing_changes_where_nothing_has_changed(config: Config) -> None:
    """Equal files are one."""
    plan = _plan(config, was=[_worker("a")], will=[_worker("a")])
    assert (plan.changes, plan.restart_needed, plan.leavers, plan.newcomers) == ((), (), (), ())
    assert plan.running.workers == (_worker("a"),)


def test_sections_that_are_live_change_and_others_wait(config: Config) -> None:
    """Each changed key is named; what waits for a restart keeps its old value."""
    plan = _plan(
        config,
        cache=attrs.evolve(config.cache, ttl_seconds=1.0, enabled=False),
        data=attrs.evolve(config.data, max_connections=7),
        node=attrs.evolve(config.node, name="other"),
    )
    assert plan.changes == ("cache.enabled: changed", "cache.ttl_seconds: changed")
    assert set(plan.restart_needed) == {"data.max_connections", "node.name"}
    assert plan.running.cache.ttl_seconds == 1.0
    assert plan.running.data == config.data
    assert plan.running.node == config.node


def test_workers_come_go_and_change(config: Config) -> None:
    """By their names; what has changed about one is named, but not its values."""
    changed = _worker("b", weight=2.0, base_url="http://secret.example")
    plan = _plan(
        config,
        was=[_worker("a"), _worker("b"), _worker("c")],
        will=[changed, _worker("c"), _worker("d")],
    )
    assert set(plan.changes) == {
        "workers.a: removed",
        "workers.b: changed (base_url, weight)",
        "workers.d: added",
    }
    assert plan.leavers == ("a",)
    assert plan.newcomers == (changed, _worker("d"))
    assert plan.running.workers == (changed, _worker("c"), _worker("d"))


def test_a_worker_that_was_added_to_the_node_stays(config: Config) -> None:
    """The file knows nothing of it, and cannot take it out."""
    plan = _plan(config, there=[_worker("added")])
    assert (plan.changes, plan.leavers) == ((), ())


def test_a_worker_of_the_file_takes_the_name_of_one_that_was_added(config: Config) -> None:
    """The file says what is there."""
    plan = _plan(config, there=[_worker("x", weight=3.0)], will=[_worker("x")])
    assert plan.newcomers == (_worker("x"),)


def test_a_worker_that_an_operator_has_removed_comes_back(config: Config) -> None:
    """It is in the file, after all."""
    plan = _plan(config, was=[_worker("a")], there=[], will=[_worker("a")])
    assert plan.newcomers == (_worker("a"),)
    assert plan.changes == ("workers.a: added",)


@pytest.mark.parametrize(
    ("was", "will"),
    [
        ([], [_worker("e", WorkerType.EMBEDDED)]),
        ([_worker("e", WorkerType.EMBEDDED)], []),
        ([_worker("e", WorkerType.EMBEDDED)], [_worker("e", WorkerType.EMBEDDED, weight=2.0)]),
        ([_worker("e", WorkerType.EMBEDDED)], [_worker("e")]),
        ([_worker("e")], [_worker("e", WorkerType.EMBEDDED)]),
    ],
)
def test_whoever_has_an_engine_waits_for_a_restart(
    config: Config, was: list[WorkerSettings], will: list[WorkerSettings]
) -> None:
    """Engines are children of a tree that stands as it is."""
    plan = _plan(config, was=was, will=will)
    assert plan.restart_needed == ("workers.e",)
    assert (plan.changes, plan.leavers, plan.newcomers) == ((), (), ())
    assert plan.running.workers == tuple(was)
