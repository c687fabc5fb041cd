"""Group J of the catalogue of bad input: what is not JSON, or not as everybody reads it.

On a real node, at each endpoint that takes a body, in the dialect of each.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import pytest

pytestmark = pytest.mark.real_time

SHOW_BYTES_MAX: Final = 64 * 1024
"""POST /api/show reads no more."""

Break: TypeAlias = Callable[[Any], bytes]
"""Takes an endpoint, and gives the body that is sent to it."""


def _nested(depth: int) -> bytes:
    return b'"deep": ' + b"[" * depth + b"]" * depth


def _with_seed(number: bytes) -> Break:
    return lambda to: bytes(to.having(b'"seed": ' + number))


# The body, the code, and what the message says.
ROWS: Final[dict[str, tuple[Break, str, str]]] = {
    "J1 cut short": (lambda to: to.body[:-1], "invalid_json", r"at byte \d+$"),
    "J1 cut inside a string": (lambda to: to.body[:-3], "invalid_json", r"at byte \d+$"),
    "J1 data behind": (lambda to: to.body + b"{}", "invalid_json", "Extra data"),
    "J1 a letter behind": (lambda to: to.body + b"x", "invalid_json", "Extra data"),
    "J1 single quotes": (
        lambda to: to.body.replace(b'"', b"'"),
        "invalid_json",
        r"at byte 1$",
    ),
    "J1 a comment": (lambda to: b"/* hi */" + to.body, "invalid_json", r"at byte 0$"),
    "J1 a comment inside": (lambda to: to.having(b"/* hi */"), "invalid_json", r"at byte \d+$"),
    "J1 a comma at the end": (lambda to: to.body[:-1] + b",}", "invalid_json", r"at byte \d+$"),
    "J1 no name": (lambda to: to.having(b"1: 2"), "invalid_json", r"at byte \d+$"),
    "J1 a byte behind letters of two bytes": (
        lambda _: '{"ä": "ö" x}'.encode(),
        "invalid_json",
        r"at byte 12$",
    ),
    "J2 one level too deep": (lambda to: to.having(_nested(64)), "json_too_deep", "64 levels"),
    "J2 objects": (
        lambda to: to.having(b'"a": ' + b'{"a": ' * 64 + b"1" + b"}" * 64),
        "json_too_deep",
        "64 levels",
    ),
    "J2 1000 levels": (lambda to: to.having(_nested(1000)), "json_too_deep", "64 levels"),
    "J2 30,000 levels": (lambda to: to.having(_nested(30_000)), "json_too_deep", "64 levels"),
    "J2 100,000 levels": (lambda _: b"[" * 100_000, "json_too_deep", "64 levels"),
    "J3 NaN": (lambda to: to.having(b'"seed": NaN'), "invalid_json", "^NaN is not JSON"),
    "J3 Infinity": (lambda to: to.having(b'"a": Infinity'), "invalid_json", "^Infinity is"),
    "J3 -Infinity": (lambda to: to.having(b'"a": [-Infinity]'), "invalid_json", "^-Infinity is"),
    "J5 5000 digits": (
        lambda to: to.having(b'"seed": ' + b"9" * 5000),
        "number_out_of_range",
        "out of range",
    ),
    "J5 4300 digits": (
        lambda to: to.having(b'"seed": -' + b"9" * 4300),
        "number_out_of_range",
        "out of range",
    ),
    "J5 2^63": (lambda to: to.having(b'"seed": %d' % 2**63), "number_out_of_range", str(2**63)),
    "J5 2^53+1": (lambda to: to.having(b'"a": [%d]' % (2**53 + 1)), "number_out_of_range", "9007"),
    "J5 -2^53-1": (lambda to: to.having(b'"a": %d' % -(2**53 + 1)), "number_out_of_range", "-9007"),
    "J5 1e400": (lambda to: to.having(b'"a": 1e400'), "number_out_of_range", "out of range"),
    "J6 model twice": (lambda to: to.having(b'"model": "x"'), "duplicate_key", "^the key 'model'"),
    "J6 an escape": (lambda to: to.having(b'"mod\\u0065l": 1'), "duplicate_key", "'model'"),
    "J6 further in": (
        lambda to: to.having(b'"a": [{"b": {"max_tokens": 1, "max_tokens": 2}}]'),
        "duplicate_key",
        "'max_tokens'",
    ),
    "J6 a long one": (
        lambda to: to.having(b'"%b": 1, "%b": 1' % (b"k" * 500, b"k" * 500)),
        "duplicate_key",
        "k…' stands twice",
    ),
    "J6 half a pair": (
        lambda to: to.having(b'"\\ud800": 1, "\\ud800": 1'),
        "duplicate_key",
        r"'\\ud800' stands twice",
    ),
    "J7 no UTF-8": (lambda to: to.having(b'"a": "\xff"'), "invalid_json", r"not UTF-8 at byte \d"),
    "J7 overlong": (lambda to: to.having(b'"a": "\xc0\xaf"'), "invalid_json", "not UTF-8"),
    "J7 half a pair in UTF-8": (
        lambda to: to.having(b'"a": "\xed\xa0\x80"'),
        "invalid_json",
        "not UTF-8",
    ),
    "J7 half a pair in an escape": (
        lambda to: to.having(b'"a": "\\udc00"'),
        "invalid_json",
        "surrogate pair",
    ),
    "J7 half a pair in a name": (lambda to: to.having(b'"\\ud800": 1'), "invalid_json", "pair"),
    "J7 UTF-16": (lambda to: to.body.decode().encode("utf-16"), "invalid_json", "not UTF-8"),
    "J7 UTF-16 without a mark": (
        lambda to: to.body.decode().encode("utf-16-le"),
        "invalid_json",
        "not JSON",
    ),
    "J7 UTF-32": (lambda to: to.body.decode().encode("utf-32"), "invalid_json", "not UTF-8"),
    "J7 a byte order mark": (lambda to: b"\xef\xbb\xbf" + to.body, "invalid_json", "BOM"),
    "J9 a line end in a string": (lambda to: to.having(b'"a": "\n"'), "invalid_json", "control"),
    "J9 NUL in a string": (lambda to: to.having(b'"a": "\0"'), "invalid_json", "control"),
    "J10 an array": (lambda to: b"[" + to.body + b"]", "invalid_json", "must be a JSON object"),
    "J10 a string": (lambda _: b'"x"', "invalid_json", "must be a JSON object"),
    "J10 a number": (lambda _: b"1", "invalid_json", "must be a JSON object"),
    "J10 null": (lambda _: b"null", "invalid_json", "must be a JSON object"),
    "J10 true": (lambda _: b"true", "invalid_json", "must be a JSON object"),
    **{
        f"J14 {number.decode()}": (
            _with_seed(number),
            "invalid_json",
            r"at byte \d+$",
        )
        for number in (b"01", b"1.", b".5", b"0x1", b"1_0", b"+1", b"1e", b"-", b"\xc2\xb2")
    },
}


@pytest.mark.parametrize("name", ROWS)
def test_what_is_no_json_is_refused(refused: Any, endpoint: Any, name: str) -> None:
    """With a code where the dialect has one, and with the byte where there is one to name."""
    broken, code, told = ROWS[name]
    body = broken(endpoint)
    if endpoint.path == "/api/show" and len(body) > SHOW_BYTES_MAX:
        assert "at most" in refused(endpoint.path, body, 413).message
        return
    refusal = refused(endpoint.path, body)
    assert refusal.is_for(code)
    assert re.search(told, refusal.message), refusal.message


def test_j2_the_deepest_that_is_read(refused: Any, endpoint: Any) -> None:
    """At 64 levels it is not the depth that is refused."""
    assert refused(endpoint.path, endpoint.having(_nested(63))).names("deep")


def test_j6_the_key_is_named(refused: Any, endpoint: Any) -> None:
    """In `param`, where the dialect has one."""
    refusal = refused(endpoint.path, endpoint.having(b'"model": "x"'))
    assert refusal.param == ("model" if endpoint.speaks_openai else None)


def test_j9_nul_in_a_name_is_refused(refused: Any, endpoint: Any) -> None:
    """No model has one, and logs would carry it."""
    refusal = refused(endpoint.path, {**endpoint.document, "model": "a\0b"})
    assert refusal.names("model")
    assert "\0" not in refusal.message


def test_j9_nul_in_a_text_is_a_character(node: Any) -> None:
    """A model may read what it likes, and a client gets back what is said."""
    document = {"model": "actor/scripted", "messages": [{"role": "user", "content": "a\0b"}]}
    [reply] = node.post("/v1/chat/completions", json.dumps(document).encode())
    assert reply.status == 200


def test_j13_keys_by_the_thousand(refused: Any, endpoint: Any) -> None:
    """They are read, whatever they hash to, and the first is refused."""
    keys = b", ".join(b'"%d": 0' % number for number in range(2000))
    assert refused(endpoint.path, endpoint.having(keys)).names("0")
