"""An upstream's answer that is not the one asked for, as codecs read it."""

from collections.abc import Mapping

import attrs


@attrs.frozen
class FailedAnswer:
    """`headers` have lower-case names; `body` may have been cut at a limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes
