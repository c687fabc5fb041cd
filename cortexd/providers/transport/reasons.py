"""Why a connection failed, in words an operator knows; addresses and keys are not in them."""

import os
import socket
import ssl
from typing import Final

# X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH (OpenSSL, x509_vfy.h). OpenSSL's
# own text quotes the name.
_WRONG_NAME_CODES: Final = {62, 64}

_LOST: Final = (ssl.SSLEOFError, ssl.SSLSyscallError, ssl.SSLZeroReturnError)


def reason(exc: BaseException) -> str:
    """The text that is nearest to the cause: the outer exceptions often have none.

    What the system says of an error is put in its own words, as Trio's quote the address.
    """
    text = type(exc).__name__
    link: BaseException | None = exc
    while link is not None:
        if isinstance(link, OSError):
            if known := _system_reason(link):
                return known
        else:
            text = str(link) or text
        # Trio tries every address of a host, and groups what went wrong.
        group = link.exceptions if isinstance(link, BaseExceptionGroup) else ()
        link = group[0] if group else link.__cause__ or link.__context__
    return text


def is_untrusted(exc: BaseException) -> bool:
    """Whether TLS has found fault with the peer, and not merely lost it."""
    link: BaseException | None = exc
    while link is not None:
        if isinstance(link, ssl.SSLError):
            return not isinstance(link, _LOST)
        group = link.exceptions if isinstance(link, BaseExceptionGroup) else ()
        link = group[0] if group else link.__cause__ or link.__context__
    return False


def _system_reason(error: OSError) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _WRONG_NAME_CODES:
            return "the certificate is for another host name"
        return f"the certificate is refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or 'unknown reason').lower().replace('_', ' ')}"
    if isinstance(error, socket.gaierror):
        return (error.strerror or "the host is unknown").lower()
    # Trio makes errors of its own without a number, and quotes the address in them.
    return None if error.errno is None else os.strerror(error.errno).lower()
