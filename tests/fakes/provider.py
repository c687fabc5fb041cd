"""A fake upstream: one dialect on one port, with scenes to play and a memory of what it was asked.

`with running(OpenAi()) as fake:` gives one; `fake.base_url` is the address without any path.
"""

import contextlib
import itertools
import queue
from collections.abc import Iterator

import attrs
import msgspec

from tests.fakes.dialect import (
    Ask,
    BadRequest,
    Complaint,
    Dialect,
    Endpoint,
    Frame,
    Received,
    dump,
)
from tests.fakes.scene import Break, Refusal, Scene, Trouble, say
from tests.fakes.server import Reply, serving

BAD_GATEWAY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body></body></html>"
JSON = {"content-type": "application/json"}


@attrs.define(eq=False)
class FakeProvider:
    """Answers each request to chat or embed with the next scene; the last one is repeated.

    `requests` holds everything that came, good or bad. `models` are the ones it has; any other is
    refused. `refusal` is what it answers to whoever lists models or asks for its health. A request
    whose client did not wait for the end of the answer is put into `left`.
    """

    dialect: Dialect
    base_url: str = ""
    keys: set[str] = attrs.field()
    models: tuple[str, ...] = ("m1", "m2")
    refusal: Refusal | None = None
    requests: list[Received] = attrs.Factory(list)
    left: queue.Queue[Received] = attrs.Factory(queue.Queue)
    _scenes: list[Scene] = attrs.Factory(lambda: [Scene.text("Hello world")])

    @keys.default
    def _keys(self) -> set[str]:
        return set(self.dialect.keys)

    def play(self, *scenes: Scene) -> None:
        """From now on, answer with these, one a request."""
        self._scenes = list(scenes)

    @property
    def chats(self) -> list[Received]:
        """The chat requests."""
        return [request for request in self.requests if request.endpoint is Endpoint.CHAT]

    def answer(self, request: Received) -> Reply:
        """Whatever this provider says to that."""
        with contextlib.suppress(msgspec.DecodeError):
            request = attrs.evolve(request, document=msgspec.json.decode(request.body))
        endpoint = self.dialect.endpoint(request.method, request.path)
        request = attrs.evolve(request, endpoint=endpoint)
        self.requests.append(request)
        if endpoint is None:
            return self._refuse_unknown(f"no such address: {request.path}")
        if self.keys and self.dialect.key(request) not in self.keys:
            return self._refuse(self.dialect.complaint(Trouble.BAD_KEY))
        try:
            return self._answer(request, endpoint)
        except BadRequest as exc:
            return self._refuse(self.dialect.bad_request(str(exc)))

    def _answer(self, request: Received, endpoint: Endpoint) -> Reply:
        if endpoint is Endpoint.LIST:
            if self.refusal is not None:
                return self._refuse_as(self.refusal)
            return self._document(self.dialect.listing(request, self.models))
        if endpoint is Endpoint.COUNT:
            model, document = self.dialect.count(request)
        elif endpoint is Endpoint.EMBED:
            model, document = self.dialect.embed(request)
        else:
            ask = self.dialect.read_chat(request)
            self.requests[-1] = attrs.evolve(request, understood=ask.understood)
            model, document = ask.model, ask
        if model not in self.models:
            return self._refuse_unknown(f"model '{model}' not found")
        if endpoint is Endpoint.COUNT:
            return self._document(document)
        scene = self._scenes.pop(0) if len(self._scenes) > 1 else self._scenes[0]
        if scene.refusal is not None:
            return self._refuse_as(scene.refusal)
        return (
            self._chat(scene, document) if isinstance(document, Ask) else self._document(document)
        )

    def _chat(self, scene: Scene, ask: Ask) -> Reply:
        if scene.echoes:
            scene = attrs.evolve(scene, parts=(say(dump(ask.understood).decode()),))
        if not ask.streams:
            return self._whole(scene, ask)
        frames = list(self.dialect.stream(scene, ask))
        pieces = list(_noisy(frames, self.dialect.interlude) if scene.noisy else frames)
        ending = None
        if scene.broken is not None:
            ending = scene.broken.how
            pieces = list(_until(pieces, scene.broken))
            if ending == "error":
                complaint = self.dialect.complaint(scene.broken.trouble)
                pieces.append(Frame(self.dialect.error_frames(complaint, ask)))
        headers = {"content-type": self.dialect.stream_type} | self.dialect.headers()
        return Reply(200, headers, tuple(f.data for f in pieces), is_streamed=True, ending=ending)

    def _whole(self, scene: Scene, ask: Ask) -> Reply:
        """An answer in one piece; what breaks a stream breaks it in the middle."""
        if scene.broken is not None and scene.broken.how == "error":
            return self._refuse_as(Refusal(scene.broken.trouble))
        reply = self._document(self.dialect.whole(scene, ask))
        if scene.broken is None:
            return reply
        body = b"".join(reply.pieces)
        half = (body[: len(body) // 2],)
        return attrs.evolve(reply, pieces=half, length=len(body), ending=scene.broken.how)

    def _document(self, document: object) -> Reply:
        return Reply(200, JSON | self.dialect.headers(), (dump(document),))

    def _refuse_as(self, refusal: Refusal) -> Reply:
        complaint = self.dialect.complaint(refusal.trouble)
        reply = self._refuse(complaint, retry_after_s=refusal.retry_after_s)
        return attrs.evolve(reply, status=200) if refusal.is_200 else reply

    def _refuse_unknown(self, message: str) -> Reply:
        complaint = self.dialect.complaint(Trouble.NO_MODEL)
        return self._refuse(attrs.evolve(complaint, message=message))

    def _refuse(self, complaint: Complaint, *, retry_after_s: float | None = None) -> Reply:
        if complaint.is_html:
            return Reply(complaint.status, {"content-type": "text/html"}, (BAD_GATEWAY_PAGE,))
        headers = self.dialect.error_headers(complaint, retry_after_s=retry_after_s)
        document = self.dialect.error(complaint, retry_after_s=retry_after_s)
        return Reply(complaint.status, JSON | self.dialect.headers() | headers, (dump(document),))


def _noisy(frames: list[Frame], interlude: bytes) -> Iterator[Frame]:
    for frame in frames:
        if frame.is_piece:
            yield Frame(interlude)
        yield frame


def _until(frames: list[Frame], broken: Break) -> Iterator[Frame]:
    """What comes before the break: for none, everything that comes before the first piece."""
    count = itertools.count(1)
    for frame in frames:
        if frame.is_piece and next(count) > broken.after_pieces:
            return
        yield frame


@contextlib.contextmanager
def running(dialect: Dialect) -> Iterator[FakeProvider]:
    """A fake of this dialect, on a port of its own, until the block ends."""
    fake = FakeProvider(dialect)
    with serving(fake.answer, fake.left.put) as base_url:
        fake.base_url = base_url
        yield fake
