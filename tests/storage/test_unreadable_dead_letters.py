"""Dead letters that cannot be read cost nobody else theirs: they are passed over, kept, counted."""

import sqlite3
from collections.abc import Callable
from typing import Any, Final

import pytest

from cortexd.domain.dead_letter import Retry
from cortexd.domain.errors import StorageFailed
from cortexd.domain.events import StorageRecovered, StorageTroubled
from cortexd.storage import dead_letter_queries
from cortexd.storage.dead_letters import SqliteDeadLetters
from tests.storage.conftest import set_aside
from tests.storage.letters import NOW_S, Shop, a_letter

pytestmark = pytest.mark.real_time

FAULTS: Final = {
    "an outcome of a newer cortexd": "outcome = 'postponed'",
    "attempts of a newer cortexd": """attempts = '[["a", "broke", 3]]'""",
    "attempts that are none": """attempts = '[["a'""",
    "attempts without words": "attempts = '[[1, 2]]'",
    "attempts without end": f"attempts = '{'[' * 10_000}'",
    "a message that is no text": "message = CAST(x'ff00fe' AS TEXT)",
    "an error that is no text": "error = CAST(x'ff00fe' AS TEXT)",
    "a time without a date": "kept_at = 1e300",
    "a time before all others": "kept_at = -1e300",
    "a retry without a status": "retried_at = 1.0",
    "a retry without a date": "retried_at = 9e999, retried_status = 200",
}


