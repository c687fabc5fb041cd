"""Names that people give to `cortexctl`: they are names, whatever stands in them."""

from collections.abc import Callable
from typing import TypeAlias

import pytest
from click.testing import Result

from tests.cli.admin_node import FakeNode

Invoke: TypeAlias = Callable[..., Result]

pytestmark = pytest.mark.real_time

NAME = "a/../b?c#d é"
WRITTEN = "a%2F..%2Fb%3Fc%23d%20%C3%A9"


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (("workers", "activate"), f"/admin/workers/{WRITTEN}/activate"),
        (("workers", "deactivate"), f"/admin/workers/{WRITTEN}/deactivate"),
        (("workers", "check"), f"/admin/workers/{WRITTEN}/check"),
        (("breakers", "reset"), f"/admin/breakers/{WRITTEN}/reset"),
        (("dlq", "show"), f"/admin/dlq/{WRITTEN}"),
        (("dlq", "retry"), f"/admin/dlq/{WRITTEN}/retry"),
        (("alerts", "ack"), f"/admin/alerts/{WRITTEN}/acknowledge"),
        (("fleet", "drain"), f"/admin/fleet/agents/{WRITTEN}/drain"),
    ],
)
def test_a_name_is_one_part_of_the_path(
    invoke: Invoke, node: FakeNode, words: tuple[str, ...], path: str
) -> None:
    """Never another path, nor a question behind one: that could be about somebody else."""
    failed = invoke("--url", node.url, *words, NAME)
    assert (failed.exit_code, node.asked) == (1, [path])
