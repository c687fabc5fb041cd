"""Takes out of an answer that is carried on what the client has read before.

A worker that is asked to go on with a text should begin with what comes next. Some begin with the
whole text once more, or with the end of it.

Rule of this file: what may have been meant is never taken out. An answer can say the same thing
twice in a row, so a repetition counts only if it is long, no run (`ha ha ha`), and not repeated
once more; the end of a text, moreover, only from the beginning of a word, and only if it is found
nowhere else in the text. What nobody can tell apart is an answer that says such a thing exactly
twice, from its very beginning or without white space between, and breaks off right between the two.
"""

from collections.abc import Iterator
from typing import Final

import attrs

from cortexd.domain.answer import AnswerEvent, Batch, TextDelta

WHOLE_CHARACTERS_MIN: Final = 6
"""The whole text counts as repeated only if it is so long: after `20`, another `20` may be due."""

END_CHARACTERS_MIN: Final = 24
END_CHARACTERS_MAX: Final = 2048
"""How long the ends of the text are that are looked out for."""

RUN_CHARACTERS_MAX: Final = 2048
"""Of a longer text, so much is looked at to see whether it is a run."""

ONCE_MORE_CHARACTERS_MAX: Final = 8
"""So much of a third time is enough to know that the second was meant."""


class OverlapRemover:
    """Passes on the events of a worker that was asked, by `resume.continuation`, to go on.

    It holds text back only while that may yet turn out to be a repetition: less than the text so
    far and a few characters.
    """

    def __init__(self, text_so_far: str) -> None:
        self._text = text_so_far.rstrip()
        # The worker was not given the white space at the end, so it may say it again.
        self._space = text_so_far[len(self._text) :]
        # What the worker may be repeating, the longest first; unknown until it has begun.
        self._possible: list[_Repetition] | None = None
        self._heard = 0

    def take(self, events: Batch) -> Batch | tuple[()]:
        """What a batch brings that is new, and what was held back of earlier ones and is."""
        if self._possible == [] and not self._space:
            return events
        kept: list[AnswerEvent] = []
        for event in events:
            if isinstance(event, TextDelta):
                text = self._without_space(self._without_repetition(event.text))
                if text:
                    kept.append(event if text == event.text else TextDelta(text))
            else:
                # No text that follows something else can still be a part of the repetition.
                if text := self._without_space(self._held_back()):
                    kept.append(TextDelta(text))
                kept.append(event)
        return tuple(kept)

    def _without_repetition(self, text: str) -> str:
        """What is known to be new once `text` has come."""
        if self._possible is None:
            if not text:
                return ""
            self._possible = list(_beginning_with(text[0], self._text))
        heard, still_possible = self._heard, []
        for one in self._possible:
            if one.goes_on(heard, text):
                still_possible.append(one)
            elif one.ends_in(heard, text) and one.counts(self._text):
                self._possible = []
                return one.behind(heard) + text[max(0, one.length - heard) :]
        held = self._possible[0].expected[:heard] if self._possible else ""
        self._possible = still_possible
        if not still_possible:
            return held + text
        self._heard += len(text)
        return ""

    def _held_back(self) -> str:
        """What is new of the text held back, if no more comes; nothing is held any more."""
        if not self._possible:
            return ""
        possible, self._possible = self._possible, []
        for one in possible:
            if one.length <= self._heard and one.counts(self._text):
                return one.behind(self._heard)
        return possible[0].expected[: self._heard]

    def _without_space(self, text: str) -> str:
        """The text but for the white space that it begins with and the client has."""
        there = 0
        for has, comes in zip(self._space, text, strict=False):
            if has != comes:
                break
            there += 1
        if there < len(text):
            self._space = ""
        else:
            self._space = self._space[there:]
        return text[there:]


@attrs.frozen
class _Repetition:
    """Something that a worker may be repeating: the first `length` characters of `expected`.

    What follows there is its beginning: if that comes as well, it is none, but a run.
    """

    length: int
    expected: str

    def goes_on(self, heard: int, text: str) -> bool:
        """Whether, after so many characters and `text`, everything is possible still."""
        return heard + len(text) < len(self.expected) and self.expected.startswith(text, heard)

    def ends_in(self, heard: int, text: str) -> bool:
        """Whether `text` ends it and goes on with something else."""
        rest = self.expected[heard : self.length]
        return text.startswith(rest) and not text.startswith(self.expected[heard:])

    def behind(self, heard: int) -> str:
        """What was heard after it."""
        return self.expected[self.length : heard]

    def counts(self, text: str) -> bool:
        """Whether it is a repetition of the end of `text` and of nothing else."""
        repeated = self.expected[: self.length]
        return text.find(repeated) == len(text) - self.length and not _is_run(repeated)


def _beginning_with(character: str, text: str) -> Iterator[_Repetition]:
    """The whole text, and those of its ends that begin with a word, the longest first."""
    if text.startswith(character) and len(text) >= WHOLE_CHARACTERS_MIN:
        yield _repetition(text)
    if character.isspace():
        return
    for start in range(max(1, len(text) - END_CHARACTERS_MAX), len(text) - END_CHARACTERS_MIN + 1):
        if text[start] == character and text[start - 1].isspace():
            yield _repetition(text[start:])


def _repetition(text: str) -> _Repetition:
    once_more = text[: min(ONCE_MORE_CHARACTERS_MAX, len(text) // 3)]
    return _Repetition(len(text), text + once_more)


def _is_run(text: str) -> bool:
    """Whether it is a shorter text, twice or more often, and perhaps a part of it behind."""
    text = text[:RUN_CHARACTERS_MAX]
    return any(text.startswith(text[shift:]) for shift in range(1, len(text) // 2 + 1))
