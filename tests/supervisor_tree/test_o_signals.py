"""Group O: signals, and processes that have to be given up."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest
import trio
import trio.lowlevel

from supervisor_tree import (
    ChildSpec,
    Supervisor,
    open_tree,
    task,
)
from supervisor_tree.abandonment import EXIT_CODE, Abandonment
from supervisor_tree.run import _run_until_ended
from supervisor_tree.testing import (
    Recorders,
    Script,
)

PROGRAM = textwrap.dedent("""
    import sys
    import trio
    from supervisor_tree import ChildSpec, Supervisor, run, started_task

    async def work(name, task_status):
        try:
            task_status.started()
            print("+" + name, flush=True)
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(CLEANUP)
            print("-" + name, flush=True)

    run(
        Supervisor(*(ChildSpec(name, started_task(work, name), shutdown=60) for name in "ab")),
        abandon_after=ABANDON,
    )
    print("end", flush=True)
""")


def start_program(*, cleanup: float = 0.0, abandon: float | None = None) -> subprocess.Popen[str]:
    """Run a small supervised program until it is up."""
    text = PROGRAM.replace("CLEANUP", str(cleanup)).replace("ABANDON", str(abandon))
    process = subprocess.Popen(
        [sys.executable, "-c", text],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["+a\n", "+b\n"]
    return process


@pytest.mark.real_time
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_c145_first_signal_stops_in_order(number: signal.Signals) -> None:
    """A signal is an ordered stop, and a successful end."""
    with start_program() as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (out, err, process.returncode) == ("-b\n-a\nend\n", "", 0)


@pytest.mark.real_time
@pytest.mark.slow
def test_c066_abandoned_process() -> None:
    """A tree that takes too long to stop is abandoned, with its stacks on stderr."""
    with start_program(cleanup=60, abandon=0.3) as process:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert process.returncode == EXIT_CODE
    assert "in work" in err


@pytest.mark.real_time
async def test_c145_second_signal_kills(cast: Recorders) -> None:
    """A second signal kills what has not stopped yet."""
    sup = Supervisor(cast.spec("deaf", Script(deaf=True), shutdown=1000))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_run_until_ended, sup, (signal.SIGTERM,), None)
        while not cast.log:  # noqa: ASYNC110  # there is no event for it
            await trio.sleep(0.001)
        os.kill(os.getpid(), signal.SIGTERM)
        # Two signals that are sent too fast become one.
        while not sup._stopping:  # noqa: ASYNC110  # there is no event for it
            await trio.sleep(0.001)
        os.kill(os.getpid(), signal.SIGTERM)
    assert cast.log == [("+", "deaf"), ("-", "deaf")]


@pytest.mark.real_time
async def test_c066_abandonment_is_armed_by_the_stop() -> None:
    """The process is given up only when the tree does not end in time after its stop."""
    codes: list[int] = []
    release = trio.Event()

    async def stuck() -> None:
        with trio.CancelScope(shield=True):
            await release.wait()

    sup = Supervisor(ChildSpec("stuck", task(stuck)))
    async with trio.open_nursery() as nursery:

        async def host() -> None:
            async with open_tree(sup) as tree:
                with Abandonment(tree, after=0.02, exit_process=codes.append):
                    tree.request_stop()
                    await release.wait()

        nursery.start_soon(host)
        with trio.fail_after(10):
            while not codes:  # noqa: ASYNC110  # a thread appends to it
                await trio.sleep(0.01)
        assert codes == [EXIT_CODE]
        release.set()
