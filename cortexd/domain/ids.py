"""Identities: what a worker and a request are called."""

from typing import Final, NewType

WorkerName = NewType("WorkerName", str)
"""The `name` of a `[[workers]]` entry: unique within a node."""

RequestId = NewType("RequestId", str)
"""Given by the client (`x-request-id`) or made by the door; matches `[A-Za-z0-9._-]{1,128}`."""

KeyIndex = NewType("KeyIndex", int)
"""The position of a key in a worker's `api_keys`, from 0. A worker without keys has one: no key."""

Tenant = NewType("Tenant", str)
"""On whose behalf a client asks: what is shared out fairly, and never shared, between them."""

DeadLetterId = NewType("DeadLetterId", str)
"""Names a request that failed and was kept; sorts by the time when that was."""

FIRST_KEY: Final = KeyIndex(0)
NOBODY: Final = Tenant("")
"""A client that does not say on whose behalf it asks."""
