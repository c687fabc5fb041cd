"""The admin token of a node that was not given one."""

import os
import secrets
from pathlib import Path

from cortexd.domain.secret import Secret

FILE_NAME = "admin-token"
_RANDOM_BYTES = 32


def load_or_make(state_dir: Path) -> tuple[Secret, Path]:
    """The token kept in the state directory, made at first start, and the file it is in.

    Only the owner may read the file.
    Errors: OSError when the directory cannot be made or the file not be written.
    """
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = state_dir / FILE_NAME
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        kept = path.read_text(encoding="ascii").strip()
        if kept:
            return Secret(kept), path
        # Left empty by a start that was killed between making the file and writing it.
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
    token = secrets.token_urlsafe(_RANDOM_BYTES)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token + "\n")
    return Secret(token), path
