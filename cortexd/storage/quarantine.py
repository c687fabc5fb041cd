"""Where damaged database files go: beside the new one, for a person to look at."""

from itertools import chain, count
from pathlib import Path
from typing import Final

SET_ASIDE_MAX: Final = 3
"""How many are kept of one database: a disk that keeps damaging them must not fill up with them."""

COMPANIONS: Final = ("-wal", "-shm")
"""What belongs to a database file, by the end of its name."""


def set_aside(path: Path, stamp: str) -> Path:
    """Rename the file and its companions; the database's new name. Errors: OSError.

    `stamp`: the time, as it is to stand in the names.
    """
    names = (
        f"{path.name}.corrupt-{stamp}{extra}" for extra in chain([""], map("-{}".format, count(2)))
    )
    target = next(candidate for name in names if not (candidate := path.with_name(name)).exists())
    # The companions first: without them the database is whole, if old; they without it are nothing.
    for companion in COMPANIONS:
        source = path.with_name(path.name + companion)
        if source.exists():
            source.rename(target.with_name(target.name + companion))
    if path.exists():
        path.rename(target)
    _forget_smallest(path)
    return target


def _forget_smallest(path: Path) -> None:
    """What a failing disk keeps damaging soon after it was made holds next to nothing."""
    kept = sorted(
        (
            found
            for found in path.parent.glob(f"{path.name}.corrupt-*")
            if not found.name.endswith(COMPANIONS)
        ),
        key=lambda found: found.stat().st_size,
    )
    for old in kept[:-SET_ASIDE_MAX]:
        for each in (old, *(old.with_name(old.name + companion) for companion in COMPANIONS)):
            each.unlink(missing_ok=True)
