"""What is no mistake in a configuration, and may surprise: said by `--check`, and at a start."""

from collections.abc import Iterator

from cortexd.config.schema import Config


def caveats(config: Config) -> Iterator[str]:
    """A line for each."""
    if config.cluster.redis_url is not None and config.keys and config.data.key_pepper is None:
        yield (
            "data.key_pepper is not set: client keys open all nodes of the cluster only where"
            f" {config.node.state_dir / 'key-pepper'} is the same file on each"
        )
