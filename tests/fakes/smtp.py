"""A mail server on loopback, in a thread of its own, which takes mail or does not, as told.

It speaks as much of SMTP as a client of ours needs: RFC 5321, STARTTLS (RFC 3207), AUTH PLAIN
(RFC 4954).
"""

import base64
import contextlib
import queue
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from email.message import Message

import attrs
import trio

START_S_MAX = 20.0
MAIL_S_MAX = 20.0
LINE_BYTES_MAX = 4096


@attrs.frozen(kw_only=True)
class Mail:
    """What was handed in, and how."""

    sender: str
    to: tuple[str, ...]
    message: Message
    was_encrypted: bool
    login: tuple[str, str] | None


@attrs.define(eq=False)
class MailSink:
    """A server whose behaviour can be changed while it runs.

    `refusals`: what it answers to a command (`MAIL`, `AUTH`, `DATA` …) instead of the usual.
    `hangs_at`: the command that it never answers; `CONNECT`: it does not even greet.
    """

    port: int = 0
    tls: ssl.SSLContext | None = None
    is_encrypted_from_start: bool = False
    refusals: dict[str, str] = attrs.Factory(dict)
    hangs_at: str = ""
    mails: queue.Queue[Mail] = attrs.Factory(queue.Queue)
    left: queue.Queue[str] = attrs.Factory(queue.Queue)

    def next_mail(self) -> Mail:
        """The next one that was handed in; waits for it."""
        return self.mails.get(timeout=MAIL_S_MAX)


@contextlib.contextmanager
def running_mail_server(sink: MailSink) -> Iterator[MailSink]:
    """Serve until the block ends."""
    started: queue.Queue[tuple[int, trio.CancelScope, trio.lowlevel.TrioToken]] = queue.Queue()

    async def serve(stream: trio.SocketStream) -> None:
        await _Session(sink, stream).serve()

    async def run() -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        with trio.CancelScope() as scope:
            port = listener.socket.getsockname()[1]
            started.put((port, scope, trio.lowlevel.current_trio_token()))
            await trio.serve_listeners(serve, [listener])

    with ThreadPoolExecutor(1, thread_name_prefix="mail") as pool:
        server = pool.submit(trio.run, run)
        sink.port, scope, token = started.get(timeout=START_S_MAX)
        try:
            yield sink
        finally:
            token.run_sync_soon(scope.cancel)
            server.result(START_S_MAX)


class _Session:
    """One connection."""

    def __init__(self, sink: MailSink, stream: trio.abc.Stream) -> None:
        self._sink = sink
        self._stream = stream
        self._buffer = bytearray()
        self._is_encrypted = False
        self._login: tuple[str, str] | None = None
        self._sender = ""
        self._to: list[str] = []

    async def serve(self) -> None:
        """Until the client has gone."""
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            if self._sink.is_encrypted_from_start:
                await self._encrypt()
            await self._answer("CONNECT", "220 fake at your service")
            while line := await self._line():
                command = line.split(" ")[0].upper()
                if not await self._handle(command, line):
                    break
        await trio.aclose_forcefully(self._stream)

    async def _handle(self, command: str, line: str) -> bool:
        answers: dict[str, Callable[[], str]] = {
            "EHLO": lambda: "\r\n".join(["250-fake", *self._offers(), "250 8BITMIME"]),
            "MAIL": lambda: self._note_sender(line),
            "RCPT": lambda: self._note_recipient(line),
            "AUTH": lambda: self._note_login(line),
            "STARTTLS": lambda: "220 go ahead",
            "DATA": lambda: "354 end with a dot",
            "QUIT": lambda: "221 bye",
        }
        answer = answers.get(command, lambda: "500 what?")()
        if not await self._answer(command, answer):
            return command != "QUIT"
        if command == "STARTTLS":
            await self._encrypt()
        if command == "DATA":
            await self._take_mail()
        return command != "QUIT"

    async def _answer(self, command: str, usual: str) -> bool:
        """Answer, and say whether it was the usual."""
        if self._sink.hangs_at == command:
            while await self._stream.receive_some(LINE_BYTES_MAX):
                pass
            self._sink.left.put(command)
            raise trio.ClosedResourceError
        answer = self._sink.refusals.get(command, usual)
        await self._stream.send_all(answer.encode() + b"\r\n")
        return answer == usual

    def _offers(self) -> list[str]:
        can_encrypt = self._sink.tls is not None and not self._is_encrypted
        return ["250-AUTH PLAIN", *(["250-STARTTLS"] if can_encrypt else [])]

    async def _encrypt(self) -> None:
        assert self._sink.tls is not None
        encrypted = trio.SSLStream(self._stream, self._sink.tls, server_side=True)
        await encrypted.do_handshake()
        self._stream, self._is_encrypted = encrypted, True

    def _note_sender(self, line: str) -> str:
        self._sender = line.partition("<")[2].partition(">")[0]
        self._to = []
        return "250 ok"

    def _note_recipient(self, line: str) -> str:
        self._to.append(line.partition("<")[2].partition(">")[0])
        return "250 ok"

    def _note_login(self, line: str) -> str:
        _, name, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
        self._login = (name, password)
        return "235 welcome"

    async def _take_mail(self) -> None:
        body = bytearray()
        while (line := await self._line()) != ".":
            body += line.removeprefix(".").encode() + b"\r\n"
        await self._stream.send_all(b"250 taken\r\n")
        mail = Mail(
            sender=self._sender,
            to=tuple(self._to),
            message=message_from_bytes(bytes(body)),
            was_encrypted=self._is_encrypted,
            login=self._login,
        )
        self._sink.mails.put(mail)

    async def _line(self) -> str:
        """The next line without its end; empty when the client has gone."""
        while b"\r\n" not in self._buffer:
            piece = await self._stream.receive_some(LINE_BYTES_MAX)
            if not piece:
                raise trio.ClosedResourceError
            self._buffer += piece
        line, _, rest = bytes(self._buffer).partition(b"\r\n")
        self._buffer = bytearray(rest)
        return line.decode()
