"""A secret shows itself to nobody who has not asked for it by name."""

import copy
import json
import logging
import pickle
from collections.abc import Callable
from typing import Any

import attrs
import msgspec
import pytest

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.domain.secret import Secret, without

_VALUE = "canary-of-the-secret-4711"


@attrs.frozen
class _Holder:
    secret: Secret


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        "{}".format,
        "{!r:>40}".format,
        "{:>40}".format,
        "%s %r".__mod__,
        ascii,
        lambda secret: f"{secret} {secret!s} {secret!r} {_Holder(secret)}",
        lambda secret: str([secret]) + str({secret: secret}),
        lambda secret: str(attrs.asdict(_Holder(secret))),
        lambda secret: str(logging.LogRecord("n", 1, "p", 1, "%s", (secret,), None).getMessage()),
        lambda secret: msgspec.json.encode({"a": secret}, enc_hook=str).decode(),
        lambda secret: json.dumps({"a": secret}, default=str),
        lambda secret: str(ValueError(secret)),
        lambda secret: str(dir(secret)),
    ],
)
def test_it_is_masked(show: Callable[[Any], str]) -> None:
    """However it is made a text."""
    secret = Secret(_VALUE)
    shown = show((secret, secret) if show == "%s %r".__mod__ else secret)
    assert _VALUE not in shown
    assert shown


@pytest.mark.parametrize(
    "give_away", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, msgspec.json.encode]
)
def test_it_is_not_given_away(give_away: Callable[[Any], object]) -> None:
    """Neither by itself nor within something else."""
    for subject in (Secret(_VALUE), [Secret(_VALUE)]):
        if give_away is copy.copy and isinstance(subject, list):
            continue
        with pytest.raises(TypeError) as caught:
            give_away(subject)
        assert _VALUE not in str(caught.value)


def test_only_who_asks_gets_it() -> None:
    """And can compare it."""
    assert Secret(_VALUE).reveal() == _VALUE
    assert Secret(_VALUE) == Secret(_VALUE)
    assert Secret(_VALUE) != Secret("another")
    assert Secret(_VALUE) != _VALUE


def test_a_text_is_cleared_of_it() -> None:
    """Of the whole, however short, and of any long part; nothing is cleared of an empty one."""
    secrets = (Secret(_VALUE), Secret("abc"), Secret(""))
    assert without(secrets, f"is {_VALUE}abc wrong? {_VALUE[:14]}") == "is ****** wrong? ***"


def test_a_failure_is_cleared_for_both_of_its_readers() -> None:
    """Of keys for all; of the client's own words for operators only."""
    words = "the heron is never wrong"
    said = f"{words}, but {_VALUE} and sk-another-key-0123 are"
    failure = WorkerFailed(WorkerName("w"), FailureKind.REFUSED, said, told=said, status=400)
    cleared = failure.without([Secret(_VALUE)]).without_words_of(f"Once upon a time, {words}.")
    assert cleared.detail == "***, but *** and *** are"
    assert cleared.report == "worker 'w' failed: refused (***, but *** and *** are)"
    assert cleared.told == f"{words}, but *** and *** are"
    assert cleared.status == failure.status
