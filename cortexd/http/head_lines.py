"""What the bytes of a request head give away that no header dictionary shows any more.

A bare line feed and a folded header line are both read in two ways in the wild. h11 accepts them,
so they must be seen before it parses. Rules of this file: bytes in, verdict out.
"""

import re

_END = b"\r\n\r\n"
_AMBIGUOUS = re.compile(rb"(?<!\r)\n|\r\n[ \t]")


def is_ambiguous(received: bytes) -> bool:
    """Whether the head at the start of `received`, complete or not, has such a line.

    What follows the head is not looked at.
    """
    end = received.find(_END)
    head = received if end < 0 else received[: end + len(_END)]
    return _AMBIGUOUS.search(head) is not None
