"""What adapters need besides their worker's settings: identities, and ways to reach a server."""

import secrets
from collections.abc import Callable

import attrs

from cortexd.providers.control_client import NewTransport, new_transport
from cortexd.providers.embedded.engine_address import EngineAddress
from cortexd.providers.embedded.settings import EmbeddedSettings
from cortexd.providers.transport.dialling import Dial, dial


def _random_id() -> str:
    return secrets.token_hex(16)


@attrs.frozen(kw_only=True)
class AdapterParts:
    """The real world, unless somebody says otherwise.

    `embedded` and `address` are for a worker of type `embedded`, which has an engine of its own.
    `new_id` names answers and calls of tools that come without a name. `dial` opens connections for
    requests, `new_transport` those for probes.
    """

    embedded: EmbeddedSettings = attrs.Factory(EmbeddedSettings)
    address: EngineAddress = attrs.Factory(EngineAddress)
    new_id: Callable[[], str] = _random_id
    dial: Dial = dial
    new_transport: NewTransport = new_transport
