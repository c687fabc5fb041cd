"""JSON from clients: what two readers could understand differently is refused, never guessed.

The stdlib's parser does the reading, since it alone shows every pair of an object; msgspec does the
writing.
"""

import json
import math
from typing import Final, NoReturn

import msgspec

from cortexd.domain.errors import RequestRefused
from cortexd.wire.quotation import quoted, shortened

DEPTH_MAX: Final = 64

VALUES_MAX: Final = 500_000
"""A body within the size limit could hold millions, and reading them would stop the event loop."""

INTEGER_MAX: Final = 2**53
"""Beyond it, readers that keep numbers as floats (JavaScript) see another number than was sent."""

_LINE_ENDS: Final = tuple((c.encode(), f"\\u{ord(c):04x}".encode()) for c in "\x85\u2028\u2029")


def parse_object(
    body: bytes, *, depth_max: int = DEPTH_MAX, values_max: int = VALUES_MAX
) -> dict[str, object]:
    """The JSON object that `body` is.

    Errors: `RequestRefused` with the code `empty_body`, `invalid_json` (the message names the
    byte), `json_too_deep`, `json_too_large`, `duplicate_key` or `number_out_of_range`.
    """
    if not body.strip():
        raise RequestRefused("the body is empty; send a JSON object", code="empty_body")
    document = _parse(body, depth_max=depth_max, values_max=values_max)
    _check(document, depth_max=depth_max, values_max=values_max)
    if not isinstance(document, dict):
        raise RequestRefused("the body must be a JSON object", code="invalid_json")
    return document


def dumps(document: object) -> bytes:
    """`document` as one line of JSON, for every reader's notion of a line.

    The characters that Unicode calls line ends are escaped, as Go's encoder does: the official
    Ollama client, for one, splits its lines there.
    """
    encoded = msgspec.json.encode(document)
    if encoded.isascii():
        return encoded
    for raw, escape in _LINE_ENDS:
        encoded = encoded.replace(raw, escape)
    return encoded


class _Objects:
    """Takes the pairs of each object, and counts: these calls are the slow part of reading."""

    def __init__(self, values_max: int) -> None:
        self._values_max = values_max
        self._values = 0

    def __call__(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        self._values += 1 + len(pairs)
        if self._values > self._values_max:
            raise _too_large(self._values_max)
        taken = dict(pairs)
        if len(taken) < len(pairs):
            raise _duplicate(pairs)
        return taken


def _parse(body: bytes, *, depth_max: int, values_max: int) -> object:
    try:
        text = body.decode()
    except UnicodeDecodeError as exc:
        raise _invalid("not UTF-8", byte=exc.start) from None
    try:
        return json.loads(
            text, object_pairs_hook=_Objects(values_max), parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as exc:
        raise _invalid(exc.msg, byte=len(text[: exc.pos].encode())) from None
    except RecursionError:
        raise _too_deep(depth_max) from None
    except ValueError:
        # Python's own limit, of 4300 digits as a rule, where int() would take quadratic time.
        raise RequestRefused("an integer is out of range", code="number_out_of_range") from None


def _check(document: object, *, depth_max: int, values_max: int) -> None:
    """Refuse what the parser lets through, level by level."""
    level: list[object] = [document]
    depth = count = 0
    while level:
        depth += 1
        count += len(level)
        if count > values_max:
            raise _too_large(values_max)
        below: list[object] = []
        for value in level:
            if isinstance(value, str):
                _check_text(value)
            elif isinstance(value, int | float):
                _check_number(value)
            elif isinstance(value, dict | list):
                if depth > depth_max:
                    raise _too_deep(depth_max)
                if isinstance(value, dict):
                    for name in value:
                        _check_text(name)
                below.extend(value.values() if isinstance(value, dict) else value)
        level = below


def _check_number(number: float) -> None:
    # A float beyond the range of floats has become infinite.
    if abs(number) > INTEGER_MAX if isinstance(number, int) else math.isinf(number):
        raise RequestRefused(
            f"the number {quoted(str(number))} is out of range", code="number_out_of_range"
        )


def _check_text(text: str) -> None:
    """Half a surrogate pair, which an escape can smuggle in, could not be encoded again."""
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RequestRefused(
            "a \\u escape of half a surrogate pair is no character", code="invalid_json"
        ) from None


def _invalid(problem: str, *, byte: int) -> RequestRefused:
    return RequestRefused(f"the body is not JSON: {problem} at byte {byte}", code="invalid_json")


def _too_deep(depth_max: int) -> RequestRefused:
    return RequestRefused(f"JSON nested deeper than {depth_max} levels", code="json_too_deep")


def _too_large(values_max: int) -> RequestRefused:
    return RequestRefused(
        f"the body holds more than {values_max} values", code="json_too_large", status=413
    )


def _duplicate(pairs: list[tuple[str, object]]) -> RequestRefused:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            break
        seen.add(name)
    return RequestRefused(f"the key {quoted(name)} stands twice", shortened(name), "duplicate_key")


def _refuse_constant(name: str) -> NoReturn:
    raise RequestRefused(f"{name} is not JSON", code="invalid_json")
