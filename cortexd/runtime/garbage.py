"""How Python's collector of cycles is set: what it costs, each request pays a share of.

With its defaults it took a third of the time of a node under load, and looked through everything
the node consists of each time, which held up all streams for a tenth of a second.
"""

import gc
from typing import Final

THRESHOLDS: Final = (10_000, 20, 50)
"""So many objects more than before, for a look at the young ones (about a millisecond); so many of
those for a look at the middle-aged, and so many of those again for a look at all."""


def settle() -> None:
    """Leave all there is now alone for good; call it once the node stands."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