async def _change(shop: Shop, *statements: str) -> None:
    def work(connection: sqlite3.Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    await shop.database.write(work)


async def _spoil(shop: Shop, *numbers: int, fault: str = "outcome = 'postponed'") -> None:
    """Have these letters be such that they cannot be read."""
    ids = [a_letter(number).id for number in numbers]
    await _change(shop, *(f"UPDATE letters SET {fault} WHERE id = '{each}'" for each in ids))  # noqa: S608  ours


async def _rows(shop: Shop) -> list[Any]:
    """All that is kept of letters, to the byte."""
    return await shop.database.read(
        lambda connection: connection.execute(
            "SELECT CAST(id AS BLOB), kept_at, outcome, CAST(error AS BLOB), CAST(message AS BLOB),"
            " attempts, retried_at, body FROM letters JOIN contents USING (id)"
        ).fetchall()
    )


async def _listed(store: SqliteDeadLetters, count: int = 9, error: str | None = None) -> list[str]:
    letters, _ = await store.list_page(count, before=None, error=error)
    return [each.request_id for each in letters]


@pytest.mark.parametrize("fault", FAULTS)
async def test_it_costs_nobody_else_theirs(shop: Shop, fault: str) -> None:
    """The others are shown and retried; it is neither, is counted, told of, and left as it is."""
    store = shop.store()
    for number in range(3):
        await store.keep(a_letter(number))
    await _spoil(shop, 1, fault=FAULTS[fault])
    before = await _rows(shop)

    stats = await store.statistics()

    assert await _listed(store) == ["r-2", "r-0"]
    assert [each.request_id for each in stats.recent] == ["r-2", "r-0"]
    assert (stats.total, sum(stats.by_error.values()), stats.unreadable) == (3, 3, 1)
    assert stats.oldest_at == NOW_S
    for number in (0, 2):
        assert await store.find(a_letter(number).id) == a_letter(number)
    with pytest.raises(StorageFailed, match="cannot be read"):
        await store.find(a_letter(1).id)
    assert store.trouble == "1 letter in it cannot be read, and stays as it is"
    assert await _rows(shop) == before
    assert set_aside(shop.path) == []
    assert await store.retried(a_letter(0).id, Retry(at=NOW_S, status=200))
    await store.keep(a_letter(3))
    assert await _listed(store) == ["r-3", "r-2", "r-0"]


async def test_a_page_is_full_all_the_same(shop: Shop) -> None:
    """One that fell short would be taken for the last."""
    store = shop.store()
    for number in range(8):
        await store.keep(a_letter(number, error="timed_out" if number % 2 else "server_error"))
    await _spoil(shop, 7, 6, 4)

    first, total = await store.list_page(2, before=None, error=None)
    rest, _ = await store.list_page(9, before=first[-1].id, error=None)

    assert [each.request_id for each in first] == ["r-5", "r-3"]
    assert [each.request_id for each in rest] == ["r-2", "r-1", "r-0"]
    assert total == 8
    assert await _listed(store, 2, error="timed_out") == ["r-5", "r-3"]


async def test_its_age_and_its_place_end_it_as_any_other(shop: Shop) -> None:
    """What goes is counted as dropped."""
    store = shop.store(entries_max=3, age_s_max=10.0)
    for number in range(3):
        await store.keep(a_letter(number))
    await _spoil(shop, 0, 1)

    await store.keep(a_letter(3))
    await store.expire(NOW_S)
    stats = await store.statistics()
    assert (stats.total, stats.dropped, stats.unreadable) == (3, 1, 1)

    await store.expire(NOW_S + 12.0)
    stats = await store.statistics()
    assert (stats.total, stats.dropped, stats.unreadable) == (2, 2, 0)
    assert await _listed(store) == ["r-3", "r-2"]


async def test_operators_throw_it_away(shop: Shop) -> None:
    """By its id, or with all of its age: whoever purges wants no prompt left on the disk."""
    store = shop.store()
    for number in range(4):
        await store.keep(a_letter(number))
    await _spoil(shop, 1, 2)
    assert (await store.statistics()).unreadable == 2

    assert await store.delete(a_letter(1).id)
    assert (await store.statistics()).unreadable == 1
    assert await store.purge(kept_before=NOW_S + 3, sparing=[]) == 2
    stats = await store.statistics()
    assert (stats.total, stats.unreadable) == (1, 0)
    assert store.trouble is None
    reasons = [
        "2 letters in it cannot be read, and stay as they are",
        "1 letter in it cannot be read, and stays as it is",
    ]
    name = shop.path.name
    assert shop.events == [
        *(StorageTroubled(database=name, reason=reason) for reason in reasons),
        StorageRecovered(database=name),
    ]


async def test_they_are_not_counted_for_each_figure(shop: Shop) -> None:
    """All letters are looked through for it: when old ones are dropped, not when one is kept."""
    store = shop.store()
    await store.keep(a_letter(0))
    assert (await store.statistics()).unreadable == 0
    await _spoil(shop, 0)

    await store.keep(a_letter(1))
    assert (await store.statistics()).unreadable == 0
    await store.expire(NOW_S)
    assert (await store.statistics()).unreadable == 1


async def test_one_that_goes_while_they_are_counted_is_not_counted_for_long(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next figures are right."""
    store = shop.store()
    await store.keep(a_letter(0))
    await _spoil(shop, 0)
    read = shop.database.read

    async def read_while_it_goes(work: Callable[[sqlite3.Connection], Any]) -> Any:
        monkeypatch.undo()
        found = await read(work)
        await store.delete(a_letter(0).id)
        return found

    monkeypatch.setattr(shop.database, "read", read_while_it_goes)
    assert (await store.statistics()).unreadable == 1
    assert (await store.statistics()).unreadable == 0


@pytest.mark.parametrize("kept", range(7))
async def test_they_are_counted_in_steps(
    shop: Shop, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether or not the last step is a full one, and whatever is wrong with the ids."""
    monkeypatch.setattr(dead_letter_queries, "LETTERS_AT_ONCE_MAX", 3)
    store = shop.store()
    for number in range(kept):
        await store.keep(a_letter(number))
    no_text = "id || CAST(x'ff' AS TEXT)"
    await _change(
        shop,
        "PRAGMA defer_foreign_keys = ON",
        *(f"UPDATE {table} SET id = {no_text}" for table in ("contents", "letters")),  # noqa: S608  ours
    )
    assert (await store.statistics()).unreadable == kept
    assert await _listed(store) == []
