"""One Redis for the tests of a process; those that break it start their own."""

from collections.abc import Iterator

import pytest

from tests.servers.redis import RedisServer, running_redis


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server that nobody breaks. Each test has a cluster name, or keys, of its own."""
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def fragile_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server to break."""
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server
