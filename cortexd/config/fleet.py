"""What has to fit together for a node, or an agent, to be part of a fleet."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Final

from cortexd.config.sections import Complaint, Draft
from cortexd.domain.secret import Secret
from cortexd.domain.server_url import ServerUrl

KEY_CHARACTERS_MIN: Final = 32

NAME_BYTES_MAX: Final = 128
"""The broker takes 255 for the name of a queue, of which the node's is a part."""

_SCHEMES: Final = frozenset({"amqp", "amqps"})
_LIBRARIES: Final = ("aio_pika", "trio_asyncio")


def check_fleet(fleet: Draft, node: Draft) -> Iterator[Complaint]:
    """Whoever has an address of a broker has a key for what comes from there, and the libraries."""
    url = fleet.get("amqp_url")
    if url is None:
        if "signing_key" in fleet.set_here and "amqp_url" not in fleet.set_here:
            yield (*fleet.path, "amqp_url"), "is missing: signing_key is of no use without it"
        return
    yield from check_line(fleet, url, fleet.get("signing_key"))
    name = node.get("name")
    if name is not None and len(name.encode()) > NAME_BYTES_MAX:
        yield (*node.path, "name"), f"must be at most {NAME_BYTES_MAX} bytes long for a fleet"


def check_line(draft: Draft, url: ServerUrl, key: Secret | None) -> Iterator[Complaint]:
    """The address is one of a broker, the key is long enough, and the libraries are there."""
    if url.scheme not in _SCHEMES:
        yield (*draft.path, "amqp_url"), "must begin with amqp:// or amqps://"
    missing = [library for library in _LIBRARIES if find_spec(library) is None]
    if missing:
        yield (*draft.path, "amqp_url"), "needs more packages: pip install 'cortexd[fleet]'"
    if key is None:
        if "signing_key" not in draft.set_here:
            yield (*draft.path, "signing_key"), "is missing: all messages are signed with it"
    elif len(key.reveal()) < KEY_CHARACTERS_MIN:
        text = (
            f"must be {KEY_CHARACTERS_MIN} characters or longer: `openssl rand -hex 32` makes one"
        )
        yield (*draft.path, "signing_key"), text
