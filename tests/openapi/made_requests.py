"""Requests that Schemathesis makes from a document, right and wrong ones."""

from collections.abc import Callable
from typing import Any, Final

import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
]
"""What is looked at in every answer."""

HANGS_S: Final = 20.0
"""A limit for what hangs: how long an answer really takes depends on the machine."""


def loaded(document: dict[str, Any], settings: dict[str, Any], *, examples_max: int) -> Any:
    """The document in the hands of Schemathesis. What fails once fails again: the seed is fixed."""
    generation = {"max-examples": examples_max, "deterministic": True, "database": "none"}
    config = SchemathesisConfig.from_dict({"seed": 1, "generation": generation, **settings})
    return schemathesis.openapi.from_dict(document, config=config)


def operations(document: dict[str, Any]) -> list[tuple[str, str]]:
    """The method and the path of each operation."""
    return [(method, path) for path, item in document["paths"].items() for method in item]


def ask(api: Any, method: str, path: str, check: Callable[[Any], None]) -> None:
    """Have an operation asked in many ways; `check` makes each request and looks at its answer.

    Schemathesis's own way to parametrize makes all requests while pytest collects, which takes ten
    seconds whatever tests are run.
    """
    run = build_operation_test(
        config=api.config,
        operation=api[path][method],
        test_func=check,
        given_kwargs={},
        feedback=FeedbackSources(),
    )
    run()
