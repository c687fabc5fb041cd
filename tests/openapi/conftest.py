"""The document, and a way to check values against a schema in it."""

from collections.abc import Callable
from typing import Any, TypeAlias

import jsonschema_rs
import pytest

from cortexd.http.openapi.document import openapi_document

Complaints: TypeAlias = Callable[[dict[str, Any], object], list[str]]
"""What is wrong with a value, by a schema whose references lead into the document."""


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    """The document."""
    return openapi_document("1.2.3")


@pytest.fixture(scope="session")
def complaints(document: dict[str, Any]) -> Complaints:
    """Checks a value."""

    def check(schema: dict[str, Any], value: object) -> list[str]:
        within = {**schema, "components": document["components"]}
        validator = jsonschema_rs.Draft202012Validator(within)
        return [error.message for error in validator.iter_errors(value)]

    return check
