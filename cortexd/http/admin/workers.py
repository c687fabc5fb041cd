"""The workers, for operators: who there is, who joins and leaves, who is in rotation.

An answer is given when routing goes by what was done. What a worker says to a health check is in no
answer: whoever may add a worker must not be able to read its network through it.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
import trio

from cortexd.actors.circuit_breakers import CIRCUIT_BREAKERS, CircuitBreakers
from cortexd.actors.health_monitor import HEALTH_MONITOR, HealthMonitor, check_soon
from cortexd.actors.published import Published
from cortexd.actors.roster import Recruit, RegisteredWorker, Roster, UnfitWorker
from cortexd.actors.worker_pool import HealthBoard, PoolMember, PoolView
from cortexd.actors.worker_registry import (
    WORKER_REGISTRY,
    WorkerAlreadyRegistered,
    WorkerNotRegistered,
    WorkerRegistry,
)
from cortexd.domain.errors import RequestRefused
from cortexd.domain.ids import WorkerName
from cortexd.domain.shared_worker import SharedWorker
from cortexd.domain.worker import WorkerHealth
from cortexd.http.admin.operation import read_query
from cortexd.http.admin.worker_documents import breaker_document, worker_document
from cortexd.http.doors.door import DoorRequest
from cortexd.http.doors.request_headers import check_json
from cortexd.wire.quotation import quoted
from cortexd.wire.strict_json import parse_object
from supervisor_tree import CallFailed, whereis

ROUTING_S_MAX: Final = 2.0
"""How long an answer waits for routing to take notice; that is a matter of microseconds."""

CHECK_S_MAX: Final = 30.0
"""How long a check is waited for, whatever its own limit is."""


@attrs.frozen(kw_only=True)
class WorkersAdmin:
    """What operators can do about workers.

    `is_configured`: whether the configuration has a worker of that name, so that it is there again
    after a restart. `share`: have what was done be so on all nodes of the cluster, soon.
    """

    roster: Roster
    board: HealthBoard
    view: Published[PoolView]
    recruit: Recruit
    is_configured: Callable[[WorkerName], bool]
    share: Callable[[SharedWorker], Awaitable[None]]

    async def list(self, request: DoorRequest) -> tuple[int, Any]:
        """All workers, in the order of their registration."""
        read_query(request)
        documents = [self._document(worker) for worker in self.roster.value]
        return 200, {"items": documents, "total": len(documents), "next_cursor": None}

    async def show(self, request: DoorRequest) -> tuple[int, Any]:
        """One worker."""
        return 200, self._document(self._named(request))

    async def add(self, request: DoorRequest) -> tuple[int, Any]:
        """Take on a worker until the node restarts; it is checked at once, but not waited for."""
        read_query(request)
        check_json(request.headers)
        table = parse_object(request.body)
        try:
            worker = self.recruit(table)
        except UnfitWorker as unfit:
            return 422, _invalid(unfit.problems)
        try:
            await whereis(WORKER_REGISTRY).call(WorkerRegistry.register, worker)
        except WorkerAlreadyRegistered as error:
            await worker.provider.aclose()
            raise RequestRefused(
                f"{error}; remove it first, or choose another name", "name", "name_taken", 409
            ) from error
        except CallFailed:
            await worker.provider.aclose()
            raise
        check_soon(worker.name)
        await self._routed()
        await self.share(SharedWorker(name=worker.name, table=table))
        return 201, self._document(worker)

    async def remove(self, request: DoorRequest) -> tuple[int, Any]:
        """Give it nothing new, and let it go when what it is answering has ended."""
        name = self._named(request).name
        await _ask(whereis(WORKER_REGISTRY).call(WorkerRegistry.unregister, name))
        await self._routed()
        await self.share(SharedWorker(name=name, is_removed=True))
        return 202, {"name": name, "draining": True}

    async def activate(self, request: DoorRequest) -> tuple[int, Any]:
        """Let it have new requests."""
        return await self._set(request, WorkerRegistry.activate)

    async def deactivate(self, request: DoorRequest) -> tuple[int, Any]:
        """Give it no new requests; those in flight go on."""
        return await self._set(request, WorkerRegistry.deactivate)

    async def check(self, request: DoorRequest) -> tuple[int, Any]:
        """Probe it now, and wait for the verdict."""
        worker = self._named(request)
        before = self.board.value.get(worker.name)
        await _ask(whereis(HEALTH_MONITOR).call(HealthMonitor.check, worker.name))
        with trio.move_on_after(CHECK_S_MAX):
            await self.board.wait_until(lambda now: now.get(worker.name) is not before)
            await self._routed()
            return await self.show(request)
        raise RequestRefused(
            f"no verdict on '{worker.name}' within {CHECK_S_MAX:g} s; look at it again later",
            code="check_timed_out",
            status=504,
        )

    async def reset_breaker(self, request: DoorRequest) -> tuple[int, Any]:
        """Close its circuit breaker, and forget what it has counted."""
        name = self._named(request).name
        await _ask(whereis(CIRCUIT_BREAKERS).call(CircuitBreakers.reset, name))
        return 200, breaker_document(self._named(request), trio.current_time())

    async def _set(
        self, request: DoorRequest, order: Callable[[WorkerRegistry, WorkerName], Awaitable[None]]
    ) -> tuple[int, Any]:
        name = self._named(request).name
        await _ask(whereis(WORKER_REGISTRY).call(order, name))
        await self._routed()
        worker = self._named(request)
        await self.share(SharedWorker(name=name, is_active=worker.is_active))
        return 200, self._document(worker)

    def _named(self, request: DoorRequest) -> RegisteredWorker:
        read_query(request)
        name = request.params["name"]
        for worker in self.roster.value:
            if worker.name == name:
                return worker
        raise _not_found(name)

    def _document(self, worker: RegisteredWorker) -> dict[str, Any]:
        health = self.board.value.get(worker.name, WorkerHealth())
        return worker_document(
            PoolMember(worker, health),
            trio.current_time(),
            is_configured=self.is_configured(worker.name),
        )

    async def _routed(self) -> None:
        """Until the pool has published what there is now."""
        with trio.move_on_after(ROUTING_S_MAX):
            await self.view.wait_until(
                lambda view: [member.worker for member in view.members] == [*self.roster.value]
            )


async def _ask(answer: Awaitable[None]) -> None:
    """Wait for an actor. Raises `RequestRefused` where it has no such worker."""
    try:
        await answer
    except WorkerNotRegistered as error:
        raise RequestRefused(str(error), "name", "not_found", 404) from error


def _not_found(name: str) -> RequestRefused:
    return RequestRefused(f"there is no worker {quoted(name)}", "name", "not_found", 404)


def _invalid(problems: tuple[str, ...]) -> dict[str, Any]:
    return {
        "error": {
            "message": f"this is no worker that can be added: {problems[0]}"
            + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""),
            "type": "invalid_request_error",
            "param": None,
            "code": "invalid_worker",
            "problems": list(problems),
        }
    }
