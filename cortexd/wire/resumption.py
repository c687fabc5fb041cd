"""How a client is told that its answer is the work of several workers.

No dialect has a word for it. What begins with `x_` is nobody's, and the official clients read over
members that they do not know.
"""

from cortexd.domain.answer import Finished


def write_resumption(finished: Finished) -> dict[str, object]:
    """The member that says so; nothing for an answer of one worker."""
    if not finished.resumed_from:
        return {}
    return {"x_cortexd": {"resumed_from": list(finished.resumed_from)}}
