import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.errors import RequestRefused
from cortexd.wire.strict_json import DEPTH_MAX, dumps, parse_object

DEEPEST = DEPTH_MAX - 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", "empty_body", id="B14-empty"),
        pytest.param(b" \r\n\t", "empty_body", id="B14-blank"),
        pytest.param(b'{"a":', "invalid_json", id="J1-truncated"),
        pytest.param(b'{"a":"x', "invalid_json", id="J1-truncated-string"),
        pytest.param(b"{} {}", "invalid_json", id="J1-trailing"),
        pytest.param(b"{'a':1}", "invalid_json", id="J1-single-quotes"),
        pytest.param(b'{"a":1}//', "invalid_json", id="J1-comment"),
        pytest.param(b'{"a":1,}', "invalid_json", id="J1-trailing-comma"),
        pytest.param(b"{a:1}", "invalid_json", id="J1-bare-name"),
        pytest.param(b'{"a":' + b"[" * 1000, "json_too_deep", id="J2-1000"),
        pytest.param(b'{"a":' + b"[" * 100_000, "json_too_deep", id="J2-100000"),
        pytest.param(
            b'{"a":' * DEPTH_MAX + b"{}" + b"}" * DEPTH_MAX, "json_too_deep", id="J2-objects"
        ),
        pytest.param(
            b'{"a":' + b"[" * DEPTH_MAX + b"]" * DEPTH_MAX + b"}", "json_too_deep", id="J2-65"
        ),
        pytest.param(b'{"a":NaN}', "invalid_json", id="J3-nan"),
        pytest.param(b'{"a":Infinity}', "invalid_json", id="J3-infinity"),
        pytest.param(b'{"a":[-Infinity]}', "invalid_json", id="J3-minus-infinity"),
        pytest.param(b'{"a":1e999}', "number_out_of_range", id="J3-1e999"),
        pytest.param(b'{"a":-1e999}', "number_out_of_range", id="J3-minus-1e999"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", "number_out_of_range", id="J5-5000-digits"),
        pytest.param(b'{"a":' + b"9" * 4000 + b"}", "number_out_of_range", id="J5-4000-digits"),
        pytest.param(b'{"a":9223372036854775808}', "number_out_of_range", id="J5-2^63"),
        pytest.param(b'{"a":9007199254740993}', "number_out_of_range", id="J5-2^53+1"),
        pytest.param(b'{"a":-9007199254740993}', "number_out_of_range", id="J5-minus"),
        pytest.param(b'{"model":"a","model":"b"}', "duplicate_key", id="J6-root"),
        pytest.param(b'{"model":"a","model":"a"}', "duplicate_key", id="J6-equal"),
        pytest.param(b'{"model":"a","mode\\u006c":"b"}', "duplicate_key", id="J6-escaped"),
        pytest.param(b'{"a":[{"b":{"c":1,"c":2}}]}', "duplicate_key", id="J6-nested"),
        pytest.param(b'{"a":"\xff"}', "invalid_json", id="J7-invalid-utf8"),
        pytest.param(b'{"a":"\xc0\xaf"}', "invalid_json", id="J7-overlong"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', "invalid_json", id="J7-surrogate-bytes"),
        pytest.param('{"a":1}'.encode("utf-16"), "invalid_json", id="J7-utf16"),
        pytest.param('{"a":1}'.encode("utf-16-le"), "invalid_json", id="J7-utf16-no-bom"),
        pytest.param('{"a":1}'.encode("utf-32-le"), "invalid_json", id="J7-utf32"),
        pytest.param(b'\xef\xbb\xbf{"a":1}', "invalid_json", id="J7-bom"),
        pytest.param(b'{"a":"\\ud800"}', "invalid_json", id="J7-lone-surrogate"),
        pytest.param(b'{"a":["\\udc00\\ud800"]}', "invalid_json", id="J7-swapped-pair"),
        pytest.param(b'{"\\ud800":1}', "invalid_json", id="J7-surrogate-name"),
        pytest.param(b'{"a":"\n"}', "invalid_json", id="J9-raw-newline"),
        pytest.param(b'{"a":"\x00"}', "invalid_json", id="J9-raw-nul"),
        pytest.param(b"[]", "invalid_json", id="J10-array"),
        pytest.param(b'"a"', "invalid_json", id="J10-string"),
        pytest.param(b"1", "invalid_json", id="J10-number"),
        pytest.param(b"null", "invalid_json", id="J10-null"),
        pytest.param(b"true", "invalid_json", id="J10-true"),
        pytest.param(b'{"a":01}', "invalid_json", id="J14-01"),
        pytest.param(b'{"a":1.}', "invalid_json", id="J14-1."),
        pytest.param(b'{"a":.5}', "invalid_json", id="J14-.5"),
        pytest.param(b'{"a":+1}', "invalid_json", id="J14-plus"),
        pytest.param(b'{"a":0x1}', "invalid_json", id="J14-0x1"),
        pytest.param(b'{"a":1_0}', "invalid_json", id="J14-1_0"),
        pytest.param('{"a":\u0661}'.encode(), "invalid_json", id="J14-arabic-digit"),
    ],
)
def test_what_could_be_misunderstood_is_refused(body: bytes, code: str) -> None:
    """Each row of the bad-input catalogue is the client's error, with its own code."""
    with pytest.raises(RequestRefused) as caught:
        parse_object(body)
    assert caught.value.code == code
    assert caught.value.status == 400
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b' {"a": "\\ud83d\\ude00"}\r\n', "😀"),
        (b'{"a":"\\u0000\\n"}', "\0\n"),
        (b'{"a":"\x7f"}', "\x7f"),
        (b'{"a":9007199254740992}', 2**53),
        (b'{"a":-9007199254740992}', -(2**53)),
        (b'{"a":1.5e3}', 1500.0),
        (b'{"a":1e-999}', 0.0),
        (b'{"a":{"a":{"a":1}}}', {"a": {"a": 1}}),
        (b'{"a":[{"b":1},{"b":2}]}', [{"b": 1}, {"b": 2}]),
    ],
)
def test_what_is_plain_is_read(body: bytes, value: object) -> None:
    """Escapes, large numbers and repeated keys of different objects are fine (J5, J9)."""
    assert parse_object(body) == {"a": value}


