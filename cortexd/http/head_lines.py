"""What the bytes between the parts of a request give away before they are parsed.

A bare line feed and a folded header line are both read in two ways in the wild. h11 accepts them in
a head, and between chunks it waits for an end of line that nobody is going to send; for the headers
of a request from before there were any it waits, too. Rules of this file: bytes in, verdict out.
"""

import re

_END = b"\r\n\r\n"
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_AMBIGUOUS = re.compile(rb"(?<!\r)\n|\r\n[ \t]")
_REQUEST_LINE = re.compile(rb".* HTTP/[0-9]\.[0-9]")
# A number, but of more digits than h11 reads. One of more than 64 nobody can mean.
_VAST_LENGTH = re.compile(rb"(?i)\r\ncontent-length:[ \t]*0*[1-9][0-9]{20,63}[ \t]*\r\n")


def is_ambiguous(received: bytes) -> bool:
    """Whether the head at the start of `received`, complete or not, has such a line.

    What follows the head is not looked at.
    """
    end = received.find(_END)
    head = received if end < 0 else received[: end + len(_END)]
    return _AMBIGUOUS.search(head) is not None


def may_be_request(received: bytes) -> bool:
    """Whether `received`, where its first line is complete, begins like a request with headers.

    HTTP/0.9 had neither a version nor headers: whoever speaks it has said all there is to say.
    """
    line, end, _ = received.partition(b"\r\n")
    return not end or _REQUEST_LINE.fullmatch(line) is not None


def announces_too_much(received: bytes) -> bool:
    """Whether the head in `received` has a Content-Length beyond what any listener takes."""
    head, _, _ = received.partition(_END)
    return _VAST_LENGTH.search(head + b"\r\n") is not None


def is_broken_line(received: bytes) -> bool:
    """Whether the line that `received` begins with, of a chunk or a trailer, ends wrongly."""
    return _BARE_LINE_FEED.search(received) is not None
