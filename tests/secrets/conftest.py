"""The node of the canaries, whose whole life is over before the search begins."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.secrets.canary_flights import chat, dump, letters, operate
from tests.secrets.canary_node import Aviary, aviary


@pytest.fixture(
    scope="module",
    params=[("json", True), ("text", False)],
    ids=["json, with bodies", "text, without bodies"],
)
def flown(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Aviary, dict[str, Any]]]:
    """What came out of a node, and its dead letters with their requests."""
    log_format, stores_body = request.param
    folder = tmp_path_factory.mktemp("aviary")
    with aviary(folder, log_format=log_format, stores_body=stores_body) as node:
        chat(node)
        operate(node)
        kept = letters(node)
        dump(node)
        yield node, kept
