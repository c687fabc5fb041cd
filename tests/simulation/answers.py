"""Whether what a client has read is the true answer, all of it, or an error that can be told."""

import json
from collections.abc import Iterator
from enum import Enum, unique
from typing import Final

from tests.fakes.dialect import vectors
from tests.matrix.doors import Heard
from tests.simulation.clients import Kind, MemoryResponder, Visit
from tests.simulation.script import is_same_call

STATUSES: Final = frozenset({200, 429, 502, 503, 504})
"""What a well-formed request may be answered with."""

KEY_MARK: Final = "key-"
"""All keys begin so, and nothing that a client reads has it."""


@unique
class Ending(Enum):
    """How a visit ended, as its client sees it."""

    WHOLE = "whole"
    BROKEN = "broken off, with an error"
    FAILED = "an error"
    LEFT = "left"


def judge(visit: Visit) -> tuple[Ending, list[str]]:
    """How it ended, and what was wrong with it."""
    responder = visit.responder
    complaints = [responder.misuse] if responder.misuse else []
    if KEY_MARK.encode() in responder.body:
        complaints.append("a client is told a key")
    if visit.left_at is not None:
        return Ending.LEFT, complaints + list(_wrong_beginning(visit))
    if responder.status is None or not responder.is_finished:
        return Ending.FAILED, [*complaints, "the door let go of a client without an end"]
    heard = responder.heard()
    complaints += _wrong_words(visit, heard)
    if heard.status != 200:
        if heard.status not in STATUSES:
            complaints.append(f"status {heard.status}: {heard.error}")
        return Ending.FAILED, complaints
    if heard.is_ended is (heard.error is not None):
        complaints.append("an answer ends with one of the two: its terminator, or an error")
    return Ending.WHOLE if heard.is_ended else Ending.BROKEN, complaints


def _wrong_beginning(visit: Visit) -> Iterator[str]:
    """What a client has read in vain who left in the midst of a stream: whole frames only."""
    responder = visit.responder
    if responder.status != 200 or visit.errand.kind is not Kind.STREAM:
        return
    end = b"\n" if visit.errand.door.name == "ollama" else b"\n\n"
    frames, found, _ = bytes(responder.body).rpartition(end)
    read = MemoryResponder(visit.errand, status=200, body=bytearray(frames + found))
    yield from _wrong_words(visit, read.heard())


def _wrong_words(visit: Visit, heard: Heard) -> Iterator[str]:
    """What the client has read that nobody has said, or has not read though it was whole."""
    errand, question = visit.errand, visit.errand.question
    if heard.status != 200:
        return
    if errand.kind is Kind.EMBED:
        yield from _wrong_vectors(visit)
    elif errand.kind is Kind.COUNT:
        if json.loads(heard.body)["input_tokens"] < 1:
            yield "a prompt without a token"
    elif not heard.is_ended:
        if not question.answer.startswith(heard.text):
            yield f"wrong beginning of an answer: {heard.text!r}"
    else:
        if (heard.text, heard.thought) != (question.answer, question.thought):
            yield f"wrong answer: {heard.thought!r} {heard.text!r}"
        if not is_same_call(question, heard.calls):
            yield f"wrong calls: {heard.calls}"


def _wrong_vectors(visit: Visit) -> Iterator[str]:
    document = json.loads(visit.responder.body)
    found = document.get("embeddings") or [each["embedding"] for each in document["data"]]
    if found != vectors([visit.errand.question.text], dimensions=None):
        yield f"wrong vectors: {found}"
