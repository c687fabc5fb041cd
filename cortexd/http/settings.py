"""What can be set about the two listeners."""

import attrs
from attrs import validators

from cortexd.domain.secret import Secret


@attrs.frozen(kw_only=True)
class DataSettings:
    """[data] in cortexd.toml: where clients chat. Each `bind` is `HOST:PORT`; times in seconds.

    `key_pepper` `None`: read from, or made in, `STATE/key-pepper`.
    """

    bind: tuple[str, ...] = attrs.field(
        default=("127.0.0.1:4000",), validator=validators.min_len(1)
    )
    reuse_port: bool = False
    max_body_bytes: int = attrs.field(default=16 * 1024 * 1024, validator=validators.ge(1024))
    max_connections: int = attrs.field(default=4096, validator=validators.ge(1))
    keep_alive_seconds: float = attrs.field(default=75.0, validator=validators.gt(0))
    header_seconds: float = attrs.field(default=5.0, validator=validators.gt(0))
    body_seconds: float = attrs.field(default=30.0, validator=validators.gt(0))
    key_pepper: Secret | None = None


@attrs.frozen(kw_only=True)
class AdminSettings:
    """[admin] in cortexd.toml: where operators look. Each `bind` is `HOST:PORT` or `unix:PATH`.

    `token` `None`: read from, or made in, `STATE/admin-token`.
    """

    bind: tuple[str, ...] = attrs.field(
        default=("127.0.0.1:4001",), validator=validators.min_len(1)
    )
    token: Secret | None = None
