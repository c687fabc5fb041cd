"""What clients notice of it that nobody takes what a node tells of itself, against its budget.

Two equal nodes are asked the same in turn, over and over: at first with all sinks well, which shows
how much two equal nodes differ, then with every sink of one of them stuck. Unlike a cost, what a
client notices is time on the clock: the two requests of a pair are milliseconds apart, so that what
else the machine does hits both nodes alike. Exits with 1 if something is over its budget.
"""

import http.client
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import attrs

from tests.daemon import Daemon, running_daemon
from tests.scenario.stuck_sinks import ALL, Sinks, working_sinks

PAIRS: Final = 3_000
PAIRS_WARM_UP: Final = 200

PAIRS_IN_ORDER: Final = 50
"""So many pairs begin with the same node. Not each with the other: whoever is asked twice in a row
is still warm, and there would be two kinds of times, with the median between them."""

REQUESTS_BETWEEN_LOOKS: Final = 50
STUCK_S_MAX: Final = 60.0
ANSWER_S_MAX: Final = 20.0

RATIO_MAX: Final = 1.05
"""How many times as long a request may take once every sink is stuck."""

WORKERS: Final = """
[[workers]]
name = "talker"
type = "scripted"
models = ["m"]
script = [{ say = "one two three four five six seven eight", split = "words" }]
[[workers]]
name = "broken"
type = "scripted"
models = ["broken"]
script = [{ fail = "server_error" }]
"""

_PATH: Final = "/v1/chat/completions"
_HEADERS: Final = {"content-type": "application/json"}
_END: Final = b"data: [DONE]\n\n"

Seconds: TypeAlias = Sequence[float]


class NotMeasured(Exception):
    """A node has answered wrongly, or a sink is not as it should be; the text says which."""


@attrs.frozen
class Figure:
    """A number for many times. Without `ratio_max` its ratio has no budget: it is to be read."""

    name: str
    of: Callable[[Seconds], float]
    ratio_max: float | None = None


FIGURES: Final = (
    Figure("median", statistics.median, RATIO_MAX),
    Figure("mean", statistics.fmean, RATIO_MAX),
    Figure("p90", lambda times: statistics.quantiles(times, n=100)[89]),
    Figure("p99", lambda times: statistics.quantiles(times, n=100)[98]),
)

_NOTE: Final = (
    "p90 and p99 have no budget: a few requests make them, and they differ between equal nodes, too"
)


@attrs.frozen
class Pairs:
    """How long the requests to the one node took, and their equals to the other."""

    reference: Seconds
    subject: Seconds

    def ratio(self, figure: Figure) -> float:
        """How many times as long as the reference the subject takes."""
        return figure.of(self.subject) / figure.of(self.reference)

    @property
    def is_within_budget(self) -> bool:
        """Whether no figure is over its own."""
        return all(
            figure.ratio_max is None or self.ratio(figure) <= figure.ratio_max for figure in FIGURES
        )


def render(well: Pairs, stuck: Pairs) -> str:
    """A table of the ratios; `well`: those of the same two nodes while nothing was stuck."""
    heads = "".join(f"{figure.name:>10}" for figure in FIGURES)
    lines = [
        f"{'':14}{heads}",
        _row("well / well", [f"{well.ratio(figure):.3f}x" for figure in FIGURES]),
        _row("stuck / well", [f"{stuck.ratio(figure):.3f}x" for figure in FIGURES]),
        _row("budget", [_budget(figure) for figure in FIGURES]),
        _row("verdict", ["ok" if stuck.is_within_budget else "over"]),
    ]
    return "\n".join([*lines, "", _NOTE])


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name:14}" + "".join(f"{cell:>10}" for cell in cells)


def _budget(figure: Figure) -> str:
    return "none" if figure.ratio_max is None else f"{figure.ratio_max:.3f}x"


