"""Whom we trust when we call a worker over TLS."""

import ssl
from functools import cache

import certifi


@cache
def public_authorities() -> ssl.SSLContext:
    """Verify against the public authorities; TLS 1.2 or newer.

    One for all workers: reading the certificates takes 30 ms and some memory.
    """
    return ssl.create_default_context(cafile=certifi.where())
