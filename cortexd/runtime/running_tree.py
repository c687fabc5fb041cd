"""The supervision tree for those who look at it, most of whom are made before it."""

from supervisor_tree import NodeSnapshot, Tree


class RunningTree:
    """Nothing, until it runs."""

    def __init__(self) -> None:
        self._tree: Tree | None = None

    def publish(self, tree: Tree) -> None:
        """Let everybody see it. For who runs it only."""
        self._tree = tree

    def snapshot(self) -> NodeSnapshot | None:
        """All children as they are now; `None` before there are any."""
        return self._tree.snapshot() if self._tree else None
