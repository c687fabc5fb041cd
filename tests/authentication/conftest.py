"""A node whose gates can be tried out."""

from pathlib import Path

import pytest

from tests.authentication.bare_node import Node, bare_node


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node with keys of every kind, and no actor that runs."""
    return bare_node(tmp_path)
