"""A reload that fails half-way leaves everything as it was."""

import random
import threading
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import trio

from cortexd.actors.published import Published
from cortexd.actors.roster import HiringTerms, RegisteredWorker, Roster, registered
from cortexd.config.load import load
from cortexd.config.problems import ConfigInvalid, Problem
from cortexd.config.schema import Config
from cortexd.domain.errors import RequestRefused
from cortexd.domain.events import Event
from cortexd.domain.worker import WorkerSettings
from cortexd.http.admin.configuration import ReloadRefused
from cortexd.policy.load_balancing import PoolSettings, PoolStrategy
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.catalog import make_adapter
from cortexd.runtime import reload
from cortexd.runtime.reload import Reloadable, Reloader, ReloadParts
from supervisor_tree import ChildSpec, Supervisor, open_tree, task

pytestmark = pytest.mark.real_time  # files are read in threads

WORKER = '[[workers]]\nname = "a"\ntype = "scripted"\n'


def _config(folder: Path, text: str) -> Config:
    path = folder / "cortexd.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, {})


def _recruit(settings: WorkerSettings, _: Config) -> RegisteredWorker:
    terms = HiringTerms(chance=random.Random(1))  # noqa: S311  a seed, no secret
    return registered(settings, make_adapter(settings, AdapterParts()), terms)


@attrs.define(eq=False)
class Rig:
    """A node as far as a reload is concerned, but without any actor."""

    before: Config
    after: Config
    live: Published[Config]
    roster: Roster = attrs.Factory(lambda: Published(()))
    applied: list[Config] = attrs.Factory(list)
    events: list[Event] = attrs.Factory(list)

    def parts(self, read: Callable[[], Config] | None) -> ReloadParts:
        """Parts that read like that."""
        return ReloadParts(
            read=read,
            live=self.live,
            roster=self.roster,
            recruit=_recruit,
            reloadables=[Reloadable(section="pool", apply=self.applied.append)],
            is_draining=lambda: False,
            emit=self.events.append,
        )

    def assert_untouched(self) -> None:
        """Nothing has happened."""
        assert self.live.value is self.before
        assert self.roster.value == ()
        assert self.applied == []
        assert self.events == []


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """Its new configuration has another strategy and a worker more."""
    before = _config(tmp_path, "workers = []")
    after = _config(tmp_path, WORKER + '[pool]\nstrategy = "round_robin"\n')
    return Rig(before, after, Published(before))


async def test_nothing_changes_where_the_registry_is_not_there(rig: Rig) -> None:
    """The one step that has to be waited for comes before all that cannot be taken back."""
    reloader = Reloader(rig.parts(lambda: rig.after))
    async with open_tree(Supervisor(ChildSpec("idle", task(trio.sleep_forever)))):
        with pytest.raises(RequestRefused) as caught:
            await reloader.reload()
    assert caught.value.status == 503
    rig.assert_untouched()


async def test_settings_that_can_never_work_are_problems(rig: Rig) -> None:
    """What only shows when an adapter is made counts like what is wrong with the file."""

    def refuse(settings: WorkerSettings, _: Config) -> RegisteredWorker:
        raise ValueError(f"{settings.name} cannot work")

    parts = attrs.evolve(rig.parts(lambda: rig.after), recruit=refuse)
    with pytest.raises(ReloadRefused) as caught:
        await Reloader(parts).reload()
    assert caught.value.problems == ("workers.a: a cannot work",)
    rig.assert_untouched()


async def test_a_disk_that_does_not_answer_is_not_waited_for(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next reload may have more luck."""
    monkeypatch.setattr(reload, "READING_S_MAX", 0.05)
    answers = threading.Event()

    def read() -> Config:
        answers.wait(20)
        return rig.after

    with pytest.raises(ReloadRefused) as caught:
        await Reloader(rig.parts(read)).reload()
    answers.set()
    assert "could not be read within" in caught.value.problems[0]
    rig.assert_untouched()


async def test_a_node_without_a_file_says_so(rig: Rig) -> None:
    """There is nothing to read."""
    with pytest.raises(ReloadRefused) as caught:
        await Reloader(rig.parts(None)).reload()
    assert "not started from a file" in caught.value.problems[0]
    rig.assert_untouched()


async def test_one_reload_at_a_time(rig: Rig) -> None:
    """The second compares with what the first has made of it."""
    rig.after = attrs.evolve(rig.before, pool=PoolSettings(strategy=PoolStrategy.WEIGHTED))
    reloader = Reloader(rig.parts(lambda: rig.after))
    changes: list[tuple[str, ...]] = []

    async def reload_once() -> None:
        changes.append((await reloader.reload()).changes)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reload_once)
        nursery.start_soon(reload_once)

    assert sorted(changes) == [(), ("pool.strategy: changed",)]
    assert len(rig.events) == 1


async def test_problems_are_told_in_the_order_of_the_file(rig: Rig) -> None:
    """As at the start."""

    def read() -> Config:
        raise ConfigInvalid([Problem(7, "b", "wrong"), Problem(3, "a", "wrong")])

    with pytest.raises(ReloadRefused) as caught:
        await Reloader(rig.parts(read)).reload()
    assert caught.value.problems == ("cortexd.toml:3 a: wrong", "cortexd.toml:7 b: wrong")
