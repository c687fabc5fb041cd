"""Dead letters on disk: all of each is kept, and not too many of them."""

from pathlib import Path

import attrs
import pytest

from cortexd.domain.dead_letter import DeadLetterStats, Retry
from cortexd.domain.ids import DeadLetterId
from cortexd.storage.dead_letters import OVERHEAD_BYTES
from tests.storage.letters import NOW_S, Shop, a_letter

pytestmark = pytest.mark.real_time


async def test_all_of_a_letter_is_kept(shop: Shop) -> None:
    """Also what is empty, and what SQLite would take for something else."""
    store = shop.store()
    full = a_letter(1)
    bare = a_letter(2, model=None, attempts=(), key_id=None, body=None, message="naïve \0 text")
    for letter in (full, bare):
        await store.keep(letter)

    assert await store.find(full.id) == full
    assert await store.find(bare.id) == bare
    assert await store.find(DeadLetterId("dl-other")) is None


async def test_the_list_is_newest_first_and_in_pages(shop: Shop) -> None:
    """Without bodies, and by kind of error where that is asked for."""
    store = shop.store()
    for number in range(5):
        await store.keep(a_letter(number, error="timed_out" if number % 2 else "server_error"))

    first, total = await store.list_page(2, before=None, error=None)
    rest, _ = await store.list_page(9, before=first[-1].id, error=None)
    late, late_total = await store.list_page(9, before=None, error="timed_out")

    assert [each.request_id for each in (*first, *rest)] == ["r-4", "r-3", "r-2", "r-1", "r-0"]
    assert total == 5
    assert [each.request_id for each in late] == ["r-3", "r-1"]
    assert late_total == 2
    assert all(each.body is None and each.has_body for each in first)


async def test_the_oldest_go_when_there_are_too_many(shop: Shop) -> None:
    """They are counted."""
    store = shop.store(entries_max=3)
    for number in range(5):
        await store.keep(a_letter(number))

    letters, _ = await store.list_page(9, before=None, error=None)
    stats = await store.statistics()
    assert [each.request_id for each in letters] == ["r-4", "r-3", "r-2"]
    assert (stats.total, stats.dropped) == (3, 2)


async def test_the_oldest_go_when_they_are_too_much(shop: Shop) -> None:
    """By bytes, those of the answers to retries as well."""
    store = shop.store(bytes_max=3 * (OVERHEAD_BYTES + 1100))
    for number in range(4):
        await store.keep(a_letter(number, body=b"x" * 1000))
    assert (await store.statistics()).total == 3

    newest = a_letter(3).id
    assert await store.retried(newest, Retry(at=NOW_S, status=200, answer=b"y" * 1500))

    letters, _ = await store.list_page(9, before=None, error=None)
    assert [each.request_id for each in letters] == ["r-3", "r-2"]
    assert (await store.statistics()).dropped == 2


async def test_the_one_that_is_being_kept_does_not_go(shop: Shop) -> None:
    """Not for its size, nor because the clock was set back: its id has been promised."""
    store = shop.store(entries_max=2, bytes_max=3 * OVERHEAD_BYTES)
    for number in (3600, 3601, 0, 1):
        await store.keep(a_letter(number))
        assert await store.find(a_letter(number).id) is not None
    letters, _ = await store.list_page(9, before=None, error=None)
    assert [each.request_id for each in letters] == ["r-1", "r-0"]

    large = a_letter(2, body=b"x" * 4 * OVERHEAD_BYTES)
    await store.keep(large)
    assert await store.find(large.id) == large
    assert (await store.statistics()).dropped == 4


async def test_what_is_too_old_expires(shop: Shop) -> None:
    """And nothing else."""
    store = shop.store(age_s_max=10.0)
    for number in (0, 5, 9):
        await store.keep(a_letter(number))

    await store.expire(NOW_S + 15.0)

    stats = await store.statistics()
    assert (stats.total, stats.dropped, stats.oldest_at) == (2, 1, NOW_S + 5)


async def test_a_retry_is_kept_on_the_item(shop: Shop) -> None:
    """The last one; an answered letter waits no more."""
    store = shop.store()
    letter = a_letter()
    await store.keep(letter)
    await store.retried(letter.id, Retry(at=NOW_S + 1, status=502, answer=b"no", is_cut=True))
    waiting = (await store.statistics()).waiting
    last = Retry(at=NOW_S + 2, status=200, answer=b"yes")
    assert await store.retried(letter.id, last)

    found = await store.find(letter.id)
    assert found == attrs.evolve(letter, retries=2, retried=last)
    assert (waiting, (await store.statistics()).waiting) == (1, 0)
    assert not await store.retried(DeadLetterId("dl-gone"), last)


async def test_what_is_thrown_away_is_not_dropped(shop: Shop) -> None:
    """An operator knows what they do; the body goes with the letter."""
    store = shop.store()
    for number in range(5):
        await store.keep(a_letter(number))

    assert await store.delete(a_letter(0).id)
    assert not await store.delete(a_letter(0).id)
    assert await store.purge(kept_before=NOW_S + 3, sparing=[a_letter(1).id]) == 1
    assert await store.purge(kept_before=float("inf"), sparing=[]) == 3

    assert await store.statistics() == DeadLetterStats()
    bodies = await shop.database.read(
        lambda connection: connection.execute("SELECT count(*) FROM contents").fetchone()
    )
    assert bodies == (0,)


async def test_what_is_thrown_away_is_gone_from_the_disk(shop: Shop, tmp_path: Path) -> None:
    """There are prompts in it, short ones and such that fill pages of their own."""
    store = shop.store()
    for number, body in enumerate((b"a short secret", b"a long secret " * 10_000)):
        await store.keep(a_letter(number, body=body))
    await store.keep(a_letter(2, body=b"what stays"))
    await store.purge(kept_before=NOW_S + 2, sparing=[])
    await shop.database.aclose()
    assert _bytes_in(tmp_path, b"secret") == 0
    assert _bytes_in(tmp_path, b"what stays") == 1


def _bytes_in(folder: Path, text: bytes) -> int:
    return sum(path.read_bytes().count(text) for path in folder.iterdir())


async def test_the_figures(shop: Shop) -> None:
    """How many of what, since when, and the latest ones."""
    store = shop.store()
    before = store.changes
    for number in range(12):
        await store.keep(a_letter(number, error="timed_out" if number < 4 else "server_error"))

    stats = await store.statistics()
    assert stats.total == stats.waiting == 12
    assert list(stats.by_error.items()) == [("server_error", 8), ("timed_out", 4)]
    assert stats.oldest_at == NOW_S
    assert [each.request_id for each in stats.recent] == [f"r-{n}" for n in range(11, 1, -1)]
    assert stats.bytes > 12 * OVERHEAD_BYTES
    assert store.changes == before + 12
    assert store.trouble is None
