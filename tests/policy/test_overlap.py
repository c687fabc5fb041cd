"""What is taken out of an answer that is carried on, and what is not."""

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from cortexd.domain.answer import (
    AnswerEvent,
    Batch,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallStarted,
)
from cortexd.policy.overlap import (
    END_CHARACTERS_MAX,
    END_CHARACTERS_MIN,
    WHOLE_CHARACTERS_MIN,
    OverlapRemover,
)

END = Finished(FinishReason.STOP)
FOX = "The quick brown fox jumps over the lazy dog, and the dog does not mind."
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
LINE = "Peter Piper picked a peck of pickled peppers."

TEXTS = st.one_of(
    st.text(max_size=60),
    # Few characters make many repetitions.
    st.text("ab \n", max_size=60),
    st.text("xy", max_size=200),
    # Lines, rows and words that come again and again.
    st.lists(
        st.sampled_from([f"{LINE}\n", "- ", "| --- ", "ha ", "\n", FOX, "1"]), max_size=12
    ).map("".join),
)
SIZES = st.lists(st.integers(1, 30), max_size=30)


def _cut(text: str, sizes: Iterable[int]) -> list[str]:
    """The text in pieces of these sizes, and the rest in one."""
    pieces: list[str] = []
    for size in sizes:
        pieces.append(text[:size])
        text = text[size:]
    return [piece for piece in (*pieces, text) if piece]


def _batches(pieces: Sequence[str], *, together: int = 1) -> list[Batch]:
    events: list[AnswerEvent] = [*map(TextDelta, pieces), END]
    return [tuple(events[at : at + together]) for at in range(0, len(events), together)]


def _carried_on(said: str, batches: Iterable[Batch]) -> str:
    """What the client has read in the end."""
    remover = OverlapRemover(said)
    read = [said]
    events: list[AnswerEvent] = []
    for batch in batches:
        kept = remover.take(batch)
        assert all(event != TextDelta("") for event in kept)
        events += kept
        read += [event.text for event in kept if isinstance(event, TextDelta)]
    assert events[-1] == END
    return "".join(read)


def _goes_on(said: str, *pieces: str) -> str:
    return _carried_on(said, _batches(pieces))


def _is_square(text: str, at: int) -> bool:
    """Whether the answer says all there is before `at`, or an end of it, exactly once more.

    Nobody can tell that from a repetition.
    """
    said = text[:at].rstrip()
    rest = text[len(said) :]
    starts = (start for start in range(1, len(said)) if said[start - 1].isspace())
    ends = [said[start:] for start in starts if start <= len(said) - END_CHARACTERS_MIN]
    whole = [said] if len(said) >= WHOLE_CHARACTERS_MIN else []
    return any(rest.startswith(twice) for twice in whole + ends)


@given(text=TEXTS, at=st.integers(0, 200), sizes=SIZES, together=st.integers(1, 4))
@example(text=FOX, at=20, sizes=[], together=1)
@example(text=f"Sure:\n{LINE}\n{LINE}\n", at=len(f"Sure:\n{LINE}"), sizes=[], together=1)
@example(text=f"Sure:\n{LINE}\n{LINE}\n", at=len(f"Sure:\n{LINE}\n"), sizes=[1], together=1)
@example(text=f"{LINE}\n" * 2, at=len(LINE) + 1, sizes=[], together=1)
@example(text="ha " * 40, at=60, sizes=[3] * 20, together=1)
@example(text="ha" * 40, at=40, sizes=[2] * 20, together=1)
@example(text="| --- " * 20 + "|\n", at=66, sizes=[6] * 9, together=1)
@example(text="Bye-bye", at=4, sizes=[], together=1)
@example(text="2020", at=2, sizes=[], together=1)
def test_what_goes_on_exactly_is_whole(text: str, at: int, sizes: list[int], together: int) -> None:
    """Of a worker that does as it should, nothing is lost, wherever it begins."""
    said = text[:at]
    assume(not _is_square(text, at))

    # It was given the text without the white space at its end.
    rest = text[len(said.rstrip()) :]

    assert _carried_on(said, _batches(_cut(rest, sizes), together=together)) == text