@attrs.frozen(eq=False)
class Client:
    """Asks one node over one connection, and looks at every answer."""

    node: Daemon
    _connection: http.client.HTTPConnection = attrs.field(init=False)

    @_connection.default
    def _new_connection(self) -> http.client.HTTPConnection:
        address = urlsplit(self.node.url)
        return http.client.HTTPConnection(
            address.hostname or "", address.port, timeout=ANSWER_S_MAX
        )

    def ask(self) -> float:
        """For how many seconds an answer has taken to come as a whole. Raises `NotMeasured`."""
        begin = time.perf_counter()
        status, body = self._post("talker/m", stream=True)
        took_s = time.perf_counter() - begin
        if status != http.client.OK or not body.endswith(_END):
            raise NotMeasured(f"not a whole answer: {status}, {body[-200:]!r}")
        return took_s

    def fail(self) -> None:
        """Ask what fails for good, so that there is something to keep."""
        self._post("broken/broken", stream=False)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _post(self, model: str, *, stream: bool) -> tuple[int, bytes]:
        message = {"role": "user", "content": "go on"}
        document = {"model": model, "stream": stream, "messages": [message]}
        try:
            self._connection.request("POST", _PATH, json.dumps(document), _HEADERS)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as exc:
            raise NotMeasured(f"no answer: {exc!r}") from exc


def ask_in_turn(reference: Client, subject: Client, pairs: int) -> Pairs:
    """So many pairs of requests. Raises `NotMeasured`."""
    times: dict[Client, list[float]] = {reference: [], subject: []}
    for number in range(pairs):
        step = -1 if number // PAIRS_IN_ORDER % 2 else 1
        for client in (reference, subject)[::step]:
            times[client].append(client.ask())
    return Pairs(times[reference], times[subject])


@contextmanager
def _running(folder: Path, sinks: Sinks) -> Iterator[Client]:
    folder.mkdir()
    log, environ = sinks.log.writing, sinks.environ
    with running_daemon(folder, WORKERS + sinks.sections, environ=environ, stderr=log) as node:
        node.wait_available("talker")
        client = Client(node)
        try:
            yield client
        finally:
            client.close()


def _wait_stuck(client: Client, sinks: Sinks) -> None:
    """Ask until all sinks are seen to be stuck."""
    client.fail()
    give_up_at = time.monotonic() + STUCK_S_MAX
    while (left := ALL - sinks.stuck_ones(client.node)) and time.monotonic() < give_up_at:
        for _ in range(REQUESTS_BETWEEN_LOOKS):
            client.ask()
    if left:
        raise NotMeasured(f"not stuck after {STUCK_S_MAX:g} s: {', '.join(sorted(left))}")


def measure(folder: Path) -> tuple[Pairs, Pairs]:
    """The pairs with all sinks well, and those with every sink of one node stuck."""
    with ExitStack() as stack:
        sinks = [stack.enter_context(working_sinks()) for _ in range(2)]
        reference, subject = (
            stack.enter_context(_running(folder / str(number), each))
            for number, each in enumerate(sinks)
        )
        for each in sinks:
            each.webhook.next_document()
            each.mail.next_mail()
        ask_in_turn(reference, subject, PAIRS_WARM_UP)
        well = ask_in_turn(reference, subject, PAIRS)
        with sinks[1].stuck(subject.node):
            _wait_stuck(subject, sinks[1])
            stuck = ask_in_turn(reference, subject, PAIRS)
            if left := ALL - sinks[1].stuck_ones(subject.node):
                raise NotMeasured(f"came loose meanwhile: {', '.join(sorted(left))}")
    return well, stuck


def main() -> int:
    """Print the table; 1 if something is over its budget, or could not be measured."""
    try:
        with tempfile.TemporaryDirectory(prefix="bench-sinks-") as folder:
            well, stuck = measure(Path(folder))
    except NotMeasured as exc:
        print(f"not shown: {exc}")  # noqa: T201  # a command's output
        return 1
    print(render(well, stuck))  # noqa: T201  # as above
    return 0 if stuck.is_within_budget else 1


if __name__ == "__main__":
    sys.exit(main())
