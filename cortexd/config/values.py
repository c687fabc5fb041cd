"""Turning one TOML value into what a settings class wants, without guessing.

cattrs by itself is generous: it makes 80 out of "80", 1 out of true and a list out of a text. Each
hook here takes exactly the TOML type that is meant, and says in words what was expected.
"""

import math
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

from cattrs import Converter, IterableValidationError

from cortexd.config.problems import KeyPath
from cortexd.config.secrets import SecretSource
from cortexd.domain.secret import Secret
from cortexd.domain.server_url import ServerUrl

_TYPE_NAMES: Mapping[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


class WrongValue(ValueError):
    """The value is not of the right kind; the text says what would be."""


def strict_converter(secrets: SecretSource) -> Converter:
    """The converter for all values of one configuration, which resolves its secrets as it goes."""
    converter = Converter()
    for kind in (str, bool, int):
        converter.register_structure_hook(kind, _exactly)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(Path, _path)
    converter.register_structure_hook(Secret, lambda value, _: secrets.resolve(_text(value)))
    converter.register_structure_hook(ServerUrl, lambda value, _: secrets.resolve_url(_text(value)))
    converter.register_structure_hook_func(_is_enum, _choice)
    converter.register_structure_hook_func(
        _is_list, lambda value, wanted: _list(value, wanted, converter)
    )
    converter.register_structure_hook_func(
        _is_mapping, lambda value, wanted: _mapping(value, wanted, converter)
    )
    converter.register_structure_hook_func(
        lambda wanted: wanted == dict[str, Any], lambda value, _: expect(value, dict)
    )
    return converter


def structure(
    converter: Converter, value: Any, wanted: Any
) -> tuple[Any, list[tuple[KeyPath, str]]]:
    """The value as `wanted`, or what is wrong with which part of it."""
    try:
        return converter.structure(value, wanted), []
    except (ValueError, IterableValidationError) as error:
        return None, list(_complaints(error, ()))


def _complaints(error: Exception, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if not isinstance(error, IterableValidationError):
        yield path, str(error)
        return
    for inner, note in error.group_exceptions()[0]:
        yield from _complaints(inner, (*path, note.index))


def expect(value: Any, wanted: type) -> Any:
    """The value itself if it has exactly this type: to Python, but not to users, true is an int.

    Errors: `WrongValue`.
    """
    if type(value) is not wanted:
        found = _TYPE_NAMES.get(type(value), "a date or time")
        hint = ""
        if type(value) is str and wanted in {int, float, bool}:
            hint = " (without quotes)"
        elif wanted is str and type(value) is not list and type(value) is not dict:
            hint = " (in quotes)"
        elif wanted is list:
            hint = ' (in brackets: ["..."])'
        raise WrongValue(f"must be {_TYPE_NAMES[wanted]}{hint}, not {found}")
    return value


def _exactly(value: Any, wanted: type) -> Any:
    return expect(value, wanted)


def _text(value: Any) -> str:
    text: str = expect(value, str)
    return text


def _number(value: Any, _wanted: type) -> float:
    """A finite number: waiting for `inf` or comparing with `nan` is never what was meant."""
    if type(value) is not int:
        expect(value, float)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise WrongValue("must be a finite number")
    return number


def _path(value: Any, _wanted: type) -> Path:
    name = _text(value)
    if not name or "\0" in name:
        raise WrongValue("must be a path")
    return Path(name)


def _is_enum(wanted: Any) -> bool:
    return isinstance(wanted, type) and issubclass(wanted, Enum)


def _choice(value: Any, wanted: type[Enum]) -> Enum:
    for choice in wanted:
        if choice.value == value:
            return choice
    names = ", ".join(f'"{choice.value}"' for choice in wanted)
    raise WrongValue(f"must be one of {names}")


def _is_list(wanted: Any) -> bool:
    return get_origin(wanted) is tuple


def _list(value: Any, wanted: Any, converter: Converter) -> tuple[Any, ...]:
    items: Any = list[get_args(wanted)[0]]  # type: ignore[misc]  # known at run time only
    return tuple(converter.structure(expect(value, list), items))


def _is_mapping(wanted: Any) -> bool:
    return get_origin(wanted) is Mapping


def _mapping(value: Any, wanted: Any, converter: Converter) -> Any:
    items: Any = dict[get_args(wanted)]  # type: ignore[misc]  # known at run time only
    return converter.structure(expect(value, dict), items)
