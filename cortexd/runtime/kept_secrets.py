"""What a node keeps for itself in its state directory, if it was not given it: made once, random.

The admin token opens the listener for operators. The pepper is what the digests of client keys are
made with: who has copied those cannot tell by them whether a key is right, as long as this is not
with them. It is never shown, and losing it makes all keys worthless.
"""

import os
import secrets
from pathlib import Path
from typing import Final

from cortexd.domain.secret import Secret

ADMIN_TOKEN: Final = "admin-token"  # noqa: S105  the name of the file
KEY_PEPPER: Final = "key-pepper"
_RANDOM_BYTES: Final = 32


def load_or_make(path: Path) -> Secret:
    """The secret in this file, made where there is none. Only the owner may read the file.

    Errors: OSError when the directory cannot be made or the file not be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        kept = path.read_text(encoding="ascii").strip()
        if kept:
            return Secret(kept)
        # Left empty by a start that was killed between making the file and writing it.
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
    made = secrets.token_urlsafe(_RANDOM_BYTES)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(made + "\n")
        file.flush()
        os.fsync(descriptor)
    return Secret(made)
