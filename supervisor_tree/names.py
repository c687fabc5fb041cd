"""Typed constants by which the children of one tree find each other."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

A = TypeVar("A")


@attrs.frozen
class Name(Generic[A]):
    """The name of one service, which says what kind of service answers to it.

    `POOL = Name[Pool]("pool")` is written once, as a constant. Equal texts are equal names.
    """

    text: str

    def __str__(self) -> str:
        return self.text
