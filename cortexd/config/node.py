"""What can be set about the node itself."""

from pathlib import Path

import attrs
from attrs import validators


@attrs.frozen(kw_only=True)
class NodeSettings:
    """[node] in cortexd.toml. Times in seconds.

    `drain_seconds`: how long streams in flight may go on after the order to stop.
    `predrain_seconds`: how long new requests are still taken after it: load balancers must notice.
    """

    name: str = attrs.field(validator=validators.min_len(1))
    state_dir: Path
    drain_seconds: float = attrs.field(default=45.0, validator=validators.ge(0))
    predrain_seconds: float = attrs.field(default=0.0, validator=validators.ge(0))
