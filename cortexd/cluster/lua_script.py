"""A script that Redis runs in one step: what nodes decide together, they decide there."""

import hashlib

import attrs


@attrs.frozen
class LuaScript:
    """The text of a script, and the digest that Redis keeps it by once it has seen it."""

    text: str
    digest: str = attrs.field(init=False)

    @digest.default
    def _digest_of_text(self) -> str:
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
