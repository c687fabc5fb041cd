"""Arguments of tool calls, as text and as an object."""

import pytest

from cortexd.wire.errors import MalformedStream
from cortexd.wire.tool_arguments import as_object, is_object


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", {}), ("  ", {}), ("{}", {}), ('{"a": [1, {"b": null}]}', {"a": [1, {"b": None}]})],
)
def test_objects(text: str, expected: dict[str, object]) -> None:
    """No text at all is a call without arguments."""
    assert as_object(text, tool="f") == expected


@pytest.mark.parametrize("text", ["[]", "1", "null", '{"a":', "{'a': 1}", "[" * 100_000, "\ud800"])
def test_what_is_no_object(text: str) -> None:
    """The worker's mistake is named by the tool; a client's is told."""
    with pytest.raises(MalformedStream, match="arguments for 'f'"):
        as_object(text, tool="f")
    assert not is_object(text)
    assert is_object('{"a":1}')


def test_how_deep_they_may_be() -> None:
    """As deep as the body of a request, wherever they are read: not as deep as Python can."""
    deepest = '{"a":' * 63 + "[1]" + "}" * 63
    assert is_object(deepest)
    assert as_object(deepest, tool="f")
    assert not is_object(f'{{"a":{deepest}}}')
    with pytest.raises(MalformedStream):
        as_object(f'{{"a":{deepest}}}', tool="f")
