"""What the bytes between the parts of a request give away before they are parsed.

A bare line feed and a folded header line are both read in two ways in the wild. h11 accepts them in
a head, and between chunks it waits for an end of line that nobody is going to send. Rules of this
file: bytes in, verdict out.
"""

import re

_END = b"\r\n\r\n"
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_AMBIGUOUS = re.compile(rb"(?<!\r)\n|\r\n[ \t]")


def is_ambiguous(received: bytes) -> bool:
    """Whether the head at the start of `received`, complete or not, has such a line.

    What follows the head is not looked at.
    """
    end = received.find(_END)
    head = received if end < 0 else received[: end + len(_END)]
    return _AMBIGUOUS.search(head) is not None


def is_broken_line(received: bytes) -> bool:
    """Whether the line that `received` begins with, of a chunk or a trailer, ends wrongly."""
    return _BARE_LINE_FEED.search(received) is not None
