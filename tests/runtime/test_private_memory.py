"""Other programs of the same user cannot look into the process."""

import subprocess
import sys

_PROGRAM = """
import ctypes
from cortexd.runtime.private_memory import keep_memory_private

PR_GET_DUMPABLE = 3
prctl = ctypes.CDLL(None).prctl
before = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)
keep_memory_private()
print(before, prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
"""


def test_the_process_is_not_dumpable() -> None:
    """As the kernel says."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, check=True, text=True
    )
    assert done.stdout == "1 0\n"
