"""The cache for operators, where nodes share their answers."""

import pytest
import trio

from cortexd.domain.errors import RequestRefused
from cortexd.http.admin.cache import CacheAdmin
from cortexd.http.doors.door import DoorRequest
from cortexd.policy.answer_cache import AnswerCache, SecondLevel, cached_answer
from tests.fakes.shared_answers import SharedMemory

REQUEST = DoorRequest(method="POST", path="/admin/cache/purge", headers={}, body=b"")
KEY = b"k" * 32


@pytest.fixture
def shared() -> SharedMemory:
    """What the nodes share."""
    return SharedMemory()


def _admin(shared: SharedMemory | None) -> CacheAdmin:
    """With one answer in each cache."""
    cache = AnswerCache(1_000_000)
    answer = cached_answer((), worker=None, model=None, expires_at=1e9, fingerprint=KEY)
    cache.put(KEY, answer, trio.current_time())
    if shared is not None:
        shared.answers[KEY] = answer
    return CacheAdmin(cache=cache, is_enabled=lambda: True, shared=shared)


async def test_a_purge_is_of_both_levels(shared: SharedMemory) -> None:
    """Else the next request would have the answer from there."""
    admin = _admin(shared)
    assert await admin.purge(REQUEST) == (200, {"purged": 1})
    assert (len(admin.cache), shared.answers) == (0, {})
    assert await _admin(None).purge(REQUEST) == (200, {"purged": 1})


async def test_a_purge_that_cannot_reach_the_other_level_says_so(shared: SharedMemory) -> None:
    """With what is done, and what is not."""
    admin = _admin(shared)
    shared.is_up = False
    with pytest.raises(RequestRefused, match="this node's answers are gone") as refused:
        await admin.purge(REQUEST)
    assert refused.value.status == 503
    assert len(admin.cache) == 0


async def test_looks_into_the_other_level_are_told(shared: SharedMemory) -> None:
    """Each by what it has brought."""
    admin = _admin(shared)
    for found, count in ((SecondLevel.HIT, 3), (SecondLevel.MISS, 2), (SecondLevel.FAILED, 1)):
        for _ in range(count):
            admin.cache.count(found)
    _, document = await admin.show(REQUEST)
    assert {name: document[name] for name in ("l2_hits", "l2_misses", "l2_failed")} == {
        "l2_hits": 3,
        "l2_misses": 2,
        "l2_failed": 1,
    }
