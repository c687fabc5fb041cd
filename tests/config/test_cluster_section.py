"""`[cluster]`: what has to fit together before a node can be part of one."""

import importlib.util

import pytest

from tests.config.conftest import Load, Problems

URL = 'redis_url = "redis://127.0.0.1:6379"\n'


def _section(keys: str) -> str:
    return f"[cluster]\n{keys}"


def test_a_lease_has_room_for_three_beats(load_text: Load, problems_of: Problems) -> None:
    """One may be lost and the next still counts."""
    assert load_text(_section("lease_seconds = 9.0\nbeat_seconds = 3.0")).cluster.beat_seconds == 3
    (problem,) = problems_of(_section("lease_seconds = 8.9"))
    assert problem.key == "cluster.lease_seconds"
    (problem,) = problems_of(_section("beat_seconds = 4.0"))
    assert (problem.key, "a third" in problem.text) == ("cluster.beat_seconds", True)


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("http://127.0.0.1", "must begin with redis:// or rediss://"),
        ("redis://127.0.0.1/cache", "must end with the number of a database, or without one"),
        ("127.0.0.1:6379", "must be a URL such as redis://HOST:PORT"),
    ],
)
def test_the_address_is_one_of_redis(problems_of: Problems, url: str, wrong: str) -> None:
    """Said before the node starts."""
    (problem,) = problems_of(_section(f'redis_url = "{url}"\n'))
    assert (problem.key, problem.text) == ("cluster.redis_url", wrong)


def test_names_go_to_redis(problems_of: Problems) -> None:
    """So they have an end."""
    (problem,) = problems_of(_section(f'{URL}name = "{"x" * 129}"\n'))
    assert problem.key == "cluster.name"
    (problem,) = problems_of(f'[node]\nname = "a\\nb"\n{_section(URL)}')
    assert problem.key == "node.name"


def test_the_missing_package_is_named(
    problems_of: Problems, load_text: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And only where a cluster is wanted."""
    find_spec = importlib.util.find_spec

    def without_coredis(name: str, package: str | None = None) -> object:
        return None if name == "coredis" else find_spec(name, package)

    monkeypatch.setattr("cortexd.config.cluster.find_spec", without_coredis)
    load_text(_section(""))
    (problem,) = problems_of(_section(URL))
    assert problem.text == "needs one more package: pip install 'cortexd[cluster]'"
