"""Line numbers of keys."""

import datetime as dt
import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.config.positions import locate
from cortexd.config.problems import KeyPath

DOCUMENT = '''\
# a comment with = and [brackets]
top = 1

[node]
name = "a"  # comment
"quoted key" = 1
'literal # key' = 2
dotted . "in ner" . x = 3

[[workers]]
name = "a = [["
prompt = """
[health]
interval_seconds = 1
"""
script = [
  # [pool]
  { say = "x", wait = 1 },
  { say = """
two lines"""} ,
  [ 1,
    2 ],
]
path = \'\'\'
  C:\\""" ]\'\'\'\'
after = true
[workers.nested]
x = 1979-05-27 07:32:00
[[workers]]
name = """"quoted\\""""" # five quotes end it
next = {a.b = 1, c = [{d = 2}]}
[[ "work.ers" ]]
[[workers.parts]]
a = 1
[[workers.parts]]
a = 2
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("node",), 4),
        (("node", "name"), 5),
        (("node", "quoted key"), 6),
        (("node", "literal # key"), 7),
        (("node", "dotted", "in ner", "x"), 8),
        (("workers",), 10),
        (("workers", 0), 10),
        (("workers", 0, "name"), 11),
        (("workers", 0, "prompt"), 12),
        (("workers", 0, "script"), 16),
        (("workers", 0, "script", 0, "wait"), 18),
        (("workers", 0, "script", 1), 19),
        (("workers", 0, "script", 1, "say"), 19),
        (("workers", 0, "script", 2, 1), 22),
        (("workers", 0, "path"), 24),
        (("workers", 0, "after"), 26),
        (("workers", 0, "nested", "x"), 28),
        (("workers", 1), 29),
        (("workers", 1, "name"), 30),
        (("workers", 1, "next", "a", "b"), 31),
        (("workers", 1, "next", "c", 0, "d"), 31),
        (("work.ers", 0), 32),
        (("workers", 1, "parts", 0, "a"), 34),
        (("workers", 1, "parts", 1, "a"), 36),
    ],
)
def test_line_of_each_form_of_key(path: KeyPath, line: int) -> None:
    """Tables, arrays, dotted and quoted keys, inline tables and long strings have their line."""
    tomllib.loads(DOCUMENT)
    assert line == locate(DOCUMENT).lines[path]


def _walk(value: Any, path: KeyPath = ()) -> dict[KeyPath, Any]:
    """Every key and item of a parsed document."""
    found: dict[KeyPath, Any] = {path: value} if path else {}
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        found |= _walk(inner, (*path, key))
    return found


def test_nothing_is_taken_for_a_key_that_is_none() -> None:
    """Brackets, equals signs and dates within values and comments make no keys."""
    assert locate(DOCUMENT).lines.keys() == _walk(tomllib.loads(DOCUMENT)).keys()


def test_windows_line_ends_count_once() -> None:
    """A carriage return before the newline does not count as a line of its own."""
    lines = locate(DOCUMENT.replace("\n", "\r\n")).lines
    assert locate(DOCUMENT).lines == lines


def test_a_missing_key_has_the_line_of_the_table_around_it() -> None:
    """Where a key is not in the file, its nearest table is the place to look; or there is none."""
    positions = locate("\n[[workers]]\nname = 'a'\n")
    assert positions.line_of(("workers", 0, "base_url")) == 2
    assert positions.line_of(("health", "timeout_seconds")) is None


# Everything that looks like structure, to tempt the scanner out of a string or a comment.
_NASTY = st.text(alphabet="ab=[]{}#,.'\"\\\n\t é", max_size=12)
_KEYS = st.one_of(
    st.text(alphabet="abc-_1", min_size=1, max_size=4),
    st.text(alphabet="ab.#= [\"'é\\", max_size=4),
)
_SCALARS = st.one_of(
    st.integers(-99, 99),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(dt.date(1900, 1, 1)),
    _NASTY,
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=6,
)


class _Writer:
    """Writes a document in one of its many spellings, and notes each key's line as it goes."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self.text = ""
        self.lines: dict[KeyPath, int] = {}

    def note(self, path: KeyPath) -> None:
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def gap(self) -> None:
        self.text += self._draw(st.sampled_from(["", "\n", "# [x] = 'y\n", "  \t", "\n\n#\n"]))

    def key(self, key: str) -> None:
        spelled = json.dumps(key, ensure_ascii=False)
        if key and all(letter in "abc-_1" for letter in key) and self._draw(st.booleans()):
            spelled = key
        self.text += spelled

    def pair(self, path: KeyPath, value: Any) -> None:
        self.note(path)
        self.key(str(path[-1]))
        # A table of one key may as well be dotted.
        while isinstance(value, dict) and len(value) == 1 and self._draw(st.booleans()):
            ((key, value),) = value.items()
            path = (*path, key)
            self.note(path)
            self.text += self._draw(st.sampled_from([".", " . "]))
            self.key(key)
        self.text += self._draw(st.sampled_from(["=", " = "]))
        self.value(path, value)

    def value(self, path: KeyPath, value: Any) -> None:
        if isinstance(value, list):
            self.text += "["
            for index, item in enumerate(value):
                self.gap()
                self.note((*path, index))
                self.value((*path, index), item)
                self.gap()
                if index < len(value) - 1 or self._draw(st.booleans()):
                    self.text += ","
            self.gap()
            self.text += "]"
        elif isinstance(value, dict):
            self.text += "{"
            for index, (key, item) in enumerate(value.items()):
                self.text += ", " if index else " "
                self.pair((*path, key), item)
            self.text += "}"
        elif isinstance(value, str):
            self.text += self._string(value)
        else:
            self.text += value.isoformat() if isinstance(value, dt.date) else json.dumps(value)

    def _string(self, value: str) -> str:
        spellings = [json.dumps(value, ensure_ascii=False)]
        if "'" not in value and "\n" not in value:
            spellings.append(f"'{value}'")
        if "'''" not in value:
            spellings.append(f"'''\n{value}'''")
        spellings.append('"""' + value.replace("\\", "\\\\").replace('"', '\\"') + '"""')
        if '"""' not in value and "\\" not in value and len(value) - len(value.rstrip('"')) <= 2:
            spellings.append(f'"""\n{value}"""')
        return self._draw(st.sampled_from(spellings))


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[KeyPath, int]]:
    """A document with the line of each of its keys."""
    writer = _Writer(draw)
    for key, value in draw(st.dictionaries(_KEYS, _VALUES, max_size=3)).items():
        writer.gap()
        writer.pair((f"top-{key}",), value)
        writer.text += "\n"
    for name in draw(st.lists(_KEYS, max_size=3, unique=True)):
        tables = draw(st.lists(st.dictionaries(_KEYS, _VALUES, max_size=3), max_size=3))
        for index, table in enumerate(tables):
            path: KeyPath = (name, index)
            writer.gap()
            writer.text += "\n"
            writer.note((name,))
            writer.note(path)
            writer.text += "[["
            writer.key(name)
            writer.text += "]] # ]]\n"
            for key, value in table.items():
                writer.gap()
                writer.pair((*path, key), value)
                writer.text += "\n"
    return writer.text, writer.lines


@given(documents())
def test_every_key_of_a_generated_document_has_its_line(
    generated: tuple[str, dict[KeyPath, int]],
) -> None:
    """Whatever spelling a document has, exactly its keys are found, each on its line."""
    text, lines = generated
    assert _walk(tomllib.loads(text)).keys() == lines.keys()
    assert lines == locate(text).lines
