"""Identities: what a worker and a request are called."""

from typing import NewType

WorkerName = NewType("WorkerName", str)
"""The `name` of a `[[workers]]` entry: unique within a node."""

RequestId = NewType("RequestId", str)
"""Given by the client (`x-request-id`) or made by the door; matches `[A-Za-z0-9._-]{1,128}`."""