def test_the_depth_limit_is_exact() -> None:
    """64 levels pass, whatever stands in the innermost one (J2)."""
    body = b'{"a":' + b"[" * DEEPEST + b'"x"' + b"]" * DEEPEST + b"}"
    assert list(parse_object(body)) == ["a"]
    assert parse_object(b'{"a":1}', depth_max=1) == {"a": 1}
    with pytest.raises(RequestRefused):
        parse_object(b'{"a":[]}', depth_max=1)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":[' + b"1," * 3 + b"1]}",
        b'{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6}',
        b'{"a":[{},{},{},{}]}',
        b'{"a":{"a":{"a":{"a":{"a":1}}}}}',
    ],
)
def test_the_number_of_values_has_a_limit(body: bytes) -> None:
    """A body of very many values, however they are arranged, must not hold up everyone else."""
    with pytest.raises(RequestRefused) as caught:
        parse_object(body, values_max=5)
    assert (caught.value.code, caught.value.status) == ("json_too_large", 413)
    parse_object(body, values_max=20)


def test_objects_are_counted_while_they_are_read() -> None:
    """Too many objects end the reading: what comes behind them is not even looked at."""
    with pytest.raises(RequestRefused) as caught:
        parse_object(b'{"a":[{},{},{},{},{},{},no json', values_max=5)
    assert caught.value.code == "json_too_large"


def test_a_limit_for_10_000_messages() -> None:
    """The default leaves room for the longest conversation the doors take."""
    message = b'{"role":"user","content":[{"type":"text","text":"x"}]}'
    parse_object(b'{"messages":[' + b",".join([message] * 10_000) + b"]}")


@pytest.mark.parametrize(
    ("body", "byte"),
    [
        (b'{"a":x}', 5),
        ('{"é":x}'.encode(), 6),
        (b'{"a":1} x', 8),
        (b'{"a":"\xff"}', 6),
        (b"[", 1),
    ],
)
def test_the_offset_counts_bytes(body: bytes, byte: int) -> None:
    """The message names the byte, not the character, at which reading ended (J1)."""
    with pytest.raises(RequestRefused, match=f"at byte {byte}$"):
        parse_object(body)


def test_a_duplicate_key_is_named_briefly() -> None:
    """The key is repeated with its controls escaped and cut to 100 characters."""
    name = "\\u001b" + "x" * 1000
    with pytest.raises(RequestRefused) as caught:
        parse_object(f'{{"{name}":1,"{name}":2}}'.encode())
    assert "'\\x1bxxx" in caught.value.message
    assert caught.value.param is not None
    assert len(caught.value.param) <= 100


texts = st.text(st.characters(codec="utf-8"))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(texts, values, max_size=4))
def test_what_is_written_is_read_again(document: dict[str, object]) -> None:
    """Any document survives `dumps`, and the stdlib's writer, unchanged."""
    assert parse_object(dumps(document)) == document
    assert parse_object(json.dumps(document).encode()) == document


def test_a_document_is_one_line() -> None:
    """No character that any reader takes for a line end is written as itself."""
    written = dumps({"a": "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"})
    assert len(written.decode().splitlines()) == 1
    assert parse_object(written) == {"a": "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"}


@given(st.binary())
def test_no_bytes_crash_the_reader(body: bytes) -> None:
    """Whatever a client sends is read or refused."""
    with contextlib.suppress(RequestRefused):
        assert "a" in parse_object(b'{"a":' + body + b"}")
