"""What is no mistake in a configuration, and may surprise."""

import pytest

from cortexd.config.caveats import caveats
from cortexd.config.overview import overview
from tests.config.conftest import Load

KEY = f'[[keys]]\nid = "abcd1234"\nhmac = "{"0a" * 32}"\n'
CLUSTER = '[cluster]\nname = "edge"\nredis_url = "env:REDIS_URL"\n'
FLEET = '[fleet]\namqp_url = "env:AMQP_URL"\nsigning_key = "env:SIGNING_KEY"\n'
PEPPER = '[data]\nkey_pepper = "env:PEPPER"\n'
ENVIRON = {
    "REDIS_URL": "rediss://node:canary@redis.example:6380",
    "AMQP_URL": "amqps://node:canary@rabbitmq.example/edge",
    "SIGNING_KEY": "canary" * 8,
    "PEPPER": "canary",
}


def test_keys_of_a_cluster_need_a_pepper_in_common(load_text: Load) -> None:
    """Or each node knows only those that it has made itself."""
    (caveat,) = caveats(load_text(CLUSTER + KEY, ENVIRON))
    assert caveat.startswith("data.key_pepper is not set")
    assert "state/key-pepper" in caveat


@pytest.mark.parametrize("text", ["", KEY, CLUSTER, PEPPER + CLUSTER + KEY])
def test_else_there_is_nothing_to_say(load_text: Load, text: str) -> None:
    """By itself, without keys, or with a pepper that is given, all is as one would think."""
    assert list(caveats(load_text(text, ENVIRON))) == []


def test_who_checks_the_file_sees_where_it_leads(load_text: Load) -> None:
    """To which cluster and to which broker; never with a password."""
    lines = overview(load_text(CLUSTER + FLEET, ENVIRON)).splitlines()
    assert "cluster   edge  over rediss://node:***@redis.example:6380" in lines
    assert "fleet     over amqps://node:***@rabbitmq.example/edge" in lines
    alone = overview(load_text(""))
    assert "cluster" not in alone
    assert "fleet" not in alone
