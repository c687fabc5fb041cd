"""What can be set about alerts."""

import attrs
from attrs import validators

from cortexd.domain.alert_channel import ChannelSettings, ChannelType


def _only_the_log() -> tuple[ChannelSettings, ...]:
    return (ChannelSettings(name="log-0", type=ChannelType.LOG),)


@attrs.frozen(kw_only=True)
class AlertSettings:
    """[alerts] in cortexd.toml. Times in seconds.

    What is wrong for `pending_seconds` is told, and again after its cooldown for as long as nobody
    acknowledges it; what has been right for `resolve_seconds` is over.
    """

    enabled: bool = True
    # Long enough for the embedded model to be loaded, and for the health check that finds it so.
    pending_seconds: float = attrs.field(default=10.0, validator=validators.ge(0))
    resolve_seconds: float = attrs.field(default=10.0, validator=validators.ge(0))
    cooldown_seconds: float = attrs.field(default=300.0, validator=validators.ge(1))
    dead_letters_cooldown_seconds: float = attrs.field(default=600.0, validator=validators.ge(1))
    breaker_cooldown_seconds: float = attrs.field(default=180.0, validator=validators.ge(1))
    dead_letters_max: int = attrs.field(default=50, validator=validators.ge(0))
    memory_bytes_max: int = attrs.field(default=1_000_000_000, validator=validators.ge(1024 * 1024))
    restarts_max: int = attrs.field(default=3, validator=validators.ge(1))
    error_rate_max: float = attrs.field(
        default=0.25, validator=validators.and_(validators.gt(0), validators.le(1))
    )
    ttft_seconds_max: float = attrs.field(default=30.0, validator=validators.gt(0))
    channels: tuple[ChannelSettings, ...] = attrs.Factory(_only_the_log)
