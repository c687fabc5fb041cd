"""Seconds behind the question mark: moments since the epoch, and how long something is."""

import re
from collections.abc import Mapping
from typing import Final

from cortexd.domain.errors import RequestRefused

# Not float(): that takes `nan`, `1_0` and digits of other scripts.
_FORM: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


def read_seconds(parameters: Mapping[str, str], name: str, default: float) -> float:
    """The number under that name, or the default. Raises `RequestRefused`."""
    text = parameters.get(name)
    if text is None:
        return default
    if not _FORM.fullmatch(text):
        raise RequestRefused(
            "must be a number of seconds, not negative", param=name, code="invalid_value"
        )
    return float(text)
