"""One node's admin API, asked over HTTP."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import attrs
import click
import httpx
from rich.console import Console
from rich.text import Text

_ANSWER_SECONDS_MAX: Final = 10.0

_LONG_ANSWER_SECONDS_MAX: Final = 320.0
"""For what asks somebody else: a model for a check or the retry of a dead letter, or an agent, for
which a node waits five minutes at most. The node is to be the one who says that it was in vain."""

_OK: Final = range(200, 300)


def segment(name: str) -> str:
    """A name as one part of a path: what stands in it is no other path, and no query."""
    return quote(name, safe="")


@attrs.frozen(kw_only=True)
class AdminApi:
    """How to reach one node's admin listener.

    Errors of all requests: `click.ClickException`, whose lines say what to do.
    """

    url: str
    token_file: Path
    as_json: bool

    def get(self, path: str, **query: object) -> Any:
        """The document at this path."""
        return self._ask("GET", path, query=query)

    def post(self, path: str, document: object = None) -> Any:
        """What comes of a command that is done at once."""
        return self._ask("POST", path, document={} if document is None else document)

    def post_and_wait(self, path: str, what: str, document: object = None) -> Any:
        """What comes of a command that takes its time; people see meanwhile `what` it is about."""
        with Console(stderr=True).status(Text(what)):
            return self._ask(
                "POST",
                path,
                document={} if document is None else document,
                seconds_max=_LONG_ANSWER_SECONDS_MAX,
            )

    def put(self, path: str, document: object) -> Any:
        """What has become of what was put."""
        return self._ask("PUT", path, document=document)

    def delete(self, path: str) -> Any:
        """What is left of what was deleted."""
        return self._ask("DELETE", path)

    @contextmanager
    def lines(self, path: str, *, ends: bool) -> Iterator[Iterator[str]]:
        """The lines of a stream of events, from the oldest that the node still has.

        `ends`: when nothing new comes for a moment.
        """
        seconds = 1.0 if ends else None
        headers = self._headers() | {"last-event-id": "0"}
        with self._failures(), self._client(None) as client:
            timeout = httpx.Timeout(_ANSWER_SECONDS_MAX, read=seconds)
            with client.stream("GET", path, headers=headers, timeout=timeout) as answer:
                if answer.status_code != httpx.codes.OK:
                    answer.read()
                    self._document(answer)
                yield _until_silence(answer.iter_lines()) if ends else answer.iter_lines()

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        document: object = None,
        seconds_max: float = _ANSWER_SECONDS_MAX,
    ) -> Any:
        wanted = {name: str(value) for name, value in (query or {}).items() if value is not None}
        with self._failures(), self._client(seconds_max) as client:
            answer = client.request(
                method, path, headers=self._headers(), params=wanted or None, json=document
            )
        return self._document(answer)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            raise click.ClickException(
                f"no answer from {self.url} in time; is the node overloaded, or is something else"
                " listening there?"
            ) from error
        except httpx.TransportError as error:
            raise self._unreachable() from error

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token()}"}

    def _client(self, seconds_max: float | None) -> httpx.Client:
        base_url, transport = self.url, None
        if self.url.startswith("unix:"):
            path = self.url.removeprefix("unix:")
            if not Path(path).is_socket():
                raise self._unreachable()
            base_url, transport = "http://localhost", httpx.HTTPTransport(uds=path)
        # No proxy of the environment: the token is for this node alone.
        try:
            client = httpx.Client(
                base_url=base_url,
                transport=transport,
                timeout=seconds_max,
                trust_env=False,
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise self._no_address() from error
        if client.base_url.scheme not in {"http", "https"} or not client.base_url.host:
            raise self._no_address()
        return client

    def _unreachable(self) -> click.ClickException:
        return click.ClickException(
            f"cannot connect to {self.url}: is cortexd running there? (--url says where its admin"
            " listener is)"
        )

    def _no_address(self) -> click.ClickException:
        return click.ClickException(
            f"{self.url!r} is no address: write http://HOST:PORT or unix:PATH"
        )

    def _token(self) -> str:
        try:
            token = self.token_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a text file"
            raise click.ClickException(
                f"no admin token: {self.token_file} cannot be read ({reason}); --token-file names"
                " another, such as admin-token in the node's state directory"
            ) from error
        if not token or not token.isascii() or not token.isprintable():
            raise click.ClickException(f"{self.token_file} does not hold an admin token")
        return token

    def _document(self, answer: httpx.Response) -> Any:
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise click.ClickException(
                f"the node does not accept the token of {self.token_file}; --token-file names"
                " another, such as admin-token in the node's state directory"
            )
        try:
            document = answer.json()
        except ValueError:
            document = None
        if answer.status_code not in _OK:
            raise click.ClickException(_refusal(document) or self._stranger(answer.status_code))
        if document is None:
            raise click.ClickException(
                f"{self.url} did not answer with JSON: is it the admin listener of cortexd?"
            )
        return document

    def _stranger(self, status: int) -> str:
        return f"{self.url} answered {status}: is it the admin listener of cortexd?"


def _refusal(document: object) -> str | None:
    """What the node says of why it will not; `None` where it is not a node that speaks."""
    if not isinstance(document, dict) or not isinstance(document.get("error"), dict):
        return None
    error = document["error"]
    problems = document.get("problems") or error.get("problems") or ()
    return "\n".join([str(error.get("message")), *(f"  {problem}" for problem in problems)])


def _until_silence(lines: Iterator[str]) -> Iterator[str]:
    try:
        yield from lines
    except httpx.ReadTimeout:
        return


def as_json(document: object) -> str:
    """The document as programs want it."""
    return json.dumps(document, indent=2)
