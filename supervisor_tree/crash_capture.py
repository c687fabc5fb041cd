"""The one place where a service's exceptions end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from supervisor_tree.exit_reason import unwrap


async def capture_crash(
    run: Callable[[], Awaitable[object]], record: Callable[[BaseException], None]
) -> None:
    """Await `run()` and give its crash, if it has one, to `record`.

    Single exceptions are taken out of their groups. Cancelled, KeyboardInterrupt and SystemExit are
    no crashes and go on; where they come together with a crash, the crash is recorded first.
    """
    try:
        await run()
    except Exception as error:  # noqa: BLE001  # letting services crash is what supervision is for
        record(unwrap(error))
    except BaseExceptionGroup as group:
        crash, rest = group.split(Exception)
        if crash is not None:
            record(unwrap(crash))
        if rest is not None:
            raise unwrap(rest) from None
