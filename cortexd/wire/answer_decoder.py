"""What all readers of streamed answers have in common: bytes to frames to events, until `Finished`.

A dialect says what a frame brings, and what the end of the body means to it.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from cortexd.domain.answer import AnswerEvent, Batch, Finished
from cortexd.wire.errors import MalformedStream

FrameT = TypeVar("FrameT")


class FrameDecoder(Protocol[FrameT]):
    """Puts frames together from bytes that may be cut anywhere."""

    def feed(self, data: bytes) -> list[FrameT]:
        """The frames that `data` completes."""
        ...

    def close(self) -> list[FrameT]:
        """The frame that the end of the body completes, if any."""
        ...


class AnswerDecoder(ABC, Generic[FrameT]):
    """Turns the body of a streamed answer into events; what follows `Finished` is read over.

    An error takes the events of its own read with it: as long as nothing has been passed on,
    another worker can still answer.
    """

    def __init__(self, frames: FrameDecoder[FrameT]) -> None:
        self._frames = frames
        self._finished = False

    @property
    def finished(self) -> bool:
        """Whether `Finished` has been given out; what the worker still sends is of no interest."""
        return self._finished

    def feed(self, data: bytes) -> Batch | tuple[()]:
        """What these bytes bring, possibly nothing.

        Errors: `MalformedStream`; `UpstreamError` for an error inside the stream.
        """
        return self._read_all(self._frames.feed(data))

    def close(self) -> Batch | tuple[()]:
        """To be called at the clean end of the body: what it brings.

        Errors: `MalformedStream` where the answer is not complete, else as `feed`.
        """
        if self._finished:
            return ()
        try:
            batch = self._read_all(self._frames.close())
        except MalformedStream as exc:
            # A line without its end is whole or cut off: what it holds is all that tells.
            raise MalformedStream("truncated: the stream ended inside a line") from exc
        if self._finished:
            return batch
        end = self._end()
        self._finished = True
        return batch + end

    @abstractmethod
    def _read(self, frame: FrameT) -> Iterable[AnswerEvent]:
        """What a frame brings."""

    @abstractmethod
    def _end(self) -> Batch:
        """What the end of the body means where no frame was the last: `Finished`, or an error.

        Errors: `MalformedStream`.
        """

    def _read_all(self, frames: list[FrameT]) -> Batch | tuple[()]:
        if self._finished:
            return ()
        batch: list[AnswerEvent] = []
        for frame in frames:
            batch += self._read(frame)
            if batch and type(batch[-1]) is Finished:
                self._finished = True
                break
        return tuple(batch)