@pytest.mark.slow
@given(
    text=st.text(min_size=WHOLE_CHARACTERS_MIN), at=st.integers(0, 200), sizes=SIZES, more=st.text()
)
@example(text=FOX, at=20, sizes=[3, 3], more="")
@example(text=FOX, at=len(FOX), sizes=[3, 3], more="")
@example(text="Hello wor", at=9, sizes=[], more="ld")
def test_a_whole_repetition_is_taken_out(text: str, at: int, sizes: list[int], more: str) -> None:
    """A worker that begins from the beginning is read from where the other one stopped."""
    said, whole = text[:at], text + more
    body = said.rstrip()
    assume(len(body) >= WHOLE_CHARACTERS_MIN)
    # Those that may have been meant: a run, or a text that begins again.
    assume(not any(body.startswith(body[shift:]) for shift in range(1, len(body) // 2 + 1)))
    assume(not whole[len(body) :].startswith(body[: min(8, len(body) // 3)]))

    assert _carried_on(said, _batches(_cut(whole, sizes))) == whole


_WORDS = st.lists(
    st.text("abcdefghij", min_size=1, max_size=8), min_size=10, max_size=30, unique=True
)


@pytest.mark.slow
@given(words=_WORDS, sizes=SIZES, data=st.data())
def test_a_repeated_end_is_taken_out(
    words: list[str], sizes: list[int], data: st.DataObject
) -> None:
    """A worker that begins some words too early is read from where the other one stopped."""
    whole = " ".join(words)
    at = data.draw(st.integers(0, len(whole)), "lost at")
    said = whole[:at]
    starts = [
        start
        for start in range(1, len(said.rstrip()) - END_CHARACTERS_MIN + 1)
        if whole[start - 1] == " "
    ]
    assume(starts)
    start = data.draw(st.sampled_from(starts), "begins at")
    end = said[start:].rstrip()
    rest = whole[start + len(end) :]
    assume(not rest.startswith(end[:2]))
    assume(not any(end.startswith(end[shift:]) for shift in range(1, len(end) // 2 + 1)))

    assert _carried_on(said, _batches(_cut(whole[start:], sizes))) == whole


@pytest.mark.parametrize(
    ("said", "comes"),
    [
        ("Hello", "Hello there"),
        (FOX, "the dog does not mind. Really."),
        (f"Now {ALPHABET[:23]}", f"{ALPHABET[:23]} again"),
        (FOX, FOX[-34:] + " Really."),
        (f"{FOX} {FOX}", f"{FOX} Really."),
        (f"It says: {'na' * 30}", f"{'na' * 30} batman"),
        ("ha " * 40, "ha " * 40),
        ("hahahaha", "hahahaha"),
        ("Hello,Hello,", "Hello,Hello, you"),
        ("ha " * 1000 + "so funny", "ha " * 1000 + "so funny!"),
        (FOX, f" {FOX} Really."),
        (f"Sure:\n\n{LINE}", f"\n{LINE} Really."),
        (FOX, f"{FOX}{FOX}"),
        (FOX, f"{FOX}{FOX[:8]}"),
        (FOX, f"{FOX[:30]} and so on"),
        (FOX, FOX[:30]),
    ],
    ids=[
        "short",
        "short end",
        "end just too short",
        "midst of a word",
        "end found twice",
        "run at the end",
        "run",
        "run and nothing else",
        "run of two",
        "run with an end",
        "behind a space",
        "behind a line end",
        "twice more",
        "once more and begun again",
        "beginning alone",
        "beginning and nothing else",
    ],
)
def test_what_may_be_meant_stays(said: str, comes: str) -> None:
    """Rather twice than not at all."""
    said = said.rstrip()
    for pieces in (list(comes), [comes], _cut(comes, [7] * 9)):
        assert _goes_on(said, *pieces) == said + comes


def test_space_at_the_end_comes_once() -> None:
    """The worker does not know of it, so it says it again, or does not."""
    assert _goes_on("Dear ", " reader") == "Dear reader"
    assert _goes_on("Dear ", "reader") == "Dear reader"
    assert _goes_on("Dear:\n\n", "\n", "\n", "- one") == "Dear:\n\n- one"
    assert _goes_on("Dear:\n", "\n\n- one") == "Dear:\n\n- one"
    assert _goes_on("Dear:\n", "\n", "\n- one") == "Dear:\n\n- one"
    assert _goes_on("\nDear reader\n", "\n") == "\nDear reader\n"
    assert _goes_on("Dear:\n\n", "\n- one", "\n\n- two") == "Dear:\n\n- one\n\n- two"
    assert _goes_on(f"{FOX}\n\n", FOX, "\n", "\nReally.") == f"{FOX}\n\nReally."


def test_nothing_is_held_back_without_need() -> None:
    """What cannot be a repetition any more goes out at once; and from then on, everything."""
    remover = OverlapRemover(FOX)

    assert remover.take((TextDelta("The quick"),)) == ()
    assert remover.take((TextDelta(" answer"),)) == (TextDelta("The quick answer"),)
    batch: Batch = (TextDelta("The quick"), TextDelta(""))
    assert remover.take(batch) is batch


def test_repetitions_of_just_enough() -> None:
    """However they come; and what has begun like a third time goes on otherwise."""
    assert _goes_on("Hello,", "Hello, you") == "Hello, you"
    assert _goes_on(f"Now {ALPHABET[:24]}", f"{ALPHABET[:24]} again") == (
        f"Now {ALPHABET[:24]} again"
    )
    assert _goes_on(FOX, FOX, "T", "his is it.") == f"{FOX}This is it."
    assert _goes_on(FOX, "", *FOX, "") == FOX


def test_a_new_text_passes_as_it_is() -> None:
    """Without a copy."""
    batch = (TextDelta("Yes"), TextDelta("."))
    assert [id(event) for event in OverlapRemover(FOX).take(batch)] == [*map(id, batch)]


def test_reasoning_may_come_before() -> None:
    """It is passed on, and what is repeated behind it is taken out all the same."""
    remover = OverlapRemover(FOX)
    thought = (ReasoningDelta("Where was I?"),)

    assert remover.take(thought) == thought
    assert remover.take((TextDelta(f"{FOX} Really."),)) == (TextDelta(" Really."),)


def test_other_events_end_the_text() -> None:
    """What is held back goes out before them."""
    call = ToolCallStarted(0, "call_1", "find")

    assert OverlapRemover(FOX).take((TextDelta("The quick"), call)) == (
        TextDelta("The quick"),
        call,
    )
    assert OverlapRemover(FOX).take((TextDelta(FOX), call)) == (call,)
    assert OverlapRemover(FOX).take((TextDelta(f"{FOX}Th"), END)) == (TextDelta("Th"), END)


@pytest.mark.slow
def test_long_texts_cost_little() -> None:
    """A long text is repeated in small pieces, or almost repeated."""
    said = " ".join(f"{number}th" for number in range(20_000))

    assert _goes_on(said, *_cut(said, [4] * 50_000), " and so on") == f"{said} and so on"
    assert len(_goes_on(said, *_cut(said[:-1], [4] * 50_000), "!")) == 2 * len(said)
    too_early = said.rindex(" ", 0, -END_CHARACTERS_MAX) + 1
    assert len(_goes_on(said, said[too_early:], " and so on")) > len(said) + END_CHARACTERS_MAX
