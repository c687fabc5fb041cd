"""Two equal nodes that are asked the same in turn, and what the times of their answers come to.

Unlike a cost, what a client notices is time on the clock. The two requests of a pair are
milliseconds apart, so that what else the machine does hits both nodes alike.
"""

import http.client
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count, repeat
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import attrs

from tests.daemon import Daemon

PAIRS_IN_ORDER: Final = 50
"""So many pairs begin with the same node. Not each with the other: whoever is asked twice in a row
is still warm, and there would be two kinds of times, with the median between them."""

ANSWER_S_MAX: Final = 20.0

TALKER: Final = """
[[workers]]
name = "talker"
type = "scripted"
models = ["m"]
script = [{ say = "one two three four five six seven eight", split = "words" }]
"""
"""The worker that a `Client` asks."""

_PATH: Final = "/v1/chat/completions"
_END: Final = b"data: [DONE]\n\n"

Seconds: TypeAlias = Sequence[float]


class NotMeasured(Exception):
    """What was to be measured is not as it should be; the text says what."""


@attrs.frozen
class Figure:
    """A number for many times. One without a `budget` is to be read."""

    name: str
    of: Callable[[Seconds], float]
    budget: float | None = None


def median(times: Seconds) -> float:
    """What is usual."""
    return statistics.median(times)


def p90(times: Seconds) -> float:
    """What a tenth is slower than."""
    return statistics.quantiles(times, n=100)[89]


def p99(times: Seconds) -> float:
    """What a hundredth is slower than."""
    return statistics.quantiles(times, n=100)[98]


@attrs.frozen
class Pairs:
    """For how many seconds the requests to the one node took, and their equals to the other."""

    reference: Seconds
    subject: Seconds

    def ratio(self, figure: Figure) -> float:
        """How many times as long as the reference the subject takes."""
        return figure.of(self.subject) / figure.of(self.reference)

    def added_s(self, figure: Figure) -> float:
        """By how much longer than the reference the subject takes; below zero, it is faster."""
        return figure.of(self.subject) - figure.of(self.reference)


@attrs.frozen(eq=False)
class Client:
    """Asks one node over one connection, and looks at every answer.

    `key`: what it shows, if anything. `texts`: what it asks, one after the other.
    """

    node: Daemon
    key: str | None = None
    texts: Iterator[str] = attrs.Factory(lambda: repeat("go on"))
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
        status, body = self.post("talker/m", stream=True)
        took_s = time.perf_counter() - begin
        if status != http.client.OK or not body.endswith(_END):
            raise NotMeasured(f"not a whole answer: {status}, {body[-200:]!r}")
        return took_s

    def post(self, model: str, *, stream: bool) -> tuple[int, bytes]:
        """The status and the body of any answer. Raises `NotMeasured` where there is none."""
        message = {"role": "user", "content": next(self.texts)}
        document = {"model": model, "stream": stream, "messages": [message]}
        headers = {"content-type": "application/json"}
        if self.key is not None:
            headers["authorization"] = f"Bearer {self.key}"
        try:
            self._connection.request("POST", _PATH, json.dumps(document), headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as exc:
            raise NotMeasured(f"no answer: {exc!r}") from exc

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def new_texts() -> Iterator[str]:
    """What nobody has asked yet."""
    return (f"new {number}" for number in count())


def ask_in_turn(reference: Client, subject: Client, pairs: int, *, lasting_s: float = 0.0) -> Pairs:
    """So many pairs of requests, and more until so much time has passed. Raises `NotMeasured`."""
    times: dict[Client, list[float]] = {reference: [], subject: []}
    begin = time.monotonic()
    for number in count():
        if number >= pairs and time.monotonic() - begin >= lasting_s:
            break
        step = -1 if number // PAIRS_IN_ORDER % 2 else 1
        for client in (reference, subject)[::step]:
            times[client].append(client.ask())
    return Pairs(times[reference], times[subject])


def row(name: str, cells: Sequence[str]) -> str:
    """A line of a table."""
    return f"{name:14}" + "".join(f"{cell:>10}" for cell in cells)
